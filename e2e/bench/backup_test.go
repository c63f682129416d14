package bench_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"ostler/e2e/world"
)

const (
	backupBudget = 1.10
	backupPairs  = 21
	rssBudget    = 40 // MiB
	idleFor      = 20 * time.Second

	folder   = "/srv/site"
	folders  = 40
	perEach  = 100      // files in each folder
	fileSize = 40 << 10 // bytes, on average
	changed  = 5        // files of each folder that a round writes anew
	patience = time.Minute
)

// BenchmarkBackup measures what the way through plane and agent adds to a
// backup, and how much memory the agent keeps.
//
// Both sides back up the same tree to the same store over TLS, each to its own
// repository with its own cache, in turns, and each begins as often: about
// 4,000 files and 160 MB, of which every round writes 200 anew. A handful of
// files would measure nothing but how a key is derived and a process starts.
// The agent's time is the user's: from the command that asks for the run to its
// result, with the command line's own start; restic's is that of its process.
func BenchmarkBackup(b *testing.B) {
	w := world.New(b, world.Options{})
	maple := w.AddCustomers("maple")[0]
	w.AddStore("off-site", "")
	host := w.AddHost("maple-1")
	time.Sleep(idleFor)
	report(b, figure{name: "agent: memory, idle since its start", got: rss(b, host.Agent), budget: rssBudget, unit: "MiB", detail: fmt.Sprintf("VmRSS after %s", idleFor)})

	t := &tree{b: b, root: filepath.Join(host.Root, folder), rnd: rand.NewChaCha8([32]byte{1})}
	t.grow()
	plan := w.AddPlan(maple, host, "Everything", folder)
	if run := maple.Over(plan.ID, patience); run.State != "complete" {
		b.Fatalf("first backup: %s", run.State)
	}
	raw := newRestic(b, w.Store, host, plan.Repository)
	raw.run("backup", t.root) // its own parent and cache
	var through, alone times
	for i := range backupPairs {
		t.change(i)
		for turn := range 2 {
			if (i+turn)%2 == 0 {
				through = append(through, timed(func() {
					maple.JSON(nil, "backup", "run", plan.ID, "--wait", "--wait-timeout", patience.String())
				}))
			} else {
				alone = append(alone, timed(func() { raw.run("backup", t.root) }))
			}
		}
	}
	report(b, figure{name: "backup through the agent, against restic alone", got: medianRatio(through, alone), budget: backupBudget, unit: "×",
		detail: fmt.Sprintf("median of %d pairs; %.2f s, %.2f s alone", backupPairs, through.median().Seconds(), alone.median().Seconds())})
	time.Sleep(idleFor)
	report(b, figure{name: "agent: memory, idle after its backups", got: rss(b, host.Agent), budget: rssBudget, unit: "MiB", detail: fmt.Sprintf("VmRSS %s after the last", idleFor)})
}

// rss is the resident memory of a process in MiB.
func rss(b *testing.B, p *world.Proc) float64 {
	b.Helper()
	status := must[[]byte](b)(os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Cmd.Process.Pid)))
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	line, _, _ := strings.Cut(rest, "\n")
	kib := must[int](b)(strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(line), " kB")))
	return float64(kib) / 1024
}

// tree is what is backed up.
type tree struct {
	b    *testing.B
	root string
	rnd  *rand.ChaCha8
}

func (t *tree) name(dir, file int) string {
	return filepath.Join(t.root, fmt.Sprintf("d%02d", dir), fmt.Sprintf("f%03d.dat", file))
}

// write puts something new into a file; half of it compresses well, as files do.
func (t *tree) write(dir, file int) {
	t.b.Helper()
	size := fileSize/2 + int(t.rnd.Uint64()%fileSize)
	data := make([]byte, size)
	_, _ = t.rnd.Read(data[:size/2]) // never fails
	copy(data[size/2:], strings.Repeat("a line of text that says the same again\n", size/80))
	if err := os.WriteFile(t.name(dir, file), data, 0o644); err != nil {
		t.b.Fatal(err)
	}
}

func (t *tree) grow() {
	t.b.Helper()
	for dir := range folders {
		if err := os.MkdirAll(filepath.Dir(t.name(dir, 0)), 0o755); err != nil {
			t.b.Fatal(err)
		}
		for file := range perEach {
			t.write(dir, file)
		}
	}
}

// change is what happens between two backups.
func (t *tree) change(round int) {
	t.b.Helper()
	for dir := range folders {
		for i := range changed {
			t.write(dir, (round*changed+i)%perEach)
		}
	}
	syscall.Sync() // neither side pays for writing them
}

// restic is restic alone, as somebody runs it by hand: the same binary, store
// and tree, a user of its own, and a copy of the agent's repository. (A new one
// would get other parameters for its key: restic measures the machine for them.)
type restic struct {
	b    *testing.B
	args []string
	env  []string
	bin  string
}

func newRestic(b *testing.B, s *world.Store, h *world.Host, repository string) *restic {
	b.Helper()
	const user, secret = "alone", "a-password-for-the-store"
	hash := must[[]byte](b)(bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost))
	f := must[*os.File](b)(os.OpenFile(s.Htpasswd, os.O_APPEND|os.O_WRONLY, 0o600))
	must[int](b)(fmt.Fprintf(f, "%s:%s\n", user, hash))
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	if err := s.Proc.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		b.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(s.Dir, "data", user), os.DirFS(filepath.Join(s.Dir, "data", repository))); err != nil {
		b.Fatal(err)
	}
	keys := must[[]string](b)(filepath.Glob(filepath.Join(h.State, "*", "keys", repository+".key")))
	if len(keys) != 1 {
		b.Fatalf("password files of the repository on the host: %d", len(keys))
	}
	dir := b.TempDir()
	repo := "rest:" + strings.Replace(s.URL, "https://", "https://"+user+":"+secret+"@", 1) + "/" + user + "/main/"
	return &restic{b: b, bin: world.Tool(b, "restic"), env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir},
		args: []string{"--repo=" + repo, "--cacert=" + filepath.Join(s.Dir, "crt"), "--password-file=" + keys[0], "--cache-dir=" + filepath.Join(dir, "cache")}}
}

func (r *restic) run(verb string, args ...string) {
	r.b.Helper()
	cmd := exec.Command(r.bin, append(append([]string{verb}, r.args...), args...)...)
	cmd.Env = r.env
	if out, err := cmd.CombinedOutput(); err != nil {
		r.b.Fatalf("restic %s: %v\n%s", verb, err, out)
	}
}
