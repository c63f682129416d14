// Package world starts the real parts for whole-system tests: the two binaries
// as processes, a signer, restic, and a rest-server, on loopback and in a
// temporary folder. It keeps true that what it started is stopped by process
// id, and that a test that fails shows the logs.
package world

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ostler/internal/acmelab"
)

// Root is the module's root folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

var build struct {
	once sync.Once
	dir  string
	err  error
}

// Binaries builds ostler and ostler-agent once for the test process, and
// returns their folder.
func Binaries(t testing.TB) string {
	t.Helper()
	build.once.Do(func() {
		build.dir = filepath.Join(Root(), "bin")
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", build.dir+"/", "./cmd/ostler", "./cmd/ostler-agent")
		cmd.Dir = Root()
		if out, err := cmd.CombinedOutput(); err != nil {
			build.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.dir
}

// Tool is the path of a program that “make tools” builds.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(Root(), ".bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not there: run “make tools”", path)
	}
	return path
}

// Proc is one process that a test started.
type Proc struct {
	Name string
	Cmd  *exec.Cmd
	log  *os.File
	done chan struct{}
}

// Kill ends the process at once, as a crash does, and waits for it.
func (p *Proc) Kill() {
	_ = p.Cmd.Process.Kill()
	<-p.done
}

// Stop asks the process to end, and waits; after ten seconds it is killed.
func (p *Proc) Stop() {
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		p.Kill()
	}
}

// Running reports whether the process has not ended.
func (p *Proc) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Log is all that the process has written.
func (p *Proc) Log() string {
	b, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Start runs a program until the test ends; what it writes is kept, and shown
// where the test fails.
func Start(t testing.TB, name, program string, env []string, args ...string) *Proc {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), name+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proc{Name: name, Cmd: exec.Command(program, args...), log: log, done: make(chan struct{})}
	p.Cmd.Stdout, p.Cmd.Stderr = log, log
	p.Cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.Cmd.Wait(); close(p.done) }()
	t.Cleanup(func() {
		p.Stop()
		_ = log.Close()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", name, tail(p.Log(), 40))
		}
	})
	return p
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// FreeAddr is a loopback address whose port is free now.
func FreeAddr(t testing.TB) string {
	t.Helper()
	port, err := acmelab.FreePort("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// Eventually waits until ok says so, or fails the test after the limit.
func Eventually(t testing.TB, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not after %s", what, limit)
		}
	}
}

// World is a control plane with its parts, and a folder for each host.
type World struct {
	T       testing.TB // the test that is told of failures: see Step
	Dir     string
	URL     string // of the portal
	Enrol   string // of the enrolment listener
	Token   string // file with a staff member's API token
	Store   *Store
	Lab     *Lab // where the world has one
	Plane   *Proc
	Signer  *Proc
	Hosts   map[string]*Host
	config  string
	bin     string
	metrics string
	more    string // sections of the configuration

	database   string     // "" is SQLite in the folder
	invitation string     // of the first staff member
	ada        *Portal    // the first staff member, once signed in
	root       testing.TB // what is started lives until this test's end
}

// Options say how a world is made.
type Options struct {
	// Database is the plane's database URL; "" is SQLite in the folder.
	Database string
	// PlaneDisk is the size of a disk of the plane's own ("24m"); "" is none.
	PlaneDisk string
	// Config are more sections of the plane's configuration.
	Config string
	// Lab is the certificate authority whose DNS and ports the plane is told.
	Lab *Lab
}

// New starts a signer, a plane with one staff member, and a store.
func New(t testing.TB, o Options) *World {
	t.Helper()
	w := &World{T: t, Dir: t.TempDir(), bin: Binaries(t), Hosts: map[string]*Host{}, database: o.Database, root: t, Lab: o.Lab}
	if o.Lab != nil {
		o.Config += o.Lab.planeConfig()
	}
	w.Store = NewStore(t)
	if o.PlaneDisk != "" {
		SmallDisk(t, w.data(), o.PlaneDisk)
	}
	w.more = o.Config
	w.URL, w.Enrol, w.metrics = w.configure("ostler.yaml", "")
	w.config = filepath.Join(w.Dir, "ostler.yaml")
	if o.Database != "" {
		w.run(nil, "migrate", "--config", w.config)
	}
	out := w.run(nil, "staff", "add", "ada.keller@ostler.example", "--name", "Ada Keller", "--config", w.config)
	lines := strings.Split(string(out), "\n")
	person := strings.TrimSuffix(strings.TrimPrefix(lines[0], "Ada Keller ("), ")")
	w.invitation = lines[1]
	w.Token = filepath.Join(w.Dir, "token")
	w.write("token", string(w.run(nil, "staff", "token", person, "--config", w.config)))
	w.Signer = Start(t, "signer", filepath.Join(w.bin, "ostler"), nil, "signer", "--config", w.config)
	w.StartPlane()
	return w
}

