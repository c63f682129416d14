package ways

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one that runs now, as /proc shows it.
type process struct {
	pid, parent int
	uid         int
	exe         string
	line        string // terminal
	started     time.Duration
	start       string // as the kernel counts: with the pid it is one process for ever
	dir         string
	// What only root can change, and what every process that descends from a
	// session keeps, wherever it hangs in the tree.
	login   int    // the number of the account that signed in, -1 where PAM did not say
	session string // of the kernel's audit; "" is none
	scope   string // "session-7.scope" of systemd-logind; "" is none
}

// ticks is how many of them a second has, to every program (USER_HZ).
const ticks = 100

// processes reads all that run now; those that end meanwhile are left out.
func processes(ctx context.Context, proc string) map[int]process {
	all := map[int]process{}
	entries, err := os.ReadDir(proc)
	if err != nil {
		return all
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || ctx.Err() != nil {
			continue
		}
		if p, ok := readProcess(proc, pid); ok {
			all[pid] = p
		}
	}
	return all
}

func readProcess(proc string, pid int) (process, bool) {
	p := process{pid: pid, dir: filepath.Join(proc, strconv.Itoa(pid))}
	info, err := os.Stat(p.dir)
	if err != nil {
		return p, false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return p, false
	}
	p.uid = int(owner.Uid)
	data, err := os.ReadFile(filepath.Join(p.dir, "stat"))
	if err != nil {
		return p, false
	}
	// "pid (any name) state parent group session tty ..."
	f := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(f) < 20 || f[0] == "Z" || f[0] == "X" { // over, and not yet fetched by its parent
		return p, false
	}
	p.parent, _ = strconv.Atoi(f[1])
	tty, _ := strconv.Atoi(f[4])
	if major := tty >> 8 & 0xfff; major >= 136 && major <= 143 {
		p.line = "pts/" + strconv.Itoa((major-136)<<8|tty&0xff|tty>>12&0xfff00)
	}
	p.start = f[19]
	n, _ := strconv.ParseInt(f[19], 10, 64)
	p.started = time.Duration(n) * time.Second / ticks
	p.exe, _ = os.Readlink(filepath.Join(p.dir, "exe"))
	p.signedIn()
	return p, true
}

// unset is what the kernel says of a login or a session that nobody set.
const unset = "4294967295"

// scopes are systemd's sessions in the path of a control group.
var scopes = regexp.MustCompile(`/user-(\d+)\.slice/(session-[^/]+\.scope)`)

// signedIn reads of which sign-in a process is.
func (p *process) signedIn() {
	read := func(name string) string {
		data, _ := os.ReadFile(filepath.Join(p.dir, name))
		return strings.TrimSpace(string(data))
	}
	p.login = -1
	if v := read("sessionid"); v != unset {
		p.session = v
	}
	if m := scopes.FindStringSubmatch(read("cgroup")); m != nil {
		p.scope = m[2]
		p.login, _ = strconv.Atoi(m[1])
	}
	if v := read("loginuid"); v != unset {
		if n, err := strconv.Atoi(v); err == nil {
			p.login = n
		}
	}
}

// teleportSession is what a person started through Teleport: a process of an
// account whose parent is Teleport's.
type teleportSession struct {
	process
	account string
}

// own reports whether the session has an audit session or a scope of its own: an
// agent that somebody started by hand hands its own on to all.
func (t teleportSession) own() bool { return t.session != "" || t.scope != "" }

// owner is the number of the account that signed in: of a program that runs as
// another by now it is still the first.
func (t teleportSession) owner() int {
	if t.own() && t.login >= 0 {
		return t.login
	}
	return t.uid
}

// holds reports whether a process descends from the session, wherever it hangs in
// the tree by now.
func (t teleportSession) holds(p process) bool {
	return !isTeleport(p) && (t.session != "" && p.session == t.session || t.scope != "" && p.scope == t.scope)
}

// isTeleport reports whether a process is Teleport's: root's (or ours, where we
// are not root) and its program. A user's own program of that name is not.
func isTeleport(p process) bool {
	return filepath.Base(strings.TrimSuffix(p.exe, " (deleted)")) == "teleport" && (p.uid == 0 || p.uid == os.Geteuid())
}

// sessions are Teleport's sessions, oldest process first.
func sessions(procs map[int]process, accounts map[int]string) (list []teleportSession) {
	for _, p := range procs {
		parent, ok := procs[p.parent]
		if !ok || !isTeleport(parent) || isTeleport(p) {
			continue
		}
		if _, ok := procs[parent.parent]; !ok {
			continue
		}
		agent := procs[parent.parent]
		if !isTeleport(agent) {
			continue // the agent's own child (a BPF or upgrade helper): sessions are children of "teleport exec"
		}
		t := teleportSession{process: p}
		if t.session == agent.session {
			t.session = ""
		}
		if t.scope == agent.scope {
			t.scope = ""
		}
		name, known := accounts[t.owner()]
		if !known {
			name = "#" + strconv.Itoa(t.owner())
		}
		t.account = name
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b teleportSession) int { return a.pid - b.pid })
	return list
}

// environment returns a variable of a process's environment as it was started;
// "" where it cannot be read.
func (p process) environment(name string) string {
	f, err := os.Open(filepath.Join(p.dir, "environ"))
	if err != nil {
		return ""
	}
	defer f.Close()
	buf := make([]byte, 256<<10)
	n := 0
	for n < len(buf) {
		m, err := f.Read(buf[n:])
		n += m
		if err != nil || m == 0 {
			break
		}
	}
	for _, v := range bytes.Split(buf[:n], []byte{0}) {
		if value, ok := bytes.CutPrefix(v, []byte(name+"=")); ok {
			return string(value)
		}
	}
	return ""
}
