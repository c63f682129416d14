package restic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fakeEnv makes this test binary a fake restic: it says so in its version, and
// it speaks restic's JSON as its value wants.
const fakeEnv = "OSTLERTEST_FAKE_RESTIC"

func TestMain(m *testing.M) {
	if how := os.Getenv(fakeEnv); how != "" {
		os.Exit(fake(how, os.Args[1:]))
	}
	code := m.Run()
	stopServer()
	os.Exit(code)
}

const fakeID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

const largeFile = 1 << 20 // more than a pipe holds

const fakeSummary = `{"message_type":"summary","files_new":1,"total_files_processed":1,"backup_start":"2026-03-01T10:00:00Z","snapshot_id":"` + fakeID + `"}` + "\n"

// fake is a restic that is none. It does what a real one does too rarely to be
// tested with.
func fake(how string, args []string) int {
	verb := args[0]
	if verb == "cat" && how == "large file" {
		fmt.Printf(`{"nodes":[{"name":"file","type":"file","size":%d}]}`+"\n", largeFile)
		return 0
	}
	if verb == "cat" {
		fmt.Printf(`{"time":"2026-03-01T10:00:00Z","parent":%q}`+"\n", fakeID)
		return 0
	}
	switch how {
	case "old":
		fmt.Println("restic 0.14.0 compiled with go1.19.8 on linux/amd64 (a fake)")
	case "long line":
		longLine(os.Stderr, `{"message_type":"error","item":"`)
		longLine(os.Stdout, `{"message_type":"status","current_files":["`)
		longLine(os.Stdout, "not JSON at all ")
		fmt.Print(fakeSummary)
	case "exit 77":
		fmt.Print(fakeSummary)
		return 77
	case "no summary":
		fmt.Println(`{"message_type":"status","files_done":1}`)
	case "stack trace":
		m, _ := json.Marshal("open /srv/secret name.txt: permission denied\nmain.runBackup\n\t/go/src/restic/main.go:12")
		fmt.Fprintf(os.Stderr, `{"message_type":"exit_error","code":1,"message":%s}`+"\n", m)
		return 1
	case "ticks": // it prints, and gets nowhere
		for range time.Tick(5 * time.Millisecond) {
			fmt.Println(`{"message_type":"status","files_done":3,"bytes_done":7,"seconds_elapsed":1}`)
		}
	case "large file":
		_, _ = os.Stdout.Write(make([]byte, largeFile))
	case "deaf":
		signal.Ignore(syscall.SIGINT)
		fmt.Println(`{"message_type":"status","files_done":1}`)
		select {}
	case "waits for the store":
		return waits(args)
	case "tells": // what it was started with
		told, _ := json.Marshal(map[string]any{"args": args, "env": os.Environ(), "files": files(args)})
		if err := os.WriteFile(os.Getenv("OSTLERTEST_TELL"), told, 0o600); err != nil {
			return 1
		}
		fmt.Print(fakeSummary)
	}
	return 0
}

// longLine prints 200 MB without a newline, then one.
func longLine(w io.Writer, head string) {
	block := bytes.Repeat([]byte("x"), 1<<20)
	_, _ = io.WriteString(w, head)
	for range 200 {
		_, _ = w.Write(block)
	}
	_, _ = io.WriteString(w, "\n")
}

// waits asks the store, through the relay, for something that does not come.
func waits(args []string) int {
	for _, a := range args {
		if at, ok := strings.CutPrefix(a, "--repo=rest:"); ok {
			socket, _, _ := strings.Cut(strings.TrimPrefix(at, "http+unix://"), ":")
			c := unixClient(socket)
			res, err := c.Get("http://store/data/")
			if err == nil {
				_, _ = io.Copy(io.Discard, res.Body)
			}
		}
	}
	return 1
}

// files returns the contents of the files that options name.
func files(args []string) map[string]string {
	m := map[string]string{}
	for _, a := range args {
		if a == "--" {
			break
		}
		if k, v, ok := strings.Cut(a, "="); ok && strings.HasSuffix(k, "-file") {
			b, _ := os.ReadFile(v)
			m[k] = string(b)
		}
	}
	return m
}

func unixClient(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: dialUnix(socket)}}
}

// real runs the real restic by hand, for what the package never does.
func real(ctx context.Context, t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(ctx, tool(t, "restic"), args...)
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=/usr/bin:/bin", "TZ=UTC"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
