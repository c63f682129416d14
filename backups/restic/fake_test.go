package restic_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

var fakeOptions = restic.BackupOptions{Paths: []string{"/srv"}}

// Three lines of 200 MB take neither 200 MB nor the result. (Not parallel: it
// measures this process.)
func TestLinesOf200MB(t *testing.T) {
	skipShort(t)
	r := fakeRepo(t, "long line")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := r.Backup(t.Context(), fakeOptions)
	runtime.ReadMemStats(&after)
	if err != nil || got.SnapshotID != fakeID || got.Outcome != wire.BackupComplete {
		t.Errorf("got %+v, %v", got, err)
	}
	if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 40 {
		t.Errorf("allocated %d MB in all, want at most 40", used)
	}
}

func TestFakeOutcomes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		how    string
		change func(*restic.Repo)
		want   wire.Cause
		exit   int
		detail string
	}{
		{how: "exit 77", want: wire.CauseInternal, exit: 77, detail: "exit code 77"},
		{how: "no summary", want: wire.CauseInternal, exit: 0, detail: "named no snapshot"},
		{how: "stack trace", want: wire.CauseInternal, exit: 1, detail: "restic ended with exit code 1: open ...: permission denied"},
		{how: "ticks", change: func(r *restic.Repo) { r.Limits.Stall = 200 * time.Millisecond }, want: wire.CauseTimeout, exit: -1, detail: "the server's own files"},
		{how: "waits for the store", change: func(r *restic.Repo) { r.Limits.Stall = 2 * time.Second }, want: wire.CauseStoreUnreachable, exit: -1, detail: "silent"},
		{how: "deaf", change: func(r *restic.Repo) { r.Limits.Backup = 300 * time.Millisecond }, want: wire.CauseTimeout, exit: -1, detail: "its time was over"},
	} {
		t.Run(c.how, func(t *testing.T) {
			t.Parallel()
			r := fakeRepo(t, c.how)
			if c.change != nil {
				c.change(r)
			}
			_, err := r.Backup(t.Context(), fakeOptions)
			e := wantCause(t, err, c.want)
			if !strings.Contains(e.Detail, c.detail) {
				t.Errorf("got detail %q, want %q in it", e.Detail, c.detail)
			}
			if e.Exit != c.exit && c.exit >= 0 {
				t.Errorf("got exit %d, want %d", e.Exit, c.exit)
			}
		})
	}
}

// One who takes the output slowly is not a restic that hangs.
func TestSlowReceiverIsNotAStall(t *testing.T) {
	skipShort(t)
	t.Parallel()
	r := fakeRepo(t, "large file")
	r.Limits.Stall = 2 * time.Second
	w := &slow{}
	if n, err := r.Dump(t.Context(), fakeID, []byte("/srv/file"), w); err != nil || w.n != largeFile || n.Size != largeFile {
		t.Errorf("got %d bytes, %+v, %v", w.n, n, err)
	}
}

// slow takes its first bytes late.
type slow struct{ n int }

func (s *slow) Write(p []byte) (int, error) {
	if s.n == 0 {
		time.Sleep(3 * time.Second)
	}
	s.n += len(p)
	return len(p), nil
}

