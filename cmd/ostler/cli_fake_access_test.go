package main

import (
	"encoding/json"
	"net/http"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/server"
)

// fakeList has a person of ours, and a key of nobody that nobody attested.
func fakeList(at string) server.AccessList {
	if at == "" {
		at = "2026-11-21T12:00:00.000Z"
	}
	from := &server.AccessInterval{From: "2026-11-20T08:00:00.000Z", Until: "2026-11-27T08:00:00.000Z"}
	return server.AccessList{Customer: "cus_1", At: at, KnownAt: "2026-11-21T12:00:00.000Z", Persons: 1, Differences: 1, Lines: []server.AccessLine{
		{Person: "prs_1", Name: "Bob Builder", Way: "teleport", Role: "operator", Listed: from, Enforced: from, Attested: true, Ticket: "OPS-7", Reason: "Moves\nthe shop"},
		{Unknown: "SHA256:\x1b[2Jabc", Way: "login", Role: "root", Place: "web1", Could: &server.AccessInterval{From: "2026-11-19T08:00:00.000Z"}}}}
}

func fakeGrant(state string) server.AccessGrant {
	return server.AccessGrant{ID: "grt_1", Customer: "cus_1", Person: "prs_1", Who: "Bob Builder", Role: "operator", State: state, Reason: "Moves the shop", Ticket: "OPS-7",
		From: "2026-11-20T08:00:00.000Z", Until: "2026-11-27T08:00:00.000Z"}
}

// customerAccess is what is known of one customer's list.
func (f *fakeAPI) customerAccess(w http.ResponseWriter, r *http.Request, verb string) {
	change := server.AccessChange{ID: "chg_1", Kind: "added", Name: "Bob Builder", Way: "teleport", Role: "operator", At: "2026-11-20T08:00:00.000Z", EnforcedAt: "2026-11-20T08:00:09.000Z"}
	switch verb {
	case "":
		reply(w, 200, fakeList(r.URL.Query().Get("at")))
	case "changes":
		reply(w, 200, server.Page[server.AccessChange]{Items: []server.AccessChange{change}})
	case "notices":
		reply(w, 200, server.Page[server.AccessNotice]{Items: []server.AccessNotice{{ID: "ntc_1", State: "sent", OpenedAt: "2026-11-20T08:00:00.000Z", DueAt: "2026-11-21T08:00:00.000Z", Changes: []server.AccessChange{change}}}})
	default:
		refuse(w, controlplane.NotFound("page or operation"))
	}
}

// access knows one person and one grant.
func (f *fakeAPI) access(w http.ResponseWriter, r *http.Request, rest string) {
	body := map[string]any{}
	_ = json.NewDecoder(r.Body).Decode(&body)
	switch rest {
	case "grants", "grants/grt_1/extend":
		state := "active"
		if body["kind"] == "break_glass" {
			state = "proposed"
		}
		reply(w, 201, fakeGrant(state))
	case "grants/grt_1/revoke":
		reply(w, 200, fakeGrant("revoked"))
	case "people":
		reply(w, 200, server.Page[server.AccessPerson]{Items: []server.AccessPerson{{ID: "prs_1", Name: "Bob Builder", Kind: "staff"}}})
	case "people/prs_1":
		reply(w, 200, server.AccessPerson{ID: "prs_1", Name: "Bob Builder"})
	case "people/prs_1/leave":
		reply(w, 200, server.AccessLeft{Customers: 12})
	case "found":
		reply(w, 200, server.Page[server.AccessFound]{Items: []server.AccessFound{{ID: "key_1", ServerName: "web1", Kind: "key", Account: "root", SeenAt: "2026-11-20T08:00:00.000Z"}}})
	case "enforcement", "enforcement/mode":
		mode, _ := body["mode"].(string)
		reply(w, 200, server.AccessEnforcement{Configured: true, Mode: strings.TrimSpace(mode), Cluster: "tele.example", Trouble: "The cluster does not answer.", TroubleNext: "Check that it runs.", Connector: "- a\n- b"})
	case "verification":
		v := server.AccessReplay{OK: f.look("replay") == 1, Checked: 40, Differ: []string{}}
		if !v.OK {
			v.Differ = []string{"spn_1"}
		}
		reply(w, 200, v)
	default:
		refuse(w, controlplane.NotFound("grant"))
	}
}
