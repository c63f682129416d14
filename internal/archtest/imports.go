package archtest

import (
	"slices"
	"strings"
)

// place returns the layer of a folder and the entry of its dirs that matched.
func place(dir string) (l layer, entry string, ok bool) {
	for _, candidate := range layers {
		for _, d := range candidate.dirs {
			if match(d, dir) && (!ok || len(d) > len(entry)) {
				l, entry, ok = candidate, d, true
			}
		}
	}
	return l, entry, ok
}

// checkLayers holds imports of our own to layers. Tests may import what they
// like; packages for tests are imported by nothing else.
func checkLayers(t *tree) []Breach {
	var found []Breach
	for _, f := range t.files {
		from, entry, ok := place(f.dir)
		if !ok {
			found = append(found, t.breach(f.ast.Package, "layer", f.path, "%s belongs to no layer: give it one in internal/archtest/rules.go", f.dir))
			continue
		}
		if f.test {
			continue
		}
		for _, i := range f.imports() {
			dir, ours := own(i.path)
			if !ours {
				if from.std && !standard(i.path) {
					found = append(found, t.breach(i.pos, "layer", f.path, "imports %s; %s imports the standard library only", i.path, f.dir))
				}
				continue
			}
			if forTests(dir) && from.name != "around" {
				found = append(found, t.breach(i.pos, "tests only", f.path, "imports %s, which is for tests", i.path))
				continue
			}
			to, target, ok := place(dir)
			if ok && (target == entry || slices.Contains(from.may, to.name) || slices.Contains(from.may, "*")) &&
				!foreignEngine(from, entry, to, target) {
				continue
			}
			found = append(found, t.breach(i.pos, "layer", f.path, "imports %s (%s); %s (%s) may import %s", i.path, to.name, f.dir, from.name, allowed(from)))
		}
	}
	return found
}

// foreignEngine reports that a slice reaches for another slice's engine.
func foreignEngine(from layer, entry string, to layer, target string) bool {
	return from.name == "slice" && to.name == "engine" && !strings.HasPrefix(entry, "controlplane/") &&
		!strings.HasPrefix(target, strings.TrimSuffix(entry, "..."))
}

func allowed(l layer) string {
	if len(l.may) == 0 {
		return "nothing of ours"
	}
	return strings.Join(l.may, ", ") + " and what is below itself"
}

// checkLibraries holds imports of others to libraries.
func checkLibraries(t *tree) []Breach {
	var found []Breach
	for _, f := range t.files {
		for _, i := range f.imports() {
			for _, lib := range libraries {
				if lib.exact && i.path != lib.path || !under(lib.path, i.path) || lib.tests && f.test {
					continue
				}
				if !slices.ContainsFunc(lib.files, func(p string) bool { return match(p, f.path) }) {
					found = append(found, t.breach(i.pos, "library", f.path, "imports %s: %s", i.path, lib.why))
				}
			}
		}
	}
	return found
}

// checkEngines lets an engine have one library.
func checkEngines(t *tree) []Breach {
	var found []Breach
	first := map[string]string{} // an engine's entry to the library it has
	for _, f := range t.files {
		l, entry, _ := place(f.dir)
		if l.name != "engine" || f.test {
			continue
		}
		for _, i := range f.imports() {
			_, ours := own(i.path)
			if ours || standard(i.path) || slices.ContainsFunc(freeLibraries, func(p string) bool { return strings.HasPrefix(i.path, p) }) {
				continue
			}
			lib := i.path
			if names := strings.Split(i.path, "/"); len(names) > 3 {
				lib = strings.Join(names[:3], "/")
			}
			lib = wholeOf(lib)
			if first[entry] == "" {
				first[entry] = lib
			} else if first[entry] != lib {
				found = append(found, t.breach(i.pos, "engine", f.path, "imports %s beside %s; an engine has one library", lib, first[entry]))
			}
		}
	}
	return found
}

// wholeOf is the library that one is a part of: itself, mostly.
func wholeOf(lib string) string {
	for part, whole := range parts {
		if under(part, lib) {
			return whole
		}
	}
	return lib
}

// checkLinks follows our own imports from roots and reports the way to each
// library that they must not link.
func checkLinks(t *tree) []Breach {
	byDir := map[string][]*file{}
	for _, f := range t.files {
		if !f.test {
			byDir[f.dir] = append(byDir[f.dir], f)
		}
	}
	var found []Breach
	for _, root := range roots {
		seen := map[string]bool{}
		var follow func(dir string, way []string)
		follow = func(dir string, way []string) {
			if seen[dir] {
				return
			}
			seen[dir] = true
			way = append(slices.Clone(way), dir)
			for _, f := range byDir[dir] {
				for _, i := range f.imports() {
					if d, ours := own(i.path); ours {
						follow(d, way)
					} else if slices.ContainsFunc(unlinked, func(p string) bool { return under(p, i.path) }) {
						found = append(found, t.breach(i.pos, "link", root, "links %s by way of %s", i.path, strings.Join(way, " → ")))
					}
				}
			}
		}
		follow(root, nil)
		for _, dir := range sortedKeys(byDir) { // packages below a root are roots too
			if strings.HasPrefix(dir, root+"/") {
				follow(dir, []string{root + "/..."})
			}
		}
	}
	return found
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
