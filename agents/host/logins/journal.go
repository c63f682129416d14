package logins

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"time"
)

// programs are those whose messages are read.
var programs = []string{"sshd", "sshd-session", "sudo", "su", "login"}

// journal reads systemd's journal where syslog wrote nothing: hosts have the one
// or the other, and where they have both, both say the same.
func (s *scan) journal(ctx context.Context) {
	if s.auth || s.o.Journal == nil {
		return
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
		s.auth = true
		s.covers("journal", s.since)
	}
}

// entry reads one entry. A message that is no text is a list of numbers.
func entry(line []byte) (at time.Time, program, message string, ok bool) {
	var e struct {
		Time    string `json:"__REALTIME_TIMESTAMP"` // microseconds
		Program string `json:"SYSLOG_IDENTIFIER"`
		Message string `json:"MESSAGE"`
	}
	if json.Unmarshal(line, &e) != nil {
		return at, "", "", false
	}
	n, err := strconv.ParseInt(e.Time, 10, 64)
	return time.UnixMicro(n), e.Program, e.Message, err == nil
}

// journalctl asks the program. Only what root's processes wrote is taken: anybody
// may write to the journal under any program's name.
func journalctl(ctx context.Context, since time.Time, take func([]byte) error) error {
	args := []string{"--output=json", "--output-fields=MESSAGE,SYSLOG_IDENTIFIER", "--no-pager", "--quiet", "--since=@" + strconv.FormatInt(since.Unix(), 10)}
	for i, p := range programs {
		if i > 0 {
			args = append(args, "+")
		}
		args = append(args, "_UID=0", "SYSLOG_IDENTIFIER="+p)
	}
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
