package ways_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ostler/agents/host/ways"
	"ostler/agents/wire"
)

// playVariable has the test binary play one process of a Teleport agent.
const playVariable = "OSTLERTEST_WAYS_PLAY"

func TestMain(m *testing.M) {
	if part := os.Getenv(playVariable); part != "" {
		play(part)
		return
	}
	os.Exit(m.Run())
}

// strayVariable has a session leave a process behind that is in its tree no more.
const strayVariable = "OSTLERTEST_WAYS_STRAY"

// play is "agent" or "exec", which are Teleport's, or "session", which is a
// person's and starts "child". Each says that it is there, and ends with its
// standard input.
func play(part string) {
	switch stray := os.Getenv(strayVariable) != ""; {
	case part == "exec" && stray: // as PAM does for a session
		if err := os.WriteFile("/proc/self/loginuid", []byte(strconv.Itoa(os.Getuid())), 0); err != nil {
			fmt.Println("error", err)
			return
		}
	case part == "child" && stray:
		cmd := exec.Command(os.Args[2], os.Args[1:]...)
		cmd.Env = append(os.Environ(), playVariable+"=forker")
		cmd.Stdout = os.Stdout
		if err := cmd.Run(); err != nil {
			fmt.Println("error", err)
		}
	case part == "forker": // ends, and leaves its own child without a parent
		cmd := exec.Command(os.Args[2], os.Args[1:]...)
		cmd.Env = append(os.Environ(), playVariable+"=stray")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			fmt.Println("error", err)
		}
		fmt.Println("stray", cmd.Process.Pid)
		return
	case part == "stray":
		time.Sleep(2 * time.Minute) // should nobody end it
		return
	}
	next := map[string]string{"agent": "exec", "exec": "session", "session": "child"}[part]
	exe := os.Args[1]
	if part == "session" {
		exe = os.Args[2]
	}
	if next != "" {
		if next == "session" {
			exe = os.Args[2]
		}
		cmd := exec.Command(exe, os.Args[1:]...)
		cmd.Env = append(os.Environ(), playVariable+"="+next)
		if next == "session" && os.Args[3] != "" {
			cmd.Env = append(cmd.Env, "SSH_TELEPORT_USER="+os.Args[3])
		}
		cmd.Stdout = os.Stdout
		in, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			fmt.Println("error", err)
			return
		}
		defer func() { _ = in.Close(); _ = cmd.Wait() }()
	}
	fmt.Println(part)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// session starts a Teleport agent with a session of a user, and waits until all
// of it runs. What it returns says whether the session's processes are over.
func session(t *testing.T, name, teleportUser string) (over func() bool) {
	t.Helper()
	over, _ = sessionThat(t, name, teleportUser, 4)
	return over
}

