package logins_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ostler/agents/host/logins"
	"ostler/agents/wire"
)

var (
	now     = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	errNone = errors.New("no journal")
)

// host writes a host's records and returns its root.
func host(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func scan(t *testing.T, o logins.Options, p wire.LoginsScanParams) wire.LoginsScan {
	t.Helper()
	o.Now, o.Zone = func() time.Time { return now }, time.UTC
	if p.Since == 0 {
		p.Since = now.Add(-90 * 24 * time.Hour).UnixMilli()
	}
	out, err := logins.Scan(t.Context(), o, p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// brief is a login in a line.
func brief(l wire.SeenLogin) string {
	s := fmt.Sprintf("%s %s %s", time.UnixMilli(l.At).UTC().Format("01-02 15:04:05"), l.Kind, l.Account)
	for _, more := range [][2]string{{">", l.Target}, {"from ", l.From}, {"on ", l.Line}, {"by ", l.Method}, {"key ", l.Key}} {
		if more[1] != "" {
			s += " " + more[0] + more[1]
		}
	}
	return s
}

func briefs(list []wire.SeenLogin) (out []string) {
	for _, l := range list {
		out = append(out, brief(l))
	}
	return out
}

// record is one of wtmp.
func record(kind uint16, account, line, from string, at time.Time) string {
	r := make([]byte, 384)
	binary.LittleEndian.PutUint16(r, kind)
	copy(r[8:40], line)
	copy(r[44:76], account)
	copy(r[76:332], from)
	binary.LittleEndian.PutUint32(r[340:], uint32(at.Unix()))
	return string(r)
}

const authLog = `Dec 31 23:59:59 web-1 sshd[1]: Accepted password for old from 192.0.2.9 port 22 ssh2
Mar  1 08:00:00 web-1 sshd[1]: Accepted publickey for root from 192.0.2.1 port 50000 ssh2: ED25519 SHA256:abc
Mar  1 08:00:01 web-1 sshd[1]: pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)
2026-03-01T09:00:00.5+01:00 web-1 sshd-session[2]: Accepted publickey for deploy from 2001:db8::1 port 1 ssh2: ED25519-CERT SHA256:ca ID anna (serial 0) CA ED25519 SHA256:xyz
Mar  1 10:00:00 web-1 sudo:      ops : TTY=pts/0 ; PWD=/home/ops ; USER=root ; COMMAND=/usr/bin/id
Mar  1 10:00:01 web-1 sudo:      ops : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh
Mar  1 10:00:02 web-1 sudo:      ops : command not allowed ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh
Mar  1 10:01:00 web-1 su[9]: (to root) ops on pts/1
Mar  1 10:02:00 web-1 login[9]: ROOT LOGIN  on '/dev/tty1'
Mar  1 10:03:00 web-1 login[9]: LOGIN ON tty2 BY ops
Mar  1 11:00:00 web-1 sshd[3]: Invalid user Accepted publickey for root from 192.0.2.66 port 1
Mar  1 11:00:01 web-1 cron[3]: Accepted publickey for root from 192.0.2.66 port 1 ssh2
Mar  1 11:00:02 web-1 sshd[3]: Failed password for root from 192.0.2.66 port 1 ssh2
not a line
`

func TestAuthLog(t *testing.T) {
	root := host(t, map[string]string{"var/log/auth.log": authLog})
	got := scan(t, logins.Options{Root: root}, wire.LoginsScanParams{})
	want := []string{
		"12-31 23:59:59 ssh old from 192.0.2.9 by password",
		"03-01 08:00:00 ssh root from 192.0.2.1 by publickey key SHA256:abc",
		"03-01 08:00:00 ssh deploy from 2001:db8::1 by publickey key SHA256:ca",
		"03-01 10:00:00 sudo ops >root from pts/0 on pts/0",
		"03-01 10:01:00 sudo ops >root from pts/1 on pts/1",
		"03-01 10:02:00 console root from tty1 on tty1",
		"03-01 10:03:00 console ops from tty2 on tty2",
	}
	if diff := cmp.Diff(want, briefs(got.Logins)); diff != "" {
		t.Error(diff)
	}
	if from := time.UnixMilli(got.From).UTC(); from.Year() != 2025 || got.To != now.UnixMilli() || len(got.Unread) > 0 || !slices.Equal(got.Simulated, []string{"logins"}) {
		t.Errorf("from %v to %v, unread %q, simulated %q: want from the year before until now, all read, and said to be a tree of files", from, got.To, got.Unread, got.Simulated)
	}
	some := scan(t, logins.Options{Root: root}, wire.LoginsScanParams{Since: now.Add(-27 * time.Hour).UnixMilli(), Max: 2})
	if got, want := len(some.Logins), 2; got != want || !some.More || some.To != some.Logins[1].At {
		t.Errorf("got %d, more %v, to %d; want the %d oldest of the time asked for, and until when they go", got, some.More, some.To, want)
	}
}

func TestWtmp(t *testing.T) {
	at := now.Add(-time.Hour)
	root := host(t, map[string]string{
		"var/log/wtmp.1": record(2, "reboot", "~", "", at.Add(-48*time.Hour)),
		"var/log/wtmp": record(7, "root", "pts/0", "192.0.2.1", at.Add(2*time.Second)) + record(7, "root", "pts/1", "192.0.2.1", at.Add(3*time.Second)) +
			record(7, "ops", "pts/2", "tmux(12).%0", at) + record(7, "ops", "pts/3", ":pts/0:S.0", at) + record(8, "", "pts/0", "", at) +
			record(7, "ops", "tty1", "", at.Add(time.Minute)) + record(7, "anna", "pts/4", "2001:db8::7", at.Add(2*time.Minute)) + "half",
		"var/log/auth.log": at.Format(time.RFC3339) + " web-1 sshd[1]: Accepted publickey for root from 192.0.2.1 port 50000 ssh2: ED25519 SHA256:abc\n",
	})
	got := scan(t, logins.Options{Root: root}, wire.LoginsScanParams{})
	want := []string{
		"03-02 11:00:00 ssh root from 192.0.2.1 on pts/0 by publickey key SHA256:abc",
		"03-02 11:00:03 ssh root from 192.0.2.1 on pts/1",
		"03-02 11:01:00 console ops from tty1 on tty1",
		"03-02 11:02:00 ssh anna from 2001:db8::7 on pts/4",
	}
	if diff := cmp.Diff(want, briefs(got.Logins)); diff != "" {
		t.Error(diff)
	}
	if len(got.Unread) != 1 || !strings.Contains(got.Unread[0], "not whole") || !slices.Equal(got.Sources, []string{"auth.log", "wtmp"}) {
		t.Errorf("unread %q of %q, want the half record named", got.Unread, got.Sources)
	}
}

// entry is one of the journal, a minute ago.
func entry(program, message, uid, file string) []byte {
	return fmt.Appendf(nil, `{"__REALTIME_TIMESTAMP":"%d","SYSLOG_IDENTIFIER":%q,"MESSAGE":%q,"_UID":%q,"_EXE":%q}`, now.Add(-time.Minute).UnixMicro(), program, message, uid, file)
}

func journal(entries ...[]byte) func(context.Context, time.Time, func([]byte) error) error {
	return func(_ context.Context, _ time.Time, take func([]byte) error) error {
		for _, e := range entries {
			if err := take(e); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestJournal(t *testing.T) {
	const sshd, sudo = "Accepted publickey for root from 192.0.2.1 port 1 ssh2: RSA SHA256:k", "  ops : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/id"
	root := host(t, map[string]string{"var/log/lastlog": ""})
	for _, c := range []struct {
		name  string
		entry []byte
		want  string
	}{
		{"sshd", entry("sshd-session", sshd, "0", "/usr/lib/openssh/sshd-session"), "03-02 11:59:00 ssh root from 192.0.2.1 by publickey key SHA256:k"},
		{"sshd that is gone", entry("sshd", sshd, "0", ""), "03-02 11:59:00 ssh root from 192.0.2.1 by publickey key SHA256:k"},
		{"sudo, by whoever started it", entry("sudo", sudo, "1000", "/usr/bin/sudo"), "03-02 11:59:00 sudo ops >root from pts/0 on pts/0"},
		{"the logger of an account", entry("sshd", sshd, "1000", "/usr/bin/logger"), ""},
		{"the logger of root", entry("sshd", sshd, "0", "/usr/bin/logger"), ""},
		{"an sshd of an account's own", entry("sshd", sshd, "1000", "/usr/sbin/sshd"), ""},
		{"a sudo of an account's own", entry("sudo", sudo, "1000", "/home/ops/bin/sudo"), ""},
		{"no JSON", []byte("{"), ""},
		{"no text", []byte(`{"__REALTIME_TIMESTAMP":"1","SYSLOG_IDENTIFIER":"sshd","_UID":"0","MESSAGE":[255,1]}`), ""},
	} {
		var want []string
		if c.want != "" {
			want = []string{c.want}
		}
		got := scan(t, logins.Options{Root: root, Journal: journal(c.entry)}, wire.LoginsScanParams{})
		if !slices.Equal(briefs(got.Logins), want) || len(got.Unread) > 0 || slices.ContainsFunc(got.Logins, func(l wire.SeenLogin) bool { return l.Weak }) {
			t.Errorf("%s: got %q, unread %q, want %q", c.name, briefs(got.Logins), got.Unread, want)
		}
	}
	broken := scan(t, logins.Options{Root: root, Journal: func(context.Context, time.Time, func([]byte) error) error { return errNone }}, wire.LoginsScanParams{})
	if len(broken.Unread) == 0 {
		t.Error("a journal that cannot be read is not said")
	}
	if nothing := scan(t, logins.Options{Root: root}, wire.LoginsScanParams{}); len(nothing.Unread) != 1 {
		t.Errorf("got %q, want it said that there are no records", nothing.Unread)
	}
	if tree := scan(t, logins.Options{Root: t.TempDir()}, wire.LoginsScanParams{}); len(tree.Unread) > 0 || len(tree.Sources) > 0 {
		t.Errorf("got %+v of a tree of files, want nothing", tree)
	}
}

// Any account writes lines into auth.log that look like sshd's: where the journal
// has the time, it alone counts, and before that such a login is said to be weak.
func TestForgedLines(t *testing.T) {
	line := func(at time.Time) string {
		return at.Format(time.RFC3339) + " web-1 sshd[1]: Accepted publickey for root from 192.0.2.66 port 1 ssh2: RSA SHA256:f\n"
	}
	root := host(t, map[string]string{"var/log/auth.log": line(now.Add(-2*time.Hour)) + line(now.Add(-5*time.Minute)),
		"var/log/wtmp": record(7, "root", "pts/1", "192.0.2.66", now.Add(-2*time.Hour).Add(time.Minute))})
	real := entry("sshd", "Accepted password for ops from 192.0.2.1 port 1 ssh2", "0", "/usr/sbin/sshd")
	weak := func(o logins.Options) (out []string) {
		o.Root = root
		for _, l := range scan(t, o, wire.LoginsScanParams{Since: now.Add(-3 * time.Hour).UnixMilli()}).Logins {
			out = append(out, fmt.Sprintf("%s %s %v", time.UnixMilli(l.At).UTC().Format("15:04"), l.Account, l.Weak))
		}
		return out
	}
	begins := func(at time.Time) func(context.Context) (time.Time, error) {
		return func(context.Context) (time.Time, error) { return at, nil }
	}
	for _, c := range []struct {
		name string
		o    logins.Options
		want []string
	}{
		{"a journal", logins.Options{Journal: journal(real)}, []string{"10:01 root false", "11:59 ops false"}},
		{"a journal since the last start", logins.Options{Journal: journal(real), Begins: begins(now.Add(-time.Hour))}, []string{"10:00 root true", "10:01 root false", "11:59 ops false"}},
		{"a journal without an entry", logins.Options{Journal: journal(), Begins: begins(time.Time{})}, []string{"10:00 root true", "10:01 root false", "11:55 root true"}},
		{"no journal", logins.Options{}, []string{"10:00 root true", "10:01 root false", "11:55 root true"}},
	} {
		if got := weak(c.o); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// What strangers may write stays text, of a length.
func TestHostile(t *testing.T) {
	long := strings.Repeat("a", 40_000)
	root := host(t, map[string]string{"var/log/auth.log": "Mar  1 08:00:00 h sshd[1]: Accepted publickey for " + long + " from 192.0.2.1 port 1 ssh2\n" +
		"Mar  1 08:00:00 h sshd[1]: Accepted publickey for \xff\xfe from 192.0.2.1 port 1 ssh2\n" + "\x00\x00\x00\n" + strings.Repeat("x", 70_000) + "\n"})
	got := scan(t, logins.Options{Root: root}, wire.LoginsScanParams{})
	if len(got.Logins) != 2 || len(got.Logins[0].Account) != 128 || got.Logins[1].Account != "?" {
		t.Errorf("got %d logins %.200q, want two, short and valid", len(got.Logins), briefs(got.Logins))
	}
	if len(got.Unread) != 1 {
		t.Errorf("unread %q, want the line that is too long", got.Unread)
	}
	if err := os.Remove(filepath.Join(root, "var/log/auth.log")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "var/log/auth.log"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := scan(t, logins.Options{Root: root}, wire.LoginsScanParams{}); len(got.Unread) == 0 {
		t.Error("a folder in place of a log is not said")
	}
}

// TestThisMachine reads whatever the machine has: it is a real one.
func TestThisMachine(t *testing.T) {
	got, err := logins.Scan(t.Context(), logins.Options{}, wire.LoginsScanParams{Since: time.Now().Add(-time.Hour).UnixMilli()})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Sources)+len(got.Unread) == 0 || len(got.Simulated) > 0 || got.From > got.To {
		t.Errorf("got %+v, want sources, or why there are none", got)
	}
	if bytes.ContainsRune([]byte(strings.Join(got.Unread, "")), '\n') {
		t.Errorf("got %q, want one line each", got.Unread)
	}
}
