package tests

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"testing"
)

// pure packages: no clock, chance, I/O, goroutine or map order.
var pure = []string{"internal/event", "internal/fold", "internal/view", "internal/indicator"}

// bannedImports give a pure package a clock, chance, I/O or goroutines. time is allowed for calendars; its clock is not.
var bannedImports = []string{"os", "io", "net", "math/rand", "crypto/rand", "sync", "context", "log", "log/slog", "bufio", "runtime"}

// bannedCalls are the parts of allowed packages that are not pure.
var bannedCalls = map[string]bool{
	"time.Now": true, "time.Since": true, "time.Until": true, "time.Sleep": true, "time.After": true, "time.NewTimer": true, "time.Tick": true, "time.LoadLocation": true,
	"fmt.Print": true, "fmt.Println": true, "fmt.Printf": true,
}

//fault:h8 no clock in event, fold, view and indicator
func TestPurity(t *testing.T) {
	fset := token.NewFileSet()
	for _, pkg := range pure {
		files, err := filepath.Glob("../" + pkg + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files (%v)", pkg, err)
		}
		var parsed []*ast.File
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, f)
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		conf := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
		if _, err := conf.Check("switchboard/"+pkg, fset, parsed, info); err != nil {
			t.Fatalf("%s: %v", pkg, err)
		}
		for _, f := range parsed {
			checkPure(t, fset, f, info)
		}
	}
}

func checkPure(t *testing.T, fset *token.FileSet, f *ast.File, info *types.Info) {
	orderFree := map[int]bool{} // lines with a comment that says why the order does not matter
	for _, group := range f.Comments {
		for _, c := range group.List {
			if strings.Contains(c.Text, "order-free:") {
				line := fset.Position(c.Pos()).Line
				orderFree[line], orderFree[line+1] = true, true
			}
		}
	}
	for _, i := range f.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		for _, banned := range bannedImports {
			if path == banned || strings.HasPrefix(path, banned+"/") {
				t.Errorf("%s: a pure package imports %s", fset.Position(i.Pos()), path)
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			t.Errorf("%s: a pure package starts a goroutine", fset.Position(n.Pos()))
		case *ast.RangeStmt:
			if _, isMap := info.Types[n.X].Type.Underlying().(*types.Map); isMap && !orderFree[fset.Position(n.Pos()).Line] {
				t.Errorf("%s: a pure package ranges over a map: sort first, or say in a comment 'order-free: why'", fset.Position(n.Pos()))
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Obj == nil && bannedCalls[x.Name+"."+n.Sel.Name] {
				t.Errorf("%s: a pure package calls %s.%s", fset.Position(n.Pos()), x.Name, n.Sel.Name)
			}
		}
		return true
	})
}