// The password and the store's credentials are in a file and with us; not in
// restic's arguments, and not in its environment, which has nothing of ours.
func TestWhatResticIsTold(t *testing.T) {
	t.Parallel()
	r := fakeRepo(t, "tells")
	told := filepath.Join(t.TempDir(), "told")
	r.Env = append(r.Env, "OSTLERTEST_TELL="+told)
	r.MaxProcs = 3
	r.TempDir = filepath.Join(t.TempDir(), strings.Repeat("long/", 20)) // too long for a socket
	if err := os.MkdirAll(r.TempDir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(r.Dir, "--target="), "x")
	o := restic.BackupOptions{
		Paths: []string{"/srv", "/--target="}, Excludes: []string{"/srv/$x", "#a", " b\u00a0", "!/c"},
		Tags: []string{"run:1"}, Host: "h", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)),
	}
	if _, err := r.Backup(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Args, Env []string
		Files     map[string]string
	}
	b, err := os.ReadFile(told)
	if err == nil {
		err = json.Unmarshal(b, &got)
	}
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(slices.Concat(got.Args, got.Env), "\n")
	if strings.Contains(all, repoPassword) || got.Files["--password-file"] != repoPassword {
		t.Errorf("the password is not where it belongs: %s", all)
	}
	if i := slices.Index(got.Args, "--"); i < 0 || !slices.Equal(got.Args[i+1:], []string{"srv", "--target="}) {
		t.Errorf("got arguments %q, want the paths behind --", got.Args)
	}
	if !slices.Contains(got.Args, "--time=2026-01-02 02:04:05") || slices.Contains(got.Args, "--no-lock") {
		t.Errorf("got arguments %q", got.Args)
	}
	if i := slices.IndexFunc(got.Args, func(a string) bool { return strings.HasPrefix(a, "--repo=") }); i < 0 || len(got.Args[i]) > 120 {
		t.Errorf("got arguments %q, want a short socket", got.Args)
	}
	if left, err := os.ReadDir(r.TempDir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if want := "\n" + r.Dir + "/srv/$$x\n[#]a\n[ ]b[\u00a0]\n!" + r.Dir + "/c\n.ostler-restore-*\n"; got.Files["--exclude-file"] != want {
		t.Errorf("got patterns %q, want %q", got.Files["--exclude-file"], want)
	}
	for _, kv := range got.Env {
		k, _, _ := strings.Cut(kv, "=")
		if !slices.Contains([]string{"PATH", "HOME", "TMPDIR", "TZ", "LC_ALL", "RESTIC_PROGRESS_FPS", "GOMAXPROCS", fakeEnv, "OSTLERTEST_TELL", "PWD"}, k) {
			t.Errorf("restic sees %s", kv)
		}
	}
	if !slices.Contains(got.Env, "GOMAXPROCS=3") {
		t.Errorf("got environment %q", got.Env)
	}
	r.Env = append(r.Env, "RESTIC_PASSWORD=x")
	_, err = r.Backup(t.Context(), o)
	wantCause(t, err, wire.CausePolicy)
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*restic.BackupOptions){
		"a tag with a comma":     func(o *restic.BackupOptions) { o.Tags = []string{"a,b"} },
		"an option as a tag":     func(o *restic.BackupOptions) { o.Tags = []string{"--x"} },
		"an option as a host":    func(o *restic.BackupOptions) { o.Host = "-h" },
		"a pattern of two lines": func(o *restic.BackupOptions) { o.Excludes = []string{"a\nb"} },
		"a pattern with no end":  func(o *restic.BackupOptions) { o.Excludes = []string{"[a"} },
	} {
		t.Run(name, func(t *testing.T) {
			r := fakeRepo(t, "tells") // it would fail to tell, as an exit code 1
			o := fakeOptions
			change(&o)
			_, err := r.Backup(t.Context(), o)
			if e := wantCause(t, err, wire.CauseInternal); e.Exit != -1 {
				t.Errorf("it came to running restic: %v", err)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	r := &restic.Repo{Binary: tool(t, "restic")}
	if v, err := r.Version(t.Context()); err != nil || v.Version == "" || v.Warning != "" {
		t.Errorf("got %+v, %v", v, err)
	}
	_, err := fakeRepo(t, "old").Version(t.Context())
	wantCause(t, err, wire.CauseUnsupported)
	_, err = (&restic.Repo{Binary: "/nonexistent"}).Version(t.Context())
	wantCause(t, err, wire.CauseUnsupported)
	for text, want := range map[string]struct {
		ok, warn bool
	}{
		"0.14.0": {false, false}, "0.16.5": {false, false}, "0.17.0": {true, true}, "0.18.1": {true, true},
		"0.19.0": {true, false}, "0.20.0-dev": {true, false}, "1.0.0": {true, false}, "hello": {false, false},
	} {
		v, err := restic.JudgeVersion(text)
		if (err == nil) != want.ok || (v.Warning != "") != want.warn {
			t.Errorf("%s: got %+v, %v", text, v, err)
		}
	}
}

func TestNoRestic(t *testing.T) {
	t.Parallel()
	r := fakeRepo(t, "tells")
	r.Binary = "/nonexistent"
	_, err := r.Backup(t.Context(), fakeOptions)
	if wantCause(t, err, wire.CauseUnsupported); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
