package helper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
)

// placer gives what was staged its names, or takes them back.
type placer struct {
	h      *Local
	s      *saved
	tree   *tree
	stages []*stage // by the numbers of the head; nil: not there
	log    *actLog
	at     progress
	report Report
	told   int64
	// times are those of folders that were made: they are set when a folder is
	// left, because what is put into it changes them.
	times map[string]int64
}

// windowSize is how many steps share one wait for the disk.
const windowSize = 128

// newPlacer opens a restore's stages and journal. With make, stages that are
// not there are made.
func (h *Local) newPlacer(s *saved, make bool, report Report) (_ *placer, err error) {
	r := &placer{h: h, s: s, report: report, times: map[string]int64{}}
	defer func() {
		if err != nil {
			_ = r.close()
		}
	}()
	if r.tree, err = newTree(h.o.Root); err != nil {
		return nil, err
	}
	r.tree.leave = r.leave
	for _, n := range s.Stages {
		st, err := h.openStage(n, make)
		if err != nil && s.Phase != phaseBegun && s.Phase != phasePlanned && Failure(err).Cause == wire.CauseNotFound {
			st, err = nil, nil // what was there is gone, with what was put into it
		}
		if err != nil {
			return nil, err
		}
		r.stages = append(r.stages, st)
	}
	if err := h.put.reach("journal"); err != nil {
		return nil, err
	}
	if r.log, err = openActs(s.journal()); err != nil {
		return nil, err
	}
	if r.at, err = readProgress(s.journal()); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *placer) close() error {
	var errs []error
	if r.tree != nil {
		errs = append(errs, r.tree.close())
	}
	for _, st := range r.stages {
		if st != nil {
			st.close()
		}
	}
	if r.log != nil {
		errs = append(errs, r.log.close())
	}
	r.tree, r.stages, r.log = nil, nil, nil
	return errors.Join(errs...)
}

// leave gives a folder that was made its time.
func (r *placer) leave(f *frame) error {
	at, ok := r.times[f.path]
	if !f.dirty || !ok {
		return nil
	}
	delete(r.times, f.path)
	return setTimes(f.fd, at)
}

// sync has all that was placed on the disk.
func (r *placer) sync() error {
	for _, st := range r.stages {
		if st == nil {
			continue
		}
		if err := unix.Syncfs(st.fd); err != nil {
			return fmt.Errorf("helper: sync the disk: %w", err)
		}
	}
	return nil
}

// settle writes down the acts that a kill, or a full disk, cut off behind the
// act itself: what stands under the name is what the intent said.
func (r *placer) settle() error {
	var seqs []int64
	for seq := range r.at.pending {
		seqs = append(seqs, seq)
	}
	slices.Sort(seqs)
	for _, seq := range seqs {
		a := r.at.pending[seq]
		done, err := r.cameTrue(a)
		if err != nil {
			return err
		}
		if !done {
			continue
		}
		a.Kind = actDone
		f, err := r.tree.dir(a.Bound, path.Dir(string(a.To)))
		if err != nil {
			return err
		}
		slot, err := look(r.stages[a.Ground].was, slotName(seq))
		if err != nil {
			return err
		}
		switch full := slot != nil && slot.Ino != a.New.Ino; { // what happened, not what was meant
		case full:
			a.Act = wire.ActReplace
		case a.Act == wire.ActReplace:
			a.Act = wire.ActCreate
		}
		if now, err := look(f.fd, path.Base(string(a.To))); err == nil && now != nil {
			a.New = &now.ident
		}
		if err := r.finished(a); err != nil {
			return err
		}
	}
	return nil
}

// cameTrue reports whether an intent's act was done, and mends the slot where
// it was done without an exchange.
func (r *placer) cameTrue(a act) (bool, error) {
	st := r.stages[a.Ground]
	f, err := r.tree.dir(a.Bound, path.Dir(string(a.To)))
	if err != nil || f.fd < 0 || st == nil || a.New == nil {
		return false, nil // the way is gone: nothing of ours stands there
	}
	now, err := look(f.fd, path.Base(string(a.To)))
	if err != nil || now == nil || now.Ino != a.New.Ino || a.Type != wire.NodeDir && !now.same(*a.New) {
		return false, err
	}
	slot := slotName(a.Seq)
	if old, err := look(st.was, slot+".old"); err != nil {
		return false, err
	} else if old != nil {
		if in, err := look(st.was, slot); err != nil || in != nil {
			return false, err // linked, and not renamed yet
		}
		return true, unix.Renameat(st.was, slot+".old", st.was, slot)
	}
	return true, nil
}

// finished writes a done act down.
func (r *placer) finished(a act) error {
	if err := r.h.put.reach("done"); err != nil {
		return err
	}
	if err := r.log.append(false, a); err != nil {
		return err
	}
	delete(r.at.pending, a.Seq)
	r.at.done = a.Seq
	if a.undoable() {
		r.at.acts++
	}
	return nil
}

// run places all steps that are not done yet.
func (r *placer) run(ctx context.Context) error {
	plan, err := r.s.readPlan()
	if err != nil {
		return err
	}
	defer plan.close()
	var window []step
	for {
		s, err := plan.next()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		end := err != nil
		if !end && s.writes() && s.Seq > r.at.done {
			window = append(window, s)
		} else if !end && s.Type == wire.NodeDir && s.writes() && s.MTime != 0 {
			r.times[string(s.To)] = s.MTime * 1e6
		}
		if end || len(window) == windowSize {
			if err := r.window(ctx, window); err != nil {
				return err
			}
			window = window[:0]
		}
		if end {
			return r.tree.close()
		}
	}
}

// window prepares some steps, has their intents on the disk, and places them.
func (r *placer) window(ctx context.Context, steps []step) (err error) {
	var all []ready
	defer func() {
		for _, rd := range all {
			if rd.dir >= 0 {
				_ = unix.Close(rd.dir)
			}
		}
	}()
	var intents []act
	for _, s := range steps {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rd, err := r.prepare(s)
		all = append(all, rd)
		if err != nil {
			return err
		}
		if rd.cause == "" {
			intents = append(intents, r.intent(&rd))
		}
	}
	if err := r.intend(intents...); err != nil {
		return err
	}
	for i := range all {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		a, err := r.place(&all[i])
		if err != nil {
			return err
		}
		if err := r.finished(a); err != nil {
			return err
		}
		if r.told++; r.report != nil && r.told%100 == 0 {
			r.report(wire.Progress{Step: "place", Files: r.told, TotalFiles: r.s.Writes})
		}
	}
	return nil
}

func (r *placer) intent(rd *ready) act {
	rt := r.s.Roots[rd.Root]
	id := rd.new
	return act{Kind: actIntent, Seq: rd.Seq, Act: rd.Act, To: rd.To, Type: rd.Type, Bound: rt.Bound, Ground: rt.Stage, New: &id, Size: rd.Size, Note: rd.note, SHA256: rd.sum}
}

func (r *placer) intend(intents ...act) error {
	if len(intents) == 0 {
		return nil
	}
	if err := r.h.put.reach("intent"); err != nil {
		return err
	}
	if err := r.log.append(true, intents...); err != nil {
		return err
	}
	for _, a := range intents {
		r.at.pending[a.Seq] = a
	}
	return nil
}
