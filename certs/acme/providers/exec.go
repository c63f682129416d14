package providers

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"ostler/controlplane"
)

// execTime is how long a program may run.
const execTime = time.Minute

// program is run as "{program} present {name}. {value}", and with cleanup. It
// gets no environment but a PATH: the plane's own has secrets in it.
type program struct{ path string }

func openExec(f map[string]string, o Options) (writer, error) {
	if !slices.Contains(o.Programs, f["program"]) {
		return nil, controlplane.Invalid(controlplane.Field{Pointer: "/config/program",
			Message: "This program is not listed in the control plane's configuration. Have it listed there, with its full path."})
	}
	return program{f["program"]}, nil
}

func (p program) add(ctx context.Context, r record) error    { return p.run(ctx, "present", r) }
func (p program) remove(ctx context.Context, r record) error { return p.run(ctx, "cleanup", r) }

func (p program) run(ctx context.Context, act string, r record) error {
	ctx, cancel := context.WithTimeout(ctx, execTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.path, act, r.fqdn+".", r.value)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.Dir = "/"
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // what it has started ends with it
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var said bytes.Buffer
	out := &head{&said}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("%s: %w: %s", p.path, err, controlplane.Line(said.String(), maxSaid))
	}
	return nil
}

// head keeps the beginning of what a program says.
type head struct{ *bytes.Buffer }

func (h *head) Write(b []byte) (int, error) {
	if room := 4096 - h.Len(); room > 0 {
		h.Buffer.Write(b[:min(len(b), room)])
	}
	return len(b), nil
}
