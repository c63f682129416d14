package logins

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// programs are those whose messages are read.
var programs = []string{"sshd", "sshd-session", "sudo", "su", "login"}

// setuid are the programs that anybody starts and that run as root: the journal
// tells of them by whoever started them, so it is the program's file that counts.
var setuid = map[string][]string{"sudo": {"/usr/bin/sudo", "/bin/sudo", "/usr/local/bin/sudo"}, "su": {"/usr/bin/su", "/bin/su"}}

// journal reads systemd's journal: it says which account and program a message is
// from, so nobody but root writes in sshd's name.
func (s *scan) journal(ctx context.Context) {
	if s.o.Journal == nil {
		return
	}
	begins := s.since
	if s.o.Begins != nil {
		at, err := s.o.Begins(ctx)
		switch {
		case errors.Is(err, exec.ErrNotFound), err == nil && at.IsZero():
			return
		case err != nil:
			s.unread("the journal: " + err.Error())
			return
		case at.After(begins):
			begins = at
		}
	}
	err := s.o.Journal(ctx, s.since, func(line []byte) error {
		at, program, message, ok := entry(line)
		if !ok {
			return nil
		}
		if l, ok := parse(program, message); ok {
			s.login(l, at)
		}
		return nil
	})
	switch {
	case errors.Is(err, exec.ErrNotFound):
	case err != nil:
		s.unread("the journal: " + err.Error())
	default:
		s.auth, s.journaled = true, begins
		s.covers("journal", begins)
	}
}

// entry reads one entry. A message that is no text is a list of numbers. What an
// account other than root wrote in a program's name is nothing: journald itself
// says which account and which program's file an entry is from.
func entry(line []byte) (at time.Time, program, message string, ok bool) {
	var e struct {
		Time    string `json:"__REALTIME_TIMESTAMP"` // microseconds
		Program string `json:"SYSLOG_IDENTIFIER"`
		Message string `json:"MESSAGE"`
		UID     string `json:"_UID"`
		File    string `json:"_EXE"` // "" where it ended too soon to be asked
	}
	if json.Unmarshal(line, &e) != nil {
		return at, "", "", false
	}
	n, err := strconv.ParseInt(e.Time, 10, 64)
	return time.UnixMicro(n), e.Program, e.Message, err == nil && trusted(e.Program, e.UID, e.File)
}

// trusted reports whether an entry is of the program that it names: of one that
// root runs, by its file where that is known, or of one that becomes root.
func trusted(program, uid, file string) bool {
	if slices.Contains(setuid[program], file) {
		return true
	}
	switch {
	case uid != "0":
		return false
	case file == "":
		return true
	case strings.HasPrefix(program, "sshd"):
		return strings.HasPrefix(path.Base(file), "sshd")
	}
	return path.Base(file) == program
}

// journalBegins is when the first entry of root's was written that there is: who
// may not read the system's journal sees none.
func journalBegins(ctx context.Context) (at time.Time, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := errors.New("one is enough")
	err = ask(ctx, []string{"--output=json", "--output-fields=__REALTIME_TIMESTAMP", "--no-pager", "--quiet", "_UID=0"}, func(line []byte) error {
		var e struct {
			Time string `json:"__REALTIME_TIMESTAMP"`
		}
		if json.Unmarshal(line, &e) != nil {
			return nil
		}
		n, err := strconv.ParseInt(e.Time, 10, 64)
		if err != nil {
			return nil
		}
		at = time.UnixMicro(n)
		stop()
		return done
	})
	if errors.Is(err, done) {
		err = nil
	}
	return at, err
}

// journalctl asks the program for what root's processes, and those that become
// root, wrote under the names of the programs that are read.
func journalctl(ctx context.Context, since time.Time, take func([]byte) error) error {
	args := []string{"--output=json", "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_UID,_EXE", "--no-pager", "--quiet", "--since=@" + strconv.FormatInt(since.Unix(), 10)}
	var of [][]string
	for _, p := range programs {
		of = append(of, []string{"_UID=0", "SYSLOG_IDENTIFIER=" + p})
		for _, file := range setuid[p] {
			of = append(of, []string{"_EXE=" + file, "SYSLOG_IDENTIFIER=" + p})
		}
	}
	for i, match := range of {
		if i > 0 {
			args = append(args, "+")
		}
		args = append(args, match...)
	}
	return ask(ctx, args, take)
}

// ask runs journalctl and gives its lines to take.
func ask(ctx context.Context, args []string, take func([]byte) error) error {
	cmd := exec.CommandContext(ctx, "journalctl", args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("logins: journalctl: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("logins: journalctl: %w", err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(make([]byte, 0, maxLine), 1<<20)
	var taken error
	for taken == nil && lines.Scan() {
		taken = take(lines.Bytes())
	}
	_, _ = io.Copy(io.Discard, out) // so that it can end; what is left is not wanted
	if err := errors.Join(taken, lines.Err(), cmd.Wait()); err != nil {
		return fmt.Errorf("logins: journalctl: %w", err)
	}
	return nil
}
