package helper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

// Selected is what a restore wants of one snapshot: absolute paths, raw bytes.
type Selected struct {
	Repo     Repo
	Snapshot string
	Paths    [][]byte
}

// Preview asks what a restore on this server would do.
type Preview struct {
	Job        string
	Selections []Selected // or
	// Archive is a tar.gz of another server that was fetched whole and whose
	// checksum was compared: a file that nobody but us can write.
	Archive string
	Target  wire.Target
	// name is that of the one file that is put back.
	name string
}

// Apply puts files and folders on this server. Restore names it from then on:
// for the safety copy, Undo and Settle. Running it again goes on where it
// stopped; where it was done the same answer is given again.
type Apply struct {
	Preview
	Restore string
}

// Undo takes a restore back, whole or in part done.
type Undo struct {
	Job     string
	Restore string
	Bounds  []string
}

// Changed is what a restore did or would do. The complete list (JSON lines of
// wire.Change, gzipped) waits in private staging until Discard; the caller
// sends it up. Changes.Upload says its size, sum and chunks.
type Changed struct {
	wire.Changes
	List Staged
}

// Placer puts things on the server and takes them back; *Local is one.
type Placer interface {
	// Preview says what Apply would do, and changes nothing.
	Preview(ctx context.Context, p Preview, report Report) (Changed, error)
	Apply(ctx context.Context, a Apply, report Report) (Changed, error)
	// Undo removes what Apply made and returns what it replaced, but for what
	// somebody changed since. It can be run again; an undo is not undone.
	Undo(ctx context.Context, u Undo, report Report) (Changed, error)
	// Settle deletes the safety copy. A restore that is not known is settled.
	Settle(ctx context.Context, restore string) (wire.Settled, error)
}

// Apply implements Placer.
func (h *Local) Apply(ctx context.Context, a Apply, report Report) (Changed, error) {
	if !idForm.MatchString(a.Job) || !idForm.MatchString(a.Restore) {
		return Changed{}, Fail(wire.CausePolicy, nil, "the job's or the restore's id has a form that none has")
	}
	release, ok := h.put.hold.take(a.Restore)
	if !ok {
		return Changed{}, Fail(wire.CauseLocked, nil, "this restore is at work already")
	}
	defer release()
	ask, err := askOf(a.Preview)
	if err != nil {
		return Changed{}, err
	}
	s, err := h.load(a.Restore)
	if err != nil {
		return Changed{}, err
	}
	if s == nil {
		s = &saved{dir: h.restoreDir(a.Restore), head: head{Version: 1, Restore: a.Restore, Ask: ask, Phase: phaseBegun, Target: a.Target, Passing: a.name != ""}}
	}
	switch {
	case s.Ask != ask:
		return Changed{}, Fail(wire.CausePolicy, nil, "another restore had this name")
	case s.Phase == phaseApplied:
		return h.answer(a.Job, s, actDone)
	case s.Phase == phaseUndoing, s.Phase == phaseUndone, s.Phase == phaseSettled:
		return Changed{}, Fail(wire.CausePolicy, nil, "the restore was taken back, and is not done again")
	}
	if err := h.apply(ctx, a, s, report); err != nil {
		return Changed{}, h.stopped(s, err)
	}
	return h.answer(a.Job, s, actDone)
}

// apply goes on with a restore until it is done. It cleans nothing up: what an
// error leaves is stopped's, what a kill leaves is the next run's.
func (h *Local) apply(ctx context.Context, a Apply, s *saved, report Report) error {
	from, err := h.supply(ctx, a.Preview)
	if err != nil {
		return err
	}
	defer from.close()
	if s.Phase == phaseBegun {
		if err := h.prepare(ctx, a, s, from, report); err != nil {
			return err
		}
	}
	if s.Writes > 0 {
		r, err := h.newPlacer(s, true, report)
		if err != nil {
			return err
		}
		err = r.apply(ctx, from)
		if cerr := r.close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
	}
	if err := h.put.reach("applied"); err != nil {
		return err
	}
	s.Phase = phaseApplied
	return s.save()
}

