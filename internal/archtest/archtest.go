// Package archtest keeps the house in order: it parses the module's imports
// and declarations, and holds them to the tables in rules.go. It runs no
// program: a test that asks go list is cached and lies.
package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Breach is one place where the tree breaks a rule.
type Breach struct {
	Pos     string // file:line
	Rule    string // the rule's short name, as exceptions name it
	Subject string // what breaks it, as exceptions name it
	Text    string // what is wrong, and what would be right
}

func (b Breach) String() string {
	return fmt.Sprintf("%s: [%s] %s: %s", b.Pos, b.Rule, b.Subject, b.Text)
}

// file is one parsed Go file.
type file struct {
	path, dir string
	test      bool // *_test.go, or of a package for tests
	ast       *ast.File
	lines     int
}

// tree is the parsed module.
type tree struct {
	fset  *token.FileSet
	files []*file
}

// Check returns the breaches in the module at the root of fsys, sorted by
// place, and the exceptions that were not needed.
func Check(fsys fs.FS) ([]Breach, []string, error) {
	t, found, err := load(fsys)
	if err != nil {
		return nil, nil, err
	}
	for _, rule := range []func(*tree) []Breach{
		checkLayers, checkLibraries, checkEngines, checkLinks, checkNames, checkClock, checkScope, checkSize,
	} {
		found = append(found, rule(t)...)
	}
	used := make([]bool, len(exceptions))
	found = slices.DeleteFunc(found, func(b Breach) bool {
		i := slices.IndexFunc(exceptions, func(e exception) bool { return e.rule == b.Rule && e.subject == b.Subject })
		if i >= 0 {
			used[i] = true
		}
		return i >= 0
	})
	var stale []string
	for i, e := range exceptions {
		if !used[i] {
			stale = append(stale, fmt.Sprintf("exception [%s] %s (%s) is not needed: delete it", e.rule, e.subject, e.reason))
		}
	}
	slices.SortFunc(found, func(a, b Breach) int { return strings.Compare(a.String(), b.String()) })
	return found, stale, nil
}

// load parses every Go file of the module; nested modules are not part of it.
func load(fsys fs.FS) (*tree, []Breach, error) {
	t := &tree{fset: token.NewFileSet()}
	var found []Breach
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p == "." {
				return nil
			}
			_, err := fs.Stat(fsys, path.Join(p, "go.mod"))
			if name := d.Name(); err == nil || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") ||
				name == "testdata" || name == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		src, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(t.fset, p, src, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			found = append(found, Breach{p + ":1", "parse", p, err.Error()})
			return nil
		}
		dir := path.Dir(p)
		t.files = append(t.files, &file{path: p, dir: dir, ast: f, lines: t.fset.File(f.Pos()).LineCount(),
			test: strings.HasSuffix(p, "_test.go") || forTests(dir)})
		return nil
	})
	return t, found, err
}

// forTests reports whether a folder's package exists for tests: dbtest, pgtest ...
func forTests(dir string) bool {
	return strings.HasSuffix(path.Base(dir), "test") || match("internal/pgtest/...", dir) || match("e2e/...", dir)
}

func (t *tree) breach(at token.Pos, rule, subject, format string, args ...any) Breach {
	p := t.fset.Position(at)
	return Breach{fmt.Sprintf("%s:%d", p.Filename, p.Line), rule, subject, fmt.Sprintf(format, args...)}
}

// imported is an import's path and place.
type imported struct {
	path string
	pos  token.Pos
}

func (f *file) imports() []imported {
	var all []imported
	for _, s := range f.ast.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err == nil {
			all = append(all, imported{p, s.Pos()})
		}
	}
	return all
}

// own returns the folder of an import of our own.
func own(importPath string) (dir string, ok bool) { return strings.CutPrefix(importPath, module) }

// standard reports whether an import is of the standard library.
func standard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	_, ours := own(importPath)
	return !ours && !strings.Contains(first, ".")
}

// match matches a path with a glob, where a final /... stands for the folder
// itself and all below it.
func match(pattern, name string) bool {
	if dir, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == dir || strings.HasPrefix(name, dir+"/")
	}
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}

// under reports whether an import path is prefix or below it.
func under(prefix, importPath string) bool {
	return match(strings.TrimSuffix(prefix, "/")+"/...", importPath)
}
