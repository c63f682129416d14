package restic_test

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

const (
	storeUser     = "host1"
	storePassword = "battery staple 7"
	repoPassword  = "correct horse 42"
)

// tool returns a built tool's path.
func tool(t testing.TB, name string) string {
	t.Helper()
	dirs := []string{os.Getenv("OSTLERTEST_BIN")}
	for d, _ := os.Getwd(); d != "/"; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			dirs = append(dirs, filepath.Join(d, ".bin"))
			break
		}
	}
	for _, d := range dirs {
		p := filepath.Join(d, name)
		if fi, err := os.Stat(p); d != "" && err == nil && fi.Mode()&0o111 != 0 {
			return p
		}
	}
	t.Fatalf("%s is not built; run: make tools", name)
	return ""
}

func dialUnix(socket string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
}

// server is one real rest-server for all tests: append-only, private
// repositories, a password, a unix socket.
type server struct {
	dir, socket, data string
	cmd               *exec.Cmd
	template          string // an empty repository
}

var (
	shared      server
	startServer sync.Once
)

func stopServer() {
	if shared.cmd != nil {
		_ = shared.cmd.Process.Kill()
		_ = shared.cmd.Wait()
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
}

func theServer(t *testing.T) *server {
	t.Helper()
	startServer.Do(func() {
		bin := tool(t, "rest-server")
		dir, err := os.MkdirTemp("", "ost-")
		if err != nil {
			t.Fatal(err)
		}
		shared.dir = dir
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		shared.data, shared.socket = filepath.Join(dir, "data"), filepath.Join(dir, "rest")
		sum := sha1.Sum([]byte(storePassword)) // rest-server's other format, bcrypt, is not in the library
		write(t, filepath.Join(shared.data, ".htpasswd"), storeUser+":{SHA}"+base64.StdEncoding.EncodeToString(sum[:])+"\n")
		cmd := exec.Command(bin, "--path", shared.data, "--listen", "unix:"+shared.socket, "--append-only", "--private-repos")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		shared.cmd = cmd
		shared.template = filepath.Join(dir, "template")
		pw := passwordFile(t, dir, repoPassword)
		if out, err := real(t.Context(), t, "init", "-q", "--repo="+shared.template, "--password-file="+pw); err != nil {
			t.Fatalf("init: %v: %s", err, out)
		}
		cheapen(t, shared.template, repoPassword)
		for range 200 {
			if c, err := net.Dial("unix", shared.socket); err == nil {
				_ = c.Close()
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatal("rest-server does not listen")
	})
	if shared.cmd == nil || shared.template == "" {
		t.Fatal("no rest-server")
	}
	return &shared
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func passwordFile(t testing.TB, dir, password string) string {
	t.Helper()
	name := filepath.Join(dir, "password")
	if err := os.WriteFile(name, []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// door stands where the agent's store proxy stands: a unix socket that adds the
// store's credentials. It can be told to misbehave.
type door struct {
	socket string
	repo   string // the repository's folder at the store
	// how answers a request instead of the store where it returns true.
	how  atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
	puts atomic.Int64 // bytes of data uploads
}

func (d *door) set(how func(http.ResponseWriter, *http.Request) bool) { d.how.Store(&how) }

// answer returns a way to answer requests whose path contains part.
func answer(method, part string, status int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if (method == "" || r.Method == method) && strings.Contains(r.URL.Path, part) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(status)
			return true
		}
		return false
	}
}

// hang does not answer requests whose path contains part until the other side
// goes away; reached is closed at the first.
func hang(method, part string) (how func(http.ResponseWriter, *http.Request) bool, reached chan struct{}) {
	reached = make(chan struct{})
	once := sync.OnceFunc(func() { close(reached) })
	return func(w http.ResponseWriter, r *http.Request) bool {
		if (method == "" || r.Method == method) && strings.Contains(r.URL.Path, part) {
			_, _ = io.Copy(io.Discard, r.Body)
			once()
			<-r.Context().Done()
			return true
		}
		return false
	}, reached
}

func listenUnix(t *testing.T, h http.Handler) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "osd-")
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(h)
	_ = srv.Listener.Close()
	srv.Listener = l
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Start()
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
		_ = os.RemoveAll(dir)
	})
	return socket
}

var serial atomic.Int64

// newRepo returns an empty repository at the real rest-server, reached as an
// agent reaches it, and a root with some files.
func newRepo(t *testing.T) (*restic.Repo, *door) {
	t.Helper()
	s := theServer(t)
	name := fmt.Sprintf("repo%d", serial.Add(1))
	d := &door{repo: filepath.Join(s.data, storeUser, name)}
	if err := os.CopyFS(d.repo, os.DirFS(s.template)); err != nil {
		t.Fatal(err)
	}
	to, _ := url.Parse("http://store")
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(to)
			p.Out.SetBasicAuth(storeUser, storePassword)
		},
		Transport: &http.Transport{DialContext: dialUnix(s.socket)},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	d.socket = listenUnix(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if how := d.how.Load(); how != nil && (*how)(w, r) {
			return
		}
		if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/data/") {
			d.puts.Add(r.ContentLength)
		}
		proxy.ServeHTTP(w, r)
	}))
	return &restic.Repo{
		Binary: tool(t, "restic"), Socket: d.socket, Path: "/" + storeUser + "/" + name + "/",
		PasswordFile: passwordFile(t, t.TempDir(), repoPassword), CacheDir: filepath.Join(t.TempDir(), "cache"),
		Dir: t.TempDir(), MaxProcs: 1,
		Limits: restic.Limits{Grace: 2 * time.Second, Stall: 30 * time.Second, Read: time.Minute, Backup: time.Minute},
	}, d
}

// fakeRepo returns a repository whose restic is the fake, at a store that only
// says that the repository is there.
func fakeRepo(t *testing.T, how string) *restic.Repo {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	d := &door{socket: listenUnix(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/config") {
			<-r.Context().Done()
		}
	}))}
	root := t.TempDir()
	write(t, filepath.Join(root, "srv/file"), "x")
	return &restic.Repo{
		Binary: self, Socket: d.socket, Path: "/host1/name/", Dir: root,
		PasswordFile: passwordFile(t, t.TempDir(), repoPassword), Env: []string{fakeEnv + "=" + how},
		Limits: restic.Limits{Grace: 100 * time.Millisecond, Stall: 20 * time.Second, Backup: 30 * time.Second},
	}
}

// wantCause checks that err is a failure of a cause, and fit for people.
func wantCause(t *testing.T, err error, want wire.Cause) *restic.Error {
	t.Helper()
	var e *restic.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v (%T), want a *restic.Error with %s", err, err, want)
	}
	if e.Cause != want {
		t.Errorf("got cause %s (%s), want %s; restic said:\n%s", e.Cause, e.Detail, want, strings.Join(e.Lines, "\n"))
	}
	for _, bad := range []string{"\n", "goroutine", ".go:", repoPassword, storePassword, "/tmp"} {
		if strings.Contains(e.Error(), bad) {
			t.Errorf("the error %q has %q in it", e.Error(), bad)
		}
	}
	return e
}
