package secrets_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/secrets"
	"ostler/controlplane/secrets/vault"
	"ostler/controlplane/secrets/vaulttest"
	"ostler/internal/killpoint"
)

// house is a database with keys and credentials in the file keyring, and a Vault.
type house struct {
	t      *testing.T
	d      *db.DB
	clock  *dbtest.Clock
	dir    string
	vault  *vault.Client
	server vaulttest.Server
	fake   *vaulttest.Fake
	sealed map[string][]byte
	mu     sync.Mutex
	ledger []string // kinds, as they were committed
}

var fields = map[string]string{"token": "of a provider"}

func newHouse(t *testing.T, d *db.DB, clock *dbtest.Clock) *house {
	h := &house{t: t, d: d, clock: clock, dir: filepath.Join(t.TempDir(), "keyring"), sealed: map[string][]byte{}}
	h.server, h.fake = startFake(t)
	h.vault = enter(t, h.server, vaulttest.Role{})
	k := h.keeper()
	for _, c := range []string{"", customer, "cus_0002", "cus_0003"} {
		try(t, k.EnsureKey(t.Context(), c))
		sealed, err := k.Seal(c, place, []byte("of "+c))
		try(t, err)
		h.sealed[c] = sealed
	}
	putCredential(t, d, k, customer, fields)
	putCredential(t, d, k, "cus_0002", fields)
	ensure(t, k, "cus_gone")
	try(t, k.Destroy(t.Context(), "cus_gone"))
	h.ledger = nil
	return h
}

// keeper is another process's.
func (h *house) keeper() *secrets.Keeper {
	h.t.Helper()
	k, err := secrets.Open(h.t.Context(), h.d, h.dir, secrets.Options{Vault: h.vault})
	try(h.t, err)
	k.AddCredentials(table{})
	k.RecordBy(func(tx *db.Tx, kind string, _ map[string]any) error {
		tx.AfterCommit(func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.ledger = append(h.ledger, kind)
		})
		return nil
	})
	return k
}

// whole checks that everything opens, in this process and in a new one.
func (h *house) whole(ks ...*secrets.Keeper) {
	h.t.Helper()
	for _, k := range append(ks, h.keeper()) {
		for c, sealed := range h.sealed {
			if got, err := k.Open(c, place, sealed); err != nil || string(got) != "of "+c {
				h.t.Errorf("customer %q: got %q, %v", c, got, err)
			}
		}
		for _, c := range []string{customer, "cus_0002"} {
			if got, _, err := readCredential(h.t, h.d, k, c); err != nil || !maps.Equal(got, fields) {
				h.t.Errorf("credential of %s: got %v, %v", c, got, err)
			}
		}
	}
}

// where checks how many keys and credentials are in which home.
func (h *house) where(want string) {
	h.t.Helper()
	s, err := h.keeper().Status(h.t.Context())
	try(h.t, err)
	got := fmt.Sprintf("%s: keys %d/%d, credentials %d/%d", s.Active, s.Keys[secrets.HomeFile], s.Keys[secrets.HomeVault], s.Credentials[secrets.HomeFile], s.Credentials[secrets.HomeVault])
	if got != want {
		h.t.Errorf("where (file/vault): got %s, want %s", got, want)
	}
}

func (h *house) count(kind string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range h.ledger {
		if k == kind {
			n++
		}
	}
	return n
}

