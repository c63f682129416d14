// Package e2e_test runs whole systems: the real binaries, restic and a
// rest-server on loopback, driven by the command line.
package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"ostler/e2e/world"
	"ostler/internal/pgtest"
)

// backupLimit is how long one backup of a few files may take on a busy machine.
const backupLimit = 60 * time.Second

// eachDatabase runs a test on SQLite, and on PostgreSQL unless -short.
func eachDatabase(t *testing.T, test func(t *testing.T, w *world.World)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, world.New(t, world.Options{}))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, world.New(t, world.Options{Database: pgtest.URL(t)}))
	})
}

// house is a world with one customer on one host, whose first backup is complete.
type house struct {
	*world.World
	maple *world.Customer
	host  *world.Host
	plan  world.Plan
}

// folder is where the customer's files are on the host.
const folder = "/srv/maple"

// newHouse makes a house in a world. store is the address of what stands before
// the store, or "". config are lines of the agent's configuration.
func newHouse(t *testing.T, w *world.World, store string, config ...string) *house {
	t.Helper()
	h := &house{World: w, maple: w.AddCustomers("maple")[0]}
	h.AddStore("off-site", store)
	h.host = w.AddHost("maple-1", config...)
	h.host.Put(folder+"/menu.txt", "soup\n")
	h.host.Put(folder+"/office/plan.txt", "the first plan\n")
	h.plan = w.AddPlan(h.maple, h.host, "Everything", folder)
	if run := h.maple.Over(h.plan.ID, backupLimit); run.State != "complete" {
		t.Fatalf("first backup: got %s %+v", run.State, run.Failure)
	}
	return h
}

// backUp runs the plan by hand and waits; it must be complete.
func (h *house) backUp() world.Run {
	h.T.Helper()
	var r world.Run
	h.maple.JSON(&r, "backup", "run", h.plan.ID, "--wait", "--wait-timeout", "60s")
	if r.State != "complete" {
		h.T.Fatalf("backup: got %s", r.State)
	}
	return r
}

// begin starts the plan by hand and does not wait.
func (h *house) begin() world.Run {
	h.T.Helper()
	var r world.Run
	h.maple.JSON(&r, "backup", "run", h.plan.ID)
	return r
}

// run is one run as it is now.
func (h *house) run(id string) world.Run {
	h.T.Helper()
	var r world.Run
	if !h.maple.Get("/runs/"+id, &r) {
		h.T.Fatalf("run %s cannot be read", id)
	}
	return r
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// noise is text of n bytes that no compression makes smaller, the same each time.
func noise(n int) string {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}).Read(b) // never fails
	return string(b)
}

func sum(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}
