//go:build slow

package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"ostler/e2e/world"
)

// threeCopies makes a file that was there in two copies, and is not in the third.
func threeCopies(t *testing.T, h *house) (file string, copies []string) {
	t.Helper()
	file = folder + "/office/budget.ods"
	copies = append(copies, h.maple.Runs(h.plan.ID)[0].Snapshot)
	h.host.Put(file, "the budget\n")
	copies = append(copies, h.backUp().Snapshot)
	if err := os.Remove(h.on(file)); err != nil {
		t.Fatal(err)
	}
	copies = append(copies, h.backUp().Snapshot)
	h.maple.Listed(h.plan.ID, 3)
	return file, copies
}

// One byte of the catalogue is another, or a part of it is gone: nothing wrong is
// ever shown, folders are asked of the server, the damage is a finding, and the
// catalogue is made anew by itself.
func TestSlowCatalogueDamaged(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "")
	file, copies := threeCopies(t, h)
	harm := func(t *testing.T, act func(file string) error) {
		t.Helper()
		w.Plane.Kill()
		segments := w.Segments(h.plan.ID)
		if len(segments) == 0 {
			t.Fatalf("there is no catalogue at %s", w.Downloads())
		}
		for _, s := range segments {
			if err := act(s); err != nil {
				t.Fatal(err)
			}
		}
		w.StartPlane()
		h.host.WaitConnected()
	}
	healed := func(t *testing.T, generation int) {
		t.Helper()
		h.maple.Listed(h.plan.ID, 3)
		if c := h.maple.Catalogue(h.plan.ID); c.Generation != generation {
			t.Errorf("catalogue: got %+v, want generation %d", c, generation)
		}
		if s := h.maple.Find("q", "budget"); len(s.Items) != 1 || s.Items[0].Name() != file || s.Items[0].Last.ID != copies[1] || s.Items[0].Present || len(s.Behind) != 0 {
			t.Errorf("find, healed: got %+v", s)
		}
		if f := h.maple.Look(copies[1], filepath.Dir(file)); f.Source != "catalogue" || f.Names() != "budget.ods\nplan.txt" {
			t.Errorf("look, healed: got %+v", f)
		}
		if f := h.Staff().Findings("catalogue.damaged"); len(f) != 0 {
			t.Errorf("findings, healed: %+v", f)
		}
	}
	before := h.maple.Catalogue(h.plan.ID).Generation
	w.Step(t, "one byte, met by a look", func(t *testing.T) {
		harm(t, func(file string) error {
			b, err := os.ReadFile(file)
			if err == nil {
				b[len(b)/3] ^= 1
				err = os.WriteFile(file, b, 0o600)
			}
			return err
		})
		f := h.maple.Look(copies[1], filepath.Dir(file))
		if f.Source != "live" || f.Names() != "budget.ods\nplan.txt" {
			t.Errorf("look: got %+v", f)
		}
		w.Told("look", f.Why, "damaged")
		healed(t, before+1)
	})
	w.Step(t, "gone, met by a search", func(t *testing.T) {
		harm(t, os.Remove)
		signer := h.Signer.Cmd.Process // without a signature no server is asked
		if err := signer.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if s := h.maple.Find("q", "budget"); len(s.Items) != 0 || len(s.Behind) != 1 || s.Behind[0].Snapshots != 3 {
			t.Errorf("find: got %+v", s)
		} else {
			w.Told("find", s.Behind[0].Why, "damaged")
		}
		if v := h.maple.History(h.plan.ID, file); len(v.Versions) != 0 || v.Behind != 3 {
			t.Errorf("history: got %+v", v)
		} else {
			w.Told("history", v.Why, "damaged")
		}
		if f := h.Staff().Findings("catalogue.damaged"); len(f) != 1 || f[0].Cause == "" || f[0].Next == "" {
			t.Errorf("findings: got %+v, want one", f)
		}
		if c := h.maple.Catalogue(h.plan.ID); c.Status != "damaged" || c.Behind != 3 {
			t.Errorf("catalogue: got %+v", c)
		}
		if err := signer.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		healed(t, before+2)
	})
	w.Step(t, "cut short, met by a merge", func(t *testing.T) {
		harm(t, func(file string) error { return os.Truncate(file, 5) })
		copies = append(copies, h.backUp().Snapshot)
		h.maple.Listed(h.plan.ID, 4)
		if s := h.maple.Find("q", "budget"); len(s.Items) != 1 || s.Items[0].Last.ID != copies[1] || s.Snapshots != 4 {
			t.Errorf("find: got %+v", s)
		}
	})
}

