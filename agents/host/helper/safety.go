package helper

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"ostler/agents/wire"
)

// holder lets one at a time work on a restore.
type holder struct {
	mu   sync.Mutex
	held map[string]bool
}

func (h *holder) take(name string) (release func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held[name] {
		return nil, false
	}
	if h.held == nil {
		h.held = map[string]bool{}
	}
	h.held[name] = true
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.held, name)
	}, true
}

func (h *Local) restoreDir(restore string) string { return filepath.Join(h.restoresDir(), restore) }

// Settle implements Placer.
func (h *Local) Settle(_ context.Context, restore string) (wire.Settled, error) {
	if !idForm.MatchString(restore) {
		return wire.Settled{}, Fail(wire.CausePolicy, nil, "the restore's id has a form that none has")
	}
	release, ok := h.put.hold.take(restore)
	if !ok {
		return wire.Settled{}, Fail(wire.CauseLocked, nil, "this restore is at work")
	}
	defer release()
	s, err := h.load(restore)
	if err != nil || s == nil {
		return wire.Settled{}, errors.Join(err, os.RemoveAll(h.restoreDir(restore)))
	}
	s.Phase = phaseSettled // nothing is taken back from half a copy
	if err := s.save(); err != nil {
		return wire.Settled{}, err
	}
	bytes, err := h.discardRestore(s)
	return wire.Settled{Bytes: bytes}, err
}

// discardRestore deletes a restore's stages, then what is known of it.
func (h *Local) discardRestore(s *saved) (bytes int64, err error) {
	for _, n := range s.Stages {
		st, err := h.openStage(n, false)
		if err != nil {
			return bytes, err
		}
		if st == nil {
			continue
		}
		_, size, err := st.weigh()
		if err == nil {
			err = h.put.reach("settle")
		}
		if err == nil {
			err = st.remove()
		}
		st.close()
		if err != nil {
			return bytes, err
		}
		bytes += size
	}
	if err := os.RemoveAll(s.dir); err != nil {
		return bytes, fmt.Errorf("helper: forget a restore: %w", err)
	}
	return bytes, nil
}

// sweepRestores removes what restores left that changed nothing: if they are to
// be done, they begin anew. A restore that changed anything keeps its journal,
// its safety copy, and what is staged to go on with.
func (h *Local) sweepRestores() error {
	entries, err := os.ReadDir(h.restoresDir())
	if err != nil {
		return fmt.Errorf("helper: list restores: %w", err)
	}
	var errs []error
	for _, e := range entries {
		errs = append(errs, h.sweepRestore(e.Name()))
	}
	return errors.Join(errs...)
}

func (h *Local) sweepRestore(restore string) error {
	release, ok := h.put.hold.take(restore)
	if !ok {
		return nil
	}
	defer release()
	s, err := h.load(restore)
	if err != nil {
		return err
	}
	if s == nil { // killed before its first state
		return os.RemoveAll(h.restoreDir(restore))
	}
	if !s.Passing {
		at, err := readProgress(s.journal())
		if err != nil || at.acts > 0 || len(at.pending) > 0 {
			return err
		}
	}
	_, err = h.discardRestore(s)
	return err
}

// answer makes the result of a restore, or of its undo, from its plan and its
// journal: the same one every time.
func (h *Local) answer(job string, s *saved, kind actKind) (_ Changed, err error) {
	if err := h.put.reach("list"); err != nil {
		return Changed{}, err
	}
	l, err := h.newLister(job)
	if err != nil {
		return Changed{}, err
	}
	defer func() {
		if err != nil {
			l.drop()
		}
	}()
	if kind == actUndone {
		err = readActs(s.journal(), func(a act) error {
			if a.Kind != actUndone {
				return nil
			}
			return l.add(a.change())
		})
	} else {
		err = s.join(l)
	}
	if err != nil {
		return Changed{}, err
	}
	if l.changes.SafetyBytes, err = h.weigh(s); err != nil {
		return Changed{}, err
	}
	if kind == actDone {
		at, err := readProgress(s.journal())
		if err != nil {
			return Changed{}, err
		}
		l.changes.Undoable = at.acts > 0
	}
	return l.finish()
}

func (a *act) change() wire.Change {
	c := wire.Change{Path: a.To, Type: a.Type, Act: a.Act, Cause: a.Cause, Note: a.Note, SHA256: a.SHA256}
	if a.Type == wire.NodeFile {
		c.Size = a.Size
	}
	return c
}

// weigh is the size of the safety copy.
func (h *Local) weigh(s *saved) (sum int64, err error) {
	for _, n := range s.Stages {
		st, err := h.openStage(n, false)
		if err != nil {
			return 0, err
		}
		if st == nil {
			continue
		}
		_, bytes, err := st.weigh()
		st.close()
		if err != nil {
			return 0, err
		}
		sum += bytes
	}
	return sum, nil
}

// join lists each step of the plan as the journal says it came out. Both are in
// the same order.
func (s *saved) join(l *lister) error {
	plan, err := s.readPlan()
	if err != nil {
		return err
	}
	defer plan.close()
	for _, p := range s.Lost {
		l.missing(p)
	}
	l.changes.MissingCount = s.LostCount
	err = readActs(s.journal(), func(a act) error {
		for a.Kind == actDone {
			st, err := plan.next()
			if err != nil {
				return fmt.Errorf("helper: the plan and the journal of a restore differ: %w", err)
			}
			if st.Seq != a.Seq {
				if err := l.add(st.change()); err != nil {
					return err
				}
				continue
			}
			if a.Cause == wire.CauseDamaged {
				l.missing(wire.Problem{Path: st.From, Cause: a.Cause})
			}
			return l.add(a.change())
		}
		return nil
	})
	for err == nil {
		var st step
		if st, err = plan.next(); err == nil {
			err = l.add(st.change())
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
