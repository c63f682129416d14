//go:build slow

package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/secrets"
	"ostler/controlplane/secrets/vault"
	"ostler/controlplane/secrets/vaulttest"
	"ostler/e2e/world"
)

// keysAtHome is a database with a keyring of some customers' keys, and a Vault.
type keysAtHome struct {
	t      *testing.T
	url    string
	dir    string
	config string
	fake   *vaulttest.Fake
	opts   vault.Options
	sealed map[string][]byte
}

const movedCustomers = 12

var sealedAt = secrets.AD{Table: "plans", Column: "note", Row: "pln_1"}

func newKeysAtHome(t *testing.T, url string) *keysAtHome {
	t.Helper()
	h := &keysAtHome{t: t, url: url, dir: t.TempDir(), fake: vaulttest.New(), sealed: map[string][]byte{}}
	t.Cleanup(h.fake.Close)
	if h.url == "" {
		h.url = "sqlite:" + filepath.Join(h.dir, "ostler.db")
	}
	s := h.fake.Server()
	h.check(s.Engines(t.Context()))
	var err error
	h.opts, err = s.Enter(t.Context(), h.dir, vault.PartPlane, vaulttest.Role{Plain: true})
	h.check(err)
	h.config = filepath.Join(h.dir, "ostler.yaml")
	h.check(os.WriteFile(h.config, fmt.Appendf(nil, "data_dir: %q\ndatabase:\n  url: %q\nreplica: alpha\nvault:\n  addr: %q\n  role_id: %q\n  secret_id_file: %q\n",
		h.dir, h.url, h.opts.Addr, h.opts.RoleID, h.opts.SecretIDFile), 0o600))
	h.with(func(ctx context.Context, k *secrets.Keeper) {
		for i := range movedCustomers {
			c := fmt.Sprintf("cus_%04d", i)
			h.check(k.EnsureKey(ctx, c))
			sealed, err := k.Seal(c, sealedAt, []byte("of "+c))
			h.check(err)
			h.sealed[c] = sealed
		}
	})
	return h
}

func (h *keysAtHome) check(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// with opens the database and the keys while no process has them.
func (h *keysAtHome) with(do func(ctx context.Context, k *secrets.Keeper)) {
	h.t.Helper()
	d, err := db.Open(h.t.Context(), db.Options{URL: h.url})
	h.check(err)
	defer func() { h.check(d.Close()) }()
	_, err = d.Migrate(h.t.Context())
	h.check(err)
	v, err := vault.Open(h.t.Context(), h.opts)
	h.check(err)
	defer func() { h.check(v.Close()) }()
	k, err := secrets.Open(h.t.Context(), d, filepath.Join(h.dir, "keyring"), secrets.Options{Vault: v})
	h.check(err)
	do(h.t.Context(), k)
}

// whole checks that every value opens, and where the keys are.
func (h *keysAtHome) whole(where func(s secrets.Status) bool) {
	h.t.Helper()
	h.with(func(ctx context.Context, k *secrets.Keeper) {
		for c, sealed := range h.sealed {
			if got, err := k.Open(c, sealedAt, sealed); err != nil || string(got) != "of "+c {
				h.t.Errorf("%s: got %q, %v", c, got, err)
			}
		}
		s, err := k.Status(ctx)
		h.check(err)
		if !where(s) {
			h.t.Errorf("keys are at the wrong places: %+v", s)
		}
	})
}

// ostler is the command, to be started.
func (h *keysAtHome) ostler(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(world.Binaries(h.t), "ostler"), append(args, "--config", h.config)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "NO_COLOR=1"}, env...)
	return cmd
}

