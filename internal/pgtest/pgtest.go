// Package pgtest gives tests an unprivileged, temporary PostgreSQL cluster,
// and in it a fresh database whose owner is no superuser, so that row-level
// security bites as it does in production. A cluster never outlives the process
// that started it, however that process ends.
package pgtest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Env names the variable that holds the superuser's URL of a cluster started
// elsewhere. Without it, URL starts a cluster for the test process.
const Env = "OSTLERTEST_POSTGRES"

// Role is the role that owns the databases URL gives. It is no superuser and
// may not bypass row-level security.
const Role = "ostler"

// ErrMissing says that this machine has no PostgreSQL server.
var ErrMissing = errors.New("pgtest: no PostgreSQL server on this machine; make deps-test installs it")

// Options says how a cluster runs. The zero value is durable, as in production.
type Options struct {
	Unsafe bool // fsync off: faster, and fit for tests that do not pull the plug
}

// URL returns the URL of a fresh, empty database, which is dropped when the
// test ends. It skips in -short runs, and where PostgreSQL is missing unless
// CI is set: there a missing server is a failure.
func URL(tb testing.TB) string {
	tb.Helper()
	return create(tb, cluster(tb), "template0")
}

// URLFrom is URL, for a database that is a copy of one that fill has filled.
// What fill does is done once for a key and cluster, by whichever test comes
// first; fill must close its connections.
func URLFrom(tb testing.TB, key string, fill func(url string) error) string {
	tb.Helper()
	super := cluster(tb)
	template := "template_" + key
	if _, known := filled.Load(super + template); !known && !exists(tb, super, template) {
		// Processes that come here together fill one each, and one is taken.
		draft := "draft_" + strings.ToLower(rand.Text())
		if err := psql(super, createRole, "CREATE DATABASE "+draft+" OWNER "+Role+" TEMPLATE template0"); err != nil {
			tb.Fatal(err)
		}
		if err := fill(at(tb, super, draft)); err != nil {
			tb.Fatal(err)
		}
		if err := psql(super, "ALTER DATABASE "+draft+" RENAME TO "+template); err != nil {
			if !exists(tb, super, template) {
				tb.Fatal(err)
			}
			if err := psql(super, "DROP DATABASE "+draft); err != nil {
				tb.Error(err)
			}
		}
	}
	filled.Store(super+template, true)
	return create(tb, super, template)
}

// filled are the templates that this process has seen.
var filled sync.Map

// cluster returns the superuser's URL, or ends the test as URL says.
func cluster(tb testing.TB) string {
	tb.Helper()
	if testing.Short() {
		tb.Skip("PostgreSQL is left out of -short runs")
	}
	super, err := shared()
	if errors.Is(err, ErrMissing) && os.Getenv("CI") == "" {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return super
}

// create makes a database from a template, for as long as the test runs.
func create(tb testing.TB, super, template string) string {
	tb.Helper()
	name := "t_" + strings.ToLower(rand.Text())
	if err := psql(super, createRole, "CREATE DATABASE "+name+" OWNER "+Role+" TEMPLATE "+template+strategy(tb, super)); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := psql(super, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
	})
	return at(tb, super, name)
}

// strategy has a template's files copied. From PostgreSQL 15 on its pages go
// through the log unless it is told: right for a busy server, and slower.
func strategy(tb testing.TB, super string) string {
	tb.Helper()
	said, known := strategies.Load(super)
	if !known {
		version, err := ask(super, "SHOW server_version_num")
		if err != nil {
			tb.Fatal(err)
		}
		said = ""
		if n, err := strconv.Atoi(strings.TrimSpace(version)); err == nil && n >= 150000 {
			said = " STRATEGY file_copy"
		}
		strategies.Store(super, said)
	}
	return said.(string)
}

// strategies are those of the clusters that this process has seen.
var strategies sync.Map

// at is the URL of a database for the ordinary role.
func at(tb testing.TB, super, name string) string {
	tb.Helper()
	u, err := url.Parse(super)
	if err != nil {
		tb.Fatalf("pgtest: %s: %v", Env, err)
	}
	u.User, u.Path = url.User(Role), "/"+name
	return u.String()
}

// exists reports whether the cluster has the database.
func exists(tb testing.TB, super, name string) bool {
	tb.Helper()
	out, err := ask(super, "SELECT datname FROM pg_database WHERE datname = '"+name+"'")
	if err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSpace(out) == name
}

// shared returns the superuser's URL of the cluster that this process's tests
// share, and starts it where Env names no other. The watchdog ends it.
var shared = sync.OnceValues(func() (string, error) {
	if u := os.Getenv(Env); u != "" {
		return u, nil
	}
	u, stop, err := Start(Options{Unsafe: true})
	stopShared = stop
	return u, err
})

// stopShared is never called. It keeps the watchdog's pipe reachable: collected
// as garbage, it would be closed, and the server would stop in mid-test.
//
//lint:ignore U1000 it is written for the collector, and read by nobody
var stopShared func()

