package restic

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"ostler/agents/wire"
)

// Contents is what lies beneath selected paths of a snapshot: parents before
// what is in them. It is kept in a file, so that a million nodes take no memory.
//
// A list is made by Repo.Contents. Repo.Restore then marks what it could not
// restore: nothing that the snapshot has goes unnoticed.
type Contents struct {
	// Snapshot and Paths are what was asked for.
	Snapshot string
	Paths    [][]byte
	// Files, Folders and Others (links, devices, pipes, sockets) are counted
	// as the snapshot has them, and Bytes is the size of the files.
	Files, Folders, Others, Bytes int64
	// Largest is the size of the largest file.
	Largest int64
	// Unlisted is set where folders of the snapshot are damaged: there is no list
	// until Restore makes it from what it could restore.
	Unlisted bool

	name  string
	f     *os.File
	w     *bufio.Writer
	n     int64  // items
	size  int64  // bytes of the list
	last  []byte // path of the last item, for its prefix
	marks map[int64]wire.Cause
	lost  []wire.Problem // what is not in the list at all
}

// Item is one node of Contents. Path is absolute, raw bytes; it and the node's
// slices are valid during the call only.
type Item struct {
	Path []byte
	Node wire.Node
	// Cause says why the node, or what is in it, could not be read from the
	// repository; "" where it could.
	Cause wire.Cause
}

// NewContents makes an empty list in a new file, which Close removes.
func NewContents(name string, snapshot string, paths [][]byte) (*Contents, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, localFailure("the list of files cannot be written", err)
	}
	return &Contents{Snapshot: snapshot, Paths: paths, name: name, f: f, w: bufio.NewWriterSize(f, 256<<10), marks: map[int64]wire.Cause{}}, nil
}

// nodeTypes gives each type of node the number that it has in a list.
var nodeTypes = []wire.NodeType{wire.NodeFile, wire.NodeDir, wire.NodeSymlink, wire.NodeDevice, wire.NodeCharDev, wire.NodeFIFO, wire.NodeSocket, wire.NodeIrregular}

// Add appends one node. The node's name is not kept: path ends in it.
func (c *Contents) Add(path []byte, n wire.Node) error {
	kind := len(nodeTypes) - 1
	for i, t := range nodeTypes {
		if t == n.Type {
			kind = i
		}
	}
	shared := 0
	for shared < min(len(path), len(c.last)) && path[shared] == c.last[shared] {
		shared++
	}
	var buf [binary.MaxVarintLen64 * 9]byte
	b := append(buf[:0], byte(kind))
	b = binary.AppendUvarint(b, uint64(shared))
	b = binary.AppendUvarint(b, uint64(len(path)-shared))
	b = binary.AppendVarint(b, n.Size)
	b = binary.AppendVarint(b, n.MTime)
	b = binary.AppendUvarint(b, uint64(n.Mode))
	b = binary.AppendUvarint(b, uint64(n.UID))
	b = binary.AppendUvarint(b, uint64(n.GID))
	b = binary.AppendUvarint(b, uint64(len(n.LinkTarget)))
	_, err := c.w.Write(b)
	if err == nil {
		_, err = c.w.Write(path[shared:])
	}
	if err == nil {
		_, err = c.w.Write(n.LinkTarget)
	}
	if err != nil {
		return localFailure("the list of files cannot be written", err)
	}
	c.size += int64(len(b) + len(path) - shared + len(n.LinkTarget))
	c.last = append(c.last[:0], path...)
	c.n++
	c.count(n)
	return nil
}

func (c *Contents) count(n wire.Node) {
	switch n.Type {
	case wire.NodeFile:
		c.Files++
		c.Bytes += n.Size
		c.Largest = max(c.Largest, n.Size)
	case wire.NodeDir:
		c.Folders++
	default:
		c.Others++
	}
}

// Lost notes something that was asked for and is not in the list.
func (c *Contents) Lost(path []byte, cause wire.Cause) {
	c.lost = append(c.lost, wire.Problem{Path: append([]byte(nil), path...), Cause: cause})
}

