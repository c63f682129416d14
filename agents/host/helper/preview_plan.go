package helper

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
)

// step is one line of a plan: one node and what is to happen to it.
type step struct {
	Seq   int64         `json:"n"`
	Root  int           `json:"r"`
	From  []byte        `json:"f,omitempty"` // in the snapshot; empty for a folder on the way
	To    []byte        `json:"t"`
	Type  wire.NodeType `json:"y"`
	Size  int64         `json:"s,omitempty"`
	MTime int64         `json:"m,omitempty"`
	Mode  uint32        `json:"p,omitempty"`
	UID   uint32        `json:"u,omitempty"`
	GID   uint32        `json:"g,omitempty"`
	Link  []byte        `json:"l,omitempty"`
	Act   wire.Act      `json:"a"`
	Cause wire.Cause    `json:"c,omitempty"`
	Note  string        `json:"o,omitempty"`
}

// writes reports whether a step changes the disk.
func (s *step) writes() bool {
	return s.Act == wire.ActCreate || s.Act == wire.ActReplace || s.Act == wire.ActBeside
}

func (s *step) node() wire.Node {
	return wire.Node{Type: s.Type, Size: s.Size, MTime: s.MTime, Mode: s.Mode, UID: s.UID, GID: s.GID, LinkTarget: s.Link}
}

func (s *step) change() wire.Change {
	c := wire.Change{Path: s.To, Type: s.Type, Act: s.Act, Cause: s.Cause, Note: s.Note}
	if s.Type == wire.NodeFile {
		c.Size = s.Size
	}
	return c
}

// ground is a folder that what goes to one file system is staged in.
type ground struct {
	path string
	dev  uint64
	// need is what will be written, in bytes.
	need int64
}

// planner turns nodes into steps. It only looks.
type planner struct {
	tree   *tree
	target wire.Target
	roots  []root
	emit   func(step) error
	// stat returns a node of the snapshot that nobody asked for: a folder on the
	// way, or a link with its target. ok is false where it is not known.
	stat func(sel int, name string) (n wire.Node, ok bool)

	grounds []ground
	wanted  []need // for each root
	last    int    // root of the last node
	seq     int64
	made    map[string]bool       // folders that the plan makes
	refused map[string]wire.Cause // folders that it would have made
	beside  map[string]bool       // names that it gives beside others
}

// need is what a root needs of its snapshot.
type need struct {
	ground int // where it is staged; -1: nothing came of it yet
	seen   bool
	bytes  int64 // of all its files
	writes int64 // of those that are written
	// covers are the paths that have to be restored: single nodes where their
	// folder is there, whole folders where it is not. nil where they are too many.
	covers [][]byte
	many   bool
}

// maxCovers bounds the paths that restic is asked for; with more, all that was
// wanted is restored to staging.
const maxCovers = 1000

func newPlanner(t *tree, target wire.Target, roots []root) *planner {
	p := &planner{tree: t, target: target, roots: roots, wanted: make([]need, len(roots)),
		made: map[string]bool{}, refused: map[string]wire.Cause{}, beside: map[string]bool{}}
	for i := range p.wanted {
		p.wanted[i].ground = -1
	}
	return p
}

// check opens every bound, so that one that leads through a link or is gone
// refuses the restore before anything else is done.
func (p *planner) check() error {
	for _, r := range p.roots {
		f, err := p.tree.dir(r.bound, r.bound)
		if err != nil {
			return err
		}
		if f.why == wire.CauseUnsafePath {
			return Fail(wire.CauseUnsafePath, nil, "there is a link in the path of the folder")
		}
	}
	return nil
}

func (p *planner) rootOf(sel int, name string) (int, bool) {
	for i := range p.roots { // nodes come root by root
		at := (p.last + i) % len(p.roots)
		if r := &p.roots[at]; r.sel == sel && Beneath(r.from, name) {
			p.last = at
			return at, true
		}
	}
	return 0, false
}