// prepare plans a restore, looks for the room, and notes where it will be staged.
func (h *Local) prepare(ctx context.Context, a Apply, s *saved, from supply, report Report) error {
	if err := h.put.reach("plan"); err != nil {
		return err
	}
	s.Stages, s.Roots, s.Lost, s.LostCount, s.Steps, s.Writes = nil, nil, nil, 0, 0, 0
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("helper: write the restore's state: %w", err)
	}
	w, err := s.writePlan()
	if err != nil {
		return err
	}
	p, err := h.plan(ctx, a.Preview, from, report, func(st step) error {
		s.Steps++
		if st.writes() {
			s.Writes++
		}
		return w.add(st)
	}, func(lost wire.Problem) {
		if s.LostCount++; len(s.Lost) < wire.MaxProblems {
			s.Lost = append(s.Lost, wire.Problem{Path: append([]byte(nil), lost.Path...), Cause: lost.Cause})
		}
	})
	if ferr := w.finish(); err == nil {
		err = ferr
	}
	if err != nil {
		return err
	}
	for _, g := range p.grounds {
		s.Stages = append(s.Stages, stageNote{Parent: []byte(g.path), Name: stageName(), Dev: g.dev, Need: g.need})
	}
	for i, r := range p.roots {
		s.Roots = append(s.Roots, headRoot{Sel: r.sel, Bound: r.bound, Stage: max(p.wanted[i].ground, 0), Covers: p.wanted[i].covers})
	}
	if err := h.hasRoom(s); err != nil {
		return err
	}
	s.Phase = phasePlanned
	if err := h.put.reach("planned"); err != nil {
		return err
	}
	return s.save()
}

// hasRoom makes sure that what is restored has room where it is staged.
func (h *Local) hasRoom(s *saved) error {
	for _, n := range s.Stages {
		free, err := h.freeOf(string(n.Parent))
		if err != nil {
			return err
		}
		if need := n.Need + h.o.Reserve; n.Need > 0 && need > free {
			return Fail(wire.CauseDiskFull, nil, "the restore needs %d bytes free on the server, and there are %d", need, free)
		}
	}
	return nil
}

// apply fills the stages that are not full, places, and sweeps.
func (r *placer) apply(ctx context.Context, from supply) error {
	if err := r.settle(); err != nil {
		return err
	}
	for i, st := range r.stages {
		if st.new < 0 {
			if err := r.fill(ctx, from, i, st); err != nil {
				return err
			}
		}
	}
	if err := r.run(ctx); err != nil {
		return err
	}
	if err := r.h.put.reach("sweep"); err != nil {
		return err
	}
	if err := r.sync(); err != nil {
		return err
	}
	return r.sweep(true)
}

// fill has what one stage needs restored to it. It counts once it has its name.
func (r *placer) fill(ctx context.Context, from supply, i int, st *stage) error {
	if err := r.h.put.reach("fill"); err != nil {
		return err
	}
	if err := removeAll(st.fd, dirPart); err != nil {
		return fmt.Errorf("helper: clear staging: %w", err)
	}
	if err := unix.Mkdirat(st.fd, dirPart, 0o700); err != nil {
		return fmt.Errorf("helper: make the staging folder: %w", err)
	}
	part, err := ownFolder(st.fd, dirPart)
	if err != nil {
		return fmt.Errorf("helper: open the staging folder: %w", err)
	}
	defer unix.Close(part)
	for sel := range from.wanted() {
		var covers [][]byte
		for _, root := range r.s.Roots {
			if root.Sel == sel && root.Stage == i {
				covers = append(covers, root.Covers...)
			}
		}
		if len(covers) == 0 {
			continue
		}
		if err := r.fillOne(ctx, from, sel, covers, part); err != nil {
			return err
		}
	}
	if err := r.h.put.reach("filled"); err != nil {
		return err
	}
	if err := unix.Syncfs(part); err != nil {
		return fmt.Errorf("helper: sync the disk: %w", err)
	}
	if err := unix.Renameat(st.fd, dirPart, st.fd, dirNew); err != nil {
		return fmt.Errorf("helper: name what is staged: %w", err)
	}
	st.new, err = ownFolder(st.fd, dirNew)
	return err
}

