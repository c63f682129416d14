package restic

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strconv"
	"time"

	"ostler/agents/wire"
)

// ListLimit is the limit of List where none is given.
const ListLimit = 10_000

// A folder is read with `cat tree SNAPSHOT:PATH`, not with `ls`. Measured with
// 0.19.1: `ls --json` writes U+FFFD for every byte that is not UTF-8, so such a
// name cannot be asked for again; it has no link targets; and for a path that is
// not there it exits 0 with a header only. A tree has names as Go-quoted
// strings (\xff), which give back the exact bytes, the link target (linktarget_raw
// where it is not UTF-8), and a missing path is an error. It is one folder and
// never its subfolders.

// List returns one folder of a snapshot, by name, at most limit nodes
// (ListLimit where limit is 0 or less). Found is false where the snapshot has no
// such folder. path is absolute and raw bytes.
func (r *Repo) List(ctx context.Context, snapshot string, path []byte, limit int) (wire.Listing, error) {
	if limit <= 0 {
		limit = ListLimit
	}
	res := wire.Listing{Found: true, Nodes: []wire.Node{}}
	err := r.tree(ctx, snapshot, path, func(n wire.Node) {
		if len(res.Nodes) < limit {
			res.Nodes = append(res.Nodes, n)
		} else {
			res.Truncated = true
		}
	})
	var none *noFolder
	if errors.As(err, &none) {
		return wire.Listing{Nodes: []wire.Node{}}, nil
	}
	if err != nil {
		return wire.Listing{}, err
	}
	return res, nil
}

// Stat returns one node of a snapshot; CauseNotFound where it has none.
func (r *Repo) Stat(ctx context.Context, snapshot string, name []byte) (wire.Node, error) {
	p, err := snapshotPath(name)
	if err != nil {
		return wire.Node{}, err
	}
	if p == "/" {
		return wire.Node{Name: []byte("/"), Type: wire.NodeDir}, checkID(snapshot)
	}
	dir, base := path.Split(p)
	var found *wire.Node
	err = r.tree(ctx, snapshot, []byte(dir), func(n wire.Node) {
		if string(n.Name) == base {
			found = &n
		}
	})
	switch {
	case err != nil:
		return wire.Node{}, err
	case found == nil:
		return wire.Node{}, failure(wire.CauseNotFound, "there is no such path in the snapshot")
	}
	return *found, nil
}

// noFolder is the cause in a not_found error that is about the path and not
// about the snapshot.
type noFolder struct{}

func (*noFolder) Error() string { return "no such folder in the snapshot" }

// tree reads one folder of a snapshot.
func (r *Repo) tree(ctx context.Context, snapshot string, name []byte, each func(wire.Node)) error {
	if err := checkID(snapshot); err != nil {
		return err
	}
	p, err := snapshotPath(name)
	if err != nil {
		return err
	}
	s, err := r.open(ctx, nil)
	if err != nil {
		return err
	}
	defer s.close()
	err = s.stream(ctx, command{
		verb: "cat", args: []string{"--", "tree", snapshot + ":" + p}, limit: s.Limits.Read, own: p[1:],
	}, func(d *decoder) error { return decodeTree(d, each) })
	var e *Error
	if errors.As(err, &e) && e.Cause == wire.CauseNotFound && e.Detail == detailNoPath {
		return e.because(&noFolder{})
	}
	return err
}

// decodeTree reads {"nodes":[...]}. A node's content, a list of ids as long as
// the file is large, is passed over.
func decodeTree(d *decoder, each func(wire.Node)) error {
	return d.object(func(key string) error {
		if key != "nodes" {
			return d.skip()
		}
		return d.array(func() error {
			n, err := decodeNode(d)
			if err == nil {
				each(n)
			}
			return err
		})
	})
}

func decodeNode(d *decoder) (wire.Node, error) {
	var (
		n     wire.Node
		name  string
		link  string
		raw   []byte
		mode  fs.FileMode
		mtime time.Time
	)
	into := map[string]any{
		"name": &name, "type": &n.Type, "size": &n.Size, "mode": &mode, "mtime": &mtime,
		"uid": &n.UID, "gid": &n.GID, "linktarget": &link, "linktarget_raw": &raw,
	}
	err := d.object(func(key string) error {
		if v, ok := into[key]; ok {
			return d.value(v)
		}
		return d.skip()
	})
	if err != nil {
		return n, err
	}
	name, err = strconv.Unquote(`"` + name + `"`)
	if err != nil {
		return n, err
	}
	n.Name = []byte(name)
	n.Mode = uint32(mode & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky))
	n.MTime = mtime.UnixMilli()
	if n.Type == wire.NodeSymlink {
		n.LinkTarget = raw
		if raw == nil {
			n.LinkTarget = []byte(link)
		}
	}
	return n, nil
}
