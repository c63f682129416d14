package restic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"ostler/agents/wire"
)

// session is one call of this package: a private folder, a relay, and one or
// more commands of restic.
type session struct {
	*Repo
	dir   string // private: the relay's socket, the patterns, restic's TMPDIR
	relay *relay // nil for a local repository
}

// open makes a session and probes the store. A repository that is not there is
// an error unless absent is given, which then says so.
func (r *Repo) open(ctx context.Context, absent *bool) (_ *session, err error) {
	r, err = r.prepared()
	if err != nil {
		return nil, err
	}
	if err := r.checkPassword(); err != nil {
		return nil, err
	}
	s := &session{Repo: r}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dir, err = os.MkdirTemp(r.TempDir, "ostler-restic-"); err != nil {
		return nil, localFailure("no folder for temporary files", err)
	}
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return nil, localFailure("no folder for temporary files", err)
	}
	if s.relay, err = newRelay(r, s.dir); err != nil {
		return nil, err
	}
	if err := s.handOver(); err != nil {
		return nil, err
	}
	if s.relay == nil {
		return s, nil
	}
	found, err := s.relay.probe(ctx, r.Limits.Probe)
	if err != nil {
		return nil, err
	}
	if absent != nil {
		*absent = !found
	} else if !found {
		return nil, failure(wire.CauseNoRepository, "there is no repository at the store")
	}
	return s, nil
}

// handOver gives the folders that restic writes to the user that it runs as.
func (s *session) handOver() error {
	own := []string{s.dir}
	if s.CacheDir != "" {
		if err := os.MkdirAll(s.CacheDir, 0o700); err != nil {
			return localFailure("no folder for the cache", err)
		}
		own = append(own, s.CacheDir)
	}
	if s.relay != nil {
		own = append(own, s.relay.dir, filepath.Join(s.relay.dir, "s"))
	}
	if s.Credential == nil {
		return nil
	}
	for _, p := range own {
		if err := os.Chown(p, int(s.Credential.Uid), int(s.Credential.Gid)); err != nil {
			return localFailure("a folder cannot be handed to restic's user", err)
		}
	}
	return nil
}

func (s *session) close() {
	s.relay.close()
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

func localFailure(detail string, err error) *Error {
	cause := wire.CauseInternal
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		cause, detail = wire.CauseDiskFull, "the server's own disk is full"
	}
	return failure(cause, detail).because(err)
}

// command is one run of restic.
type command struct {
	verb  string
	args  []string // after the verb and the global options
	plain bool     // without --json: dump
	lock  bool     // takes a lock of its own accord; else --no-lock
	limit time.Duration
	own   string // a user's string that restic may echo in messages

	partial bool // exitPartial is no error
	// tolerate says whether exit code 1 is no error, by the exit message: where
	// restic says so of single files. It is not asked while the store fails.
	tolerate func(message string) bool

	stdout io.Writer       // nil: only loose words for the log
	said   func(m *saying) // JSON lines of stderr that are not exit_error
	// beat rises with progress. nil: any output is progress. Backup has its own,
	// because it goes on ticking while it hangs.
	beat *atomic.Uint64
}

// exitPartial is restic's code for a snapshot with unread files.
const exitPartial = 3

// argv returns restic's arguments.
func (s *session) argv(c command) []string {
	a := []string{c.verb, "--repo=" + s.URL, "--password-file=" + s.PasswordFile}
	if s.relay != nil {
		a[1] = "--repo=" + s.relay.location
	}
	if !c.plain {
		a = append(a, "--json")
	}
	if !c.lock {
		a = append(a, "--no-lock")
	}
	if s.CacheDir != "" {
		a = append(a, "--cache-dir="+s.CacheDir)
	} else {
		a = append(a, "--no-cache")
	}
	return append(a, c.args...)
}

// env returns restic's whole environment.
func (r *Repo) env(dir string) []string {
	e := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + dir, "TMPDIR=" + dir, "TZ=UTC", "LC_ALL=C.UTF-8", "RESTIC_PROGRESS_FPS=1",
	}
	if r.MaxProcs > 0 {
		e = append(e, "GOMAXPROCS="+strconv.Itoa(r.MaxProcs))
	}
	return append(e, r.Env...)
}

var errDeadline = errors.New("the time for this command is over")

