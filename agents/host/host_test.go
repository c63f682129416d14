package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ostler/agents/host"
	"ostler/agents/host/helper"
	"ostler/agents/host/hosttest"
	"ostler/agents/wire"
	"ostler/controlplane"
)

// rig is a fake plane and one host that is enrolled with it.
type rig struct {
	t      *testing.T
	plane  *hosttest.Plane
	helper helper.Helper
	state  string
	root   string
	logs   *logBuffer
	opts   func(*host.Options)
}

// logBuffer collects log lines of several goroutines.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// shortDir is a folder whose path is short enough for unix sockets.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "oa")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func newRig(t *testing.T, h helper.Helper) *rig {
	t.Helper()
	r := &rig{t: t, plane: hosttest.New(t), helper: h, state: shortDir(t), root: t.TempDir(), logs: &logBuffer{}}
	if _, err := host.Enrol(t.Context(), host.EnrolOptions{State: r.state, PlaneURL: r.plane.URL(), Token: r.plane.Token()}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) policy(text string) {
	r.t.Helper()
	dir := filepath.Join(r.state, "policy.d")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "10.yaml"), []byte(text), 0o600)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) new() (*host.Agent, error) {
	o := host.Options{State: r.state, Root: r.root, PolicyDirs: []string{filepath.Join(r.state, "policy.d")}, Version: "test",
		Log: slog.New(slog.NewJSONHandler(r.logs, nil)), Helper: r.helper,
		FirstBackoff: 5 * time.Millisecond, RefusedBackoff: time.Hour, Resend: 50 * time.Millisecond,
		StoreIdle: 300 * time.Millisecond, StoreStall: 500 * time.Millisecond}
	if r.opts != nil {
		r.opts(&o)
	}
	return host.New(o)
}

// start runs an agent; stop ends it and waits. It is stopped with the test.
func (r *rig) start() (stop func()) {
	r.t.Helper()
	a, err := r.new()
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = a.Run(ctx)
		_ = a.Close()
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	r.t.Cleanup(stop)
	return stop
}

func params(t *testing.T, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var repo = wire.Repository{ID: "rep_1", StoreURL: "https://127.0.0.1:1", User: "u1", Name: "r1"}

// prepared makes the host's passwords, so that jobs at the store get as far as
// the helper.
func (r *rig) prepared() {
	r.t.Helper()
	r.plane.Offer(wire.Envelope{Job: "job_prepare", Action: wire.ActionRepoPrepare, Params: params(r.t, wire.RepoPrepareParams{Repository: repo})})
	if got := r.plane.Result("job_prepare"); got.Outcome != wire.Succeeded {
		r.t.Fatalf("prepare: got %s %+v", got.Outcome, got.Failure)
	}
}

func (r *rig) backupEnvelope(job string) wire.Envelope {
	return wire.Envelope{Job: job, Action: wire.ActionBackup, Resource: "repository:rep_1",
		Params: params(r.t, wire.BackupParams{Repository: repo, Paths: []string{"/srv"}})}
}

func wantCode(t *testing.T, err error, want controlplane.Code) {
	t.Helper()
	if got := controlplane.ErrorCode(err); got != want {
		t.Fatalf("code: got %q (%v), want %q", got, err, want)
	}
	var e *controlplane.Error
	if errors.As(err, &e) && (e.Message == "" || e.Next == "") {
		t.Errorf("got %+v, want a message and a next step", e)
	}
}
