package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/teleport/teleporttest"
)

// TestCheckTeleport has the doctor try a cluster as a configuration names it.
func TestCheckTeleport(t *testing.T) {
	cluster, err := teleporttest.New(teleporttest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := cluster.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	identity := func(ttl time.Duration, roles ...string) string {
		file, err := cluster.IdentityFile(t.TempDir(), "bot-ostler", ttl, roles...)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	good := identity(24*time.Hour, teleporttest.RoleReader, teleporttest.RoleEnforcer)
	for _, c := range []struct {
		name, identity string
		later          time.Duration
		locks          teleporttest.LockRefusal
		want           []string // check, state and part of what it says
	}{
		{"good", good, 0, "", []string{"teleport ok fake.example answers, version ", "  identity ok until ", "  rights ok all", "  locks ok the cluster takes"}},
		{"locks are refused", good, 0, teleporttest.LocksUnlicensed, []string{"teleport ok ", "  identity ok ", "  rights ok ", "  locks warn the cluster takes no locks"}},
		{"ends soon", good, 24*time.Hour - 10*time.Minute, "", []string{"teleport ok ", "  identity warn until ", "  rights ok ", "  locks ok "}},
		{"has ended", identity(-time.Hour, teleporttest.RoleReader), 0, "", []string{"teleport bad our identity has expired"}},
		{"may not read all", identity(24*time.Hour, teleporttest.RoleEnforcer), 0, "", []string{"teleport ok ", "  identity ok ", "  rights warn some of it could not be read: ", "  locks ok "}},
		{"no file", filepath.Join(t.TempDir(), "none"), 0, "", []string{"teleport bad our identity file cannot be used"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster.RefuseLocks(c.locks)
			config := configFile(t, "teleport:\n  addr: "+cluster.Addr()+"\n  identity_file: "+c.identity+"\n")
			got := checkTeleport(t.Context(), config, time.Minute, time.Now().Add(c.later))
			if len(got) != len(c.want) {
				t.Fatalf("got %+v, want %q", got, c.want)
			}
			for i, v := range got {
				if line := v.Check + " " + v.State + " " + v.Detail; !strings.HasPrefix(line, c.want[i]) || (v.Next == "") != (v.State == "ok") {
					t.Errorf("got %q, next %q, want %q", line, v.Next, c.want[i])
				}
			}
		})
	}
	if got := checkTeleport(t.Context(), configFile(t, "teleport:\n  addr: \"\"\n"), time.Minute, time.Now()); got != nil {
		t.Errorf("without a cluster: got %+v, want nothing", got)
	}
	cluster.Down()
	got := checkTeleport(t.Context(), configFile(t, "teleport:\n  addr: "+cluster.Addr()+"\n  identity_file: "+good+"\n"), 4*time.Second, time.Now())
	if len(got) != 1 || got[0].State != "bad" || got[0].Detail != "the cluster does not answer" {
		t.Errorf("a cluster that is down: got %+v, want that it does not answer", got)
	}
}

func configFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ostler.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
