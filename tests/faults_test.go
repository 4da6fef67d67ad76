package tests

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fault is a row of faults.txt, and the tests that say they cover it:
//
//	//fault:p12 what is checked
//
// as a line above a test.
type fault struct {
	id, what string
	real     bool   // asks for real servers
	not      string // what no test shows
	heading  string // of the rows that begin here
	tests    []faultTest
}

type faultTest struct{ pkg, name, checks, on string }

// TestFaults makes FAULTS.md of faults.txt and of the tests. GOLDEN=1 writes it.
func TestFaults(t *testing.T) {
	rows := readFaults(t)
	byID := map[string]*fault{}
	for _, row := range rows {
		if byID[row.id] != nil {
			t.Errorf("%s is there twice", row.id)
		}
		byID[row.id] = row
	}
	for dir, pkg := range testPackages(t) {
		for _, c := range pkg.covers(t) {
			row := byID[strings.ToUpper(c.id)]
			if row == nil {
				t.Errorf("%s: %s covers %q, which is no row of faults.txt", dir, c.name, c.id)
				continue
			}
			row.tests = append(row.tests, faultTest{dir, c.name, c.checks, pkg.servers(c.name)})
		}
	}
	for _, row := range rows {
		switch {
		case row.not != "":
		case len(row.tests) == 0:
			t.Errorf("%s (%s) has no test: write one, or say in faults.txt why not", row.id, row.what)
		case row.real && !row.hasReal():
			t.Errorf("%s (%s) asks for a test on real servers: write one, or say in faults.txt why not", row.id, row.what)
		}
		slices.SortFunc(row.tests, func(a, b faultTest) int {
			return cmp.Or(cmp.Compare(a.pkg, b.pkg), cmp.Compare(a.name, b.name), cmp.Compare(a.checks, b.checks))
		})
	}
	want := faultsPage(rows)
	if os.Getenv("GOLDEN") == "1" {
		if err := os.WriteFile("FAULTS.md", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, _ := os.ReadFile("FAULTS.md"); !bytes.Equal(got, want) {
		t.Error("FAULTS.md is not what faults.txt and the tests say: GOLDEN=1 go test ./tests -run TestFaults, and read the diff")
	}
}

// hasReal tells whether a test of the row reaches the real server that it is about.
func (f *fault) hasReal() bool {
	server := "Kafka"
	if f.id[0] == 'P' {
		server = "Redis"
	}
	return slices.ContainsFunc(f.tests, func(c faultTest) bool { return slices.Contains(strings.Split(c.on, ", "), server) })
}

var faultRow = regexp.MustCompile(`^([A-Z]\d+) +(\* +)?(\S.*)$`)

func readFaults(t *testing.T) []*fault {
	t.Helper()
	text, err := os.ReadFile("faults.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rows []*fault
	heading := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, " \n")
		m := faultRow.FindStringSubmatch(line)
		not, isNot := strings.CutPrefix(strings.TrimSpace(line), "not: ")
		switch {
		case line == "", strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "== "):
			heading = line[3:]
		case m != nil:
			rows = append(rows, &fault{id: m[1], real: m[2] != "", what: m[3], heading: heading})
			heading = ""
		case isNot && len(rows) > 0 && rows[len(rows)-1].not == "":
			rows[len(rows)-1].not = not
		default:
			t.Fatalf("faults.txt: what is %q?", line)
		}
	}
	return rows
}

func faultsPage(rows []*fault) []byte {
	var out bytes.Buffer
	covered, real, stars := 0, 0, 0
	for _, row := range rows {
		if len(row.tests) > 0 {
			covered++
		}
		if row.real {
			stars++
			if row.hasReal() {
				real++
			}
		}
	}
	fmt.Fprintf(&out, `# What can go wrong, and the test of it

Made by tests/faults_test.go from faults.txt and the lines `+"`//fault:`"+` above the tests; `+"`GOLDEN=1 go test ./tests -run TestFaults`"+` makes it anew. A star asks
for a test on a real Kafka or Redis. The last column says which servers a test can reach: those it names, itself or in what it calls.

%d of %d rows have a test; %d of %d with a star have one on real servers.
`, covered, len(rows), real, stars)
	for _, row := range rows {
		if row.heading != "" {
			fmt.Fprintf(&out, "\n## %s\n\n| row | test | checks | on |\n|---|---|---|---|\n", row.heading)
		}
		star := ""
		if row.real {
			star = " ★"
		}
		fmt.Fprintf(&out, "| **%s**%s | | **%s** | |\n", row.id, star, row.what)
		for _, c := range row.tests {
			fmt.Fprintf(&out, "| | %s.%s | %s | %s |\n", c.pkg, c.name, c.checks, c.on)
		}
		if row.not != "" {
			fmt.Fprintf(&out, "| | | not covered: %s | |\n", row.not)
		}
	}
	return out.Bytes()
}

