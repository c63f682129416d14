package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"ostler/controlplane"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"ostler": main}) }

// TestCommandLine runs the real program against a fakeAPI: testdata/cli.
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/cli",
		Setup: func(e *testscript.Env) error {
			f := newFakeAPI()
			e.Setenv("OSTLER_URL", f.start(e.T().(testing.TB)))
			e.Setenv("OSTLER_TOKEN", goodToken)
			e.Setenv("OSTLER_CONFIG_DIR", filepath.Join(e.WorkDir, "config"))
			e.Setenv("GOOD_SHA256", fmt.Sprintf("%x", sha256.Sum256(f.content["/srv/report.ods"])))
			return os.Chmod(e.WorkDir, 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// exits CODE COMMAND...: the command line ends with this very code.
			"exits": func(ts *testscript.TestScript, neg bool, args []string) {
				err := ts.Exec("ostler", args[1:]...)
				code := 0
				var exit interface{ ExitCode() int }
				if errors.As(err, &exit) {
					code = exit.ExitCode()
				}
				if (fmt.Sprint(code) == args[0]) == neg {
					ts.Fatalf("ostler %s: got exit code %d, want %s", strings.Join(args[1:], " "), code, args[0])
				}
			},
			// sha256 FILE: the file is the whole good one.
			"sha256": func(ts *testscript.TestScript, neg bool, args []string) {
				if got := fmt.Sprintf("%x", sha256.Sum256([]byte(ts.ReadFile(args[0])))); (got == ts.Getenv("GOOD_SHA256")) == neg {
					ts.Fatalf("%s: got %s, want %s", args[0], got, ts.Getenv("GOOD_SHA256"))
				}
			},
			// part FILE BYTES CONTENT: what an earlier download left.
			"part": func(ts *testscript.TestScript, neg bool, args []string) {
				var n int
				_, err := fmt.Sscan(args[1], &n)
				ts.Check(err)
				data := bytes.Repeat([]byte(args[2]), n)
				if args[2] == "good" {
					data = newFakeAPI().content["/srv/report.ods"][:n]
				}
				ts.Check(os.WriteFile(ts.MkAbs(args[0]+".part-"+ts.Getenv("GOOD_SHA256")[:16]), data, 0o600))
			},
		},
	})
}

// inProcess runs the command line in this process, without pauses.
func inProcess(t *testing.T, url string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	t.Setenv("OSTLER_TOKEN", goodToken)
	t.Setenv("OSTLER_URL", url)
	root := &cobra.Command{Use: "ostler", SilenceUsage: true, SilenceErrors: true}
	(&client{retryWait: time.Microsecond}).addTo(root)
	markUsage(root)
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetIn(strings.NewReader(""))
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	return out.String(), errs.String(), err
}

