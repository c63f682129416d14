package ways_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"ostler/agents/host/ways"
	"ostler/agents/wire"
)

// fakeProcess is one process of a tree in files.
type fakeProcess struct {
	pid, parent int
	exe         string
	start       int // seconds after the boot
	login       string
	session     string
	scope       string // "user-1001.slice/session-3.scope"
	user        string // what it says of itself
}

const unset = "4294967295"

// fakeProc writes a tree of processes; what is not said is unset.
func fakeProc(t *testing.T, boot int64, list ...fakeProcess) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("stat", fmt.Sprintf("cpu 1 2 3\nbtime %d\n", boot))
	for _, p := range list {
		at := strconv.Itoa(p.pid)
		write(at+"/stat", fmt.Sprintf("%d (a (name) b) S %d 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 %d 0 0\n", p.pid, p.parent, p.start*100))
		or := func(v string) string {
			if v == "" {
				return unset
			}
			return v
		}
		write(at+"/loginuid", or(p.login))
		write(at+"/sessionid", or(p.session))
		write(at+"/cgroup", "12:cpu:/\n0::/user.slice/"+p.scope+"\n")
		write(at+"/environ", "LANG=C\x00SSH_TELEPORT_USER="+p.user+"\x00")
		if err := os.Symlink("/usr/local/bin/"+p.exe, filepath.Join(dir, at, "exe")); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// atTeleport is a Teleport agent, which a unit started, with sessions of two users
// as one account, of another account, and of one without PAM.
func atTeleport() []fakeProcess {
	return []fakeProcess{
		{pid: 10, parent: 1, exe: "teleport"},
		{pid: 20, parent: 10, exe: "teleport", start: 100, login: "1001", session: "5", scope: "user-1001.slice/session-5.scope"},
		{pid: 21, parent: 20, exe: "bash", start: 100, login: "1001", session: "5", scope: "user-1001.slice/session-5.scope", user: "ada"},
		{pid: 22, parent: 21, exe: "vim", start: 110, login: "1001", session: "5", scope: "user-1001.slice/session-5.scope", user: "ada"},
		{pid: 23, parent: 1, exe: "miner", start: 120, login: "1001", session: "5", scope: "user-1001.slice/session-5.scope", user: "ben"}, // left the tree
		{pid: 24, parent: 23, exe: "worker", start: 121, login: "1001", session: unset, user: "ben"},
		{pid: 30, parent: 10, exe: "teleport", start: 200, login: "1001", session: "6", scope: "user-1001.slice/session-6.scope"},
		{pid: 31, parent: 30, exe: "bash", start: 200, login: "1001", session: "6", scope: "user-1001.slice/session-6.scope", user: "ben"},
		{pid: 40, parent: 10, exe: "teleport", start: 300, login: "1002", session: "7", scope: "user-1002.slice/session-7.scope"},
		{pid: 41, parent: 40, exe: "bash", start: 300, login: "1002", session: "7", scope: "user-1002.slice/session-7.scope", user: "ada"},
		{pid: 50, parent: 1, exe: "bash", start: 400, login: "1001", session: "8", scope: "user-1001.slice/session-8.scope", user: "ada"}, // by sshd, not Teleport
	}
}

// TestWhoseSession: what a process says of itself decides nothing that would let
// it stay.
func TestWhoseSession(t *testing.T) {
	const boot = 1_700_000_000
	accounts := map[string]int{"ops": 1001, "dev": 1002}
	started := func(seconds int64) int64 { return (boot + seconds) * 1000 }
	change := func(pid int, f func(p *fakeProcess)) []fakeProcess {
		list := atTeleport()
		f(&list[slices.IndexFunc(list, func(p fakeProcess) bool { return p.pid == pid })])
		return list
	}
	for _, tt := range []struct {
		name string
		list []fakeProcess
		ask  wire.EndLoginParams
		want []int
		left int
	}{
		{"as it says", atTeleport(), wire.EndLoginParams{Account: "ops", TeleportUser: "ada"}, []int{21}, 1},
		{"it says another's, and began when the cluster says", change(21, func(p *fakeProcess) { p.user = "ben" }),
			wire.EndLoginParams{Account: "ops", TeleportUser: "ada", Started: started(103)}, []int{21}, 1},
		{"it says another's, and nobody knows when it began", change(21, func(p *fakeProcess) { p.user = "ben" }),
			wire.EndLoginParams{Account: "ops", TeleportUser: "ada"}, nil, 2},
		{"it says nothing", change(21, func(p *fakeProcess) { p.user = "" }), wire.EndLoginParams{Account: "ops", TeleportUser: "ada", Started: started(99)}, []int{21}, 1},
		{"two began then: what they say decides", change(31, func(p *fakeProcess) { p.start = 102 }),
			wire.EndLoginParams{Account: "ops", TeleportUser: "ada", Started: started(100)}, []int{21}, 1},
		{"two began then, and both say another's: neither, and both are said", func() []fakeProcess {
			list := change(31, func(p *fakeProcess) { p.start = 102 })
			list[2].user = "ben"
			return list
		}(), wire.EndLoginParams{Account: "ops", TeleportUser: "ada", Started: started(100)}, nil, 2},
		{"another account", atTeleport(), wire.EndLoginParams{Account: "dev", TeleportUser: "ada", Started: started(300)}, []int{41}, 0},
		{"it runs as another account by now", change(21, func(p *fakeProcess) { p.exe = "sudo" }), // and as whom this test does
			wire.EndLoginParams{Account: "ops", TeleportUser: "ada", Started: started(100)}, []int{21}, 1},
		{"an agent that somebody started by hand hands its own session on", func() []fakeProcess {
			list := atTeleport()
			for i := range list {
				list[i].login, list[i].session, list[i].scope = "1002", "5", "user-1002.slice/session-5.scope"
			}
			return list
		}(), wire.EndLoginParams{Account: "dev", TeleportUser: "ada"}, nil, 0},
		{"an account that no file names", atTeleport(), wire.EndLoginParams{Account: "far", TeleportUser: "ada", Started: started(100)}, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, left := ways.Chosen(fakeProc(t, boot, tt.list...), accounts, tt.ask)
			if !slices.Equal(got, tt.want) || left != tt.left {
				t.Errorf("got %v and %d left, want %v and %d", got, left, tt.want, tt.left)
			}
		})
	}
}

// TestHeld: a process that left the tree of its session is still the session's.
func TestHeld(t *testing.T) {
	proc := fakeProc(t, time.Now().Unix(), atTeleport()...)
	if got, want := ways.Held(proc, 21), []int{21, 22, 23, 24}; !slices.Equal(got, want) {
		t.Errorf("ada's: got %v, want %v", got, want)
	}
	if got, want := ways.Held(proc, 31), []int{31}; !slices.Equal(got, want) {
		t.Errorf("ben's: got %v, want %v", got, want)
	}
	if got := ways.AccountOf(proc, 21); got != "1001" {
		t.Errorf("the account: got %s, want 1001", got)
	}
	byHand := atTeleport()
	for i := range byHand {
		byHand[i].session, byHand[i].scope = "5", "user-1001.slice/session-5.scope"
	}
	if got, want := ways.Held(fakeProc(t, time.Now().Unix(), byHand...), 21), []int{21, 22}; !slices.Equal(got, want) {
		t.Errorf("an agent started by hand: got %v, want %v, what hangs under it", got, want)
	}
}