// testPackage is the declarations of a package, tests and all, by name.
type testPackage struct {
	fset  *token.FileSet
	funcs map[string][]*ast.FuncDecl // methods too, whatever they are of
	files []*ast.File
}

func testPackages(t *testing.T) map[string]*testPackage {
	t.Helper()
	all := map[string]*testPackage{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != "..":
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go"):
			return nil
		}
		dir := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(path), ".."+string(filepath.Separator)))
		p := all[dir]
		if p == nil {
			p = &testPackage{fset: token.NewFileSet(), funcs: map[string][]*ast.FuncDecl{}}
			all[dir] = p
		}
		f, err := parser.ParseFile(p.fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		p.files = append(p.files, f)
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				p.funcs[fn.Name.Name] = append(p.funcs[fn.Name.Name], fn)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

type cover struct{ name, id, checks string }

// covers are the directives of a package. One that stands elsewhere than above a test is a mistake.
func (p *testPackage) covers(t *testing.T) (list []cover) {
	t.Helper()
	above := map[token.Pos]string{}
	for name, fns := range p.funcs {
		for _, fn := range fns {
			if fn.Doc != nil && fn.Recv == nil && (strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz")) {
				for _, c := range fn.Doc.List {
					above[c.Slash] = name
				}
			}
		}
	}
	for _, f := range p.files {
		for _, group := range f.Comments {
			for _, c := range group.List {
				text, ok := strings.CutPrefix(c.Text, "//fault:")
				if !ok {
					continue
				}
				id, checks, _ := strings.Cut(text, " ")
				if above[c.Slash] == "" || strings.TrimSpace(checks) == "" {
					t.Errorf("%s: %s must stand above a test and say what that checks", p.fset.Position(c.Slash), c.Text)
					continue
				}
				list = append(list, cover{above[c.Slash], id, strings.TrimSpace(checks)})
			}
		}
	}
	return list
}

// serversOf says what a call of these packages starts: kfake and miniredis are in the process, Kafka and Redis are real.
var serversOf = map[string][]string{
	"backend.Each": {"kfake", "miniredis", "Kafka", "Redis"}, "backend.Embedded": {"kfake", "miniredis"}, "backend.Faulty": {"kfake", "miniredis"}, "backend.Real": {"Kafka", "Redis"}, "backend.RealCluster": {"Kafka", "Redis"},
	"backend.EmbeddedKafka": {"kfake"}, "kfake.NewCluster": {"kfake"}, "backend.RealKafka": {"Kafka"}, "backend.OwnKafka": {"Kafka"},
	"backend.EmbeddedRedis": {"miniredis"}, "miniredis.RunT": {"miniredis"}, "backend.RealRedis": {"Redis"}, "backend.RealRedisCluster": {"Redis"},
}

// servers are those that a test reaches, through whatever of its package it names. Names are not resolved, so it may say too much where two
// functions have one name.
func (p *testPackage) servers(test string) string {
	seen, found := map[string]bool{}, map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		for _, fn := range p.funcs[name] {
			ast.Inspect(fn, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.SelectorExpr:
					if x, ok := n.X.(*ast.Ident); ok {
						for _, server := range serversOf[x.Name+"."+n.Sel.Name] {
							found[server] = true
						}
						if _, other := serversOf[x.Name+"."+n.Sel.Name]; other {
							return false
						}
					}
				case *ast.Ident:
					visit(n.Name)
				}
				return true
			})
		}
	}
	visit(test)
	return strings.Join(slices.Sorted(maps.Keys(found)), ", ")
}
