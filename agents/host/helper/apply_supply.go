package helper

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

// supply is where a restore's files come from: repositories, or an archive.
type supply interface {
	// wanted are the paths of each selection.
	wanted() [][][]byte
	// each gives all nodes of all selections, folders before what is in them.
	each(ctx context.Context, node func(sel int, from string, n wire.Node) error, lost func(sel int, p wire.Problem)) error
	// stat returns one node more, if it is known.
	stat(ctx context.Context, sel int, name string) (wire.Node, bool)
	// fill restores the paths of one selection beneath an empty folder, under
	// their whole path. What cannot be read is not there then.
	fill(ctx context.Context, sel int, covers [][]byte, o restic.RestoreOptions) error
	close()
}

// supply opens where the files of a restore come from.
func (h *Local) supply(ctx context.Context, p Preview) (supply, error) {
	if p.Archive != "" {
		return h.openArchive(ctx, p)
	}
	s := &snapshots{h: h, job: p.Job, wants: p.Selections, dir: filepath.Join(h.stagingDir(), p.Job)}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("helper: make staging: %w", err)
	}
	for _, w := range p.Selections {
		e, err := h.repo(ctx, w.Repo)
		if err != nil {
			return nil, err
		}
		s.repos = append(s.repos, e)
	}
	return s, nil
}

// snapshots supplies from repositories.
type snapshots struct {
	h     *Local
	job   string
	dir   string // private staging
	wants []Selected
	repos []Engine
	lists []*restic.Contents
	// folder is the last one that stat read, with its nodes; reads counts them.
	folder string
	nodes  map[string]wire.Node
	reads  int
}

// maxReads bounds the folders that are read for one restore only to compare
// links and to learn of folders on the way; each costs a run of restic.
const maxReads = 100

func (s *snapshots) wanted() [][][]byte {
	var all [][][]byte
	for _, w := range s.wants {
		all = append(all, w.Paths)
	}
	return all
}

func (s *snapshots) close() {
	for _, c := range s.lists {
		_ = c.Close() // staging goes as a whole too
	}
	s.lists = nil
}

// load lists every selection, once.
func (s *snapshots) load(ctx context.Context) error {
	for sel := len(s.lists); sel < len(s.wants); sel++ {
		name := s.h.listFile(s.job, sel)
		_ = os.Remove(name) // of a run that was killed
		c, err := s.repos[sel].Contents(ctx, s.wants[sel].Snapshot, s.wants[sel].Paths, name)
		if err != nil {
			return err
		}
		s.lists = append(s.lists, c)
		if c.Unlisted {
			if err := s.probe(ctx, sel, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// probe restores a selection of a damaged snapshot to private staging: only
// then anybody knows what of it can be had.
func (s *snapshots) probe(ctx context.Context, sel int, c *restic.Contents) error {
	done, err := s.h.promise(s.job, c.Bytes)
	if err != nil {
		return err
	}
	defer done()
	dir := filepath.Join(s.dir, "damaged")
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("helper: clear staging: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("helper: make staging: %w", err)
	}
	defer os.RemoveAll(dir)
	return s.repos[sel].Restore(ctx, c, restic.RestoreOptions{Target: dir})
}

func (s *snapshots) each(ctx context.Context, node func(int, string, wire.Node) error, lost func(int, wire.Problem)) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	for sel, c := range s.lists {
		err := c.Each(func(it restic.Item) error {
			if it.Cause != "" && it.Node.Type == wire.NodeFile {
				return nil // it is among what is lost
			}
			n := it.Node
			n.LinkTarget = slices.Clone(n.LinkTarget)
			return node(sel, string(it.Path), n)
		})
		if err == nil {
			err = c.EachMissing(func(p wire.Problem) error {
				lost(sel, p)
				return nil
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *snapshots) stat(ctx context.Context, sel int, name string) (wire.Node, bool) {
	dir := path.Dir(name)
	key := fmt.Sprint(sel, dir)
	if s.folder != key {
		if s.reads == maxReads {
			return wire.Node{}, false
		}
		s.reads++
		s.folder, s.nodes = key, map[string]wire.Node{}
		l, err := s.repos[sel].List(ctx, s.wants[sel].Snapshot, []byte(dir), 0)
		if err != nil {
			return wire.Node{}, false
		}
		for _, n := range l.Nodes {
			s.nodes[string(n.Name)] = n
		}
	}
	n, ok := s.nodes[path.Base(name)]
	return n, ok
}

func (s *snapshots) fill(ctx context.Context, sel int, covers [][]byte, o restic.RestoreOptions) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	covered := map[string]bool{}
	for _, c := range covers {
		covered[string(c)] = true
	}
	name := s.h.listFile(s.job, sel) + "-part"
	_ = os.Remove(name)
	part, err := restic.NewContents(name, s.wants[sel].Snapshot, covers)
	if err != nil {
		return err
	}
	defer part.Close()
	err = s.lists[sel].Each(func(it restic.Item) error {
		if it.Cause == "" && beneathAny(covered, string(it.Path)) {
			return part.Add(it.Path, it.Node)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.repos[sel].Restore(ctx, part, o)
}

// beneathAny reports whether name, or a folder above it, is among dirs.
func beneathAny(dirs map[string]bool, name string) bool {
	for !dirs[name] {
		i := strings.LastIndexByte(name, '/')
		if i < 0 || name == "/" {
			return false
		}
		if name = name[:i]; name == "" {
			name = "/"
		}
	}
	return true
}
