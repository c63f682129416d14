package logins

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"ostler/agents/wire"
)

const (
	wtmpSize    = 384 // bytes of a record (Linux, 64 bit)
	userProcess = 7
)

// wtmp reads the sessions that got a terminal: sshd's, the console's, and those
// of a Teleport agent.
func (s *scan) wtmp(ctx context.Context) {
	for _, name := range []string{"/var/log/wtmp.1", "/var/log/wtmp"} {
		f, err := s.open(name)
		if err != nil {
			continue
		}
		first := s.records(ctx, name, bufio.NewReader(f))
		f.Close()
		s.covers("wtmp", first)
	}
}

// records reads a file's records and returns the earliest instant in it, now if
// there is none.
func (s *scan) records(ctx context.Context, name string, f io.Reader) time.Time {
	first := s.now
	for r := make([]byte, wtmpSize); ctx.Err() == nil; {
		if _, err := io.ReadFull(f, r); err != nil {
			if err != io.EOF {
				s.unread(name + ": its last record is not whole")
			}
			return first
		}
		at := time.Unix(int64(int32(binary.LittleEndian.Uint32(r[340:344]))), int64(int32(binary.LittleEndian.Uint32(r[344:348])))*1000)
		if at.Before(first) && at.Unix() > 0 {
			first = at
		}
		if binary.LittleEndian.Uint16(r) != userProcess {
			continue
		}
		l := wire.SeenLogin{Kind: "ssh", Account: text(r[44:76]), Line: text(r[8:40]), From: text(r[76:332])}
		switch {
		case l.Account == "":
			continue
		case !strings.HasPrefix(l.Line, "pts/"):
			l.Kind, l.From = "console", cmp.Or(l.From, l.Line)
		case !remote(l.From): // a window of somebody who is in already
			continue
		}
		s.login(l, at)
	}
	return first
}

// remote reports whether a session came over the network: terminal multiplexers
// and desktops write ":0", ":pts/3:S.0" or nothing.
func remote(from string) bool {
	if from == "" || from[0] == ':' {
		_, err := netip.ParseAddr(from) // "::1"
		return err == nil
	}
	return !strings.HasPrefix(from, "tmux(") && !strings.HasPrefix(from, "mosh ")
}

func text(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}

// join orders logins by time and makes one of those that two records tell of:
// sshd's message, and the terminal that it gave within some seconds.
func join(all []wire.SeenLogin) []wire.SeenLogin {
	slices.SortStableFunc(all, func(a, b wire.SeenLogin) int { return cmp.Compare(a.At, b.At) })
	var out []wire.SeenLogin
	for _, l := range all {
		if o := partner(out, l); o != nil {
			o.Line, o.Key, o.Method = cmp.Or(o.Line, l.Line), cmp.Or(o.Key, l.Key), cmp.Or(o.Method, l.Method)
			o.Weak = o.Weak && l.Weak
			continue
		}
		out = append(out, l)
	}
	return out
}

// partner is the other record of a login, nil if there is none shortly before.
func partner(before []wire.SeenLogin, l wire.SeenLogin) *wire.SeenLogin {
	for i := len(before) - 1; i >= 0 && l.At-before[i].At <= within; i-- {
		if same(before[i], l) {
			return &before[i]
		}
	}
	return nil
}

// within is how far apart two records of one login are, in milliseconds.
const within = 5000

// same reports whether two records can be of one login: one of them tells of the
// terminal and the other of the sign-in.
func same(a, b wire.SeenLogin) bool {
	if a.Kind != b.Kind || a.Account != b.Account {
		return false
	}
	switch a.Kind {
	case "ssh":
		return a.From == b.From && (a.Method == "" && b.Line == "" || a.Line == "" && b.Method == "")
	case "console":
		return a.Line == b.Line
	}
	return false
}
