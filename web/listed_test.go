package web_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"html"
	"maps"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/backups/catalogue"
)

// odd is a name that no page may trip over.
const odd = "two\nlines \xff<img src=x onerror=alert(1)>.txt"

// tree is the files of a played copy with their sizes.
type tree map[string]int64

// listed has the played host list the names of the copy that is asked for next,
// and the plane take them in.
func (h *house) listed(files tree) {
	h.t.Helper()
	nodes := maps.Clone(files)
	for p := range files {
		for d := path.Dir(p); d != "/"; d = path.Dir(d) {
			nodes[d] = -1
		}
	}
	var out bytes.Buffer
	w := catalogue.NewListingWriter(&out, catalogue.ListingOptions{TempDir: h.t.TempDir()})
	for _, p := range slices.Sorted(maps.Keys(nodes)) {
		e := catalogue.Entry{Path: []byte(p), Type: wire.NodeFile, Size: nodes[p], MTime: 1_700_000_000_000 + nodes[p], Mode: 0o644}
		if nodes[p] < 0 {
			e.Type, e.Size = wire.NodeDir, 0
		}
		if err := w.Add(e); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		h.t.Fatal(err)
	}
	var p wire.CatalogueParams
	ref := h.take(wire.ActionCatalogue, &p)
	sum := sha256.Sum256(out.Bytes())
	up := wire.Upload{Size: int64(out.Len()), SHA256: hex.EncodeToString(sum[:]), Chunks: 1}
	if err := h.backups.Put(h.ctx, h.server.ID, agentID, ref.Job, ref.Epoch, 0, up.SHA256, &out); err != nil {
		h.t.Fatal(err)
	}
	var ids []string
	snaps, _, err := h.backups.Snapshots(h.ctx, all, backups.SnapshotFilter{Server: h.server.ID})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range snaps {
		ids = append(ids, s.ResticID)
	}
	h.finish(ref, wire.CatalogueResult{Upload: up, Entries: int64(len(nodes)), Snapshots: ids})
	h.tick()
}

// again makes another copy, a day later, whose names are known. The schedule is
// paused: it would make copies of its own.
func (h *house) again(plan string, files tree) backups.Snapshot {
	h.t.Helper()
	h.clock.Advance(24 * time.Hour)
	ok[backups.Plan](h.t)(h.backups.UpdatePlan(h.ctx, all, plan, backups.PlanInput{Tenancy: h.tenancy.ID, Name: "Files", Paths: []string{"/srv/shop"}, Cron: "15 2 * * *", Zone: "Europe/Berlin"}, false))
	ok[backups.Run](h.t)(h.backups.RunNow(h.ctx, all, plan))
	h.backup(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: int64(len(files))})
	h.listed(files)
	snaps, _, err := h.backups.Snapshots(h.ctx, all, backups.SnapshotFilter{Plan: plan, Limit: 1})
	if err != nil {
		h.t.Fatal(err)
	}
	return snaps[0]
}

// send posts a form that has a field more than once.
func (p *person) send(path string, form url.Values) answer {
	p.h.t.Helper()
	r := ok[*http.Request](p.h.t)(http.NewRequestWithContext(p.h.t.Context(), http.MethodPost, p.h.url+path, strings.NewReader(form.Encode())))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return p.do(r)
}

var pickField = regexp.MustCompile(`name="pick" value="([^"]+)"`)

// picksOn are the values of a page's boxes and buttons for the basket.
func picksOn(page string) (out []string) {
	for _, m := range pickField.FindAllStringSubmatch(page, -1) {
		out = append(out, html.UnescapeString(m[1]))
	}
	return out
}

// links are the addresses that a page leads to and that have a part.
func links(page, part string) (out []string) {
	for _, m := range regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if to := html.UnescapeString(m[1]); strings.Contains(to, part) && !slices.Contains(out, to) {
			out = append(out, to)
		}
	}
	return out
}
