package helper

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
)

// Undo implements Placer. A thing is what the restore left if its inode, size
// and times are; else somebody changed it, and it stays. What somebody deleted
// has nothing to lose: what it had replaced returns.
func (h *Local) Undo(ctx context.Context, u Undo, report Report) (Changed, error) {
	if !idForm.MatchString(u.Job) || !idForm.MatchString(u.Restore) {
		return Changed{}, Fail(wire.CausePolicy, nil, "the job's or the restore's id has a form that none has")
	}
	release, ok := h.put.hold.take(u.Restore)
	if !ok {
		return Changed{}, Fail(wire.CauseLocked, nil, "this restore is at work")
	}
	defer release()
	s, err := h.load(u.Restore)
	if err != nil {
		return Changed{}, err
	}
	if s == nil || s.Phase == phaseSettled || s.Phase == phaseBegun {
		return Changed{}, Fail(wire.CauseNothingToUndo, nil, "there is nothing to take back: nothing was changed, or the safety copy is deleted")
	}
	if s.Phase != phaseUndone {
		if err := h.undo(ctx, u, s, report); err != nil {
			return Changed{}, err
		}
	}
	return h.answer(u.Job, s, actUndone)
}

func (h *Local) undo(ctx context.Context, u Undo, s *saved, report Report) error {
	r, err := h.newPlacer(s, true, report)
	if err != nil {
		return err
	}
	err = r.undo(ctx, u.Bounds)
	if cerr := r.close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	s.Phase = phaseUndone
	return s.save()
}

func (r *placer) undo(ctx context.Context, bounds []string) error {
	if r.s.Phase != phaseUndoing {
		if err := r.settle(); err != nil {
			return err
		}
		if err := r.h.put.reach("undo"); err != nil {
			return err
		}
		r.s.Phase = phaseUndoing
		if err := r.s.save(); err != nil {
			return err
		}
	}
	if err := r.sweep(false); err != nil { // of a restore that did not come to its end
		return err
	}
	before := map[int64]bool{}
	if err := readActs(r.s.journal(), func(a act) error {
		if a.Kind == actUndone {
			before[a.Seq] = true
		}
		return nil
	}); err != nil {
		return err
	}
	var folders []act
	err := readActs(r.s.journal(), func(a act) error {
		if a.Kind != actDone || !a.undoable() || before[a.Seq] {
			return nil
		}
		if a.Type == wire.NodeDir {
			folders = append(folders, a)
			return nil
		}
		return r.undone(ctx, a, bounds, r.undoOne)
	})
	if err != nil {
		return err
	}
	for _, a := range slices.Backward(folders) {
		if err := r.undone(ctx, a, bounds, r.undoFolder); err != nil {
			return err
		}
	}
	if err := r.log.append(true); err != nil {
		return err
	}
	if err := r.tree.close(); err != nil {
		return err
	}
	return r.sweep(true)
}

// undone takes one act back and writes down what came of it.
func (r *placer) undone(ctx context.Context, a act, bounds []string, take func(*act, *frame, *stage) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	a.Kind, a.SHA256, a.Note = actUndone, "", ""
	if err := r.undoIn(&a, bounds, take); err != nil {
		return err
	}
	if err := r.h.put.reach("undone"); err != nil {
		return err
	}
	if err := r.log.append(r.told%windowSize == 0, a); err != nil {
		return err
	}
	if r.told++; r.report != nil && r.told%100 == 0 {
		r.report(wire.Progress{Step: "undo", Files: r.told, TotalFiles: r.at.acts})
	}
	return nil
}

// undoIn takes an act back in its folder, if that is where it was.
func (r *placer) undoIn(a *act, bounds []string, take func(*act, *frame, *stage) error) error {
	refuse := func(c wire.Cause) error {
		a.Act, a.Cause = wire.ActRefuse, c
		return nil
	}
	to := string(a.To)
	if !slices.ContainsFunc(bounds, func(b string) bool { return CleanAbsolute(b) && Beneath(b, to) }) {
		return refuse(wire.CauseUnsafePath)
	}
	st := r.stages[a.Ground]
	if st == nil && a.Type != wire.NodeDir {
		return refuse(wire.CauseNotFound)
	}
	f, err := r.tree.dir(a.Bound, path.Dir(to))
	var own *Error
	switch {
	case errors.As(err, &own):
		return refuse(own.Failure.Cause)
	case err != nil:
		return err
	case f.why != "":
		return refuse(f.why)
	case f.fd < 0 && a.Act == wire.ActReplace: // its folder is gone, and the copy stays
		a.Act = wire.ActChanged
		return nil
	case f.fd < 0:
		a.Act = wire.ActRemoved
		return nil
	case !r.tree.isWhere(f):
		return refuse(wire.CauseUnsafePath)
	}
	err = take(a, f, st)
	if why, ok := ofThisName(err); err != nil && ok {
		return refuse(why)
	}
	return err
}