// node plans one node. Folders come before what is in them.
func (p *planner) node(sel int, from string, n wire.Node) error {
	i, ok := p.rootOf(sel, from)
	if !ok {
		return nil // a folder on the way
	}
	r, w := &p.roots[i], &p.wanted[i]
	w.seen = true
	s := step{Root: i, From: []byte(from), Type: n.Type, Size: n.Size, MTime: n.MTime, Mode: n.Mode, UID: n.UID, GID: n.GID, Link: n.LinkTarget}
	to := r.to
	if from != r.from {
		to = join(r.to, strings.TrimPrefix(strings.TrimPrefix(from, r.from), "/"))
	}
	s.To = []byte(to)
	if !CleanAbsolute(from) || len(path.Base(to)) > maxName {
		s.Act, s.Cause = wire.ActRefuse, wire.CauseUnsafePath
		return p.done(s)
	}
	f, err := p.into(i, path.Dir(to))
	if err != nil {
		return err
	}
	if err := p.judge(&s, f, &n); err != nil {
		return err
	}
	if n.Type == wire.NodeFile {
		w.bytes += n.Size
	}
	if s.writes() {
		p.cover(w, &s, f)
	}
	return p.done(s)
}

// cover notes what has to be restored for a step.
func (p *planner) cover(w *need, s *step, f *frame) {
	if s.Type == wire.NodeFile {
		w.writes += s.Size
	}
	if f.fd < 0 && string(s.From) != p.roots[s.Root].from {
		return // it comes with its folder
	}
	if len(w.covers) == maxCovers {
		w.many, w.covers = true, nil
	}
	if !w.many {
		w.covers = append(w.covers, s.From)
	}
}

// into returns the folder that a node goes to, with its file system's ground,
// and plans the folders on the way that are not there.
func (p *planner) into(i int, dir string) (*frame, error) {
	r := &p.roots[i]
	f, err := p.tree.dir(r.bound, dir)
	if err != nil {
		return nil, err
	}
	for at, on := range p.tree.frames {
		if on.fd >= 0 || on.why != "" || p.made[on.path] {
			continue
		}
		if c, ok := p.refused[on.path]; ok {
			on.why = c
			f.why = c
			continue
		}
		if f.why != "" {
			continue
		}
		if err := p.onTheWay(i, p.tree.frames[:at], on); err != nil {
			return nil, err
		}
	}
	if w := &p.wanted[i]; w.ground < 0 {
		w.ground = p.ground(r)
	}
	return f, nil
}

// onTheWay plans a folder that is not there and that nobody asked for: as the
// snapshot has it where it goes back to its place, else as the one above it.
func (p *planner) onTheWay(i int, above []*frame, f *frame) error {
	r := &p.roots[i]
	s := step{Root: i, To: []byte(f.path), Type: wire.NodeDir, Act: wire.ActCreate, Mode: 0o755}
	for _, a := range above {
		if a.fd < 0 {
			continue
		}
		var st unix.Stat_t
		if unix.Fstat(a.fd, &st) == nil {
			s.Mode, s.UID, s.GID = st.Mode&0o777, st.Uid, st.Gid
		}
	}
	if p.target.Placement == wire.PlaceOriginal {
		if n, ok := p.stat(r.sel, f.path); ok && n.Type == wire.NodeDir {
			s.Mode, s.UID, s.GID, s.MTime = n.Mode&0o777, n.UID, n.GID, n.MTime
		}
	}
	p.made[f.path] = true
	return p.done(s)
}

// ground chooses where a root is staged: on its own file system, as far up as
// its bound allows; where the bound itself is gone, in the folder around it.
func (p *planner) ground(r *root) int {
	at := p.tree.frames[0]
	way := p.tree.frames
	if in := p.tree.top(); in.fd >= 0 {
		if own := in.enter(path.Base(r.to)); own.fd >= 0 { // it may be mounted itself
			way = append(slices.Clone(way), own)
			defer unix.Close(own.fd)
		}
	}
	for _, f := range slices.Backward(way) {
		if f.fd < 0 || !Beneath(r.bound, f.path) || at != p.tree.frames[0] && f.dev != at.dev {
			continue
		}
		at = f
	}
	for i, g := range p.grounds {
		if g.path == at.path {
			return i
		}
	}
	p.grounds = append(p.grounds, ground{path: at.path, dev: at.dev})
	return len(p.grounds) - 1
}