func (r *placer) fillOne(ctx context.Context, from supply, sel int, covers [][]byte, part int) error {
	name := fmt.Sprint(sel)
	if err := unix.Mkdirat(part, name, 0o700); err != nil {
		return fmt.Errorf("helper: make the staging folder: %w", err)
	}
	fd, err := ownFolder(part, name)
	if err != nil {
		return fmt.Errorf("helper: open the staging folder: %w", err)
	}
	defer unix.Close(fd)
	// By descriptor: whoever owns the folder around it cannot lead restic elsewhere.
	target := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)
	return from.fill(ctx, sel, covers, restic.RestoreOptions{Target: target, Special: r.s.Target.Special, Progress: r.report})
}

// sweep removes what is staged and without a name; at the end a stage with no
// safety copy in it goes as a whole.
func (r *placer) sweep(end bool) error {
	var errs []error
	for i, st := range r.stages {
		if st == nil {
			continue
		}
		errs = append(errs, st.clear(), st.slots(func(name string) error { return r.sweepSlot(i, st, name) }))
		if !end {
			continue
		}
		n, _, err := st.weigh()
		if err == nil && n == 0 {
			err = st.remove()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// sweepSlot removes a slot whose thing never got its name. What stood under a
// name before is kept, whatever the journal knows of it.
func (r *placer) sweepSlot(ground int, st *stage, name string) error {
	if strings.HasSuffix(name, ".part") {
		return removeAll(st.was, name)
	}
	var seq int64
	if _, err := fmt.Sscanf(name, "%d", &seq); err != nil || slotName(seq) != name || seq <= r.at.done {
		return nil
	}
	a, intended := r.at.pending[seq]
	in, err := look(st.was, name)
	if err != nil || in == nil || intended && (a.Ground != ground || in.Ino != a.New.Ino) {
		return err
	}
	// Without an exchange, what stands under the name has a second one here.
	return errors.Join(removeAll(st.was, name+".old"), removeAll(st.was, name))
}

// stopped cleans up after an error: staging is swept, the safety copy stays, and
// where nothing was changed nothing is kept.
func (h *Local) stopped(s *saved, why error) error {
	if s.Phase == phaseBegun {
		return errors.Join(why, os.RemoveAll(s.dir))
	}
	done, err := h.stop(s)
	if err != nil {
		h.o.Log.Warn("restore.not_swept", "restore", s.Restore, "err", Unnamed(err))
	}
	if done == 0 {
		return why
	}
	f := Failure(why)
	f.Detail = strings.TrimPrefix(f.Detail+"; ", "; ") + fmt.Sprintf("%d of %d were in their place by then, and can be taken back", done, s.Writes)
	return &Error{Failure: f, Err: why}
}

// stop sweeps a restore that does not go on by itself. It returns how many acts
// can be taken back.
func (h *Local) stop(s *saved) (int64, error) {
	r, err := h.newPlacer(s, false, nil)
	if err != nil {
		return 1, err // what cannot be looked at is not called nothing
	}
	errs := []error{r.settle()}
	done := r.at.acts
	errs = append(errs, r.sweep(true), r.close())
	if err := errors.Join(errs...); err != nil {
		return max(done, 1), err
	}
	if done == 0 {
		return 0, os.RemoveAll(s.dir)
	}
	s.Phase = phaseStopped
	return done, s.save()
}