// Each calls f for every node, in the order in which they were added, and stops
// at its first error. It must not be called while nodes are added.
func (c *Contents) Each(f func(Item) error) error {
	if err := c.w.Flush(); err != nil {
		return localFailure("the list of files cannot be written", err)
	}
	r := bufio.NewReaderSize(io.NewSectionReader(c.f, 0, c.size), 256<<10)
	var path, link []byte
	for i := range c.n {
		var n wire.Node
		var err error
		path, link, err = readItem(r, path, link, &n)
		if err != nil {
			return localFailure("the list of files cannot be read", err)
		}
		it := Item{Path: path, Node: n, Cause: c.marks[i]}
		if err := f(it); err != nil {
			return err
		}
	}
	return nil
}

var errList = errors.New("restic: a list of files has an impossible length in it")

func readItem(r *bufio.Reader, path, link []byte, n *wire.Node) (newPath, newLink []byte, err error) {
	kind, err := r.ReadByte()
	var u [8]uint64
	for i := range u {
		if err != nil {
			return path, link, err
		}
		if i == 2 || i == 3 {
			var v int64
			v, err = binary.ReadVarint(r)
			u[i] = uint64(v)
		} else {
			u[i], err = binary.ReadUvarint(r)
		}
	}
	if err == nil && (int(kind) >= len(nodeTypes) || u[0] > uint64(len(path)) || u[1] > maxLine || u[7] > maxLine) {
		err = errList
	}
	if err != nil {
		return path, link, err
	}
	if path, err = readBytes(r, path[:u[0]], int(u[1])); err != nil {
		return path, link, err
	}
	if link, err = readBytes(r, link[:0], int(u[7])); err != nil {
		return path, link, err
	}
	*n = wire.Node{Name: baseName(path), Type: nodeTypes[kind], Size: int64(u[2]), MTime: int64(u[3]), Mode: uint32(u[4]), UID: uint32(u[5]), GID: uint32(u[6])}
	if len(link) > 0 {
		n.LinkTarget = link
	}
	return path, link, nil
}

// readBytes appends n bytes of r to b.
func readBytes(r *bufio.Reader, b []byte, n int) ([]byte, error) {
	at := len(b)
	for cap(b) < at+n {
		b = append(b[:cap(b)], 0)
	}
	b = b[:at+n]
	_, err := io.ReadFull(r, b[at:])
	return b, err
}

// baseName is the part of a path behind its last slash.
func baseName(path []byte) []byte {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}

// Missing returns what could not be read from the repository, at most limit of
// it, and how much that is in all. A folder that could not be read counts once:
// nobody knows what was in it.
func (c *Contents) Missing(limit int) (list []wire.Problem, count int64, err error) {
	err = c.EachMissing(func(p wire.Problem) error {
		if count++; len(list) < limit {
			list = append(list, wire.Problem{Path: append([]byte(nil), p.Path...), Cause: p.Cause})
		}
		return nil
	})
	return list, count, err
}

// EachMissing calls f for what could not be read from the repository.
func (c *Contents) EachMissing(f func(wire.Problem) error) error {
	for _, p := range c.lost {
		if err := f(p); err != nil {
			return err
		}
	}
	if len(c.marks) == 0 {
		return nil
	}
	return c.Each(func(it Item) error {
		if it.Cause == "" {
			return nil
		}
		return f(wire.Problem{Path: it.Path, Cause: it.Cause})
	})
}

// Close removes the list.
func (c *Contents) Close() error {
	return errors.Join(c.f.Close(), os.Remove(c.name))
}

// clear drops all nodes.
func (c *Contents) clear() error {
	err := c.w.Flush()
	if err == nil {
		err = c.f.Truncate(0)
	}
	if err == nil {
		_, err = c.f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return localFailure("the list of files cannot be written", err)
	}
	c.Files, c.Folders, c.Others, c.Bytes, c.Largest = 0, 0, 0, 0, 0
	c.n, c.size, c.last = 0, 0, c.last[:0]
	return nil
}