// undoOne takes back one thing that is no folder.
func (r *placer) undoOne(a *act, f *frame, st *stage) error {
	name, slot := path.Base(string(a.To)), slotName(a.Seq)
	now, err := look(f.fd, name)
	if err != nil {
		return err
	}
	if a.Act != wire.ActReplace {
		return r.undoMade(a, f, st, now)
	}
	was, err := look(st.was, slot)
	switch {
	case err != nil:
		return err
	case was == nil && now != nil && now.Ino == a.New.Ino: // somebody took the copy away
		a.Act, a.Cause = wire.ActRefuse, wire.CauseNotFound
		return nil
	case was == nil || was.Ino == a.New.Ino: // an undo before this one came this far
		a.Act = wire.ActReturned
		return removeAll(st.was, slot)
	case now == nil:
		if err := r.h.put.reach("return"); err != nil {
			return err
		}
		err := r.h.put.give(st.was, slot, f.fd, name, false)
		a.Act = wire.ActReturned
		if errors.Is(err, unix.EEXIST) {
			a.Act, err = wire.ActChanged, nil
		}
		return err
	case now.ident != *a.New:
		a.Act = wire.ActChanged
		return nil
	}
	if err := r.h.put.reach("return"); err != nil {
		return err
	}
	return r.giveBack(a, f, st)
}

// giveBack exchanges what the restore gave for what was there. Where the file
// system cannot exchange, what was there replaces it.
func (r *placer) giveBack(a *act, f *frame, st *stage) error {
	name, slot := path.Base(string(a.To)), slotName(a.Seq)
	a.Act = wire.ActReturned
	err := r.h.put.renameat2(st.was, slot, f.fd, name, unix.RENAME_EXCHANGE)
	if cannot(err) {
		return unix.Renameat(st.was, slot, f.fd, name)
	}
	if errors.Is(err, unix.ENOENT) {
		a.Act = wire.ActChanged // in this very moment
		return nil
	}
	if err != nil {
		return err
	}
	out, err := look(st.was, slot)
	if err != nil {
		return err
	}
	if out == nil || !out.same(*a.New) || !r.tree.isWhere(f) {
		a.Act = wire.ActChanged
		return r.h.put.renameat2(st.was, slot, f.fd, name, unix.RENAME_EXCHANGE)
	}
	if err := r.h.put.reach("returned"); err != nil {
		return err
	}
	return removeAll(st.was, slot)
}

// undoMade takes away what stands where nothing stood. It is taken aside first
// and looked at there, so that nothing else is ever deleted.
func (r *placer) undoMade(a *act, f *frame, st *stage, now *seen) error {
	name, aside := path.Base(string(a.To)), "u"+slotName(a.Seq)
	if now == nil {
		a.Act = wire.ActRemoved
		return removeAll(st.was, aside)
	}
	if now.ident != *a.New {
		a.Act = wire.ActChanged
		return nil
	}
	if err := r.h.put.reach("remove"); err != nil {
		return err
	}
	if err := unix.Renameat(f.fd, name, st.was, aside); err != nil {
		if errors.Is(err, unix.ENOENT) {
			a.Act = wire.ActRemoved
			return nil
		}
		return fmt.Errorf("helper: take a file away: %w", err)
	}
	out, err := look(st.was, aside)
	if err != nil {
		return err
	}
	if out == nil || !out.same(*a.New) {
		a.Act = wire.ActChanged
		err := r.h.put.give(st.was, aside, f.fd, name, out != nil && out.kind == wire.NodeDir)
		if errors.Is(err, unix.EEXIST) {
			err = nil // it stays in the safety copy
		}
		return err
	}
	if err := r.h.put.reach("removed"); err != nil {
		return err
	}
	a.Act = wire.ActRemoved
	return removeAll(st.was, aside)
}

// undoFolder removes a folder that was made, unless there is something in it.
func (r *placer) undoFolder(a *act, f *frame, _ *stage) error {
	name := path.Base(string(a.To))
	now, err := look(f.fd, name)
	if err != nil {
		return err
	}
	switch {
	case now == nil:
		a.Act = wire.ActRemoved
		return nil
	case now.kind != wire.NodeDir || now.Ino != a.New.Ino:
		a.Act = wire.ActChanged
		return nil
	}
	if err := r.h.put.reach("rmdir"); err != nil {
		return err
	}
	a.Act = wire.ActRemoved
	err = unix.Unlinkat(f.fd, name, unix.AT_REMOVEDIR)
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		a.Act, err = wire.ActChanged, nil
	}
	if errors.Is(err, unix.ENOENT) {
		err = nil
	}
	return err
}