// While one copy after another is merged, a search never misses what is there
// and never knows less than it did; and a plane that is killed meanwhile merges
// the rest when it is back.
func TestSlowFindWhileMerging(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, w *world.World) {
		h := newHouse(t, w, "")
		const file = folder + "/office/plan.txt"
		h.maple.Listed(h.plan.ID, 1)
		stop, wrong := make(chan struct{}), make(chan string, 1)
		var searching sync.WaitGroup
		for range 2 {
			searching.Go(func() {
				versions, snapshots := 0, 0
				for {
					select {
					case <-stop:
						return
					default:
					}
					var s world.Search
					status, raw := h.maple.Do(http.MethodGet, "/files?q=plan", nil)
					bad := status != http.StatusOK || json.Unmarshal(raw, &s) != nil || len(s.Items) != 1 || s.Items[0].Name() != file || !s.Items[0].Present ||
						s.Items[0].Versions < versions || s.Snapshots < snapshots
					if bad {
						select {
						case wrong <- fmt.Sprintf("after %d versions in %d copies: status %d: %s", versions, snapshots, status, raw):
						default:
						}
						return
					}
					versions, snapshots = s.Items[0].Versions, s.Snapshots
				}
			})
		}
		const more = 5
		for i := range more {
			h.host.Put(file, fmt.Sprintf("plan %d\n", i))
			for j := range 40 {
				h.host.Put(fmt.Sprintf("%s/folder-%d/%02d.txt", folder, i, j), "other names\n")
			}
			h.backUp()
		}
		h.maple.Listed(h.plan.ID, more+1)
		close(stop)
		searching.Wait()
		select {
		case what := <-wrong:
			t.Error(what)
		default:
		}
		if v := h.maple.History(h.plan.ID, file); len(v.Versions) != more+1 || !v.Present {
			t.Errorf("history: got %+v", v)
		}
		for i := range 3 { // at three moments of the way into the catalogue
			h.host.Put(file, fmt.Sprintf("plan %d of a plane that was killed\n", i))
			h.backUp()
			time.Sleep(time.Duration(i) * 300 * time.Millisecond)
			w.Plane.Kill()
			w.Passed("plane")
			w.StartPlane()
			h.host.WaitConnected()
		}
		h.maple.Listed(h.plan.ID, more+4)
		if v := h.maple.History(h.plan.ID, file); len(v.Versions) != more+4 || !v.Present {
			t.Errorf("history after the kills: got %d versions of %d", len(v.Versions), more+4)
		}
		if f := h.Staff().Findings(""); len(f) != 0 {
			t.Errorf("findings: %+v", f)
		}
	})
}

// A copy is deleted from the store behind our back: the next backup finds out, it
// is a finding, and nobody is offered what is not there.
func TestSlowFindWithoutTheLostCopy(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "")
	file, copies := threeCopies(t, h)
	found, err := filepath.Glob(filepath.Join(w.Store.Dir, "data", "*", "*", "snapshots", h.resticID(t, copies[1])))
	if err != nil || len(found) != 1 {
		t.Fatalf("the snapshot in the store: %q, %v", found, err)
	}
	aside := filepath.Join(t.TempDir(), "aside")
	if err := os.Rename(found[0], aside); err != nil {
		t.Fatal(err)
	}
	lost := world.Order{Kind: "archive", Format: "tar.gz", Picks: world.Of(copies[1], file)}
	r := h.maple.Idle(h.maple.Order(lost)[0].ID, backupLimit) // nobody knows yet
	if r.State != "failed" {
		t.Errorf("archive: got %+v", r)
	}
	w.Told("archive", r.Failure, "not_found")
	h.backUp()
	h.maple.Listed(h.plan.ID, 3)
	for who, c := range map[string]world.Caller{"staff": h.Staff(), "customer": h.maple.Caller} {
		if f := c.Findings("snapshot.gone"); len(f) != 1 || f[0].Severity != "bad" || f[0].Next == "" {
			t.Errorf("findings of %s: got %+v, want one", who, f)
		}
	}
	if s := h.maple.Find("q", "budget"); len(s.Items) != 0 {
		t.Errorf("find: got %+v", s.Items)
	}
	if status, answer := h.maple.Refused(lost); status != http.StatusConflict {
		t.Errorf("archive: status %d: %s", status, answer)
	}
	if status, answer := h.maple.Do("GET", "/snapshots/"+copies[1]+"/files?path="+folder, nil); status != http.StatusConflict {
		t.Errorf("look: status %d: %s", status, answer)
	}
	if err := os.Rename(aside, found[0]); err != nil {
		t.Fatal(err)
	}
	h.backUp()
	h.maple.Listed(h.plan.ID, 5)
	if s := h.maple.Find("q", "budget"); len(s.Items) != 1 {
		t.Errorf("find, the copy is back: got %+v", s.Items)
	}
	if f := h.Staff().Findings("snapshot.gone"); len(f) != 0 {
		t.Errorf("findings, the copy is back: %+v", f)
	}
}
