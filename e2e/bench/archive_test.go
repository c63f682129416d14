package bench_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/e2e/world"
)

const (
	smallFiles   = 1900
	linkTime     = 15 * time.Millisecond // one way: 30 ms there and back
	archiveTimes = 20                    // a folder arrives this much faster than by restic dump
)

// BenchmarkArchive measures a folder of many small files as a zip, from the
// wish to an archive that can be fetched, against restic dump of the same
// folder. The store is 30 ms away for both.
func BenchmarkArchive(b *testing.B) {
	w := world.New(b, world.Options{})
	maple := w.AddCustomers("maple")[0]
	far := "https://" + world.NewDelay(b, strings.TrimPrefix(w.Store.URL, "https://"), linkTime)
	w.AddStore("off-site", far)
	host := w.AddHost("maple-1")
	for i := range smallFiles {
		host.Put(fmt.Sprintf("%s/small/d%02d/f%04d.txt", folder, i%40, i), fmt.Sprintf("file %d %s\n", i, strings.Repeat("x", i%900)))
	}
	plan := w.AddPlan(maple, host, "Everything", folder)
	if run := maple.Over(plan.ID, patience); run.State != "complete" {
		b.Fatalf("backup: %s", run.State)
	}
	snapshot := maple.Runs(plan.ID)[0].Snapshot
	var ours times
	for range 5 {
		ours = append(ours, timed(func() { fetch(b, maple, snapshot, folder+"/small") }))
	}
	raw := newRestic(b, w.Store, host, plan.Repository)
	raw.args[0] = strings.Replace(raw.args[0], strings.TrimPrefix(w.Store.URL, "https://"), strings.TrimPrefix(far, "https://"), 1)
	raw.run("snapshots") // its cache
	theirs := timed(func() {
		out := must[*os.File](b)(os.Create(filepath.Join(b.TempDir(), "small.zip")))
		defer func() { _ = out.Close() }()
		cmd := exec.Command(raw.bin, append(append([]string{"dump"}, raw.args...), "--archive", "zip", "latest", folder+"/small")...)
		cmd.Env, cmd.Stdout = raw.env, out
		if err := cmd.Run(); err != nil {
			b.Fatalf("restic dump: %v", err)
		}
	})
	report(b, figure{name: "restic dump of 1,900 files 30 ms away, against our zip (at least)", got: float64(theirs) / float64(ours.median()), least: archiveTimes, unit: "×",
		detail: fmt.Sprintf("%.1f s once; %.2f s, the median of 5, until it can be fetched", theirs.Seconds(), ours.median().Seconds())})
}

// fetch asks for a folder as a zip and waits until it can be fetched.
func fetch(b *testing.B, c *world.Customer, snapshot, path string) {
	b.Helper()
	status, answer := c.Do("POST", "/restores", map[string]any{"kind": "archive", "picks": []map[string]string{{"snapshot": snapshot, "path": path}}})
	var asked struct{ Items []struct{ ID string } }
	if err := json.Unmarshal(answer, &asked); err != nil || status/100 != 2 || len(asked.Items) != 1 {
		b.Fatalf("archive: %d %s", status, answer)
	}
	for end := time.Now().Add(longPatience); time.Now().Before(end); {
		var r struct {
			State string
			Files int64
		}
		if c.Get("/restores/"+asked.Items[0].ID+"?wait=10s", &r) && r.State != "active" && r.State != "checking" {
			if r.State != "ready" || r.Files != smallFiles {
				b.Fatalf("archive: %+v", r)
			}
			return
		}
	}
	b.Fatal("the archive is not ready")
}
