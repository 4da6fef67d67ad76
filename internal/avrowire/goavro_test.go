package avrowire

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// What goavro does wrong, and why nobody may ask it.
const (
	wrongFingerprint = "goavro's canonical form keeps logical types, so its fingerprint, and with it its frame, is that of no other library; use schemas.Schema.Fingerprint"
	hostileBytes     = "on hostile bytes goavro takes gigabytes or overflows the stack; twmb/avro decodes"
)

var forbidden = map[string]string{
	"Rabin":            wrongFingerprint,
	"SchemaCRC64Avro":  wrongFingerprint,
	"CanonicalSchema":  wrongFingerprint,
	"SingleFromNative": wrongFingerprint,
	"NativeFromSingle": wrongFingerprint,
	"NativeFromBinary": hostileBytes,
	"NewOCFReader":     hostileBytes,
}

// TestGoavroWritesBodiesOnly reads all Go files that import goavro.
func TestGoavroWritesBodiesOnly(t *testing.T) {
	root := filepath.Join("..", "..")
	home := filepath.Join(root, "internal", "avrowire")
	importers := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil // somebody is writing it; the compiler has the word
		}
		uses := false
		for _, i := range file.Imports {
			name, _ := strconv.Unquote(i.Path.Value)
			if strings.HasPrefix(name, "github.com/linkedin/goavro") {
				uses = true
			}
		}
		if !uses {
			return nil
		}
		importers++
		if filepath.Dir(path) != home {
			t.Errorf("%s imports goavro: internal/avrowire is its only home", path)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && forbidden[s.Sel.Name] != "" {
				t.Errorf("%s: %s: %s", files.Position(s.Pos()), s.Sel.Name, forbidden[s.Sel.Name])
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if importers == 0 {
		t.Error("no file imports goavro: this test looks in the wrong place")
	}
}
