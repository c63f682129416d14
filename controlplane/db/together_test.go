package db_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// crowd runs transactions of which all wait for the first one to end: they
// share what it leaves open. It returns what became of each.
func crowd(t *testing.T, d *db.DB, first func(*db.Tx) error, others ...func(*db.Tx) error) []error {
	t.Helper()
	errs := make([]error, 1+len(others))
	held, open := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	wg.Go(func() {
		errs[0] = d.Write(t.Context(), func(tx *db.Tx) error {
			once.Do(func() { close(held) })
			<-open
			return first(tx)
		})
	})
	<-held
	for i, fn := range others {
		wg.Go(func() {
			errs[i+1] = errors.New("it did not return")
			defer func() {
				if p := recover(); p != nil {
					errs[i+1] = fmt.Errorf("panic: %v", p)
				}
			}()
			errs[i+1] = d.Write(t.Context(), fn)
		})
		for db.Waiting(d) < int64(i+1) {
			runtime.Gosched()
		}
	}
	close(open)
	wg.Wait()
	return errs
}

// Whatever becomes of one of those who share a commit, the others are stored.
func TestSharedCommit(t *testing.T) {
	broken := errors.New("broken")
	half := func(end func() error) func(*db.Tx) error {
		return func(tx *db.Tx) error { return errors.Join(put("half")(tx), end()) }
	}
	for _, tc := range []struct {
		name string
		odd  func(*db.Tx) error
		want string // of the odd one's error, "" for none
	}{
		{"all are well", func(*db.Tx) error { return nil }, ""},
		{"one fails", half(func() error { return broken }), "broken"},
		{"one panics", half(func() error { panic("ouch") }), "panic: ouch"},
		{"one ends its goroutine", half(func() error { runtime.Goexit(); return nil }), "it did not return"},
		{"one meets a key that is taken", func(tx *db.Tx) error { return errors.Join(put("half")(tx), put("a")(tx)) }, "duplicated key"},
		{"one has all rolled back", func(tx *db.Tx) error { return errors.Join(put("half")(tx), tx.Exec("ROLLBACK").Error, broken) }, "broken"},
	} {
		for _, place := range []string{"first", "in the middle"} {
			t.Run(tc.name+", "+place, func(t *testing.T) {
				d := dbtest.SQLite(t, nil)
				if err := d.Write(t.Context(), put("a")); err != nil {
					t.Fatal(err)
				}
				var errs []error
				var odd error
				if place == "first" {
					if strings.HasPrefix(tc.want, "panic") || tc.want == "it did not return" {
						t.Skip("crowd's first one returns")
					}
					errs = crowd(t, d, tc.odd, put("b"), put("c"), put("d"))
					odd = errs[0]
				} else {
					errs = crowd(t, d, put("b"), put("c"), tc.odd, put("d"))
					odd = errs[2]
				}
				if got := fmt.Sprint(odd); (odd == nil) != (tc.want == "") || !strings.Contains(got, tc.want) {
					t.Errorf("the odd one: got %v, want %q", odd, tc.want)
				}
				for _, err := range errs {
					if err != nil && err != odd {
						t.Errorf("another one: %v", err)
					}
				}
				if got := settings(t, d); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
					t.Errorf("stored: got %v, want a to d", got)
				}
			})
		}
	}
}

// Nobody is told of a commit before it is one.
func TestSharedCommitIsToldAfterwards(t *testing.T) {
	d := dbtest.SQLite(t, nil)
	var mu sync.Mutex
	told := map[string]int{}
	member := func(name string) func(*db.Tx) error {
		return func(tx *db.Tx) error {
			tx.AfterCommit(func() {
				stored := settings(t, d)
				mu.Lock()
				defer mu.Unlock()
				if told[name]++; !slices.Contains(stored, name) {
					t.Errorf("%s was told, and is not stored: %v", name, stored)
				}
			})
			return put(name)(tx)
		}
	}
	for _, err := range crowd(t, d, member("a"), member("b"), member("c")) {
		if err != nil {
			t.Error(err)
		}
	}
	if len(told) != 3 || told["a"] != 1 || told["b"] != 1 || told["c"] != 1 {
		t.Errorf("told: got %v, want each once", told)
	}
}

// One that went away while it waited leaves nobody's transaction open.
func TestSharedCommitWithoutTheLastOne(t *testing.T) {
	d := dbtest.SQLite(t, nil)
	gone, cancel := context.WithCancel(t.Context())
	last := make(chan error)
	errs := crowd(t, d, func(tx *db.Tx) error {
		go func() { last <- d.Write(gone, put("last")) }()
		for db.Waiting(d) == 0 {
			runtime.Gosched()
		}
		cancel()
		return put("a")(tx)
	})
	if errs[0] != nil {
		t.Error(errs[0])
	}
	if err := <-last; !errors.Is(err, context.Canceled) {
		t.Errorf("the last one: got %v, want cancelled", err)
	}
	if got := settings(t, d); !slices.Equal(got, []string{"a"}) {
		t.Errorf("stored: got %v, want a", got)
	}
}
