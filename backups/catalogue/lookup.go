package catalogue

import (
	"bytes"
	"context"

	"ostler/agents/wire"
)

// Folder returns what is in a folder of a snapshot, sorted by name, bytewise,
// limit at most (0: all). found is false where there is no folder at dir;
// "/" is always there. Entries are the caller's.
func (c *Catalogue) Folder(ctx context.Context, ord Ordinal, dir []byte, limit int) (entries []Entry, found, truncated bool, err error) {
	return c.FolderAfter(ctx, ord, dir, nil, limit)
}

// FolderAfter is Folder from the name after the one given; a nil name is the
// beginning.
func (c *Catalogue) FolderAfter(ctx context.Context, ord Ordinal, dir, after []byte, limit int) (entries []Entry, found, truncated bool, err error) {
	e, found, err := c.Stat(ctx, ord, dir)
	if err != nil || !found || e.Type != wire.NodeDir {
		return nil, false, false, err
	}
	dir = folderKey(dir)
	m, err := c.merge(ctx, c.manifest.Segments, dir, after, nil)
	if err != nil {
		return nil, false, false, err
	}
	for {
		more, err := m.next()
		if err != nil {
			return nil, false, false, err
		}
		if !more || !bytes.Equal(m.dir, dir) {
			return entries, true, false, nil
		}
		if after != nil && bytes.Equal(m.name, after) {
			continue
		}
		events, err := m.events()
		if err != nil {
			return nil, false, false, err
		}
		s := at(events, ord)
		if s == nil {
			continue
		}
		if limit > 0 && len(entries) == limit {
			return entries, true, true, nil
		}
		entries = append(entries, s.entry(m.dir, m.name))
	}
}

// Stat returns one entry of a snapshot; a slash at the end of its path does not
// matter. "/" is a folder of which nothing else is known.
func (c *Catalogue) Stat(ctx context.Context, ord Ordinal, path []byte) (Entry, bool, error) {
	if err := c.checkSnapshot(ord); err != nil {
		return Entry{}, false, err
	}
	path = folderKey(path)
	if len(path) == 0 {
		return Entry{Path: []byte("/"), Type: wire.NodeDir}, true, nil
	}
	dir, name, err := cut(path)
	if err != nil {
		return Entry{}, false, nil // no such path can be
	}
	events, err := c.eventsOf(ctx, dir, name)
	if err != nil {
		return Entry{}, false, err
	}
	s := at(events, ord)
	if s == nil {
		return Entry{}, false, nil
	}
	return s.entry(dir, name), true, nil
}

// eventsOf returns all that became of one path.
func (c *Catalogue) eventsOf(ctx context.Context, dir, name []byte) ([]event, error) {
	m, err := c.merge(ctx, c.manifest.Segments, dir, name, nil)
	if err != nil {
		return nil, err
	}
	more, err := m.next()
	if err != nil || !more || !bytes.Equal(m.dir, dir) || !bytes.Equal(m.name, name) {
		return nil, err
	}
	return m.events()
}

// Walk calls each for the entry at root, where that is not "/", and then for
// all that is beneath it, folder by folder: a folder's children stand together,
// before what is in them. Where there is nothing at root it calls nothing. An
// entry is valid during its call. An error of each ends the walk and is returned.
func (c *Catalogue) Walk(ctx context.Context, ord Ordinal, root []byte, each func(Entry) error) error {
	top, found, err := c.Stat(ctx, ord, root)
	if err != nil || !found {
		return err
	}
	dir := folderKey(root)
	if len(dir) > 0 {
		if err := each(top); err != nil || top.Type != wire.NodeDir {
			return err
		}
	}
	m, err := c.merge(ctx, c.manifest.Segments, dir, nil, nil)
	if err != nil {
		return err
	}
	var path []byte
	for {
		more, err := m.next()
		if err != nil || !more || !beneath(m.dir, dir) {
			return err
		}
		events, err := m.events()
		if err != nil {
			return err
		}
		s := at(events, ord)
		if s == nil {
			continue
		}
		path = join(path[:0], m.dir, m.name)
		e := Entry{Path: path}
		s.fill(&e)
		if err := each(e); err != nil {
			return err
		}
	}
}
