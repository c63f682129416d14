package deploy

import "ostler/agents/host/rooted"

const (
	maxRead = 1 << 20 // bytes of a file of others
	maxDir  = 20000   // names of a folder of others
)

// tree is the host's files: programs that run under a root of their own name them
// with it.
func (e *Engine) tree() rooted.Tree { return rooted.Tree{Root: e.root, Alias: e.o.Root} }

// inside is a path as it is beneath the root.
func (e *Engine) inside(name string) string { return e.tree().Inside(name) }

// resolve follows the links in a path.
func (e *Engine) resolve(name string) (string, error) { return e.tree().Resolve(name) }

// read reads a regular file of others.
func (e *Engine) read(name string) ([]byte, error) { return e.tree().Read(name, maxRead) }

// rel is an absolute path as os.Root takes it.
func rel(name string) string { return rooted.Rel(name) }

// glob returns what is there of what matches a pattern; it follows links.
func (e *Engine) glob(pattern string) []string {
	found := rooted.Glob(pattern, e.names)
	out := found[:0]
	for _, f := range found {
		if _, err := e.resolve(f); err == nil {
			out = append(out, f)
		}
	}
	return out
}

// names are the names in a folder, sorted; none where it cannot be read, or has
// more than anybody needs.
func (e *Engine) names(dir string) []string {
	names, err := e.tree().Names(dir, maxDir)
	if err != nil {
		return nil
	}
	return names
}
