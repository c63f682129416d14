package deploy_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"ostler/agents/wire"
)

const lockVar = "OSTLERTEST_HOLD_LOCK"

// While certbot runs, nothing is taken from it. Such a lock is no hindrance to
// its own process, so this test runs once more in another one, to hold it.
func TestTakeOverWaitsForCertbot(t *testing.T) {
	if path := os.Getenv(lockVar); path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		lock := syscall.Flock_t{Type: syscall.F_WRLCK}
		if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock); err != nil {
			t.Fatal(err)
		}
		_, _ = os.Stdout.WriteString("held\n")
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	w := newWorld(t)
	p := takeover(t, w)
	before := w.snapshot()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), lockVar+"="+filepath.Join(w.root, "etc/letsencrypt/.certbot.lock"))
	in, err := cmd.StdinPipe()
	w.must(err)
	out, err := cmd.StdoutPipe()
	w.must(err)
	w.must(cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "held\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	_, err = w.e.Take(t.Context(), p, any1)
	wantCause(t, err, wire.CauseRenewer)
	w.must(os.Remove(filepath.Join(w.root, "etc/letsencrypt/.certbot.lock")))
	if w.snapshot() != before {
		t.Error("something was changed")
	}
	_ = in.Close()
	_ = cmd.Wait()
	_, err = w.e.Take(t.Context(), p, any1)
	w.must(err)
}
