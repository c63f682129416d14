package bench_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ostler/e2e/world"
)

const (
	million      = 1_000_000
	manyFolders  = 20_000
	findTurns    = 200
	folderTimes  = 50  // a folder opens this much faster than restic lists it
	folderBudget = 20  // ms, p95
	searchTimes  = 50  // a name is found this much faster than by restic find
	buildBudget  = 1.4 // × the processor time of restic ls
	longPatience = 10 * time.Minute
)

// forest is a tree of a million empty files: names are what is measured.
type forest struct {
	b    *testing.B
	root string
	rnd  *rand.Rand
}

var words = strings.Fields(`account album archive avatar banner basket budget cache catalog chapter client column contract
	cover draft export figure folder gallery history image import index invoice journal label layout ledger letter
	library logo menu message notes offer order panel photo plan poster product profile project quote receipt recipe
	record report review sample season session setting shop sketch story summary table template theme ticket title video`)

func (f *forest) dir(i int) string {
	return fmt.Sprintf("%s/%s-%d/%s-%d", words[i%7], words[i%len(words)], i/400, words[(i*7)%len(words)], i)
}

func (f *forest) name(i, n int) string {
	return fmt.Sprintf("%s-%s-%05d.%s", words[(i+n)%len(words)], words[(i*3+n*5)%len(words)], (i*31+n)%100_000, []string{"jpg", "php", "html", "ods", "txt"}[n%5])
}