func TestMoveThereAndBack(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		k, running := h.keeper(), h.keeper()
		h.where("file: keys 4/0, credentials 2/0")

		got, err := k.Move(t.Context(), secrets.HomeVault, secrets.MoveOptions{Holder: "one"})
		if err != nil || got.Keys != 4 || got.Credentials != 2 || got.Elsewhere != 0 {
			t.Fatalf("to Vault: got %+v, %v", got, err)
		}
		h.where("vault: keys 0/4, credentials 0/2")
		h.whole(k, running)
		if m, c, s, e := h.count("secrets.key_moved"), h.count("secrets.credential_moved"), h.count("secrets.move_started"), h.count("secrets.moved"); m != 4 || c != 2 || s != 1 || e != 1 {
			t.Errorf("in the ledger: got %d keys, %d credentials, %d starts, %d ends", m, c, s, e)
		}
		if got, err := h.vault.Get(t.Context(), customer, tableName+"."+customer); err != nil || !got.Same(fields) {
			t.Errorf("in KV: got %+v, %v", got, err)
		}
		try(t, running.EnsureKey(t.Context(), "cus_new")) // a replica follows without a restart
		if again, err := k.Move(t.Context(), secrets.HomeVault, secrets.MoveOptions{Holder: "one"}); err != nil || again.Keys+again.Credentials != 0 {
			t.Errorf("again: got %+v, %v, want nothing to do", again, err)
		}
		h.where("vault: keys 0/5, credentials 0/2")

		// An operator changes one in Vault: the newest counts, here and on the way back.
		changed := map[string]string{"token": "a newer one"}
		if _, err := h.vault.Put(t.Context(), customer, tableName+"."+customer, changed, 1); err != nil {
			t.Fatal(err)
		}
		if got, _, err := readCredential(t, d, running, customer); err != nil || !maps.Equal(got, changed) {
			t.Errorf("changed in Vault: got %v, %v", got, err)
		}
		if _, err := h.vault.Put(t.Context(), customer, tableName+"."+customer, fields, 1); trouble(err) != vault.Conflict {
			t.Errorf("compare and set: got %v, want a conflict", err)
		}
		if _, err := h.vault.Put(t.Context(), customer, tableName+"."+customer, fields, 2); err != nil {
			t.Fatal(err)
		}

		if got, err = k.Move(t.Context(), secrets.HomeFile, secrets.MoveOptions{Holder: "one"}); err != nil || got.Keys != 5 || got.Credentials != 2 {
			t.Fatalf("back: got %+v, %v", got, err)
		}
		h.where("file: keys 5/0, credentials 2/0")
		if _, _, err := k.FinishRemovals(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		for _, c := range []string{customer, "cus_0002"} {
			if names, err := h.vault.Names(t.Context(), c); err != nil || len(names) > 0 {
				t.Errorf("left in Vault: got %q, %v", names, err)
			}
		}
		h.fake.Seal(true)
		h.whole(k, running)
	})
}

// TestMoveKilled stops a move at each of its steps as a kill -9 would, and has
// another process go on.
func TestMoveKilled(t *testing.T) {
	for _, to := range []secrets.HomeName{secrets.HomeVault, secrets.HomeFile} {
		for step := 1; ; step++ {
			done := false
			t.Run(fmt.Sprintf("to %s, step %d", to, step), func(t *testing.T) {
				d, clock, _ := sqlite(t)
				h := newHouse(t, d, clock)
				if to == secrets.HomeFile {
					_, err := h.keeper().Move(t.Context(), secrets.HomeVault, secrets.MoveOptions{Holder: "set-up"})
					try(t, err)
				}
				at := 0
				killed := killpoint.Until(func() {
					_, err := h.keeper().Move(t.Context(), to, secrets.MoveOptions{Holder: "one", Step: func(what string) {
						if at++; at == step {
							killpoint.Kill(what)
						}
					}})
					try(t, err)
				})
				h.whole()
				if done = killed == ""; done {
					return
				}
				k := h.keeper()
				if _, err := k.Move(t.Context(), to, secrets.MoveOptions{Holder: "two"}); controlplane.ErrorCode(err) != controlplane.CodeConflict {
					t.Fatalf("while the dead one's hold lasts: got %v, want a conflict", err)
				}
				if n, _, err := k.FinishRemovals(t.Context(), "two"); err != nil || n != 0 {
					t.Errorf("removals meanwhile: got %d, %v, want none", n, err)
				}
				clock.Advance(time.Minute)
				if _, _, err := k.FinishRemovals(t.Context(), "two"); err != nil {
					t.Fatal(err)
				}
				h.whole()
				_, err := k.Move(t.Context(), to, secrets.MoveOptions{Holder: "two"})
				try(t, err)
				clock.Advance(2 * time.Hour) // what a killed put left is nobody's by now
				if _, _, err := k.FinishRemovals(t.Context(), "two"); err != nil {
					t.Fatal(err)
				}
				h.whole(k)
				if to == secrets.HomeVault {
					h.where("vault: keys 0/4, credentials 0/2")
				} else {
					h.where("file: keys 4/0, credentials 2/0")
				}
			})
			if done || t.Failed() {
				if step < 10 {
					t.Errorf("to %s: %d steps, want two for each of six values", to, step-1)
				}
				break
			}
		}
	}
}

