package main

import (
	"encoding/json"
	"net/http"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/server"
)

// onVersion refuses a change that was not made from the version that is there,
// and says which that is.
func onVersion(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("ETag", `"v7"`)
	if r.Method != http.MethodGet && r.Header.Get("If-Match") != `"v7"` {
		refuse(w, controlplane.Errorf(controlplane.CodeConflict, "Look at it again.", "Somebody else changed this meanwhile"))
		return false
	}
	return true
}

// replace puts what was sent over what is there.
func replace(now, sent any) {
	raw, _ := json.Marshal(sent)
	_ = json.Unmarshal(raw, now)
}

func fakeTerms(w http.ResponseWriter, r *http.Request) {
	v := server.AccessTerms{Customer: "cus_1", NoticeHours: 24, MaxDays: 92, RecordingMonths: 12, CustomerApproves: true}
	if onVersion(w, r) {
		if r.Method == http.MethodPut {
			v = server.AccessTerms{Customer: "cus_1"}
			_ = json.NewDecoder(r.Body).Decode(&v)
		}
		reply(w, 200, v)
	}
}

func fakeAuthorised(r *http.Request) server.AccessAuthorisation {
	v := server.AccessAuthorisation{ID: "ath_2"}
	_ = json.NewDecoder(r.Body).Decode(&v)
	if v.Contact != "" {
		v.Name = "contact " + v.Contact
	}
	return v
}

func fakeNotice(state string) server.AccessNotice {
	return server.AccessNotice{ID: "ntc_1", State: state, OpenedAt: "2026-11-20T08:00:00.000Z", DueAt: "2026-11-21T08:00:00.000Z", Late: true, Why: "no mail server takes it", Mails: []server.AccessNoticeMail{{Name: "Jonas Weber", State: "bounced", Cause: "no_such_user", At: "2026-11-20T08:01:00.000Z"}},
		Changes: []server.AccessChange{{ID: "chg_1", Kind: "removed", Name: "Bob Builder", Way: "teleport", Role: "operator", At: "2026-11-20T08:00:00.000Z", Why: "The work is done"}}}
}

func fakeMatrix(token string) server.AccessMatrix {
	v := server.AccessMatrix{People: []server.AccessPerson{{ID: "prs_1", Name: "Bob Builder"}, {ID: "prs_3", Name: "Ann Twin"}}}
	if token == "" {
		v.Customers, v.NextPageToken = []server.AccessSummary{{Customer: "cus_1", Name: "Acme GmbH"}}, "two"
		v.Cells = []server.AccessCell{{Person: "prs_1", Customer: "cus_1", Roles: []string{"operator", "root"}, Until: "2026-11-27T08:00:00.000Z"}, {Person: "prs_3", Customer: "cus_1", Roles: []string{}, Difference: true}}
		return v
	}
	v.Customers = []server.AccessSummary{{Customer: "cus_2", Name: "Bäckerei Eiche"}}
	v.Cells = []server.AccessCell{{Person: "prs_1", Customer: "cus_2", Roles: []string{"operator"}}}
	return v
}

// accessVerb answers what makes or changes something; false is for others.
func accessVerb(w http.ResponseWriter, r *http.Request, body map[string]any, rest string) bool {
	switch {
	case rest == "matrix":
		reply(w, 200, fakeMatrix(r.URL.Query().Get("page_token")))
	case rest == "people/prs_1" && r.Method == http.MethodPatch:
		if onVersion(w, r) {
			v := server.AccessPerson{ID: "prs_1", Name: "Bob Builder", Kind: "staff", Company: "Build Ltd", TeleportUsers: []string{"bob"}, Logins: []string{"bob"}}
			replace(&v, body)
			reply(w, 200, v)
		}
	case rest == "people/prs_1":
		w.Header().Set("ETag", `"v7"`)
		return false
	case rest == "teams" && r.Method == http.MethodPost:
		reply(w, 201, fakeTeam("tem_2", body))
	case rest == "teams/tem_1":
		if onVersion(w, r) && r.Method == http.MethodGet {
			reply(w, 200, fakeTeam("tem_1", map[string]any{"name": "Night", "members": []any{map[string]any{"person": "prs_1", "until": "2026-12-01T00:00:00.000Z"}, map[string]any{"person": "prs_3"}}}))
		} else if r.Header.Get("If-Match") != "" {
			reply(w, 200, fakeTeam("tem_1", body))
		}
	case rest == "facilities" && r.Method == http.MethodPost || rest == "facilities/fac_1":
		if rest == "facilities" || onVersion(w, r) {
			v := server.AccessFacility{ID: "fac_1", Name: "North", Country: "DE", Location: "fra1", Controls: "Photo ID", Certificates: []server.AccessFacilityPaper{{Name: "ISO 27001", Number: "DE-1"}}}
			replace(&v, body)
			reply(w, 200, v)
		}
	case rest == "notices/ntc_1":
		reply(w, 200, fakeNotice("unreachable"))
	case rest == "notices/ntc_1/call":
		v := fakeNotice("called")
		v.CalledAt, v.CallNote = said(body, "at"), said(body, "who")+": "+said(body, "said")
		reply(w, 200, v)
	case rest == "authorisations/ath_1/end":
		w.WriteHeader(http.StatusNoContent)
	case rest == "found/key_1/confirm":
		v := server.AccessFound{ID: "key_1", ServerName: "web1", Kind: "key", Account: "root", Confirmed: "no"}
		if body["yes"] == true {
			v.Confirmed, v.PersonName = "yes", said(body, "name")
		}
		reply(w, 200, v)
	case rest == "entries/ent_1/review":
		reply(w, 200, server.AccessEntry{ID: "ent_1", Way: "admin", PersonName: "Eve", Reason: said(body, "note"), ReviewBy: said(body, "review_by")})
	case rest == "recertifications" && r.Method == http.MethodPost:
		reply(w, 201, server.AccessRecertification{ID: "cmp_2", Title: said(body, "title"), DueAt: said(body, "due"), Total: 40})
	case rest == "recertifications/cmp_1/items":
		reply(w, 200, server.Page[server.AccessRecertificationItem]{Items: []server.AccessRecertificationItem{{ID: "itm_1", Customer: "cus_1", Name: "Bob Builder", Way: "teleport", Role: "operator"}, {ID: "itm_2", Customer: "cus_2", Name: "Ann Twin", Way: "teleport", Answer: "revoked_silently"}}})
	case strings.HasPrefix(rest, "recertification-items/itm_1/"):
		v := server.AccessRecertificationItem{ID: "itm_1", Name: "Bob Builder", Answer: "revoke", Because: said(body, "because")}
		if body["keep"] == true {
			v.Answer = "keep"
		}
		reply(w, 200, v)
	default:
		return false
	}
	return true
}

// fakeTeam is a team as it was sent, its members by their ids.
func fakeTeam(id string, body map[string]any) server.AccessTeam {
	v := server.AccessTeam{ID: id, Name: said(body, "name")}
	members, _ := body["members"].([]any)
	for _, m := range members {
		x, _ := m.(map[string]any)
		v.Members = append(v.Members, server.AccessMember{Person: said(x, "person"), Name: map[string]string{"prs_1": "Bob Builder", "prs_3": "Ann Twin"}[said(x, "person")], Until: said(x, "until")})
	}
	return v
}
