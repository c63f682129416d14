package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ostler/agents/host/hosttest"
	"ostler/agents/wire"
)

// The test binary is the agent where this is set, so that a test can start,
// measure and kill a real process.
const asAgent = "OSTLERTEST_AS_AGENT"

func TestMain(m *testing.M) {
	if os.Getenv(asAgent) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		os.Exit(Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
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

func run(t *testing.T, in string, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Run(t.Context(), args, strings.NewReader(in), &o, &e)
	return code, o.String(), e.String()
}

// agent is a running process.
type agent struct {
	*exec.Cmd
	log *bytes.Buffer
}

func startAgent(t *testing.T, env []string, args ...string) *agent {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{exec.Command(self, append([]string{"run"}, args...)...), &bytes.Buffer{}}
	a.Env = append(append(os.Environ(), asAgent+"=1"), env...)
	a.Stderr = a.log
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.kill)
	return a
}

func (a *agent) kill() {
	if a.ProcessState == nil {
		_ = a.Process.Kill()
		_ = a.Wait()
	}
}

// fakeRestic answers version, and waits for ever in a backup, its process id
// in a file beside it.
const fakeRestic = `#!/bin/sh
case "$1" in
version) echo '{"message_type":"version","version":"0.19.1"}' ;;
backup) echo $$ > "$(dirname "$0")/pid"; exec sleep 60 ;;
*) exit 1 ;;
esac
`

func enrolled(t *testing.T) (p *hosttest.Plane, state string, args []string) {
	t.Helper()
	p, state = hosttest.New(t), shortDir(t)
	root := t.TempDir()
	restic := filepath.Join(state, "bin")
	if err := os.MkdirAll(restic, 0o700); err != nil {
		t.Fatal(err)
	}
	restic = filepath.Join(restic, "restic")
	if err := os.WriteFile(restic, []byte(fakeRestic), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "srv"), 0o700); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := run(t, p.Token(), "enrol", "--plane", p.URL(), "--token-file", "-", "--state", state, "--root", root)
	if code != exitOK || !strings.Contains(out, hosttest.Server) {
		t.Fatalf("enrol: got %d %q %q", code, out, errOut)
	}
	return p, state, []string{"--state", state, "--root", root, "--restic", restic, "--hostname", "h1"}
}

func TestEnrolCommand(t *testing.T) {
	p, state, _ := enrolled(t)
	tests := []struct {
		name string
		args []string
		code int
		says string
	}{
		{"already enrolled", []string{"enrol", "--plane", p.URL(), "--token-file", "-", "--state", state}, exitConflict, "enrolled already"},
		{"no flags", []string{"enrol"}, exitUsage, "--token-file"},
		{"token as an argument", []string{"enrol", "--token", p.Token()}, exitUsage, "unknown flag"},
		{"no such file", []string{"enrol", "--plane", p.URL(), "--token-file", "/nowhere", "--state", state}, exitUsage, "no token"},
		{"a snippet of nothing", []string{"acme-snippet"}, exitUsage, "nginx or apache"},
		{"a snippet without a responder", []string{"acme-snippet", "nginx"}, exitUsage, "switched off"},
		{"stray argument", []string{"run", "now"}, exitUsage, "unknown command"},
		{"unknown command", []string{"destroy"}, exitUsage, "unknown command"},
		{"run without an identity", []string{"run", "--state", t.TempDir(), "--restic", "/bin/false"}, exitSignIn, "not enrolled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, _, errOut := run(t, p.Token(), tt.args...)
			if code != tt.code || !strings.Contains(errOut, tt.says) {
				t.Errorf("got %d %q, want %d and %q", code, errOut, tt.code, tt.says)
			}
			if strings.Contains(errOut, p.Token()) {
				t.Error("the message has the token")
			}
		})
	}
}