func (f *forest) grow() {
	f.b.Helper()
	for i := range manyFolders {
		dir := filepath.Join(f.root, f.dir(i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			f.b.Fatal(err)
		}
		for n := range million / manyFolders {
			h, err := os.Create(filepath.Join(dir, f.name(i, n)))
			if err != nil {
				f.b.Fatal(err)
			}
			_ = h.Close()
		}
	}
}

// catalogueState is what the API says of a plan's catalogue.
type catalogueState struct {
	Status         string `json:"status"`
	Generation     int64  `json:"generation"`
	Snapshots      int    `json:"snapshots"`
	Behind         int    `json:"behind"`
	Entries, Bytes int64
}

// BenchmarkFind measures browsing and searching a snapshot of a million files
// against restic ls and restic find on a copy of the same repository, by the
// real parts: agent, control plane on SQLite, rest-server over TLS. A folder
// and a search are asked over the API, with all that it does for one request.
func BenchmarkFind(b *testing.B) {
	w := world.New(b, world.Options{})
	maple := w.AddCustomers("maple")[0]
	w.AddStore("off-site", "")
	host := w.AddHost("maple-1")
	f := &forest{b: b, root: filepath.Join(host.Root, folder), rnd: rand.New(rand.NewPCG(1, 2))}
	f.grow()
	plan := w.AddPlan(maple, host, "Everything", folder)
	if run := maple.Over(plan.ID, longPatience); run.State != "complete" {
		b.Fatalf("backup: %s", run.State)
	}
	before := processorTime(b, host.Agent) + processorTime(b, w.Plane)
	first := catalogued(b, maple, plan.ID, 0)
	builds := times{processorTime(b, host.Agent) + processorTime(b, w.Plane) - before}
	raw := newRestic(b, w.Store, host, plan.Repository)
	raw.run("snapshots") // its cache
	listings := times{raw.processor("ls", "--json", "latest")}
	for range 2 {
		before := processorTime(b, host.Agent) + processorTime(b, w.Plane)
		if status, answer := maple.Do("POST", "/plans/"+plan.ID+"/catalogue/rebuild", map[string]any{}); status/100 != 2 {
			b.Fatalf("rebuild: %d %s", status, answer)
		}
		first = catalogued(b, maple, plan.ID, first.Generation)
		builds = append(builds, processorTime(b, host.Agent)+processorTime(b, w.Plane)-before)
		listings = append(listings, raw.processor("ls", "--json", "latest"))
	}
	report(b, figure{name: "catalogue: build, against restic ls (processor)", got: medianRatio(builds, listings), budget: buildBudget, unit: "×",
		detail: fmt.Sprintf("median of 3; %.1f s in agent, its restic and plane; %.1f s", builds.median().Seconds(), listings.median().Seconds())})
	report(b, figure{name: "catalogue: size of a million files", got: float64(first.Bytes) / 1e6, unit: "MB", detail: fmt.Sprintf("%d entries", first.Entries)})

	snapshot := maple.Runs(plan.ID)[0].Snapshot
	f.folders(maple, snapshot, raw)
	f.search(maple, raw)
	f.further(maple, host, plan.ID, first)
}

// folders measures opening folders.
func (f *forest) folders(c *world.Customer, snapshot string, raw *restic) {
	f.b.Helper()
	var ours, theirs times
	for range findTurns {
		dir := folder + "/" + f.dir(f.rnd.IntN(manyFolders))
		ours = append(ours, timed(func() {
			var out struct{ Entries []struct{ Name string } }
			if !c.Get("/snapshots/"+snapshot+"/files?path="+url.QueryEscape(dir), &out) || len(out.Entries) != million/manyFolders {
				f.b.Fatalf("folder %s: %d entries", dir, len(out.Entries))
			}
		}))
	}
	for range 5 {
		dir := folder + "/" + f.dir(f.rnd.IntN(manyFolders))
		theirs = append(theirs, timed(func() { raw.run("ls", "--json", "latest", dir) }))
	}
	report(f.b, figure{name: "folder of a million files: p95", got: millis(ours.at(0.95)), budget: folderBudget, unit: "ms", detail: fmt.Sprintf("over the API, %d folders", findTurns)})
	report(f.b, figure{name: "restic ls of a folder, against ours (at least)", got: float64(theirs.median()) / float64(ours.median()), least: folderTimes, unit: "×",
		detail: fmt.Sprintf("medians; %.0f ms, %.1f ms", millis(theirs.median()), millis(ours.median()))})
}

// search measures finding names.
func (f *forest) search(c *world.Customer, raw *restic) {
	f.b.Helper()
	var ours, theirs times
	for range 30 {
		name := strings.TrimSuffix(f.name(f.rnd.IntN(manyFolders), f.rnd.IntN(50)), ".txt")
		ours = append(ours, timed(func() {
			var out struct{ Items []struct{ Path string } }
			if !c.Get("/files?q="+url.QueryEscape(name), &out) || len(out.Items) == 0 {
				f.b.Fatalf("search %s: nothing", name)
			}
		}))
	}
	for range 3 {
		name := f.name(f.rnd.IntN(manyFolders), f.rnd.IntN(50))
		theirs = append(theirs, timed(func() { raw.run("find", "--json", "*"+name+"*") }))
	}
	report(f.b, figure{name: "restic find of a name, against ours (at least)", got: float64(theirs.median()) / float64(ours.median()), least: searchTimes, unit: "×",
		detail: fmt.Sprintf("medians; %.1f s, %.0f ms (p95 %.0f ms) over the API", theirs.median().Seconds(), millis(ours.median()), millis(ours.at(0.95)))})
}

// further measures what one more snapshot costs, of which a hundredth changed.
func (f *forest) further(c *world.Customer, host *world.Host, plan string, first catalogueState) {
	f.b.Helper()
	for i := 0; i < manyFolders; i += 100 {
		for n := range million / manyFolders {
			if err := os.WriteFile(filepath.Join(f.root, f.dir(i), f.name(i, n)), []byte("new"), 0o644); err != nil {
				f.b.Fatal(err)
			}
		}
	}
	var run world.Run
	c.JSON(&run, "backup", "run", plan, "--wait", "--wait-timeout", longPatience.String())
	after := catalogued(f.b, c, plan, -1)
	for end := time.Now().Add(longPatience); after.Snapshots < 2 && time.Now().Before(end); time.Sleep(time.Second) {
		after = catalogued(f.b, c, plan, -1)
	}
	report(f.b, figure{name: "catalogue: one more snapshot, a hundredth changed", got: float64(after.Bytes-first.Bytes) / 1e3, unit: "kB", detail: "kept besides"})
}

// catalogued waits until a plan's catalogue is whole, in a generation after one.
func catalogued(b *testing.B, c *world.Customer, plan string, generation int64) (s catalogueState) {
	b.Helper()
	for end := time.Now().Add(longPatience); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		if c.Get("/plans/"+plan+"/catalogue", &s) && s.Status == "ready" && s.Behind == 0 && s.Snapshots > 0 && s.Generation > generation {
			return s
		}
	}
	b.Fatalf("the catalogue is not whole: %+v", s)
	return s
}

// processorTime is what a process and the children that it waited for have used.
func processorTime(b *testing.B, p *world.Proc) time.Duration {
	b.Helper()
	stat := string(must[[]byte](b)(os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Cmd.Process.Pid))))
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	var ticks int64
	for _, f := range fields[11:15] { // utime, stime, cutime, cstime (proc(5))
		ticks += must[int64](b)(strconv.ParseInt(f, 10, 64))
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// processor runs restic, reads what it prints, and returns its processor time.
func (r *restic) processor(verb string, args ...string) time.Duration {
	r.b.Helper()
	cmd := exec.Command(r.bin, append(append([]string{verb}, r.args...), args...)...)
	cmd.Env, cmd.Stdout = r.env, struct{ io.Writer }{io.Discard}
	if err := cmd.Run(); err != nil {
		r.b.Fatalf("restic %s: %v", verb, err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}
