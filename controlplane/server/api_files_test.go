package server_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"

	"ostler/backups"
	"ostler/controlplane/server"
)

const odd = "/srv/mine/b\xff\\.ods"

func b64(s string) string { return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(s))) }

// What is kept of names is searched and browsed without the host.
func TestFindAndHistory(t *testing.T) {
	w := newWorld(t)
	o, other := w.newTenant("Mine"), w.newTenant("Other")
	w.listed(o, "/srv/", "/srv/mine/", odd, "/srv/mine/report.ods", "/srv/mine/sub/", "/srv/mine/sub/report.txt")
	w.listed(other, "/srv/", "/srv/other/", "/srv/other/report.ods")

	paths := func(query string) (got []string, p server.FilesPage) {
		p = into[server.FilesPage](t, w.call("mine-owner", "GET", server.Base+"/files?"+query, ""), http.StatusOK)
		for _, f := range p.Items {
			got = append(got, f.Path)
		}
		return got, p
	}
	for query, want := range map[string]int{"q=report": 2, "q=report&type=file&ext=txt": 1, "q=report&beneath=/srv/mine/sub": 1, "ext=ods&on=2999-01-01": 2, "ext=ods&on=2001-01-01": 0,
		"q=.ods&min_size=5&max_size=5": 2, "q=.ods&min_size=6": 0, "q=report&modified_from=2023-11-14T22:13:21Z": 0, "q=mine&type=dir": 1,
		"q=report&server=" + o.server.Name + "&customer=mine&plan=" + o.plan.ID: 2, "beneath_b64=" + b64(odd): 0} {
		if got, _ := paths(query); len(got) != want {
			t.Errorf("%s: got %q, want %d", query, got, want)
		}
	}
	_, p := paths("q=.ods&page_size=1")
	f := p.Items[0]
	if f.Path != `/srv/mine/b\xff\\.ods` || string(f.PathB64) != odd || f.Plan != o.plan.ID || f.Size != 5 || f.Versions != 1 || !f.Present || f.Last.ID != o.snapshot || f.ModifiedAt != "2023-11-14T22:13:20.000Z" {
		t.Errorf("found: got %+v", f)
	}
	if p.Snapshots != 1 || len(p.Servers) != 1 || len(p.Behind) != 0 || p.NextPageToken == "" {
		t.Errorf("searched: got %+v", p)
	}
	if got, last := paths("q=.ods&page_size=1&page_token=" + url.QueryEscape(p.NextPageToken)); len(got) != 1 || got[0] != "/srv/mine/report.ods" || last.NextPageToken != "" {
		t.Errorf("second page: got %q", got)
	}

	h := into[server.FileHistory](t, w.call("mine-restorer", "GET", server.Base+"/files/history?plan="+o.plan.ID+"&path_b64="+b64(odd), ""), http.StatusOK)
	if len(h.Versions) != 1 || h.Versions[0].Mode != "-rw-r-----" || h.Versions[0].LastSeen.ID != o.snapshot || !h.Present || h.Source != "catalogue" || h.Why != nil {
		t.Errorf("history: got %+v", h)
	}
	for name, path := range map[string]string{"no such file": "/files/history?plan=" + o.plan.ID + "&path=/srv/mine/none", "another's plan": "/files/history?plan=" + other.plan.ID + "&path=/srv/other/report.ods",
		"another customer": "/files?q=report&customer=" + other.customer.ID, "another's server": "/files?q=report&server=" + other.server.ID} {
		if a := w.call("mine-owner", "GET", server.Base+path, ""); a.status != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404: %s", name, a.status, a.body)
		}
	}
	for _, query := range []string{"on=18.11.2026", "beneath_b64=%21", "type=ghost", "min_size=-1", "min_size=2&max_size=1", "modified_from=yesterday"} {
		if a := w.call("mine-owner", "GET", server.Base+"/files?"+query, ""); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d, want 422", query, a.status)
		}
	}
}

// A folder comes from the catalogue in pages; without one the server is asked,
// and the answer says so and why.
func TestFoldersFromTheCatalogue(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine")
	w.listed(o, "/srv/", "/srv/mine/", "/srv/mine/a", "/srv/mine/b\xff", "/srv/mine/c")
	path := server.Base + "/snapshots/" + o.snapshot + "/files?path=/srv/mine"
	var got []string
	for token, pages := "", 0; pages == 0 || token != ""; pages++ {
		f := into[server.SnapshotFolder](t, w.call("mine-owner", "GET", path+"&page_size=2&page_token="+token, ""), http.StatusOK)
		if f.Source != "catalogue" || f.Why != nil || f.State != "succeeded" || !f.Over || f.Job != "" || f.Found == nil || !*f.Found || pages > 1 {
			t.Fatalf("page %d: got %+v", pages, f)
		}
		for _, e := range f.Entries {
			got = append(got, e.Name)
		}
		token = f.NextPageToken
	}
	if len(got) != 3 || got[1] != `b\xff` {
		t.Errorf("got %q, want all three", got)
	}
	state := server.Base + "/plans/" + o.plan.ID + "/catalogue"
	c := into[server.Catalogue](t, w.call("mine-reader", "GET", state, ""), http.StatusOK)
	if c.Status != string(backups.CatalogueReady) || c.Snapshots != 1 || c.Behind != 0 || c.Entries == 0 || c.Why != nil {
		t.Errorf("catalogue: got %+v", c)
	}
	if a := w.call("mine-reader", "PUT", state, `{"on":false}`); a.status != http.StatusForbidden {
		t.Errorf("a reader turns it off: got %d, want 403", a.status)
	}
	if c = into[server.Catalogue](t, w.call("mine-owner", "PUT", state, `{"on":false}`), http.StatusOK); c.Status != "off" || c.Why == nil || c.Why.Cause != "off" || c.Why.Next == "" {
		t.Errorf("off: got %+v, %+v", c, c.Why)
	}
	f := into[server.SnapshotFolder](t, w.call("mine-owner", "GET", path, ""), http.StatusAccepted)
	if f.Source != "live" || f.Why == nil || f.Why.Cause != "off" || f.Job == "" || f.Over {
		t.Errorf("without: got %+v, %+v", f, f.Why)
	}
	if a := w.call("mine-owner", "GET", path+"&page_token=Yg", ""); a.status != http.StatusConflict || a.problem(t).Next == "" {
		t.Errorf("a page of what is gone: got %d, want 409", a.status)
	}
	if a := w.call("admin", "POST", state+"/rebuild", ""); a.status != http.StatusConflict {
		t.Errorf("rebuild what is off: got %d, want 409", a.status)
	}
	if c = into[server.Catalogue](t, w.call("admin", "PUT", state, `{"on":true}`), http.StatusOK); c.Status != "building" || c.Behind != 1 {
		t.Errorf("on again: got %+v", c)
	}
	if c = into[server.Catalogue](t, w.call("admin", "POST", state+"/rebuild", ""), http.StatusOK); c.Status != "building" {
		t.Errorf("rebuild: got %+v", c)
	}
	if p := into[server.FilesPage](t, w.call("mine-owner", "GET", server.Base+"/files?q=a", ""), http.StatusOK); len(p.Behind) != 1 || p.Behind[0].Snapshots != 1 || p.Behind[0].Why == nil {
		t.Errorf("a search meanwhile: got %+v", p)
	}
}
