package helper

import (
	"bytes"
	"path"
	"slices"
	"strconv"
	"strings"

	"ostler/agents/wire"
)

// root is one wanted path and where it goes.
type root struct {
	sel   int    // whose snapshot
	from  string // in the snapshot
	to    string // on the disk
	bound string // the tenancy's path that holds it
}

// layout says where each wanted path goes, by names alone. Beneath a folder a
// path has its own name there, not all of its old path. Where two paths would
// lie on or beneath each other the later one gets a number: both are wanted.
// What would leave the bounds is refused, and with it the whole restore.
func layout(wanted [][][]byte, t wire.Target) ([]root, error) {
	if !t.Placement.Valid() || !t.Conflict.Valid() {
		return nil, Fail(wire.CauseUnsupported, nil, "this agent does not know where to put it, or what to do where something is there")
	}
	if strings.ContainsAny(t.Suffix, "/\x00") || len(t.Suffix) > 64 {
		return nil, Fail(wire.CauseUnsafePath, nil, "the ending for names beside others is not part of a plain name")
	}
	folder := string(t.Folder)
	if t.Placement == wire.PlaceFolder && (!CleanAbsolute(folder) || folder == "/") {
		return nil, Fail(wire.CauseUnsafePath, nil, "the folder to restore to is not a plain absolute path below the root")
	}
	var roots []root
	for sel, paths := range wanted {
		for _, p := range paths {
			from := string(p)
			if !CleanAbsolute(from) {
				return nil, Fail(wire.CauseUnsafePath, nil, "a path of the snapshot is not a plain absolute path")
			}
			if slices.ContainsFunc(roots, func(r root) bool { return r.sel == sel && (Beneath(r.from, from) || Beneath(from, r.from)) }) {
				return nil, Fail(wire.CausePolicy, nil, "one wanted path lies beneath another of the same snapshot")
			}
			to := from
			if t.Placement == wire.PlaceFolder {
				to = strings.TrimSuffix(join(folder, path.Base(from)), "/")
				if from == "/" {
					to = folder
				}
			}
			roots = append(roots, root{sel: sel, from: from, to: apart(roots, to)})
			if len(roots) > wire.MaxSelected {
				return nil, Fail(wire.CausePolicy, nil, "more than %d paths are wanted at once", wire.MaxSelected)
			}
		}
	}
	if len(roots) == 0 {
		return nil, Fail(wire.CausePolicy, nil, "nothing is wanted")
	}
	return roots, within(roots, t.Bounds)
}

// apart returns a name for to that keeps clear of what earlier roots bring.
func apart(roots []root, to string) string {
	clear := !slices.ContainsFunc(roots, func(r root) bool { return Beneath(r.to, to) || Beneath(to, r.to) })
	name := to
	for n := 2; !clear; n++ {
		dir, base := path.Split(to)
		name = dir + beside(base, "-"+strconv.Itoa(n))
		clear = !slices.ContainsFunc(roots, func(r root) bool { return Beneath(name, r.to) })
	}
	return name
}

// within finds the narrowest bound of each root.
func within(roots []root, bounds []string) error {
	for i := range roots {
		r := &roots[i]
		if r.to == "/" {
			return Fail(wire.CauseUnsafePath, nil, "the root of the server is not a place to restore to")
		}
		found := false
		for _, b := range bounds {
			if CleanAbsolute(b) && Beneath(b, r.to) && len(b) > len(r.bound) {
				r.bound, found = b, true
			}
		}
		if !found {
			return Fail(wire.CauseUnsafePath, nil, "where it would go is outside the tenancy's paths")
		}
	}
	return nil
}

// beside puts suffix between a name and its extension. A name that would be too
// long loses its end.
func beside(name, suffix string) string {
	ext := path.Ext(name)
	if ext == name || len(ext) > 16 { // ".profile" has none
		ext = ""
	}
	stem := strings.TrimSuffix(name, ext)
	if over := len(stem) + len(suffix) + len(ext) - maxName; over > 0 {
		stem = stem[:max(len(stem)-over, 1)]
	}
	return stem + suffix + ext
}

// maxName is the length of a file's name on every file system that is used for
// customers' files, in bytes.
const maxName = 255

// decide says what happens to one node where was stands (nil: nothing). It is
// asked for the preview and again in the moment of the act.
func decide(n *wire.Node, was *seen, t *wire.Target) (wire.Act, wire.Cause) {
	switch n.Type {
	case wire.NodeFile, wire.NodeDir, wire.NodeSymlink:
	case wire.NodeDevice, wire.NodeCharDev, wire.NodeFIFO:
		if !t.Special {
			return wire.ActRefuse, wire.CausePolicy
		}
	default: // a socket is made by whoever listens on it
		return wire.ActRefuse, wire.CauseUnsupported
	}
	switch {
	case was == nil:
		return wire.ActCreate, ""
	case n.Type == wire.NodeDir:
		return decideDir(n, was, t)
	case isSame(n, was, t):
		return wire.ActSame, ""
	case t.Conflict == wire.ConflictKeep:
		return wire.ActKeep, ""
	case t.Conflict == wire.ConflictBeside:
		return wire.ActBeside, ""
	case was.kind == wire.NodeDir:
		return wire.ActRefuse, wire.CauseExists
	}
	return wire.ActReplace, ""
}

// decideDir: a folder that is there is merged into and keeps what it is.
func decideDir(n *wire.Node, was *seen, t *wire.Target) (wire.Act, wire.Cause) {
	switch was.kind {
	case wire.NodeDir:
		if isSame(n, was, t) {
			return wire.ActSame, ""
		}
		return wire.ActKeep, ""
	case wire.NodeSymlink:
		return wire.ActRefuse, wire.CauseUnsafePath
	}
	return wire.ActRefuse, wire.CauseExists
}

// isSame compares what a restore would give with what is there. A folder's time
// changes with what is put into it, and a link's says nothing about where it
// leads; a device's number is not known before it is restored.
func isSame(n *wire.Node, was *seen, t *wire.Target) bool {
	if n.Type != was.kind || n.UID != was.uid || n.GID != was.gid {
		return false
	}
	switch n.Type {
	case wire.NodeSymlink:
		return bytes.Equal(n.LinkTarget, []byte(was.link))
	case wire.NodeDevice, wire.NodeCharDev:
		return false
	}
	if n.Mode != was.mode && modeFor(n.Mode, t) != was.mode {
		return false
	}
	return n.Type == wire.NodeDir || n.Type == wire.NodeFIFO || n.Size == was.Size && n.MTime == floorMillis(was.MTime)
}

func floorMillis(ns int64) int64 {
	ms := ns / 1e6
	if ns%1e6 < 0 {
		ms--
	}
	return ms
}

// modeFor is the mode that a restore gives.
func modeFor(mode uint32, t *wire.Target) uint32 {
	if t.Special {
		return mode
	}
	return mode & 0o777
}

// The notes of a change.
const (
	noteSetuid   = "setuid_removed" // also of set-group-id and sticky bits
	noteHardLink = "hard_link"      // was one file of several names; is a file of its own now
)

func noteOf(n *wire.Node, t *wire.Target) string {
	if n.Type != wire.NodeSymlink && modeFor(n.Mode, t) != n.Mode {
		return noteSetuid
	}
	return ""
}
