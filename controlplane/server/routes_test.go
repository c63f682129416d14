package server_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"ostler/controlplane"
	"ostler/controlplane/policy"
	"ostler/controlplane/server"
)

func TestCheckRoutes(t *testing.T) {
	nothing := func(echo.Context) error { return nil }
	table := []policy.Route{{Method: "GET", Path: "/a/:id", Audience: policy.Staff, Name: "a.show"}, {Method: "POST", Path: "/b"}}
	tests := []struct {
		name         string
		method, path string
		want         string // part of the error; "" for none
	}{
		{"in the table", "GET", "/a/:id", ""},
		{"HEAD of a GET", "HEAD", "/a/:id", ""},
		{"another method", "POST", "/a/:id", "POST /a/:id stands in no route table"},
		{"unknown path", "GET", "/docs", "GET /docs stands in no route table"},
		{"no audience", "POST", "/b", "no audience"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := echo.New()
			e.Add(tt.method, tt.path, nothing)
			err := server.CheckRoutes(e, table)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestStartUpRefusesUnlistedRoutes(t *testing.T) {
	w := newWorld(t)
	w.must(w.s.Check())
	w.s.Portal().GET("/secret", func(echo.Context) error { return nil })
	if err := w.s.Check(); err == nil {
		t.Error("a route outside the tables was taken")
	}
	w.s.AddRoutes([]policy.Route{{Method: "GET", Path: "/secret", Audience: policy.Staff, Permission: policy.ServerRead, Name: "secret"}})
	w.must(w.s.Check())
}

// bodies are valid ones, so that what is refused is refused for who asks.
var bodies = map[string]string{
	"api.customer.create": `{"name":"New","country":"DE","zone":"Europe/Berlin"}`,
	"api.customer.change": `{"name":"Renamed"}`,
	"api.contact.add":     `{"name":"Lee","email":"lee@example.com","role":"reader"}`,
	"api.contact.change":  `{"name":"Lee"}`,
	"api.server.create":   `{"name":"new.example.com","country":"DE"}`,
	"api.server.change":   `{"location":"Leipzig"}`,
	"api.window.open":     `{"server":"srv_x","ticket":"OPS-1","who":"ada"}`,
	"api.tenancy.create":  `{"server":"srv_x","customer":"cus_x"}`,
	"api.tenancy.change":  `{"sites":["example.com"]}`,

	"api.store.add":          `{"name":"second","url":"https://127.0.0.1:2","htpasswd_path":"/tmp/htpasswd","country":"DE"}`,
	"api.plan.create":        `{"tenancy":"ten_x","name":"x","paths":["/srv"],"cron":"0 2 * * *","zone":"UTC"}`,
	"api.plan.update":        `{"name":"Renamed"}`,
	"api.repository.custody": `{"custody":"escrow"}`,
	"api.repository.confirm": `{"last_group":"ABCDE"}`,
	"api.repository.return":  `{"recovery_key":"ABCDE"}`,
	"api.restore.start":      `{"snapshot":"snap_x","kind":"download","path":"/srv/a"}`,
	"api.catalogue.set":      `{"on":false}`,
	"api.ask.new":            `{"what":"The menu of last week"}`,
	"api.ask.answer":         `{"answer":"It is back"}`,
	"api.cert.create":        `{"tenancy":"ten_x","names":["www.example.com"]}`,
	"api.cert.update":        `{"names":["www.example.com"]}`,
	"api.cert.pause":         `{"reason":"The site moves"}`,
	"api.cert.revoke":        `{"reason":"superseded"}`,
	"api.cert.compromised":   `{"detail":"It was in a mail"}`,
	"api.cert.take-over":     `{"tenancy":"ten_x"}`,
	"api.authority.add":      `{"name":"x","directory":"https://ca2.test.invalid/dir","role":"fallback"}`,
	"api.authority.update":   `{"contact":"x@test.invalid"}`,
	"api.provider.add":       `{"name":"x","kind":"hetzner","config":{"api_token":"y"}}`,
	"api.campaign.start":     `{"serials":["04"],"reason":"drill"}`,

	"api.access.set-terms":        `{"notice_hours":24}`,
	"api.access.authorise":        `{"name":"Lee","capacity":"designee","acts":["all"],"document":"Contract"}`,
	"api.grant.create":            `{"customer":"cus_x","person":"prs_x","role":"operator","reason":"Moves the shop","until":"2099-01-01T00:00:00Z"}`,
	"api.grant.answer":            `{"yes":true,"note":"Needed"}`,
	"api.grant.extend":            `{"until":"2099-01-01T00:00:00Z","reason":"It takes longer"}`,
	"api.grant.ticket":            `{"ticket":"OPS-9"}`,
	"api.grant.revoke":            `{"why":"It is done"}`,
	"api.grant.review":            `{"note":"Looked at"}`,
	"api.person.add":              `{"kind":"contractor","name":"Lee","company":"Build Ltd"}`,
	"api.person.change":           `{"name":"Lee"}`,
	"api.person.paper":            `{"kind":"training"}`,
	"api.person.leave":            `{"why":"Left the company"}`,
	"api.team.add":                `{"name":"Nights"}`,
	"api.team.put":                `{"name":"Nights"}`,
	"api.found.explain":           `{"person":"prs_x"}`,
	"api.found.confirm":           `{"yes":true,"name":"Lee"}`,
	"api.found.baseline":          `{"owner":"prs_x","review":"2099-01-01T00:00:00Z","reason":"It was there"}`,
	"api.enforcement.mode":        `{"mode":"shadow","why":"A try"}`,
	"api.enforcement.look":        `{}`,
	"api.enforcement.accept-role": `{"role":"old","owner":"prs_x","until":"2099-01-01T00:00:00Z","reason":"It was there"}`,
	"api.entry.add":               `{"way":"backup_key","person":"prs_x","reason":"Keeps the keys"}`,
	"api.entry.end":               `{"why":"It is over"}`,
	"api.entry.review":            `{"review_by":"2099-01-01T00:00:00Z","note":"Still needed"}`,
	"api.facility.add":            `{"name":"One","country":"DE","location":"Leipzig 1"}`,
	"api.facility.put":            `{"name":"One","country":"DE","location":"Leipzig 1"}`,
	"api.notice.call":             `{"who":"Lee","said":"They know"}`,
	"api.recording.acknowledge":   `{"sha256":"aa"}`,
	"api.instruction.flag":        `{"customer":"cus_x","what":"Read mails","why":"The law","ticket":"OPS-1"}`,
	"api.instruction.decide":      `{"decision":"withdrawn","reasons":"Not needed"}`,
	"api.recertification.start":   `{"title":"Spring","due":"2099-01-01T00:00:00Z"}`,
	"api.recertification.answer":  `{"keep":true,"because":"Still needed"}`,

	"api.viewing.open":    `{"way":"player"}`,
	"api.viewing.watched": `{"parts":[]}`,
	"api.note.add":        `{"at_ms":0,"text":"Look here"}`,
	"api.review.ask":      `{"why":"It was slow then"}`,

	"api.incident.open":        `{"title":"I think we were hacked"}`,
	"api.incident.change":      `{"summary":"It goes on"}`,
	"api.incident.assert":      `{"certainty":"certain","ground":"The log shows it"}`,
	"api.incident.confirm":     `{"assertion":"asr_x"}`,
	"api.incident.affect":      `{"state":"possible","because":"They are on it"}`,
	"api.incident.they_said":   `{"customer":"cus_x","step":"classified","told_by":"Their officer"}`,
	"api.incident.clear":       `{"customer":"cus_x","because":"They are not on it"}`,
	"api.incident.contain":     `{"how":"The key is gone"}`,
	"api.incident.handled":     `{"how":"All is as before"}`,
	"api.incident.close":       `{"state":"closed","because":"It is over"}`,
	"api.incident.reopen":      `{"because":"There is more"}`,
	"api.incident.merge":       `{"into":"inc_x","because":"It is one"}`,
	"api.incident.split":       `{"title":"Another one","because":"They are two"}`,
	"api.incident.freeze":      `{"until":"2099-01-01T00:00:00Z","because":"A dispute"}`,
	"api.incident.thaw":        `{"because":"It is over"}`,
	"api.incident.task":        `{"text":"Look"}`,
	"api.incident.task_done":   `{"text":"Looked"}`,
	"api.incident.note":        `{"text":"They called"}`,
	"api.incident.act":         `{"kind":"done","because":"The key is gone"}`,
	"api.incident.decide":      `{"reasons":"Nobody can read it"}`,
	"api.incident.report":      `{"text":"The shop is slow"}`,
	"api.incident.triage":      `{"aside_because":"It is not"}`,
	"api.incident.draft":       `{"purpose":"first"}`,
	"api.incident.edit_all":    `{"words":"More follows"}`,
	"api.incident.send_all":    `{}`,
	"api.incident.edit":        `{"words":"More follows"}`,
	"api.incident.send":        `{}`,
	"api.incident.approve":     `{"version":1}`,
	"api.incident.discard":     `{"because":"Not needed"}`,
	"api.incident.tell":        `{"to":"Lee","how":"call"}`,
	"api.incident.set_terms":   `{"amount":24,"unit":"hours","from_suspicion":false,"role":"controller","financial":false}`,
	"api.incident.set_company": `{"name":"x","jurisdiction":"EU","zone":"UTC","establishment":true,"authorities":[],"entity_type":"unknown","entity_size":"small","services":["cloud"],"contact":"x","telecoms":false}`,
	"api.incident.set_rules":   `{"pack":"{}"}`,
	"api.advisory.send":        `{}`,
	"api.advisory.plan":        `{"purpose":"change","title":"A move","text":"It moves"}`,

	"api.assist.start": `{"customer":"cus_x","reason":"Asked by phone","ticket":"OPS-1"}`,

	"api.incident.confirm_asked":  `{"asked":"sec_x"}`,
	"api.incident.withdraw_asked": `{"asked":"sec_x"}`,
	"api.incident.they_knew":      `{"customer":"cus_x","since":"2026-11-20T08:00:00Z"}`,
}

// ids says whose id stands for :id, by the noun that the path begins with.
func (o tenant) id(path string) string {
	rest := strings.TrimPrefix(path, server.Base+"/")
	noun, after, _ := strings.Cut(rest, "/")
	if noun == "access" {
		noun, _, _ = strings.Cut(after, "/")
		return map[string]string{"grants": o.grant, "people": o.person, "teams": "tea_00000000000000000000000000", "found": o.wayIn, "entries": o.ground,
			"facilities": "fac_00000000000000000000000000", "notices": o.notice, "changes": o.change, "authorisations": o.authorisation, "instructions": o.instruction,
			"recertifications": "rec_00000000000000000000000000", "recertification-items": "rci_00000000000000000000000000"}[noun]
	}
	switch { // two nouns of one name
	case strings.HasPrefix(rest, "sessions/quarantine/"):
		return "qua_00000000000000000000000000"
	case strings.HasPrefix(rest, "sessions/") && o.session != "":
		return o.session
	}
	return map[string]string{"incidents": o.incident, "incident-notices": o.breach, "incident-tasks": o.task, "incident-reports": o.report, "advisories": o.advisory,
		"session-viewings": "vwg_00000000000000000000000000", "session-holds": o.hold, "logins": "lgn_00000000000000000000000000",
		"customers": o.customer.ID, "contacts": o.contact.ID, "servers": o.server.ID, "tenancies": o.tenancy.ID, "jobs": o.job,
		"findings": o.finding, "ledger": o.entry, "tokens": "tok_00000000000000000000000000", "sessions": "ses_00000000000000000000000000",
		"plans": o.plan.ID, "repositories": o.plan.Repository.ID, "runs": o.run, "snapshots": o.snapshot, "restores": o.restore,
		"assists": o.assist, "windows": o.window, "asks": o.ask, "mails": o.mail, "certificates": o.cert, "issues": o.issue, "certificate-authorities": o.authority, "dns-providers": o.provider,
		"certificate-campaigns": o.campaign, "found-certificates": o.found}[noun]
}

// TestEveryRoute walks every API route for every role and another customer's
// ids: nobody gets further than the table says, and what is another's reads
// like what is not there.
func TestEveryRoute(t *testing.T) {
	w := newWorld(t)
	mine, third, other := w.newTenant("Mine"), w.newTenant("Third"), w.newTenant("Other")
	w.connected(&mine, &other)
	w.alarmed(&mine, &other)
	for _, role := range []policy.Role{policy.RoleOps, policy.RoleSupport} {
		w.people[string(role)] = controlplane.Actor{Kind: controlplane.ActorStaff, ID: controlplane.NewID(controlplane.PrefixStaff), Role: string(role)}
	}
	w.auditors(mine, third)
	w.people["narrow"] = controlplane.Actor{Kind: controlplane.ActorStaff, ID: w.people["admin"].ID, Role: string(policy.RoleAdmin), Token: "tok_1", Permissions: []string{}}
	routes := w.s.Routes()
	walked := 0
	for _, r := range routes {
		if !strings.HasPrefix(r.Path, server.Base+"/") || r.Audience == policy.Public {
			continue
		}
		walked++
		if strings.Contains(r.Path, ":id") && other.id(r.Path) == "" {
			t.Errorf("%s: no id of another customer to try: add one to tenant.id", r.Name)
			continue
		}
		path := strings.ReplaceAll(strings.ReplaceAll(r.Path, ":id", other.id(r.Path)), ":authority", "ico")
		body := bodies[r.Name]
		query := ""
		if r.Name == "api.session.cast" || r.Name == "api.session.timeline" || r.Name == "api.session.transcript" {
			query = "?viewing=vwg_00000000000000000000000000"
		}
		if a := w.call("", r.Method, path, body); a.status != http.StatusUnauthorized {
			t.Errorf("%s without a token: got %d, want 401", r.Name, a.status)
		}
		if a := w.call("ost_staff_wrong", r.Method, path, body); a.status != http.StatusUnauthorized {
			t.Errorf("%s with a wrong token: got %d, want 401", r.Name, a.status)
		}
		for name, actor := range w.people {
			if strings.HasPrefix(name, "other-") || strings.HasPrefix(name, "third-") {
				continue
			}
			want := expected(r, actor, strings.Contains(r.Path, ":id"))
			if want == 0 {
				continue
			}
			a := w.call(name, r.Method, path+query, body)
			if a.status != want {
				t.Errorf("%s as %s: got %d, want %d: %s", r.Name, name, a.status, want, a.body)
			}
			if a.status == http.StatusNotFound && strings.Contains(r.Path, ":id") && r.Audience.Admits(string(actor.Kind)) {
				none := strings.ReplaceAll(r.Path, ":id", "zzz_00000000000000000000000000")
				if got, want := shape(t, w.call(name, r.Method, none+query, body)), shape(t, a); got != want {
					t.Errorf("%s as %s: another's object reads %s, and none reads %s", r.Name, name, want, got)
				}
			}
			if strings.Contains(a.body, "Kim Sample") || strings.Contains(a.body, other.customer.Name+"\"") {
				t.Errorf("%s as %s: another customer's data: %s", r.Name, name, a.body)
			}
		}
	}
	if walked < 30 {
		t.Errorf("walked %d API routes: the table is not what it was", walked)
	}
}

// expected is the status that an actor gets on a route with another
// customer's id; 0 where the answer depends on more.
func expected(r policy.Route, a controlplane.Actor, foreign bool) int {
	needs := r.Permission
	if a.Kind == controlplane.ActorStaff && r.Staff != "" {
		needs = r.Staff
	}
	switch {
	case !r.Audience.Admits(string(a.Kind)):
		return http.StatusNotFound
	case !policy.Can(a, needs):
		return http.StatusForbidden
	case a.Kind != controlplane.ActorStaff && foreign:
		return http.StatusNotFound
	}
	return 0
}

// shape is an answer without what differs from request to request.
func shape(t *testing.T, a answer) string {
	t.Helper()
	p := a.problem(t)
	p.RequestID = ""
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Lists hold one's own, whatever filter asks for another's.
func TestListsAreOnesOwn(t *testing.T) {
	w := newWorld(t)
	mine, other := w.newTenant("Mine"), w.newTenant("Other")
	w.connected(&mine, &other)
	w.alarmed(&mine, &other)
	for _, path := range []string{"/customers", "/servers", "/tenancies", "/jobs", "/findings", "/ledger", "/plans", "/snapshots", "/restores",
		"/assists", "/windows", "/inventory", "/asks", "/mails", "/certificates", "/dns-providers", "/access/grants", "/access/entries", "/access/notices", "/access/found", "/access/summaries", "/sessions", "/incident-notices", "/incident-reports"} {
		for _, query := range []string{"", "?customer=" + other.customer.ID, "?server=" + other.server.ID} {
			a := w.call("mine-owner", "GET", server.Base+path+query, "")
			if a.status == http.StatusUnprocessableEntity && query != "" {
				continue // not a filter of this list
			}
			if a.status != http.StatusOK {
				t.Errorf("%s%s: got %d: %s", path, query, a.status, a.body)
			}
			for _, secret := range []string{other.customer.ID, other.server.ID, other.tenancy.ID, other.job, other.finding, other.entry, other.plan.ID, other.snapshot, other.restore,
				other.assist, other.window, other.ask, other.mail, other.cert, other.provider, other.person, other.grant, other.ground, other.notice, other.wayIn, other.change, other.session, other.incident, other.breach, other.report} {
				if strings.Contains(a.body, secret) {
					t.Errorf("%s%s: shows another customer's %s", path, query, secret)
				}
			}
			if query == "" && !strings.Contains(a.body, `"items":[{`) {
				t.Errorf("%s: one's own are not there: %s", path, a.body)
			}
		}
	}
}

func TestRouteNamesAreUnique(t *testing.T) {
	w := newWorld(t)
	var names []string
	for _, r := range w.s.Routes() {
		if slices.Contains(names, r.Name) {
			t.Errorf("%s occurs twice", r.Name)
		}
		names = append(names, r.Name)
		if r.Permission == "" && r.Audience != policy.Public && r.Audience != policy.Agents {
			t.Errorf("%s needs no permission", r.Name)
		}
	}
}
