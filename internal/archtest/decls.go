package archtest

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

// checkNames wants each package name once in the tree.
func checkNames(t *tree) []Breach {
	var found []Breach
	where := map[string]string{}
	for _, f := range t.files {
		name := f.ast.Name.Name
		if name == "main" || strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		if where[name] == "" {
			where[name] = f.dir
		}
		if where[name] != f.dir {
			found = append(found, t.breach(f.ast.Name.Pos(), "name", f.path, "package name %s occurs in %s already", name, where[name]))
		}
	}
	return found
}

// checkClock finds time.Now, Since and Until in packages that hold rules.
func checkClock(t *tree) []Breach {
	var found []Breach
	for _, f := range t.files {
		if f.test || !slices.Contains(clockless, f.dir) {
			continue
		}
		name := f.nameOf("time")
		if name == "" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"Now", "Since", "Until"}, s.Sel.Name) {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && x.Name == name {
				found = append(found, t.breach(s.Pos(), "clock", f.path, "time.%s; rules take the time from tx.Now or a parameter", s.Sel.Name))
			}
			return true
		})
	}
	return found
}

// nameOf returns the name by which a file knows an import, or "".
func (f *file) nameOf(importPath string) string {
	for _, s := range f.ast.Imports {
		if s.Path.Value != `"`+importPath+`"` {
			continue
		}
		if s.Name != nil {
			return s.Name.Name
		}
		return path.Base(importPath)
	}
	return ""
}

// checkScope wants a policy.Scope among the parameters of each exported method
// of a store that holds customers' rows.
func checkScope(t *tree) []Breach {
	var found []Breach
	for _, f := range t.files {
		if f.test || !slices.Contains(scoped, f.dir) {
			continue
		}
		policy := f.nameOf(module + "controlplane/policy")
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() || !strings.HasSuffix(receiver(fn), "Store") || takes(fn, policy, "Scope") {
				continue
			}
			subject := f.dir + "." + receiver(fn) + "." + fn.Name.Name
			found = append(found, t.breach(fn.Pos(), "scope", subject, "takes no policy.Scope, so nothing bounds whose rows it reaches"))
		}
	}
	return found
}

// receiver returns the name of a method's type, or "".
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return ""
	}
	x := fn.Recv.List[0].Type
	if p, ok := x.(*ast.StarExpr); ok {
		x = p.X
	}
	if id, ok := x.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// takes reports whether a function has a parameter of type pkg.name.
func takes(fn *ast.FuncDecl, pkg, name string) bool {
	return slices.ContainsFunc(fn.Type.Params.List, func(p *ast.Field) bool {
		s, ok := p.Type.(*ast.SelectorExpr)
		if !ok || s.Sel.Name != name {
			return false
		}
		x, ok := s.X.(*ast.Ident)
		return ok && pkg != "" && x.Name == pkg
	})
}

// checkSize measures files and functions. Tests are not measured.
func checkSize(t *tree) []Breach {
	var found []Breach
	for _, f := range t.files {
		if f.test || ast.IsGenerated(f.ast) {
			continue
		}
		if f.lines > maxFileLines {
			found = append(found, t.breach(f.ast.Package, "size", f.path, "has %d lines, over %d: split it, or give a reason", f.lines, maxFileLines))
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			if n := t.fset.Position(fn.End()).Line - t.fset.Position(fn.Pos()).Line + 1; n > maxFuncLines {
				subject := f.path + " " + strings.TrimPrefix(receiver(fn)+"."+fn.Name.Name, ".")
				found = append(found, t.breach(fn.Pos(), "size", subject, "has %d lines, over %d: split it, or give a reason", n, maxFuncLines))
			}
		}
	}
	return found
}
