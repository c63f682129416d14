package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"ostler/e2e/world"
)

// To a contact, another customer's things do not exist: the same status and the
// same words as for an id that was never given out.
func TestAnotherCustomersObjects(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, w *world.World) {
		both := w.AddCustomers("maple", "harbour")
		maple, harbour := both[0], both[1]
		w.AddStore("off-site", "")
		host := w.AddHost("maple-1")
		host.Put(folder+"/menu.txt", "soup\n")
		plan := w.AddPlan(maple, host, "Everything", folder)
		run := maple.Over(plan.ID, backupLimit)
		var restore struct{ ID, State string }
		maple.JSON(&restore, "restore", "put-back", run.Snapshot, folder+"/menu.txt", "--wait", "--wait-timeout", "60s")
		var download struct{ ID string }
		maple.JSON(&download, "restore", "download", run.Snapshot, folder+"/menu.txt", "-o", t.TempDir())
		if status, raw := w.Staff().Do("PATCH", "/tenancies/"+plan.Tenancy, map[string][]string{"sites": {"www.maple.example"}}); status != http.StatusOK {
			t.Fatalf("sites: %d %s", status, raw)
		}
		w.JSON(&struct{}{}, "cert", "authority", "add", "Nobody", "--directory", "https://ca.nobody.invalid/directory")
		var cert struct {
			ID    string
			Issue string `json:"open_issue"`
		}
		maple.JSON(&cert, "cert", "create", plan.Tenancy, "--name", "www.maple.example")
		h := &house{World: w, maple: maple, host: host, plan: plan}

		nobody := strings.Repeat("0", 26)
		type ask struct{ noun, id, none, method, path, body string }
		var asks []ask
		get := func(noun, id, path string) {
			asks = append(asks, ask{noun, id, id[:strings.IndexByte(id, '_')+1] + nobody, "GET", path, ""})
		}
		post := func(noun, id, path, body string) {
			asks = append(asks, ask{noun, id, id[:strings.IndexByte(id, '_')+1] + nobody, "POST", path, body})
		}
		get("server", host.ID, "/servers/ID")
		get("server", host.ID, "/servers/ID/agent")
		get("server", host.ID, "/servers/ID/inventory")
		get("customer", maple.ID, "/customers/ID")
		get("contacts", maple.ID, "/customers/ID/contacts")
		get("contact", maple.Contact, "/contacts/ID")
		get("tenancy", plan.Tenancy, "/tenancies/ID")
		get("plan", plan.ID, "/plans/ID")
		get("runs", plan.ID, "/plans/ID/runs")
		post("run", plan.ID, "/plans/ID/runs", `{}`)
		get("repository", plan.Repository, "/repositories/ID")
		post("key", plan.Repository, "/repositories/ID/reveal", `{}`)
		post("custody", plan.Repository, "/repositories/ID/custody", `{"custody":"escrow"}`)
		get("run", run.ID, "/runs/ID")
		get("snapshot", run.Snapshot, "/snapshots/ID")
		get("files", run.Snapshot, "/snapshots/ID/files?path="+folder)
		post("restore", run.Snapshot, "/restores", `{"kind":"download","snapshot":"ID","path":"`+folder+`/menu.txt"}`)
		get("put back", restore.ID, "/restores/ID")
		get("download", download.ID, "/restores/ID")
		get("content", download.ID, "/restores/ID/content")
		get("job", run.Job, "/jobs/ID")
		get("why", run.Job, "/jobs/ID/why")
		post("cancel", run.Job, "/jobs/ID/cancel", `{}`)
		get("certificate", cert.ID, "/certificates/ID")
		get("attempts", cert.ID, "/certificates/ID/issues")
		get("why not", cert.ID, "/certificates/ID/why")
		get("found", host.ID, "/servers/ID/found-certificates")
		get("attempt", cert.Issue, "/issues/ID")
		post("renew", cert.ID, "/certificates/ID/renew", `{}`)
		post("pause", cert.ID, "/certificates/ID/pause", `{"reason":"for fun"}`)
		post("revoke", cert.ID, "/certificates/ID/revoke", `{}`)
		post("new certificate", plan.Tenancy, "/certificates", `{"tenancy":"ID","names":["www.maple.example"]}`)
		before := len(h.maple.Runs(plan.ID))
		for _, a := range asks {
			t.Run(a.noun+" "+a.method, func(t *testing.T) {
				other, theirs := problemFor(t, harbour.Caller, a.method, a.path, a.body, a.id)
				none, nothing := problemFor(t, harbour.Caller, a.method, a.path, a.body, a.none)
				if other != http.StatusNotFound || none != http.StatusNotFound {
					t.Fatalf("status: got %d for another's, %d for none, want 404", other, none)
				}
				if theirs != nothing {
					t.Errorf("another's: %s\nnone:      %s", theirs, nothing)
				}
				if mine, _ := problemFor(t, maple.Caller, "GET", strings.Split(a.path, "?")[0], "", a.id); a.method == "GET" && a.noun != "files" && mine != http.StatusOK {
					t.Errorf("the owner's own: got %d, want 200", mine)
				}
			})
		}
		if got := len(h.maple.Runs(plan.ID)); got != before {
			t.Errorf("runs: got %d, want %d: another customer started one", got, before)
		}
		_, errs, code := harbour.CLI("snapshot", "show", run.Snapshot)
		if code != 3 {
			t.Errorf("snapshot show: exit %d, want 3", code)
		}
		w.Says("snapshot show", errs, "no such snapshot", "Next: ")
		for _, noun := range []string{"server", "plan", "snapshot", "restore", "job", "finding", "cert"} {
			out, _, code := harbour.CLI(noun, "list", "--output", "json")
			var list struct{ Items []json.RawMessage }
			if code != 0 || json.Unmarshal([]byte(out), &list) != nil || len(list.Items) != 0 {
				t.Errorf("%s list: exit %d, %d items, want none", noun, code, len(list.Items))
			}
		}
	})
}

// problemFor asks for an id and returns the answer without what differs from
// request to request.
func problemFor(t *testing.T, c world.Caller, method, path, body, id string) (status int, answer string) {
	t.Helper()
	var in any
	if body != "" {
		in = json.RawMessage(strings.ReplaceAll(body, "ID", id))
	}
	status, raw := c.Do(method, strings.ReplaceAll(path, "ID", id), in)
	var p map[string]any
	if json.Unmarshal(raw, &p) != nil {
		return status, string(raw)
	}
	delete(p, "request_id")
	out, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return status, strings.ReplaceAll(string(out), id, "ID")
}