// judge decides what happens to a node in its folder.
func (p *planner) judge(s *step, f *frame, n *wire.Node) error {
	refuse := func(c wire.Cause) error {
		s.Act, s.Cause = wire.ActRefuse, c
		if n.Type == wire.NodeDir {
			p.refused[string(s.To)] = c
		}
		return nil
	}
	if f.why != "" {
		return refuse(f.why)
	}
	name := path.Base(string(s.To))
	var was *seen
	if f.fd >= 0 {
		var err error
		if was, err = look(f.fd, name); err != nil {
			return refuse(wire.CauseInternal)
		}
	}
	p.learnLink(s, n, was)
	s.Act, s.Cause = decide(n, was, &p.target)
	if s.Act == wire.ActCreate && n.Type != wire.NodeDir && (f.taken[name] || p.beside[string(s.To)]) {
		s.Act = wire.ActBeside // this restore itself gives the name to something else
	}
	if s.Act == wire.ActRefuse {
		return refuse(s.Cause)
	}
	if !s.writes() {
		return nil
	}
	if f.dev != p.grounds[p.wanted[s.Root].ground].dev {
		return refuse(wire.CauseUnsupported)
	}
	if s.Act == wire.ActBeside {
		var err error
		if name, err = p.nameBeside(f, name); err != nil {
			return refuse(wire.CauseInternal)
		}
		s.To = []byte(join(f.path, name))
		p.beside[string(s.To)] = true
	}
	if f.taken == nil {
		f.taken = map[string]bool{}
	}
	f.taken[name] = true
	if n.Type == wire.NodeDir {
		p.made[string(s.To)] = true
	}
	s.Note = noteOf(n, &p.target)
	return nil
}

// learnLink fills in a link's target, which a listing does not have, where it
// decides. Where it cannot be asked for, the same time says the same link: none
// is ever changed in place.
func (p *planner) learnLink(s *step, n *wire.Node, was *seen) {
	if n.Type != wire.NodeSymlink || n.LinkTarget != nil || was == nil || was.kind != wire.NodeSymlink {
		return
	}
	if full, ok := p.stat(p.roots[s.Root].sel, string(s.From)); ok {
		n.LinkTarget = full.LinkTarget
	} else if n.MTime == floorMillis(was.MTime) {
		n.LinkTarget = []byte(was.link)
	}
	s.Link = n.LinkTarget
}

// nameBeside is the first name beside another that is free.
func (p *planner) nameBeside(f *frame, name string) (string, error) {
	suffix := p.target.Suffix
	for n := 2; ; n++ {
		try := beside(name, suffix)
		var was *seen
		if f.fd >= 0 {
			var err error
			if was, err = look(f.fd, try); err != nil {
				return "", err
			}
		}
		if try != name && was == nil && !f.taken[try] && !p.beside[join(f.path, try)] {
			return try, nil
		}
		suffix = p.target.Suffix + "-" + strconv.Itoa(n)
	}
}

// done numbers a step and passes it on.
func (p *planner) done(s step) error {
	s.Seq = p.seq
	p.seq++
	return p.emit(s)
}

// settle sums up what is needed where.
func (p *planner) settle() {
	for i := range p.wanted {
		w := &p.wanted[i]
		if w.ground < 0 {
			continue
		}
		if w.many {
			w.covers = [][]byte{[]byte(p.roots[i].from)}
			p.grounds[w.ground].need += w.bytes
		} else {
			p.grounds[w.ground].need += w.writes
		}
	}
}