// watchdog runs the server until its standard input closes, which the kernel
// sees to when the process that holds the other end is gone.
const watchdog = `
bin=$1; dir=$2; shift 2
"$bin/postgres" -D "$dir/data" "$@" >"$dir/log" 2>&1 </dev/null &
pid=$!
read -r _
kill -INT "$pid"; wait "$pid"
cd / && rm -rf "$dir"`

// Start starts a cluster that listens on a Unix socket in a private folder
// only, and returns its superuser's URL and what stops it and removes its
// files. As root it runs as the user postgres or nobody: initdb refuses root.
func Start(o Options) (superURL string, stop func(), err error) {
	bin, err := binaries()
	if err != nil {
		return "", nil, err
	}
	dir, err := os.MkdirTemp(parent(o), "ostler-pg-")
	if err != nil {
		return "", nil, fmt.Errorf("pgtest: %w", err)
	}
	stop = func() { os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			stop()
		}
	}()
	run, err := unprivileged(dir)
	if err != nil {
		return "", nil, err
	}
	init := run(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "--username=postgres",
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := init.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("pgtest: initdb: %w\n%s", err, out)
	}
	args := []string{"-c", watchdog, "watchdog", bin, dir, "-c", "listen_addresses=", "-c", "unix_socket_directories=" + dir,
		"-c", "max_connections=300", "-c", "autovacuum_naptime=1h"}
	if o.Unsafe {
		args = append(args, "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c", "max_wal_size=128MB")
	}
	cmd := run("/bin/sh", args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, fmt.Errorf("pgtest: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("pgtest: %w", err)
	}
	stop = sync.OnceFunc(func() {
		in.Close()
		cmd.Wait()
		os.RemoveAll(dir) // what the watchdog could not
	})
	superURL = "postgres://postgres@/postgres?host=" + url.QueryEscape(dir) + "&sslmode=disable"
	if err := await(superURL, filepath.Join(dir, "log")); err != nil {
		return "", nil, err
	}
	return superURL, stop, nil
}

// leastMemory is the room that a cluster in memory must find, in bytes. It takes
// a tenth of it: a database of a test has 12 MB, and few are there at a time.
const leastMemory = 2 << 30

// parent is the folder for a cluster's files. Not os.TempDir: a socket's path
// has at most 107 bytes, and another user must be able to reach it. A database
// is a thousand small files; in memory they are there at once, and one that need
// not be durable may live there.
func parent(o Options) string {
	const memory = "/dev/shm"
	var fs syscall.Statfs_t
	if o.Unsafe && syscall.Statfs(memory, &fs) == nil && fs.Bavail*uint64(fs.Bsize) >= leastMemory {
		return memory
	}
	return "/tmp"
}

// await returns when the server answers and the role exists.
func await(superURL, log string) error {
	var err error
	for range 400 {
		if err = psql(superURL, createRole); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	text, _ := os.ReadFile(log)
	return fmt.Errorf("%w\n%s", err, text)
}

// createRole tolerates a role that exists, or that another process makes now.
const createRole = `DO $$ BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '` + Role + `') THEN
		CREATE ROLE ` + Role + ` LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
	END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`

// psql runs each statement by itself.
func psql(superURL string, statements ...string) error {
	_, err := ask(superURL, statements...)
	return err
}

// ask is psql, and returns what it prints. It keeps this package free of a
// driver.
func ask(superURL string, statements ...string) (string, error) {
	bin, err := binaries()
	if err != nil {
		return "", err
	}
	path := filepath.Join(bin, "psql")
	if _, err := os.Stat(path); err != nil {
		path = "psql"
	}
	args := []string{"-X", "-q", "-t", "-A", "-w", "-v", "ON_ERROR_STOP=1", "-d", superURL}
	for _, s := range statements {
		args = append(args, "-c", s)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pgtest: psql: %w\n%s", err, out)
	}
	return string(out), nil
}

// binaries returns the folder of the newest PostgreSQL that runs. Debian keeps
// the server's programs out of PATH.
var binaries = sync.OnceValues(func() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if p, err := exec.LookPath("initdb"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			found = append(found, filepath.Dir(p))
		}
	}
	best, newest := "", -1
	for _, bin := range found {
		if exec.Command(filepath.Join(bin, "initdb"), "--version").Run() != nil {
			continue
		}
		out, err := exec.Command(filepath.Join(bin, "postgres"), "--version").Output()
		if err != nil {
			continue
		}
		// "postgres (PostgreSQL) 15.18 (Debian ...)"
		f := strings.Fields(string(out))
		if len(f) < 3 {
			continue
		}
		major, _, _ := strings.Cut(f[2], ".")
		if v, err := strconv.Atoi(major); err == nil && v > newest {
			best, newest = bin, v
		}
	}
	if best == "" {
		return "", ErrMissing
	}
	return best, nil
})
