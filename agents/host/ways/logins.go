package ways

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"ostler/agents/wire"
)

const (
	utmpSize    = 384 // bytes of a record (Linux, 64 bit)
	userProcess = 7
)

// readLogins reads who is in now: utmp, or the sessions of systemd-logind where
// there is no utmp, and Teleport's own.
func (s *scan) readLogins(ctx context.Context) {
	known := s.utmp()
	if !known {
		known = s.logind()
	}
	var procs map[int]process
	if s.o.Proc != "" {
		procs = processes(ctx, s.o.Proc)
		s.alive(procs)
		s.teleport(procs)
		known = known || len(procs) > 0 && len(s.out.Logins) > 0
	}
	if !known && s.o.Proc != "" { // a tree of files has no sessions
		s.unread("/run/utmp")
	}
}

func (s *scan) login(l wire.HostLogin) {
	if len(s.out.Logins) == maxLogins {
		s.unread("/run/utmp: more logins than are read")
		return
	}
	s.out.Logins = append(s.out.Logins, l)
}

// utmp reports whether there is one.
func (s *scan) utmp() bool {
	data, err := s.read("/run/utmp", maxConfig)
	if err != nil {
		if data, err = s.read("/var/run/utmp", maxConfig); err != nil {
			return false
		}
	}
	for ; len(data) >= utmpSize; data = data[utmpSize:] {
		r := data[:utmpSize]
		if binary.LittleEndian.Uint16(r) != userProcess {
			continue
		}
		account := text(r[44:76])
		if account == "" {
			continue
		}
		since := int64(int32(binary.LittleEndian.Uint32(r[340:344])))*1000 + int64(int32(binary.LittleEndian.Uint32(r[344:348])))/1000
		s.login(wire.HostLogin{Account: account, Line: text(r[8:40]), From: text(r[76:332]), Since: since, PID: int(int32(binary.LittleEndian.Uint32(r[4:8])))})
	}
	return true
}

func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return clip(strings.ToValidUTF8(string(b), "?"), 128)
}

// logind reads systemd-logind's sessions, and reports whether there are any to read.
func (s *scan) logind() bool {
	const dir = "/run/systemd/sessions"
	if !s.exists(dir) {
		return false
	}
	for _, name := range s.names(dir) {
		if strings.HasSuffix(name, ".ref") {
			continue // a pipe
		}
		data, ok := s.file(path.Join(dir, name), 64<<10)
		if !ok {
			continue
		}
		v := map[string]string{}
		for line := range strings.Lines(string(data)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			v[key] = value
		}
		if v["CLASS"] != "user" || v["USER"] == "" {
			continue
		}
		pid, _ := strconv.Atoi(v["LEADER"])
		since, _ := strconv.ParseInt(v["REALTIME"], 10, 64) // microseconds
		account := v["USER"]
		if uid, err := strconv.Atoi(v["UID"]); err == nil {
			for _, a := range s.accounts {
				if a.uid == uid {
					account = a.name
					break
				}
			}
		}
		s.login(wire.HostLogin{Account: clip(account, 64), Line: clip(v["TTY"], 64), From: clip(v["REMOTE_HOST"], 128), Since: since / 1000, PID: pid})
	}
	return true
}

// alive drops logins whose process has ended: utmp keeps them after a crash.
func (s *scan) alive(procs map[int]process) {
	kept := s.out.Logins[:0]
	for _, l := range s.out.Logins {
		if _, lives := procs[l.PID]; l.PID <= 0 || lives {
			kept = append(kept, l)
		}
	}
	s.out.Logins = kept
}

// teleport adds Teleport's sessions; one that utmp knows by its terminal or its
// process is marked.
func (s *scan) teleport(procs map[int]process) {
	boot := bootTime(s.o.Proc)
	for _, t := range sessions(procs, s.byUID()) {
		marked := false
		for i, l := range s.out.Logins {
			if l.PID == t.pid || l.Line != "" && l.Line == t.line {
				s.out.Logins[i].Teleport, marked = true, true
			}
		}
		if !marked {
			s.login(wire.HostLogin{Account: t.account, Line: t.line, Since: boot.Add(t.started).UnixMilli(), PID: t.pid, Teleport: true})
		}
	}
}

func (s *scan) byUID() map[int]string {
	names := map[int]string{}
	for _, a := range s.accounts {
		if _, taken := names[a.uid]; !taken {
			names[a.uid] = a.name
		}
	}
	return names
}

// bootTime is when the host started; processes count from there.
func bootTime(proc string) time.Time {
	data, _ := os.ReadFile(path.Join(proc, "stat"))
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "btime "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return time.Unix(n, 0)
		}
	}
	return time.Unix(0, 0)
}