// sessionThat is session with more in its environment; it returns the lines that
// its parts said too.
func sessionThat(t *testing.T, name, teleportUser string, parts int, env ...string) (over func() bool, said []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	agent := filepath.Join(dir, name)
	if err := os.Link(self, agent); err != nil {
		data, err := os.ReadFile(self)
		if err == nil {
			err = os.WriteFile(agent, data, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(agent, agent, self, teleportUser)
	cmd.Env = append(append(os.Environ(), env...), playVariable+"=agent")
	in, _ := cmd.StdinPipe()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 8)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
		close(lines)
	}()
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	for range parts {
		l := <-lines
		if strings.HasPrefix(l, "error") && len(env) > 0 {
			t.Skipf("a session of its own cannot be made here: %s", l)
		}
		if strings.HasPrefix(l, "error") || l == "" {
			t.Fatalf("the agent did not start: %q", l)
		}
		said = append(said, l)
	}
	return func() bool {
		for _, p := range []string{"session", "child"} {
			if runs(t, cmd.Process.Pid, p) {
				return false
			}
		}
		return true
	}, said
}

// runs reports whether a part of the agent with this process runs.
func runs(t *testing.T, agent int, part string) bool {
	t.Helper()
	stats, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range stats {
		env, err := os.ReadFile(f)
		if err != nil || !strings.Contains("\x00"+string(env), "\x00"+playVariable+"="+part+"\x00") {
			continue
		}
		pid := strings.Split(f, "/")[2]
		for up := pid; up != "" && up != "0" && up != "1"; {
			if up == fmt.Sprint(agent) {
				return true
			}
			stat, _ := os.ReadFile("/proc/" + up + "/stat")
			fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
			if len(fields) < 2 {
				break
			}
			up = fields[1]
		}
	}
	return false
}

// TestEndLoginsOfStrays has a session start a process that leaves its tree, and
// say that it is somebody else's: by the kernel's audit it is still found.
func TestEndLoginsOfStrays(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/self/sessionid"); err != nil {
		t.Skip("this kernel has no audit")
	}
	o := ways.Options{Root: host{"etc/passwd": "me:x:" + me.Uid + ":" + me.Gid + "::/:/bin/sh\n"}.write(t), Proc: "/proc", Now: now}
	over, said := sessionThat(t, "teleport", "ben", 5, strayVariable+"=1")
	i := slices.IndexFunc(said, func(l string) bool { return strings.HasPrefix(l, "stray ") })
	if i < 0 {
		t.Fatalf("no stray: %q", said)
	}
	stray := "/proc/" + strings.TrimPrefix(said[i], "stray ")
	logins, err := ways.Scan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	began := logins.Logins[slices.IndexFunc(logins.Logins, func(l wire.HostLogin) bool { return l.Teleport && l.Account == "me" })].Since
	got, err := ways.EndLogins(t.Context(), o, wire.EndLoginParams{Account: "me", TeleportUser: "ada", Started: began})
	if want := (wire.EndedLogins{Ended: 1}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	stat, err := os.ReadFile(stray + "/stat")
	if !over() || err == nil && !strings.Contains(string(stat), ") Z ") {
		t.Errorf("over: the session %v, its stray %q, %v; want both", over(), stat, err)
	}
}

func TestEndLogins(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	root := host{"etc/passwd": "me:x:" + me.Uid + ":" + me.Gid + "::/:/bin/sh\n"}.write(t)
	o := ways.Options{Root: root, Proc: "/proc", Now: now}
	end := func(account, who string) wire.EndedLogins {
		t.Helper()
		res, err := ways.EndLogins(t.Context(), o, wire.EndLoginParams{Account: account, TeleportUser: who})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	ada, ben, nobody := session(t, "teleport", "ada"), session(t, "teleport", "ben"), session(t, "teleport", "")
	other := session(t, "telepathy", "ada") // not Teleport's, whatever it says

	logins, err := ways.Scan(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, l := range logins.Logins {
		if l.Teleport && l.Account == "me" && l.Since > 0 {
			n++
		}
	}
	if n != 3 {
		t.Errorf("sessions through Teleport: got %d of %+v, want 3", n, logins.Logins)
	}
	if got, want := end("somebody", "carla"), (wire.EndedLogins{}); got != want {
		t.Errorf("another account: got %+v, want %+v", got, want)
	}
	if got, want := end("me", ""), (wire.EndedLogins{Left: 3}); got != want {
		t.Errorf("nobody named: got %+v, want %+v", got, want)
	}
	if ada() || ben() || nobody() || other() {
		t.Fatal("a session was ended that was not asked for")
	}
	if got, want := end("me", "ada"), (wire.EndedLogins{Ended: 1, Left: 2}); got != want {
		t.Errorf("one user's: got %+v, want %+v", got, want)
	}
	if !ada() || ben() || nobody() || other() {
		t.Errorf("ended: ada's %v, ben's %v, nobody's %v, another program's %v; want ada's alone", ada(), ben(), nobody(), other())
	}
	if got, want := end("me", "ada"), (wire.EndedLogins{Left: 2}); got != want {
		t.Errorf("again: got %+v, want %+v", got, want)
	}
	far := host{"etc/passwd": "else:x:4000000:4000000::/:/bin/sh\n"}.write(t)
	left, err := ways.EndLogins(t.Context(), ways.Options{Root: far, Proc: "/proc", Now: now}, wire.EndLoginParams{Account: "me", TeleportUser: "ada"})
	if want := (wire.EndedLogins{Left: 2}); err != nil || left != want {
		t.Errorf("an account that no file names: got %+v, %v, want %+v", left, err, want)
	}
	if _, err := ways.EndLogins(t.Context(), ways.Options{Root: root}, wire.EndLoginParams{Account: "me", TeleportUser: "ada"}); err == nil {
		t.Error("a root without processes: got no error")
	}
}