// TestSlowMoveIsKilled kills "ostler secrets move" in the middle, by kill -9, and
// runs it again: every value is whole in one home all the time.
func TestSlowMoveIsKilled(t *testing.T) {
	t.Parallel()
	h := newKeysAtHome(t, "")
	cmd := h.ostler(nil, "secrets", "move", "--to", "vault")
	var calls atomic.Int32
	var once sync.Once
	killed := make(chan struct{})
	h.fake.OnCall(func(_, path string) {
		if strings.HasPrefix(path, "transit/encrypt/ostler-data-cus_") && calls.Add(1) == movedCustomers/2 {
			once.Do(func() {
				_ = cmd.Process.Kill()
				close(killed)
			})
		}
	})
	h.check(cmd.Start())
	<-killed
	if err := cmd.Wait(); err == nil {
		t.Fatal("the move ended by itself")
	}
	h.fake.OnCall(nil)
	h.whole(func(s secrets.Status) bool {
		return s.Active == secrets.HomeVault && s.Keys[secrets.HomeFile] > 0 && s.Keys[secrets.HomeVault] > 0
	})

	said := ""
	world.Eventually(t, "the move goes on", 2*time.Minute, func() bool {
		out, err := h.ostler(nil, "secrets", "move", "--to", "vault").CombinedOutput()
		if said == "" {
			said = string(out)
		}
		return err == nil
	})
	// On a machine that is slow enough the dead one's hold has ended by then.
	if !strings.Contains(said, "Moved to Vault") && !(strings.Contains(said, "held by alpha, process") && strings.Contains(said, "its hold ends at")) {
		t.Errorf("right after the kill: got %q, want who held the keys and until when", said)
	}
	h.whole(func(s secrets.Status) bool {
		return s.Keys[secrets.HomeFile] == 0 && s.Keys[secrets.HomeVault] >= movedCustomers
	})

	out, err := h.ostler(nil, "secrets", "rotate").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "data keys wrapped anew") {
		t.Errorf("rotate: got %q, %v", out, err)
	}
	if out, err = h.ostler(nil, "secrets", "status").CombinedOutput(); err != nil || !strings.Contains(string(out), "New keys go to       vault") {
		t.Errorf("status: got %q, %v", out, err)
	}
	if out, err = h.ostler(nil, "secrets", "move", "--to", "file").CombinedOutput(); err != nil || !strings.Contains(string(out), "Moved to the keyring: 13 data keys") {
		t.Errorf("back: got %q, %v", out, err)
	}
	h.whole(func(s secrets.Status) bool { return s.Active == secrets.HomeFile && s.Keys[secrets.HomeVault] == 0 })
	h.fake.Seal(true)
	if out, err = h.ostler(nil, "secrets", "move", "--to", "vault").CombinedOutput(); err == nil || !strings.Contains(string(out), "is sealed") || !strings.Contains(string(out), "Unseal it") {
		t.Errorf("sealed: got %q, %v, want cause and next step", out, err)
	}
}

// TestSlowTwoProcessesMove has a second process try while the first one moves.
func TestSlowTwoProcessesMove(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("two processes share PostgreSQL only")
	}
	h := newKeysAtHome(t, dbtest.PostgresURL(t))
	first := h.ostler(nil, "secrets", "move", "--to", "vault")
	reached, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	h.fake.OnCall(func(_, path string) {
		if strings.HasPrefix(path, "transit/encrypt/ostler-data-cus_") {
			once.Do(func() {
				close(reached)
				<-goOn
			})
		}
	})
	var out strings.Builder
	first.Stdout, first.Stderr = &out, &out
	h.check(first.Start())
	<-reached
	said, err := h.ostler([]string{"OSTLER_REPLICA=beta"}, "secrets", "move", "--to", "vault").CombinedOutput()
	var code *exec.ExitError
	if ended, ok := err.(*exec.ExitError); ok {
		code = ended
	}
	close(goOn)
	werr := first.Wait()
	// A machine that is slow enough ends the first one's hold: then the second
	// one moves, and the first one says so.
	if code == nil {
		if err != nil || werr == nil || !strings.Contains(out.String(), "Another process holds the keys now") {
			t.Errorf("got %q, %v and %q, %v; want that one of them says so", said, err, out.String(), werr)
		}
	} else if code.ExitCode() != 5 || !strings.Contains(string(said), fmt.Sprintf("held by alpha, process %d", first.Process.Pid)) || werr != nil {
		t.Errorf("got %q (exit %d) and %q, %v; want a conflict that names the first, which ends well", said, code.ExitCode(), out.String(), werr)
	}
	h.whole(func(s secrets.Status) bool {
		return s.Keys[secrets.HomeFile] == 0 && s.Keys[secrets.HomeVault] >= movedCustomers
	})
}
