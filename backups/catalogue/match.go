package catalogue

import (
	"bytes"
	"context"
	"strings"
)

// matcher is a query's Text and Ext. The zero matcher takes every name.
type matcher struct {
	needle []byte            // every name that matches has it, folded; a NUL at its end is the end of the name
	name   func([]byte) bool // what else a folded name must be
	text   []byte            // part of the whole path, folded; name is only about Ext then
	path   func([]byte) bool // what a whole folded path must be
	buf    []byte
	err    error // why it was given up: what it said after that is worth nothing
}

// glob returns what matches a pattern until ctx ends: one with many stars is
// slow on long names.
func (m *matcher) glob(ctx context.Context, g *glob) func([]byte) bool {
	g.over = func() bool {
		if m.err == nil {
			m.err = ctx.Err()
		}
		return m.err != nil
	}
	return func(s []byte) bool { return !g.over() && g.match(s) }
}

func newMatcher(ctx context.Context, q *Query) *matcher {
	m := &matcher{}
	if strings.ContainsRune(q.Text+q.Ext, 0) { // no name has one, and between names it stands
		m.name = func([]byte) bool { return false }
		return m
	}
	ext := bytes.TrimPrefix(fold(nil, []byte(q.Ext)), []byte("."))
	if len(ext) > 0 {
		ext = append([]byte("."), ext...)
		m.needle = append(bytes.Clone(ext), 0)
		m.name = func(name []byte) bool { return bytes.HasSuffix(name, ext) && len(name) > len(ext) }
	}
	text := fold(nil, []byte(q.Text))
	switch isPath, isGlob := bytes.IndexByte(text, '/') >= 0, bytes.ContainsAny(text, "*?"); {
	case len(text) == 0:
	case isPath && isGlob:
		if text[0] != '/' {
			text = append([]byte("/**/"), text...)
		}
		g := newGlob(text)
		m.path = m.glob(ctx, g)
		m.narrow(g.literal())
	case isPath:
		m.text = text
	case isGlob:
		g := newGlob(text)
		m.also(m.glob(ctx, g))
		m.narrow(g.literal())
	default:
		if m.needle != nil {
			m.also(func(name []byte) bool { return bytes.Contains(name, text) })
		}
		m.narrow(text)
	}
	return m
}

// also has ok decide on names, too.
func (m *matcher) also(ok func([]byte) bool) {
	before := m.name
	if before == nil {
		m.name = ok
		return
	}
	m.name = func(name []byte) bool { return before(name) && ok(name) }
}

// narrow looks for text first, unless what is looked for is longer.
func (m *matcher) narrow(text []byte) {
	if len(text) > 0 && len(text) >= len(m.needle)-1 {
		m.needle = text
	}
}

// keys returns the keys of a block that match; all where every one does.
func (m *matcher) keys(n *names, folds func() (*folded, error)) (keys []int, all bool, err error) {
	if m.needle == nil && m.name == nil && m.text == nil && m.path == nil {
		return nil, true, nil
	}
	f, err := folds()
	if err != nil {
		return nil, false, err
	}
	switch {
	case m.text != nil:
		return m.inPath(n, f), false, nil
	case m.needle != nil:
		keys = f.with(m.needle, m.name)
	default:
		ok := m.name
		if ok == nil {
			ok = func([]byte) bool { return true }
		}
		keys, _ = f.each(0, n.keys, 0, ok)
	}
	if m.path != nil {
		keys = m.wholePath(n, keys)
	}
	return keys, false, nil
}

// inPath returns the keys whose path contains text, which has a slash.
func (m *matcher) inPath(n *names, f *folded) []int {
	cut := bytes.LastIndexByte(m.text, '/')
	end, begin := m.text[:cut], m.text[cut+1:] // of the folder, and of the name
	var keys, some []int
	at := 0
	for i := range n.runs {
		r := &n.runs[i]
		m.buf = fold(m.buf[:0], r.dir)
		whole, border := bytes.Contains(m.buf, m.text), bytes.HasSuffix(m.buf, end)
		some, at = f.each(r.first, r.end, at, func(name []byte) bool {
			return (whole || border && bytes.HasPrefix(name, begin)) && (m.name == nil || m.name(name))
		})
		keys = append(keys, some...)
	}
	return keys
}

// wholePath keeps the keys whose whole path matches.
func (m *matcher) wholePath(n *names, keys []int) []int {
	kept := keys[:0]
	run, folder := 0, -1
	var dir []byte
	for _, key := range keys {
		run = n.runOf(key, run)
		if folder != run {
			dir, folder = append(fold(dir[:0], n.runs[run].dir), '/'), run
		}
		m.buf = fold(append(m.buf[:0], dir...), n.name(key))
		if m.path(m.buf) {
			kept = append(kept, key)
		}
	}
	return kept
}
