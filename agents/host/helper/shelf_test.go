package helper_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
	"ostler/backups/restic"
)

// What the tests of one file do not ask the engine with one file for.

func (e *engine) Snapshots(context.Context) ([]restic.Snapshot, error) { return nil, nil }

func (e *engine) Walk(context.Context, string, func([]byte, wire.Node) error) error { return nil }

func (e *engine) Contents(context.Context, string, [][]byte, string) (*restic.Contents, error) {
	return nil, helper.Fail(wire.CauseNotFound, nil, "the fake has no folders")
}

func (e *engine) Restore(context.Context, *restic.Contents, restic.RestoreOptions) error {
	return helper.Fail(wire.CauseNotFound, nil, "the fake has no folders")
}

// shelf is a repository with one snapshot of any files; it runs nothing. What
// is damaged is listed and does not come back.
type shelf struct {
	engine
	things []thing // depth first
	// before runs before a restore, after once it is done.
	before, after func(target string) error
}

type thing struct {
	path    string
	kind    wire.NodeType // "" is a file
	data    string        // or a link's target
	damaged bool
}

const mtime = 1767323045678

func (th thing) node() wire.Node {
	n := wire.Node{Name: []byte(filepath.Base(th.path)), Type: th.kind, Mode: 0o644, MTime: mtime, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
	switch th.kind {
	case "", wire.NodeFile:
		n.Type, n.Size = wire.NodeFile, int64(len(th.data))
	case wire.NodeDir:
		n.Mode = 0o755
	}
	return n
}

func (s *shelf) Snapshots(context.Context) ([]restic.Snapshot, error) {
	return []restic.Snapshot{{ID: "a"}, {ID: "b"}}, nil
}

func (s *shelf) Walk(ctx context.Context, _ string, each func([]byte, wire.Node) error) error {
	for _, th := range s.things {
		if err := each([]byte(th.path), th.node()); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *shelf) Contents(_ context.Context, snapshot string, paths [][]byte, file string) (*restic.Contents, error) {
	c, err := restic.NewContents(file, snapshot, paths)
	if err != nil {
		return nil, err
	}
	for _, p := range paths {
		found := false
		for _, th := range s.things {
			if helper.Beneath(string(p), th.path) {
				found = true
				if err := c.Add([]byte(th.path), th.node()); err != nil {
					return nil, err
				}
			}
		}
		if !found {
			c.Lost(p, wire.CauseNotFound)
		}
	}
	if c.Files+c.Folders+c.Others == 0 {
		_ = c.Close()
		return nil, helper.Fail(wire.CauseNotFound, nil, "nothing of it is there")
	}
	return c, nil
}

func (s *shelf) Restore(_ context.Context, c *restic.Contents, o restic.RestoreOptions) error {
	if s.before != nil {
		if err := s.before(o.Target); err != nil {
			return err
		}
	}
	for _, th := range s.things {
		at := o.Target + th.path
		wanted := slices.ContainsFunc(c.Paths, func(p []byte) bool { return helper.Beneath(string(p), th.path) })
		if !wanted || th.damaged {
			continue
		}
		err := os.MkdirAll(filepath.Dir(at), 0o700)
		switch {
		case err != nil:
		case th.kind == wire.NodeDir:
			err = os.Mkdir(at, 0o700)
		case th.kind == wire.NodeSymlink:
			err = os.Symlink(th.data, at)
		case th.kind == "":
			err = os.WriteFile(at, []byte(th.data), 0o600)
		}
		if err != nil && !os.IsExist(err) {
			return err
		}
	}
	if o.Progress != nil {
		o.Progress(wire.Progress{Step: "restore", Done: c.Bytes, Total: c.Bytes})
	}
	if s.after != nil {
		if err := s.after(o.Target); err != nil {
			return err
		}
	}
	return c.Check(o)
}

// on makes a helper over this repository.
func (s *shelf) on(t *testing.T, o func(*helper.Options)) *helper.Local {
	t.Helper()
	return newHelper(t, t.TempDir(), newEngine(), func(opts *helper.Options) {
		opts.Engine = func(helper.Repo) helper.Engine { return s }
		if o != nil {
			o(opts)
		}
	})
}

// asks is an archive of paths of one snapshot.
func asks(f wire.ArchiveFormat, paths ...string) helper.Archive {
	sel := helper.Selected{Snapshot: "snap"}
	for _, p := range paths {
		sel.Paths = append(sel.Paths, []byte(p))
	}
	return helper.Archive{Job: "job_1", Format: f, Selections: []helper.Labelled{{Selected: sel}}}
}

// staged lists what is in the staging folder of a state.
func staged(t *testing.T, state string) string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(filepath.Join(state, "staging"), func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, d.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}