// run runs one command to its end. The exit code is -1 where there is none.
func (s *session) run(ctx context.Context, c command) (exit int, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.limit, errDeadline)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	heard := &heard{said: c.said}
	outLines := &lines{each: heard.stdoutLine}
	errLines := &lines{each: heard.stderrLine}
	out := &sink{to: c.stdout}
	if c.stdout == nil {
		out.to = outLines
	}
	beats := c.beat
	if beats == nil {
		beats = new(atomic.Uint64)
		out.beats = beats
	}
	cmd := s.cmd(ctx, c, out, errLines)

	watched := make(chan struct{})
	if s.relay != nil {
		go func() {
			defer close(watched)
			s.watch(ctx, beats, &out.busy, stop)
		}()
	} else {
		close(watched)
	}
	start := time.Now()
	// Pdeathsig is sent when the thread that started restic ends: keep it.
	runtime.LockOSThread()
	err = cmd.Run()
	runtime.UnlockOSThread()
	why := context.Cause(ctx)
	stop(nil)
	<-watched
	outLines.flush()
	errLines.flush()
	exit = cmd.ProcessState.ExitCode()
	s.Log.Debug("restic ended", "verb", c.verb, "exit", exit, "took", time.Since(start).Round(time.Millisecond))
	switch {
	case out.err != nil:
		return exit, s.explain(failure(wire.CauseInternal, "what restic wrote could not be passed on").because(out.err), exit, heard)
	case err == nil, exit == 0, c.partial && exit == exitPartial:
		return exit, nil
	case exit == 1 && c.tolerate != nil && why == nil && s.relay.verdict() == nil && c.tolerate(heard.words()[0]):
		return exit, nil
	case cmd.ProcessState == nil && why == nil:
		return exit, s.explain(failure(wire.CauseUnsupported, "restic cannot be started").because(err), exit, heard)
	case why != nil:
		return exit, s.explain(stopFailure(why), exit, heard)
	}
	f := classify(exit, heard.words(), c.own, s.relay.verdict())
	return exit, s.explain((&Error{Failure: f}).because(err), exit, heard)
}

func (s *session) explain(e *Error, exit int, h *heard) *Error {
	e.Exit, e.Lines = exit, h.tail.kept
	s.Log.Warn("restic failed", "cause", string(e.Cause), "exit", exit, "detail", e.Detail)
	return e
}

// cmd prepares the process: its own group, nothing of our environment, dead
// when we are: without the relay it could not even take back its lock.
func (s *session) cmd(ctx context.Context, c command, stdout, stderr io.Writer) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.Binary, s.argv(c)...)
	cmd.Dir = s.Dir
	cmd.Env = s.env(s.dir)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: s.Credential}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = s.Limits.Grace // then SIGKILL
	return cmd
}

// watch stops a command that neither moves data nor says something new. While
// it is us who do not take its output, it is not judged.
func (s *session) watch(ctx context.Context, output *atomic.Uint64, busy *atomic.Bool, stop context.CancelCauseFunc) {
	t := time.NewTicker(max(s.Limits.Stall/20, time.Millisecond))
	defer t.Stop()
	last, since := uint64(0), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			if n := output.Load() + s.relay.beats.Load(); n != last || busy.Load() {
				last, since = n, now
			} else if now.Sub(since) >= s.Limits.Stall {
				stop(s.stalled())
				return
			}
		}
	}
}

// stalled says why nothing moves; it must be asked before restic is stopped.
func (s *session) stalled() *Error {
	limit := s.Limits.Stall
	if f := s.relay.verdict(); f != nil {
		return &Error{Failure: *f}
	}
	if s.relay.inFlight.Load() > 0 {
		return &Error{Failure: *unreachable(fmt.Sprintf("silent for %v", limit))}
	}
	return failure(wire.CauseTimeout, fmt.Sprintf("no progress for %v, and the store was not asked for anything: the server's own files do not answer", limit))
}

// stopFailure says why a command was stopped.
func stopFailure(why error) *Error {
	var stalled *Error
	if errors.As(why, &stalled) {
		return stalled
	}
	if errors.Is(why, context.Canceled) {
		return failure(wire.CauseInternal, "it was cancelled").because(why)
	}
	return failure(wire.CauseTimeout, "its time was over").because(why)
}

// stopped is the error of a context that ended.
func stopped(ctx context.Context) *Error {
	return stopFailure(context.Cause(ctx))
}

// sink passes output on, remembers that the receiver failed, and counts.
type sink struct {
	to    io.Writer
	beats *atomic.Uint64
	busy  atomic.Bool
	err   error
}

func (k *sink) Write(p []byte) (int, error) {
	k.busy.Store(true)
	defer k.busy.Store(false)
	n, err := k.to.Write(p)
	if err != nil {
		k.err = err
	} else if k.beats != nil {
		k.beats.Add(1)
	}
	return n, err
}
