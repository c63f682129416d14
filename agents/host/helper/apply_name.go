package helper

import (
	"errors"
	"fmt"
	"path"
	"strconv"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
)

// refused is a step that is not done.
func refused(a act, c wire.Cause) act {
	a.Kind, a.Act, a.Cause, a.New, a.SHA256, a.Note = actDone, wire.ActRefuse, c, nil, "", ""
	return a
}

// place gives one thing its name. An error ends the restore; what is wrong with
// this one name only is in the act.
func (r *placer) place(rd *ready) (act, error) {
	a := r.intent(rd)
	if rd.cause != "" {
		return refused(a, rd.cause), nil
	}
	st := r.stages[a.Ground]
	f, err := r.tree.dir(a.Bound, path.Dir(string(rd.To)))
	why := wire.Cause("")
	var own *Error
	switch {
	case errors.As(err, &own):
		why = own.Failure.Cause
	case err != nil:
		return a, err
	case f.why != "":
		why = f.why
	case f.fd < 0:
		why = wire.CauseNotFound
	case f.dev != st.note.Dev:
		why = wire.CauseUnsupported
	case !r.tree.isWhere(f):
		why = wire.CauseUnsafePath
	}
	if why == "" {
		a, err = r.name(rd, f, st)
		if err != nil || a.Kind == actDone && a.Act == wire.ActRefuse {
			return r.drop(st, rd, a, err)
		}
		if a.undoable() && !r.tree.isWhere(f) {
			why = wire.CauseUnsafePath
			if err := r.takeBack(f, st, &a); err != nil {
				return a, err
			}
		}
	}
	if why != "" {
		return r.drop(st, rd, refused(a, why), nil)
	}
	if !a.undoable() {
		return r.drop(st, rd, a, nil)
	}
	if rd.dir >= 0 {
		if rd.MTime != 0 {
			r.times[string(a.To)] = rd.MTime * 1e6
		}
		r.tree.frames = append(r.tree.frames, &frame{path: string(a.To), fd: rd.dir, dev: f.dev, dirty: true})
		rd.dir = -1
	}
	f.dirty = true
	return a, nil
}

// drop removes what stays without a name; never what somebody else put there.
func (r *placer) drop(st *stage, rd *ready, a act, err error) (act, error) {
	if err != nil {
		return a, err
	}
	slot := slotName(rd.Seq)
	in, err := look(st.was, slot)
	if err != nil || in == nil || in.Ino != rd.new.Ino {
		return a, err
	}
	return a, errors.Join(removeAll(st.was, slot), removeAll(st.was, slot+".old"))
}

// maxTries bounds how often a name may be taken or set free under our hands.
const maxTries = 10

// name decides once more, by what stands there now, and acts.
func (r *placer) name(rd *ready, f *frame, st *stage) (act, error) {
	a := r.intent(rd)
	a.Kind = actDone
	slot, name := slotName(rd.Seq), path.Base(string(rd.To))
	n := rd.node()
	n.LinkTarget = rd.Link
	for range maxTries {
		now, err := look(f.fd, name)
		if err != nil {
			return a, err
		}
		if err := r.learnStaged(&n, st, slot); err != nil {
			return a, err
		}
		does, why := decide(&n, now, &r.s.Target)
		if now != nil && rd.Act == wire.ActBeside {
			does, why = wire.ActBeside, "" // the name that was free for it is taken
		}
		switch does {
		case wire.ActCreate:
			if err := r.h.put.reach("give"); err != nil {
				return a, err
			}
			err = r.h.put.give(st.was, slot, f.fd, name, rd.Type == wire.NodeDir)
			if a.Act = does; rd.Act == wire.ActBeside || string(a.To) != string(rd.To) {
				a.Act = wire.ActBeside
			}
		case wire.ActReplace:
			a.Act = does
			err = r.h.swap(f.fd, name, st.was, slot, now)
		case wire.ActBeside:
			if name, err = r.freeName(f, rd); err != nil {
				return a, err
			}
			a.To = []byte(join(f.path, name))
			a.Act, a.Kind = wire.ActBeside, actIntent
			if err := r.intend(a); err != nil {
				return a, err
			}
			a.Kind = actDone
			continue
		case wire.ActRefuse:
			return refused(a, why), nil
		default: // the same, or kept
			a.Act, a.New, a.SHA256, a.Note = does, nil, "", ""
			return a, nil
		}
		if err == nil {
			return a, r.confirm(&a, f, name)
		}
		if errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENOENT) {
			continue // it changed under our hands: look again
		}
		if why, ok := ofThisName(err); ok {
			return refused(a, why), nil
		}
		return a, fmt.Errorf("helper: name the file: %w", err)
	}
	return refused(a, wire.CauseExists), nil
}

// learnStaged fills in what the plan did not know of a link.
func (r *placer) learnStaged(n *wire.Node, st *stage, slot string) error {
	if n.Type != wire.NodeSymlink {
		return nil
	}
	in, err := look(st.was, slot)
	if err == nil && in != nil {
		n.LinkTarget = []byte(in.link)
	}
	return err
}

// ofThisName is the cause of an error that concerns one name only.
func ofThisName(err error) (wire.Cause, bool) {
	switch {
	case errors.Is(err, unix.EXDEV), errors.Is(err, unix.EOPNOTSUPP):
		return wire.CauseUnsupported, true
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM), errors.Is(err, unix.ENAMETOOLONG), errors.Is(err, unix.EBUSY), errors.Is(err, unix.ETXTBSY):
		return wire.CausePolicy, true
	case errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ENOTEMPTY):
		return wire.CauseExists, true
	}
	return "", false
}

// confirm notes what stands under the name now. Where somebody has changed it
// already, what we gave stays noted: an undo then sees that.
func (r *placer) confirm(a *act, f *frame, name string) error {
	now, err := look(f.fd, name)
	if err == nil && now != nil && now.Ino == a.New.Ino && (a.Type == wire.NodeDir || now.same(*a.New)) {
		a.New = &now.ident
	}
	return err
}

// freeName finds another name beside one that is taken.
func (r *placer) freeName(f *frame, rd *ready) (string, error) {
	base, suffix := path.Base(string(rd.To)), r.s.Target.Suffix
	if rd.Act == wire.ActBeside {
		suffix = ""
	}
	for n := 1; ; n++ {
		try := beside(base, suffix)
		if n > 1 {
			try = beside(base, suffix+"-"+strconv.Itoa(n))
		}
		if now, err := look(f.fd, try); err != nil || now == nil {
			return try, err
		}
	}
}

// takeBack undoes an act in a folder that was moved in the middle of it.
func (r *placer) takeBack(f *frame, st *stage, a *act) error {
	slot, name := slotName(a.Seq), path.Base(string(a.To))
	now, err := look(f.fd, name)
	if err != nil || now == nil || now.Ino != a.New.Ino {
		return err
	}
	if a.Act == wire.ActReplace {
		return r.h.swap(f.fd, name, st.was, slot, now)
	}
	return r.h.put.give(f.fd, name, st.was, slot, a.Type == wire.NodeDir)
}