func (w *World) data() string { return filepath.Join(w.Dir, "plane") }

// configure writes a plane's configuration with addresses of its own.
func (w *World) configure(file, more string) (url, enrolment, metrics string) {
	w.T.Helper()
	portal, agents, enrol, metrics := FreeAddr(w.T), FreeAddr(w.T), FreeAddr(w.T), FreeAddr(w.T)
	_, port, _ := net.SplitHostPort(portal)
	url = "http://localhost:" + port
	w.write(file, fmt.Sprintf("data_dir: %q\ndatabase:\n  url: %q\nportal:\n  listen: %q\n  url: %q\nagents:\n  listen: %q\n  enrol_listen: %q\n  names: [localhost, 127.0.0.1]\nmetrics:\n  listen: %q\nlog:\n  level: debug\n%s%s",
		w.data(), w.database, portal, url, agents, enrol, metrics, w.more, more))
	return url, "https://" + enrol, metrics
}

// StartReplica starts another plane on the same PostgreSQL database, and waits
// until it is ready.
func (w *World) StartReplica(name string) *Proc {
	w.T.Helper()
	_, _, metrics := w.configure(name+".yaml", fmt.Sprintf("replica: %q\n", name))
	p := Start(w.root, name, filepath.Join(w.bin, "ostler"), nil, "serve", "--config", filepath.Join(w.Dir, name+".yaml"))
	w.ready(metrics)
	return p
}

// Step runs a part of a test that shares the world: it fails by itself, and what
// it starts in the world lives on.
func (w *World) Step(t *testing.T, name string, step func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		w.tell(t)
		defer w.tell(w.root)
		step(t)
	})
}

// tell has all parts tell a test of failures.
func (w *World) tell(t testing.TB) {
	w.T, w.Store.T = t, t
	if w.Lab != nil {
		w.Lab.T = t
	}
}

func (w *World) write(name, text string) {
	w.T.Helper()
	if err := os.WriteFile(filepath.Join(w.Dir, name), []byte(text), 0o600); err != nil {
		w.T.Fatal(err)
	}
}

// StartPlane starts the plane, and waits until it is ready.
func (w *World) StartPlane() {
	w.T.Helper()
	w.Plane = Start(w.root, "plane", filepath.Join(w.bin, "ostler"), nil, "serve", "--config", w.config)
	w.ready(w.metrics)
}

func (w *World) ready(metrics string) {
	w.T.Helper()
	Eventually(w.T, "the plane is ready", 30*time.Second, func() bool {
		res, err := http.Get("http://" + metrics + "/readyz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

func (w *World) run(in []byte, args ...string) []byte {
	w.T.Helper()
	out, errs, code := w.exec(in, nil, args...)
	if code != 0 {
		w.T.Fatalf("ostler %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

func (w *World) exec(in []byte, env []string, args ...string) (stdout, stderr []byte, code int) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(w.bin, "ostler"), args...)
	cmd.Stdin = bytes.NewReader(in)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.Dir, "NO_COLOR=1"}, env...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		w.T.Fatal(err)
	}
	return o.Bytes(), e.Bytes(), cmd.ProcessState.ExitCode()
}

// CLI runs the command line as the staff member; the exit code is the test's to judge.
func (w *World) CLI(args ...string) (stdout, stderr string, code int) {
	w.T.Helper()
	return w.Staff().CLI(args...)
}

// JSON is Caller.JSON as the staff member.
func (w *World) JSON(v any, args ...string) {
	w.T.Helper()
	w.Staff().JSON(v, args...)
}

// command is a program with the smallest environment.
func command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	return cmd
}
