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
	return server.AccessList{Customer: "cus_1", At: at, KnownAt: "2026-11-21T12:00:00.000Z", Persons: 1, Unnamed: 1, Differences: 1, Lines: []server.AccessLine{
		{Person: "prs_1", Name: "Bob Builder", Way: "teleport", Role: "operator", Listed: from, Enforced: from, Standing: "enforced", Attested: true, By: "Ada Keller", Grounds: []string{"grt_1"}, Notified: "2026-11-20T08:05:00.000Z", Ticket: "OPS-7", Reason: "Moves\nthe shop"},
		{Unknown: "SHA256:\x1b[2Jabc", Way: "login", Role: "root", Place: "web1", Standing: "unattested", Could: &server.AccessInterval{From: "2026-11-19T08:00:00.000Z"}},
		{Person: "prs_3", Name: "Ann Twin", Way: "physical", Role: "R4", Standing: "by_hand", Listed: from, Reason: "Changes disks"}, {Person: "prs_4", Name: "Ann Twin", Way: "teleport", Standing: "open", Attested: true, Could: from, Grounds: []string{}}}}
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
	case "entries":
		reply(w, 200, server.Page[server.AccessEntry]{Items: []server.AccessEntry{{ID: "ent_1", Way: "admin", PersonName: "Eve \x1b[2JAdmin", Reason: "On call", From: "2026-11-20T08:00:00.000Z", ReviewBy: "2027-02-20T08:00:00.000Z"}}})
	case "terms":
		fakeTerms(w, r)
	case "authorisations":
		if r.Method == http.MethodPost {
			reply(w, 201, fakeAuthorised(r))
			return
		}
		z := server.AccessAuthorisation{ID: "ath_1", Name: "Ada Owner", Capacity: "owner", Acts: []string{"restore", "access"}, From: r.URL.Query().Get("at")}
		reply(w, 200, server.Page[server.AccessAuthorisation]{Items: []server.AccessAuthorisation{z}})
	default:
		refuse(w, controlplane.NotFound("page or operation"))
	}
}

// said is a body's text.
func said(body map[string]any, key string) string {
	v, _ := body[key].(string)
	return v
}

// moreAccess are people, entries and what is accepted: each answers with what
// it was sent.
func moreAccess(w http.ResponseWriter, body map[string]any, rest string) {
	switch rest {
	case "people/prs_1/papers":
		reply(w, 201, server.AccessPaper{ID: "ppr_1", Kind: said(body, "kind"), Customer: said(body, "customer"), Version: said(body, "version"), From: said(body, "from"), Until: said(body, "until"), Reference: said(body, "reference")})
	case "teams":
		reply(w, 200, server.Page[server.AccessTeam]{Items: []server.AccessTeam{{ID: "tem_1", Name: "Night", Members: []server.AccessMember{{Name: "Bob Builder", Until: "2026-12-01T00:00:00.000Z"}, {Name: "Ann"}}}}})
	case "found/key_1/explain":
		v := server.AccessFound{ID: "key_1", ServerName: "web1", Kind: "key", Account: "root", Customer: said(body, "customer")}
		if body["person"] == "prs_1" {
			v.PersonName = "Bob Builder"
		}
		reply(w, 200, v)
	case "baselines":
		n := 3
		if said(body, "server") == "" || said(body, "owner") == "" || said(body, "review") != "2027-02-01T00:00:00Z" || said(body, "reason") == "" {
			n = 0
		}
		reply(w, 200, server.AccessAccepted{Accepted: n})
	case "enforcement/roles":
		if said(body, "role") != "legacy" || said(body, "owner") == "" || said(body, "until") == "" || said(body, "reason") == "" {
			refuse(w, controlplane.NotFound("role"))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	case "notices/ntc_1/acknowledge":
		reply(w, 200, server.AccessNotice{ID: "ntc_1", State: "acknowledged", AcknowledgedAt: "2026-11-20T09:00:00.000Z"})
	case "grants/grt_1/ticket", "grants/grt_1/review":
		v := fakeGrant("active")
		v.Ticket, v.Reason = said(body, "ticket"), said(body, "note")
		reply(w, 200, v)
	case "facilities":
		reply(w, 200, server.Page[server.AccessFacility]{Items: []server.AccessFacility{{ID: "fac_1", Name: "North", Country: "DE", Location: "fra1", Certificates: []server.AccessFacilityPaper{{Name: "ISO 27001"}}}}})
	case "entries", "entries/ent_1", "entries/ent_1/end":
		v := server.AccessEntry{ID: "ent_1", Way: said(body, "way"), PersonName: said(body, "person"), Facility: said(body, "facility"), Rack: said(body, "rack"), EscortName: said(body, "escort"),
			Reason: said(body, "reason"), From: said(body, "from"), Until: said(body, "until"), EndedWhy: said(body, "why")}
		reply(w, 200, v)
	case "recertifications":
		reply(w, 200, server.Page[server.AccessRecertification]{Items: []server.AccessRecertification{{ID: "cmp_1", Title: "Winter", DueAt: "2026-12-20T00:00:00.000Z", Total: 40, Open: 7, Kept: 30, Revoked: 3}}})
	default:
		refuse(w, controlplane.NotFound("grant"))
	}
}

// access knows one person and one grant.
func (f *fakeAPI) access(w http.ResponseWriter, r *http.Request, rest string) {
	body := map[string]any{}
	_ = json.NewDecoder(r.Body).Decode(&body)
	if accessVerb(w, r, body, rest) {
		return
	}
	switch rest {
	case "grants", "grants/grt_1/extend":
		state := "active"
		if body["kind"] == "break_glass" {
			state = "proposed"
		}
		g := fakeGrant(state)
		g.Alone = body["alone"] == true
		reply(w, 201, g)
	case "grants/grt_1/revoke":
		reply(w, 200, fakeGrant("revoked"))
	case "people":
		if body["kind"] != nil {
			users := []string{}
			for _, u := range body["teleport_users"].([]any) {
				users = append(users, u.(string))
			}
			reply(w, 201, server.AccessPerson{ID: "prs_2", Name: said(body, "name"), Kind: said(body, "kind"), Company: said(body, "company"), TeleportUsers: users})
			return
		}
		people := []server.AccessPerson{{ID: "prs_1", Name: "Bob Builder", Kind: "staff"}, {ID: "prs_2", Name: "Carl Cable", Kind: "contractor", Company: "Cables AG"}, {ID: "prs_3", Name: "Ann Twin", Kind: "contractor", Company: "Night GmbH"},
			{ID: "prs_4", Name: "Ann Twin", Kind: "staff"}, {ID: "prs_5", Name: "Carl Cable", Kind: "staff", LeftAt: "2026-01-01T00:00:00.000Z"}}
		switch r.URL.Query().Get("email") {
		case "":
		case "bob@ostler.example":
			people = people[:1]
		default:
			people = nil
		}
		reply(w, 200, server.Page[server.AccessPerson]{Items: people})
	case "people/prs_1":
		reply(w, 200, server.AccessPerson{ID: "prs_1", Name: "Bob Builder", Kind: "staff", TeleportUsers: []string{"bob", "bob-night"},
			Papers: []server.AccessPaper{{ID: "ppr_1", Kind: "brief", Customer: "cus_1", Version: "3", From: "2026-11-01T00:00:00.000Z", Reference: "DMS 17"}}})
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
		moreAccess(w, body, rest)
	}
}
