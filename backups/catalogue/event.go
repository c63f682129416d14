package catalogue

import (
	"bytes"

	"ostler/agents/wire"
)

// kind is what a path is from an event on. The numbers are stored.
type kind uint8

const (
	gone kind = iota // there is nothing at the path
	isFile
	isDir
	isSymlink
	isDevice
	isCharDev
	isFIFO
	isSocket
	isIrregular
	kinds // how many there are
)

var nodeTypes = [kinds]wire.NodeType{
	isFile: wire.NodeFile, isDir: wire.NodeDir, isSymlink: wire.NodeSymlink, isDevice: wire.NodeDevice,
	isCharDev: wire.NodeCharDev, isFIFO: wire.NodeFIFO, isSocket: wire.NodeSocket, isIrregular: wire.NodeIrregular,
}

// kindOf returns the kind of a type; gone for one that is not known.
func kindOf(t wire.NodeType) kind {
	for k, name := range nodeTypes {
		if name == t && name != "" {
			return kind(k)
		}
	}
	return gone
}

// state is what stands at a path.
type state struct {
	kind  kind
	owner owner
	size  int64
	mtime int64
	link  []byte
}

// owner is what seldom differs between entries; a block keeps each once.
type owner struct{ mode, uid, gid uint32 }

// event says what a path is from an ordinal on.
type event struct {
	ord Ordinal
	state
}

func (s *state) equal(t *state) bool {
	if s.kind != t.kind {
		return false
	}
	return s.kind == gone || s.mtime == t.mtime && s.size == t.size && s.owner == t.owner && bytes.Equal(s.link, t.link)
}

// stateOf returns an entry's state; kind is gone where its type is not known.
func stateOf(e *Entry) state {
	return state{kind: kindOf(e.Type), owner: owner{e.Mode, e.UID, e.GID}, size: e.Size, mtime: e.MTime, link: e.Link}
}

// fill sets all of an entry but its path. The link is shared.
func (s *state) fill(e *Entry) {
	e.Type, e.Size, e.MTime = nodeTypes[s.kind], s.size, s.mtime
	e.Mode, e.UID, e.GID = s.owner.mode, s.owner.uid, s.owner.gid
	e.Link = s.link
}

// entry returns the entry at a path, sharing nothing.
func (s *state) entry(dir, name []byte) Entry {
	e := Entry{Path: join(make([]byte, 0, len(dir)+1+len(name)), dir, name)}
	s.fill(&e)
	e.Link = bytes.Clone(s.link)
	return e
}

// at returns the state at an ordinal: of the last event that is not later.
// Events come sorted; nil means gone.
func at(events []event, ord Ordinal) *state {
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].ord <= ord {
			if events[i].kind == gone {
				return nil
			}
			return &events[i].state
		}
	}
	return nil
}
