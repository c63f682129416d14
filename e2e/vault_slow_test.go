//go:build slow

package e2e_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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

// keysAtHome is a database with a keyring of some customers' keys, and a Vault
// behind a front.
type keysAtHome struct {
	t      *testing.T
	url    string
	dir    string
	config string
	server vaulttest.Server
	front  *front
	opts   vault.Options
	sealed map[string][]byte
}

// front passes calls on to a Vault, the fake or a real one, and tells a hook of
// each before.
type front struct {
	srv  *httptest.Server
	hook atomic.Pointer[func(path string)]
}

func newFront(t *testing.T, addr string) *front {
	t.Helper()
	to, err := url.Parse(addr)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{}
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, ErrorLog: log.New(io.Discard, "", 0)}
	f.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hook := f.hook.Load(); hook != nil {
			(*hook)(strings.TrimPrefix(r.URL.Path, "/v1/"))
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(f.srv.Close)
	return f
}

// onCall has hook called before each call; nil is none.
func (f *front) onCall(hook func(path string)) {
	if hook == nil {
		f.hook.Store(nil)
		return
	}
	f.hook.Store(&hook)
}

// vaultCore starts the real Vault that OSTLERTEST_VAULT_CORE names, or skips.
func vaultCore(t *testing.T) vaulttest.Server {
	t.Helper()
	program := os.Getenv("OSTLERTEST_VAULT_CORE")
	if program == "" {
		t.Skip("a real Vault: make test-vault")
	}
	out := filepath.Join(t.TempDir(), "core.json")
	world.Start(t, "vault-core", program, nil, "-out", out)
	var s vaulttest.Server
	world.Eventually(t, "the core is up", 2*time.Minute, func() (up bool) {
		var err error
		s, err = vaulttest.ReadCore(out)
		return err == nil
	})
	return s
}

func fakeVault(t *testing.T) vaulttest.Server {
	t.Helper()
	f := vaulttest.New()
	t.Cleanup(f.Close)
	return f.Server()
}

const movedCustomers = 12

var sealedAt = secrets.AD{Table: "plans", Column: "note", Row: "pln_1"}

func newKeysAtHome(t *testing.T, url string, s vaulttest.Server) *keysAtHome {
	t.Helper()
	h := &keysAtHome{t: t, url: url, dir: t.TempDir(), server: s, front: newFront(t, s.Addr), sealed: map[string][]byte{}}
	if h.url == "" {
		h.url = "sqlite:" + filepath.Join(h.dir, "ostler.db")
	}
	h.check(s.Engines(t.Context()))
	var err error
	h.opts, err = s.Enter(t.Context(), h.dir, vault.PartPlane, vaulttest.Role{Plain: true})
	h.check(err)
	h.opts.Addr = h.front.srv.URL
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
// By "make test-vault" it does so with a real Vault too.
func TestSlowMoveIsKilled(t *testing.T) {
	t.Parallel()
	t.Run("fake", func(t *testing.T) { moveIsKilled(t, newKeysAtHome(t, "", fakeVault(t))) })
	t.Run("core", func(t *testing.T) { moveIsKilled(t, newKeysAtHome(t, "", vaultCore(t))) })
}

func moveIsKilled(t *testing.T, h *keysAtHome) {
	cmd := h.ostler(nil, "secrets", "move", "--to", "vault")
	var calls atomic.Int32
	var once sync.Once
	killed := make(chan struct{})
	h.front.onCall(func(path string) {
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
	h.front.onCall(nil)
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
	h.check(h.server.Seal(t.Context(), true))
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
	h := newKeysAtHome(t, dbtest.PostgresURL(t), fakeVault(t))
	first := h.ostler(nil, "secrets", "move", "--to", "vault")
	reached, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	h.front.onCall(func(path string) {
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
