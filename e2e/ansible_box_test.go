//go:build slow

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/e2e/world"
)

// box is a machine of a test's own: this one's files beneath a layer that keeps
// every change, its own processes, host name and /run, and a real sshd. It has
// no systemd: testdata/ansible/systemctl starts what its units say.
type box struct {
	t    *testing.T
	proc *world.Proc
	pid  string // of its first process
	dir  string // keys
	name string
}

// newBox makes a box. It takes root: elsewhere the test is skipped, unless CI is set.
func newBox(t *testing.T, name string) *box {
	t.Helper()
	if os.Getuid() != 0 && os.Getenv("CI") == "" {
		t.Skip("a machine of a test's own takes root: run the test as root, or in CI")
	}
	b := &box{t: t, dir: t.TempDir(), name: name}
	b.tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(b.dir, "client"))
	b.tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(b.dir, "host"))
	mount := filepath.Join(b.dir, "fs")
	if err := os.Mkdir(mount, 0o700); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Abs("testdata/ansible")
	if err != nil {
		t.Fatal(err)
	}
	b.proc = world.Start(t, "box-"+name, "unshare", nil, "--mount", "--pid", "--fork", "--kill-child", "--uts", "bash", filepath.Join(files, "box"), mount, files, b.dir, name)
	t.Cleanup(b.proc.Kill) // before it is asked to end, which it would not hear
	world.Eventually(t, "the box "+name+" is up", time.Minute, func() bool {
		if !b.proc.Running() {
			t.Fatalf("the box %s is not up:\n%s", name, b.proc.Log())
		}
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", b.proc.Cmd.Process.Pid, b.proc.Cmd.Process.Pid))
		b.pid = strings.TrimSpace(string(children))
		return err == nil && b.pid != "" && strings.Contains(b.proc.Log(), "up\n")
	})
	return b
}

func (b *box) tool(name string, args ...string) string {
	b.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// enter is the command that runs a program inside the box.
func (b *box) enter(args ...string) []string {
	return append([]string{"nsenter", "--target", b.pid, "--mount", "--pid", "--uts", "--root", "--wd"}, args...)
}

// sh runs a script inside the box.
func (b *box) sh(script string) string {
	b.t.Helper()
	args := b.enter("bash", "-euc", script)
	return b.tool(args[0], args[1:]...)
}

// address is the line of an inventory by which Ansible reaches the box. Each
// connection is a process of its own sshd, so there is no port to take.
func (b *box) address(server string) string {
	return fmt.Sprintf("%s ansible_host=%s ansible_user=root ansible_ssh_private_key_file=%s ansible_ssh_common_args=\"-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o ProxyCommand='%s'\"\n",
		server, b.name, filepath.Join(b.dir, "client"), strings.Join(b.enter("/usr/sbin/sshd", "-i", "-f", "/run/box/sshd_config"), " "))
}

// changes are the paths that differ from the machine beneath, but for what
// logging in leaves. A folder of that machine is none, whatever changed in it.
func (b *box) changes() []string {
	b.t.Helper()
	all := b.sh(`cd /run/box/upper && find . -mindepth 1 | while IFS= read -r p; do
		[ -d "$p" ] && [ ! -L "$p" ] && [ -d "/run/box/lower/$p" ] || stat -c '%n, %F, %s, %Y' "$p"
	done`)
	var out []string
	for _, line := range strings.Split(strings.TrimSpace(all), "\n") {
		if !strings.HasPrefix(line, "./var/log/") && !strings.HasPrefix(line, "./root/.ansible") {
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}
