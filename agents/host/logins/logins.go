// Package logins reads from a host's own records who came in: by its sshd, at
// its console, and by becoming another account. It changes nothing.
//
// It keeps true that what was not read is said (Unread) and never taken for
// "nobody", that the time which the records cover is told (From, To), that a
// login which several records tell of is one, that text which an attacker
// chose is read as text, and that a login is Weak which only a record tells of
// that every account can write into. Who is root on the host can change the records.
package logins

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"ostler/agents/wire"
)

// Bounds of one look.
const (
	defaultMax = 5000
	maxTail    = 256 << 20 // bytes of a record's end that are read
	maxLine    = 64 << 10
	maxText    = 128
)

// Options say where to look.
type Options struct {
	Root string // "/" in production
	// Journal streams systemd's journal since an instant, one JSON object a line;
	// nil is journalctl where Root is "/", and none elsewhere.
	Journal func(ctx context.Context, since time.Time, take func(line []byte) error) error
	// Begins is from when on the journal has anything, zero where it has nothing;
	// nil is that it has everything since any instant, or journalctl's answer.
	Begins func(ctx context.Context) (time.Time, error)
	Now    func() time.Time // nil is time.Now
	// Zone is the host's, in which traditional log lines are written; nil is time.Local.
	Zone *time.Location
}

// scan is one look.
type scan struct {
	o     Options
	root  *os.Root
	since time.Time
	now   time.Time
	out   wire.LoginsScan
	// first is the earliest instant that any record covers.
	first time.Time
	auth  bool // what sshd and sudo say was found
	// journaled is from when on the journal was read; zero is not at all.
	journaled time.Time
}

// Scan reads what came in since p.Since.
func Scan(ctx context.Context, o Options, p wire.LoginsScanParams) (wire.LoginsScan, error) {
	if o.Root == "" {
		o.Root = "/"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
	real := filepath.Clean(o.Root) == "/"
	if o.Journal == nil && real {
		o.Journal, o.Begins = journalctl, journalBegins
	}
	root, err := os.OpenRoot(o.Root)
	if err != nil {
		return wire.LoginsScan{}, fmt.Errorf("logins: open the root: %w", err)
	}
	defer root.Close()
	s := &scan{o: o, root: root, since: time.UnixMilli(p.Since), now: o.Now()}
	if !real {
		s.out.Simulated = []string{"logins"}
	}
	if err := s.read(ctx); err != nil {
		return wire.LoginsScan{}, err
	}
	s.finish(cmp.Or(p.Max, defaultMax))
	return s.out, nil
}

func (s *scan) read(ctx context.Context) error {
	for _, step := range []func(context.Context){s.journal, s.authLogs, s.wtmp} {
		if ctx.Err() != nil {
			return fmt.Errorf("logins: scan: %w", context.Cause(ctx))
		}
		step(ctx)
	}
	_, err := s.root.Stat("var/log")
	switch {
	case err != nil && len(s.out.Simulated) > 0: // a tree of files has no records, and says that it is one
	case len(s.out.Sources) == 0 && len(s.out.Unread) == 0:
		s.unread("there is no auth.log, no journal and no wtmp")
	case !s.auth && len(s.out.Unread) == 0:
		s.unread("there is no auth.log and no journal: who became another account is not known")
	}
	return nil
}

func (s *scan) unread(what string) {
	if len(s.out.Unread) < 20 && !slices.Contains(s.out.Unread, what) {
		s.out.Unread = append(s.out.Unread, what)
	}
}

// covers notes that a record was read that reaches back to an instant.
func (s *scan) covers(source string, from time.Time) {
	if !slices.Contains(s.out.Sources, source) {
		s.out.Sources = append(s.out.Sources, source)
	}
	if s.first.IsZero() || from.Before(s.first) {
		s.first = from
	}
}

func (s *scan) login(l wire.SeenLogin, at time.Time) {
	if at.Before(s.since) || at.After(s.now.Add(time.Minute)) {
		return
	}
	l.At = at.UnixMilli()
	for _, text := range []*string{&l.Account, &l.Target, &l.From, &l.Key, &l.Method, &l.Line} {
		*text = clip(*text)
	}
	s.out.Logins = append(s.out.Logins, l)
}

// finish orders and joins what was read, and bounds it.
func (s *scan) finish(most int) {
	s.out.Logins = join(s.out.Logins)
	s.out.From, s.out.To = s.since.UnixMilli(), s.now.UnixMilli()
	if s.first.After(s.since) {
		s.out.From = s.first.UnixMilli()
	}
	if len(s.out.Logins) > most {
		s.out.Logins, s.out.More = s.out.Logins[:most], true
		s.out.To = s.out.Logins[most-1].At
	}
	if s.out.Logins == nil {
		s.out.Logins = []wire.SeenLogin{}
	}
	if s.out.Sources == nil {
		s.out.Sources = []string{}
	}
}

// tail gives the lines of a file's end to take, and reports whether there is
// such a file that could be read; cut says that it is longer than what is read.
func (s *scan) tail(ctx context.Context, name string, take func(line string)) (cut, ok bool) {
	f, err := s.open(name)
	if err != nil {
		return false, false
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxTail {
		if _, err := f.Seek(-maxTail, io.SeekEnd); err != nil {
			s.unread(name)
			return false, false
		}
		cut = true
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	for n := 0; lines.Scan(); n++ {
		if n&1023 == 0 && ctx.Err() != nil {
			return cut, true
		}
		take(lines.Text())
	}
	if err := lines.Err(); err != nil { // a line that nobody's sshd writes
		s.unread(name + ": " + err.Error())
	}
	return cut, true
}

// open opens a regular file below the root; what is there and cannot be read is Unread.
func (s *scan) open(name string) (*os.File, error) {
	f, err := s.root.OpenFile(strings.TrimPrefix(name, "/"), os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.unread(name)
		}
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		s.unread(name)
		f.Close()
		return nil, fs.ErrInvalid
	}
	return f, nil
}

func clip(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return text
}
