package sessions_test

import (
	"fmt"
	"testing"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/teleport"
)

// BenchmarkIngest takes pages of a thousand events from memory into the database:
// sessions of ten events each, as an interactive one with enhanced recording has.
// There are to be 5,000 events in a second.
func BenchmarkIngest(b *testing.B) {
	eachEngine(b, func(b *testing.B, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(b, d, clock)
		w.lists.grants(w.Maple, w.bobPerson)
		const pages, size = 20, teleport.MaxEvents
		n := 0
		page := func() []teleport.Event {
			list := make([]teleport.Event, 0, size)
			for len(list) < size {
				n++
				list = append(list, sessionOfTen(n)...)
			}
			return list
		}
		warm := page()
		if err := w.sessions.TakeIn(w.Ctx, warm); err != nil {
			b.Fatal(err)
		}
		all := make([][]teleport.Event, pages)
		for b.Loop() {
			b.StopTimer()
			for i := range all {
				all[i] = page()
			}
			b.StartTimer()
			for _, list := range all {
				if err := w.sessions.TakeIn(w.Ctx, list); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.N*pages*size)/b.Elapsed().Seconds(), "events/s")
	})
}

// sessionOfTen is one session: its start, seven commands, its end and its upload.
func sessionOfTen(n int) (list []teleport.Event) {
	add := func(kind string, at int, fields map[string]any) {
		e := event(kind, at, fields)
		e.ID = fmt.Sprintf("%s-%d-%d", kind, n, at)
		list = append(list, e)
	}
	fields := func(more ...any) map[string]any {
		f := of(more...)
		f["sid"] = fmt.Sprintf("0f1e2d3c-%d", n)
		f["addr.remote"], f["namespace"], f["server_id"] = "192.0.2.10:50000", "default", "5b1d4c0e-2f5b-4c8e-9b1a-7f0d2f7a9c11"
		f["server_labels"] = map[string]string{"customer": "maple", "role": "web", "location": "fra1"}
		return f
	}
	at := n % 3000
	add("session.start", at, fields("size", "80:25", "session_recording", "node"))
	for i := range 7 {
		add("session.command", at+i+1, fields("program", "systemctl", "path", "/usr/bin/systemctl", "argv", []string{"status", "nginx"}, "return_code", 0, "pid", 4000+i, "ppid", 3999, "cgroup_id", 4294967296))
	}
	add("session.end", at+20, fields("interactive", true, "enhanced_recording", true, "participants", []string{"bob"}))
	add("session.upload", at+22, map[string]any{"sid": fmt.Sprintf("0f1e2d3c-%d", n), "url": "s3://recordings/0f1e2d3c.tar"})
	return list
}