// Two processes move at once: one holds the keys, the other says who.
func TestTwoMove(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		one, two := h.keeper(), h.keeper()
		var second error
		tried := false
		_, err := one.Move(t.Context(), secrets.HomeVault, secrets.MoveOptions{Holder: "alpha 4711", Step: func(string) {
			if !tried {
				tried = true
				_, second = two.Move(t.Context(), secrets.HomeFile, secrets.MoveOptions{Holder: "beta 4712"})
			}
		}})
		try(t, err)
		var e *controlplane.Error
		if !errors.As(second, &e) || e.Code != controlplane.CodeConflict || !strings.Contains(e.Message, "alpha 4711") || !strings.Contains(e.Next, "ends at") {
			t.Errorf("the second: got %v, want a conflict that names alpha", second)
		}
		h.where("vault: keys 0/4, credentials 0/2")

		// One that was away for longer than its hold finds that it lost it.
		away := false
		_, err = one.Move(t.Context(), secrets.HomeFile, secrets.MoveOptions{Holder: "alpha 4711", Step: func(string) {
			if !away {
				away = true
				clock.Advance(time.Minute)
				_, second = two.Move(t.Context(), secrets.HomeFile, secrets.MoveOptions{Holder: "beta 4712"})
			}
		}})
		if controlplane.ErrorCode(err) != controlplane.CodeConflict || second != nil {
			t.Errorf("the first got %v, the second %v; want a conflict, and that it is done", err, second)
		}
		h.where("file: keys 4/0, credentials 2/0")
		h.whole(one, two)
	})
}

// While keys are moved, another replica makes new ones, and a customer is erased.
func TestMoveMeetsOthers(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		other := h.keeper()
		acted := false
		got, err := h.keeper().Move(t.Context(), secrets.HomeVault, secrets.MoveOptions{Holder: "one", Step: func(what string) {
			if !acted && what == "wrapped" {
				acted = true
				try(t, other.EnsureKey(t.Context(), "cus_new"))
				try(t, other.Destroy(t.Context(), "cus_0003"))
				try(t, other.Destroy(t.Context(), "cus_never"))
			}
		}})
		if err != nil || got.Keys != 3 {
			t.Fatalf("got %+v, %v, want the three that are left", got, err)
		}
		delete(h.sealed, "cus_0003")
		h.whole(other)
		h.where("vault: keys 0/4, credentials 0/2")
		if _, _, err := h.keeper().FinishRemovals(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.keeper().Open("cus_0003", place, nil); err == nil {
			t.Error("an erased customer's value opens")
		}
	})
}

// A home that does not give back what it was given gets nothing: the old form
// is kept.
func TestMoveProves(t *testing.T) {
	d, clock, _ := sqlite(t)
	h := newHouse(t, d, clock)
	h.fake.OnCall(func(method, path string) {
		if strings.HasPrefix(path, "transit/decrypt/ostler-data-"+customer) {
			h.fake.Corrupt(true)
		}
	})
	got, err := h.keeper().Move(t.Context(), secrets.HomeVault, secrets.MoveOptions{Holder: "one"})
	h.fake.OnCall(nil)
	h.fake.Corrupt(false)
	if err != nil || len(got.Left) != 3 || !errors.Is(got.Left[0].Err, secrets.ErrOpen) {
		t.Fatalf("got %+v, %v; want that the keys which do not open in Vault are left", got, err)
	}
	s, serr := h.keeper().Status(t.Context())
	try(t, serr)
	if s.Holder != "" || s.Keys[secrets.HomeFile] < 3 {
		t.Errorf("after it: got %+v, want the hold given up and the keys where they were", s)
	}
	h.whole()
}

func TestMovedCustomersTransitKeys(t *testing.T) {
	d, clock, _ := sqlite(t)
	h := newHouse(t, d, clock)
	_, err := h.keeper().Move(t.Context(), secrets.HomeVault, secrets.MoveOptions{Holder: "one"})
	try(t, err)
	want := []string{"ostler-data-company", "ostler-data-" + customer, "ostler-data-cus_0002", "ostler-data-cus_0003"}
	if got := h.fake.Keys(); !slices.Equal(got, want) {
		t.Errorf("keys in transit: got %q, want one for each living customer: %q", got, want)
	}
}