func TestDownloadGoesOn(t *testing.T) {
	tests := []struct {
		name, file string
		want       int    // exit code
		fetches    int    // how often the content is asked for
		says       string // part of the error
	}{
		{"breaks off three times", "/srv/cut.bin", exitOK, 3, ""},
		{"stalls", "/srv/stalls.bin", exitError, 1 + 1 + stalls, "broke off after 97.7 KiB of 410 KiB"},
		{"is not what the server read", "/srv/changed.bin", exitError, 1, "its SHA-256 differs"},
		{"is no longer kept", "/srv/gone.bin", exitNotFound, 1, "no longer kept"},
		{"is empty", "/srv/empty", exitOK, 1, ""},
		{"an archive breaks off three times", "snap_1:/srv/cutwww", exitOK, 3, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeAPI()
			dir := t.TempDir()
			target := filepath.Join(dir, "got")
			args := []string{"restore", "download", "snap_1", tt.file, "-o", target}
			if file, ok := strings.CutPrefix(tt.file, "snap_1:"); ok {
				args, tt.file = []string{"restore", "archive", tt.file, "-o", target}, file
			}
			_, _, err := inProcess(t, f.start(t), args...)
			if got := exitCode(err); got != tt.want {
				t.Fatalf("got exit code %d (%v), want %d", got, err, tt.want)
			}
			if got := f.looks["content "+tt.file]; got != tt.fetches {
				t.Errorf("got %d fetches, want %d", got, tt.fetches)
			}
			if err != nil {
				if !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v, want %q", err, tt.says)
				}
				if _, err := os.Stat(target); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("a file stands under the final name: %v", err)
				}
				return
			}
			if !bytes.Equal(readFile(t, target), f.content[tt.file]) {
				t.Error("the file is not what was sent")
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*.part-*")); left != nil {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// A later run of the command takes up what an earlier one left.
func TestDownloadGoesOnLater(t *testing.T) {
	f := newFakeAPI()
	url, target := f.start(t), filepath.Join(t.TempDir(), "got")
	if _, _, err := inProcess(t, url, "restore", "download", "snap_1", "/srv/stalls.bin", "-o", target); exitCode(err) != exitError {
		t.Fatalf("got %v, want the connection to break off", err)
	}
	f.cut = nil
	_, errs, err := inProcess(t, url, "restore", "download", "snap_1", "/srv/stalls.bin", "-o", target)
	if err != nil || !strings.Contains(errs, "Going on after 97.7 KiB") {
		t.Fatalf("got %v, %q", err, errs)
	}
	if !bytes.Equal(readFile(t, target), f.content["/srv/stalls.bin"]) {
		t.Error("the file is not what was sent")
	}
}

func TestProxyErrorsAreTriedAgain(t *testing.T) {
	f := newFakeAPI()
	t.Setenv("OSTLER_TOKEN", goodToken)
	c := &client{serverURL: f.start(t), retryWait: time.Microsecond, errw: io.Discard}
	if _, err := c.get(t.Context(), "/proxy/a", nil, nil); err != nil || f.looks["proxy a"] != 3 {
		t.Errorf("got %v after %d tries, want success at the third", err, f.looks["proxy a"])
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.get(cancelled, "/proxy/b", nil, nil); exitCode(err) != exitUsage || f.looks["proxy b"] != 0 {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestVerifyBundleOffline(t *testing.T) {
	d := dbtest.SQLite(t, &dbtest.Clock{})
	ctx := controlplane.System(t.Context(), "test")
	k, err := secrets.OpenFile(ctx, d, filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.New(d, k, ledger.Options{Origin: "test.invalid/ostler"})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := l.ExportBundle(ctx, policy.AllCustomers("test"), &b, ledger.BundleOptions{}); err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(b.String(), "the clock was real", "the clock was fast", 1)
	for name, tt := range map[string]struct {
		bundle, key string
		want        int
		says        string
	}{
		"as it was written": {b.String(), l.PublicKey(), exitOK, ""},
		"a leaf changed":    {changed, l.PublicKey(), exitError, "leaf 0"},
		"cut":               {b.String()[:b.Len()/2], l.PublicKey(), exitError, ""},
		"another's key":     {b.String(), "test.invalid/other+12345678+AQpySxOD4keGZqoKmVvYProapMsT5Qpd6gdFfmOJLdfs", exitError, ""},
		"not a bundle":      {"hello", "", exitUsage, ""},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "bundle")
			if err := os.WriteFile(file, []byte(tt.bundle), 0o600); err != nil {
				t.Fatal(err)
			}
			_, errs, err := inProcess(t, "http://127.0.0.1:1", "ledger", "verify", "--bundle", file, "--key", tt.key)
			if got := exitCode(err); got != tt.want && !(tt.want == exitError && got == exitUsage) {
				t.Errorf("got exit code %d (%v, %s), want %d", got, err, errs, tt.want)
			}
			if !strings.Contains(errs, tt.says) {
				t.Errorf("got %q, want %q", errs, tt.says)
			}
		})
	}
}

func TestEscapes(t *testing.T) {
	tests := []struct{ raw, text, name string }{
		{"plain ünicode 日本", "plain ünicode 日本", "plain ünicode 日本"},
		{"a\nb\tc", `a\nb\tc`, `a\nb\tc`},
		{"\x1b[31mred\x07", `\x1b[31mred\a`, `\x1b[31mred\a`},
		{"\u202egnp.exe", `\u202egnp.exe`, `\u202egnp.exe`},
		{"\u009b31m", `\u009b31m`, `\u009b31m`},
		{"a\u200bb\u3164", `a\u200bb\u3164`, `a\u200bb\u3164`},
		{"b\xff", `b\xff`, `b\xff`},
		{`..\x`, `..\x`, `..\\x`},
		{"\\n\n", `\\n\n`, `\\n\n`},
		{" edge ", " edge ", `\x20edge\x20`},
		{"\ufffd", "\ufffd", "\ufffd"},
		{`<img onerror=1>`, `<img onerror=1>`, `<img onerror=1>`},
	}
	for _, tt := range tests {
		if got := safe(tt.raw); got != tt.text {
			t.Errorf("safe(%q): got %q, want %q", tt.raw, got, tt.text)
		}
		if got := safeName([]byte(tt.raw)); got != tt.name {
			t.Errorf("safeName(%q): got %q, want %q", tt.raw, got, tt.name)
		}
	}
	if got, want := asciiOdd("{\"a\": \"\u202e\U000e0001\x7fé\"}"), `{"a": "\u202e\udb40\udc01\u007fé"}`; got != want {
		t.Errorf("JSON: got %s, want %s", got, want)
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", 10 << 10: "10.0 KiB", 1<<20 - 1: "1.00 MiB", 1536 << 20: "1.50 GiB", 420 * 1000: "410 KiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

func TestColour(t *testing.T) {
	rows := func() [][]cell { return [][]cell{{state("failed"), number("1")}, {state("complete"), number("23")}} }
	for _, tt := range []struct {
		name, noColour, term string
		terminal, want       bool
	}{
		{"terminal", "", "xterm", true, true}, {"NO_COLOR", "1", "xterm", true, false},
		{"dumb terminal", "", "dumb", true, false}, {"no terminal", "", "xterm", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", tt.noColour)
			t.Setenv("TERM", tt.term)
			var b strings.Builder
			c := &client{out: &b, outTerm: tt.terminal}
			if err := c.table([]string{"STATE", "N"}, rows()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(b.String(), "\x1b["); got != tt.want {
				t.Errorf("got %q, want colour: %v", b.String(), tt.want)
			}
			plain := strings.NewReplacer("\x1b[31m", "", "\x1b[32m", "", "\x1b[0m", "").Replace(b.String())
			if want := "STATE      N\nfailed     1\ncomplete  23\n"; plain != want {
				t.Errorf("got %q, want %q", plain, want)
			}
		})
	}
}

func TestClockSkew(t *testing.T) {
	now := time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		date  string
		state string
	}{
		{"Sat, 21 Nov 2026 22:00:00 GMT", "ok"}, {"Sat, 21 Nov 2026 22:01:00 GMT", "warn"}, {"Sat, 21 Nov 2026 21:00:00 GMT", "bad"}, {"", "unknown"},
	} {
		if got := checkClock(tt.date, now, now.Add(time.Second)); got.State != tt.state {
			t.Errorf("%q: got %+v, want %s", tt.date, got, tt.state)
		}
	}
}

func TestSizesAsTyped(t *testing.T) {
	for typed, want := range map[string]string{"": "", "0": "0", "500": "500", "1.5K": "1536", "10 MiB": "10485760", "2g": "2147483648", "3KB": "3072",
		"B": "bad", "K": "bad", "-1": "bad", "1e30": "bad", "NaN": "bad", "9999999T": "bad"} {
		got, err := parseSize("--min-size", typed)
		if err != nil {
			got = "bad"
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", typed, got, want)
		}
	}
}
