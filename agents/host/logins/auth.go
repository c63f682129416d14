package logins

import (
	"context"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"ostler/agents/wire"
)

// authLogs reads what syslog wrote, for the time that the journal does not reach
// back to: Debian's auth.log, Red Hat's secure, and the one before each. Any
// account can have the logger write a line there that looks like sshd's.
func (s *scan) authLogs(ctx context.Context) {
	if !s.journaled.IsZero() && !s.journaled.After(s.since) {
		return
	}
	for _, base := range []string{"auth.log", "secure"} {
		for _, name := range s.rotated(base) {
			var first time.Time
			cut, ok := s.tail(ctx, name, func(line string) {
				at, program, message, ok := s.syslog(line)
				if !ok {
					return
				}
				if first.IsZero() {
					first = at
				}
				if !s.journaled.IsZero() && !at.Before(s.journaled) {
					return // the journal tells
				}
				if l, ok := parse(program, message); ok {
					l.Weak = true
					s.login(l, at)
				}
			})
			if !ok {
				continue
			}
			if s.auth = true; first.IsZero() { // nothing in it: it covers from its rotation, which nobody noted
				first = s.now
			}
			s.covers("auth.log", first)
			if cut && first.After(s.since) {
				s.unread(name + ": only its end was read")
			}
		}
	}
}

// rotated are a log and the one before it, the older first. Older ones are
// compressed and not read: From tells.
func (s *scan) rotated(base string) []string {
	entries, err := fs.ReadDir(s.root.FS(), "var/log")
	if err != nil {
		return nil
	}
	var before, now []string
	for _, e := range entries {
		switch name := e.Name(); {
		case name == base:
			now = append(now, path.Join("/var/log", name))
		case name == base+".1", strings.HasPrefix(name, base+"-") && path.Ext(name) == "":
			before = append(before, path.Join("/var/log", name))
		}
	}
	slices.Sort(before)
	if len(before) > 1 {
		before = before[len(before)-1:]
	}
	return append(before, now...)
}

// syslog takes a line apart: traditional ("Nov 22 10:14:56 host sshd[1]: ...")
// or RFC 3339 time stamps.
func (s *scan) syslog(line string) (at time.Time, program, message string, ok bool) {
	var rest string
	if len(line) > 16 && line[0] >= '0' && line[0] <= '9' {
		stamp, after, found := strings.Cut(line, " ")
		t, err := time.Parse(time.RFC3339Nano, stamp)
		if !found || err != nil {
			return at, "", "", false
		}
		at, rest = t, after
	} else {
		if len(line) < 17 {
			return at, "", "", false
		}
		t, err := time.ParseInLocation(time.Stamp, line[:15], s.o.Zone)
		if err != nil {
			return at, "", "", false
		}
		at, rest = s.year(t), line[16:]
	}
	_, rest, found := strings.Cut(rest, " ") // the host's name
	tag, message, found2 := strings.Cut(rest, ": ")
	if !found || !found2 {
		return at, "", "", false
	}
	program, _, _ = strings.Cut(tag, "[")
	return at, program, message, true
}

// year gives a time stamp without one the latest year in which it is not in the future.
func (s *scan) year(t time.Time) time.Time {
	now := s.now.In(s.o.Zone)
	for y := now.Year() + 1; ; y-- {
		at := time.Date(y, t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, s.o.Zone)
		if !at.After(now.Add(time.Hour)) && at.Day() == t.Day() || y < now.Year()-4 {
			return at
		}
	}
}

var (
	accepted = regexp.MustCompile(`^Accepted (\S+) for (\S+) from (\S+) port \d+ ssh2(?:: \S+ (SHA256:\S+).*)?$`)
	ranSudo  = regexp.MustCompile(`^\s*(\S+) : (?:HOST=\S+ ; )?TTY=(\S+) ; (?:CHROOT=\S+ ; )?PWD=.*? ; USER=(\S+) ; `)
	ranSu    = regexp.MustCompile(`^\(to (\S+)\) (\S+) on (\S+)$`)
	onTTY    = regexp.MustCompile(`^(?:ROOT LOGIN +[Oo][Nn] '?(?:/dev/)?([^'\s]+)'?|LOGIN ON (\S+) BY (\S+))`)
)

// parse reads a message of a program that lets people in. Anything else is no
// login, whatever a stranger wrote into it: each form is anchored at the beginning
// of the message, where programs write and strangers do not.
func parse(program, message string) (wire.SeenLogin, bool) {
	switch path.Base(program) {
	case "sshd", "sshd-session":
		if m := accepted.FindStringSubmatch(message); m != nil {
			return wire.SeenLogin{Kind: "ssh", Method: m[1], Account: m[2], From: m[3], Key: m[4]}, true
		}
	case "sudo":
		if m := ranSudo.FindStringSubmatch(message); m != nil {
			return wire.SeenLogin{Kind: "sudo", Account: m[1], From: m[2], Line: m[2], Target: m[3]}, true
		}
	case "su":
		if m := ranSu.FindStringSubmatch(message); m != nil {
			return wire.SeenLogin{Kind: "sudo", Target: m[1], Account: m[2], From: m[3], Line: strings.TrimPrefix(m[3], "/dev/")}, true
		}
	case "login":
		if m := onTTY.FindStringSubmatch(message); m != nil {
			l := wire.SeenLogin{Kind: "console", Account: "root", Line: m[1], From: m[1]}
			if m[3] != "" {
				l.Account, l.Line, l.From = m[3], m[2], m[2]
			}
			return l, true
		}
	}
	return wire.SeenLogin{}, false
}