func TestCheckSaysTheEnrolment(t *testing.T) {
	p, state, args := enrolled(t)
	identity := filepath.Join(state, "identity.json")
	file, err := os.ReadFile(identity)
	if err != nil {
		t.Fatal(err)
	}
	var id map[string]any
	if err := json.Unmarshal(file, &id); err != nil {
		t.Fatal(err)
	}
	stream := id["stream_url"]
	for _, tt := range []struct {
		name   string
		stream any // "": not enrolled
		says   []string
	}{
		{"connected", stream, []string{"enrolled: as " + hosttest.Server, "certificate: until 2", "certificates: /etc/ostler/certificates", "challenges: not answered", "answers and takes this agent"}},
		{"the enrolment's port", p.URL(), []string{"is not where agents connect"}},
		{"nothing there", "https://127.0.0.1:1", []string{"no answer at https://127.0.0.1:1: connection refused"}},
		{"not enrolled", "", []string{"enrolled: no"}},
	} {
		id["stream_url"] = tt.stream
		b, err := json.Marshal(id)
		if err == nil && tt.stream == "" {
			err = os.Remove(identity)
		} else if err == nil {
			err = os.WriteFile(identity, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		code, out, errOut := run(t, "", append([]string{"check"}, args...)...)
		for _, want := range tt.says {
			if code != exitOK || !strings.Contains(out, want) {
				t.Errorf("%s: got %d %q %q, want %q", tt.name, code, out, errOut, want)
			}
		}
	}
	code, _, errOut := run(t, p.Token(), "enrol", "--plane", stream.(string), "--token-file", "-", "--state", t.TempDir())
	if code != exitUsage || !strings.Contains(errOut, "not where servers enrol") {
		t.Errorf("enrol at the agents' port: got %d %q", code, errOut)
	}
}

func TestIdleMemory(t *testing.T) {
	p, _, args := enrolled(t)
	a := startAgent(t, nil, args...)
	p.Offer(wire.Envelope{Job: "job_1", Action: wire.ActionInventory})
	if got := p.Result("job_1"); got.Outcome != wire.Succeeded {
		t.Fatalf("got %+v", got.Failure)
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(a.Process.Pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("resident: %.1f MiB", float64(kib)/1024)
	if kib > 40<<10 {
		t.Errorf("resident: got %d KiB, want at most 40 MiB", kib)
	}
}

// kill -9 in the middle of a backup: one start, the result says interrupted, and
// restic dies with the agent.
func TestKilledInBackup(t *testing.T) {
	store := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	store.StartTLS()
	t.Cleanup(store.Close)
	sum := sha256.Sum256(store.Certificate().RawSubjectPublicKeyInfo)
	repo := wire.Repository{ID: "rep_1", StoreURL: store.URL, StorePin: hex.EncodeToString(sum[:]), User: "u1", Name: "r1"}
	params := func(v any) json.RawMessage {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}

	p, state, args := enrolled(t)
	a := startAgent(t, nil, args...)
	p.Offer(wire.Envelope{Job: "job_0", Action: wire.ActionRepoPrepare, Params: params(wire.RepoPrepareParams{Repository: repo})})
	if got := p.Result("job_0"); got.Outcome != wire.Succeeded {
		t.Fatalf("prepare: got %+v", got.Failure)
	}
	env := p.Sign(wire.Envelope{Job: "job_1", Action: wire.ActionBackup, Params: params(wire.BackupParams{Repository: repo, Paths: []string{"/srv"}})})
	p.OfferSigned(5, env)
	p.Accepted("job_1")
	var pid int
	until(t, "restic", func() bool {
		b, err := os.ReadFile(filepath.Join(state, "bin/pid"))
		pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil && pid > 0
	})
	a.kill()
	until(t, "restic's end", func() bool { return syscall.Kill(pid, 0) != nil || zombie(pid) })
	_ = os.Remove(filepath.Join(state, "bin/pid"))

	startAgent(t, nil, args...)
	if got := p.Result("job_1"); got.Outcome != wire.Interrupted || got.Epoch != 5 {
		t.Errorf("got %+v", got)
	}
	p.OfferSigned(6, env)
	p.Wait("interrupted again", func(f wire.Frame) bool {
		return f.Type == wire.FrameResult && f.Result.Epoch == 6 && f.Result.Outcome == wire.Interrupted
	})
	if _, err := os.Stat(filepath.Join(state, "bin/pid")); err == nil {
		t.Error("the backup was started a second time")
	}
	for _, dir := range []string{"helper/tmp", "staging"} {
		if left, err := os.ReadDir(filepath.Join(state, dir)); err != nil || len(left) != 0 {
			t.Errorf("%s: left %v, %v", dir, left, err)
		}
	}
}

func zombie(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(b), ") Z ")
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}
