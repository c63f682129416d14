package main

import (
	"encoding/json"
	"net/http"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/server"
)

// fakeCert is the one certificate that the fake knows.
func fakeCert() server.Certificate {
	seen := func(from string, right bool, problem string) server.CertSeenThere {
		return server.CertSeenThere{Name: "shop.acme.example", Address: "192.0.2.7:443", Protocol: "tls", From: from, At: "2026-11-21T12:00:00.000Z", Right: right, Problem: problem}
	}
	return server.Certificate{ID: "crt_1", CustomerName: "Acme GmbH", ServerName: "web1", Names: []string{"shop.acme.example", "www.acme.example"}, Key: "ec256", Challenge: "dns-delegated", State: "unserved",
		Issued:  &server.IssuedCert{Serial: "04a1", Issuer: "R11", NotAfter: "2027-02-19T13:05:00.000Z"},
		Renewal: &server.CertRenewal{At: "2027-01-20T04:12:00.000Z", From: "ari", Start: "2027-01-19T16:00:00.000Z", End: "2027-01-21T11:00:00.000Z"},
		Failing: &server.CertFailing{Attempts: 2, NextTry: "2026-11-22T11:00:00.000Z", Why: server.CertWhy{Code: "preflight_no_name", Message: "www.acme.example does not exist in the DNS.", Next: "Add an A record."}},
		Seen:    []server.CertSeenThere{seen("host", true, ""), seen("plane", false, "connection\x1b[2J refused")},
		Records: []server.DNSRecord{{Name: "_acme-challenge.shop.acme.example", Type: "CNAME", Value: "shop.acme.example.acme.host.example"}}}
}

func fakeIssue(id, state string) server.CertIssue {
	v := server.CertIssue{ID: id, Certificate: "crt_1", Reason: "forced", State: state, Over: state == "served" || state == "failed", StartedAt: "2026-11-21T12:00:00.000Z",
		Steps: []server.CertStep{{At: "2026-11-21T12:00:00.000Z", Message: "It began."}}}
	if state == "failed" {
		v.Why = &server.CertWhy{Code: "ca_validation", Message: "Test CA could not see that www.acme.example is ours.", Next: "Check where it points."}
		v.NextTry = "2026-11-22T11:00:00.000Z"
	}
	return v
}

// certs knows one certificate, by its id and by a name.
func (f *fakeAPI) certs(w http.ResponseWriter, r *http.Request, rest string) {
	ref, verb, _ := strings.Cut(rest, "/")
	c := fakeCert()
	switch {
	case rest == "" && r.Method == http.MethodPost:
		var in server.NewCertificate
		_ = json.NewDecoder(r.Body).Decode(&in)
		c.Names, c.State, c.Issued, c.OpenIssue, c.Failing, c.Seen = in.Names, "new", nil, "iss_good", nil, nil
		if len(in.Endpoints) > 0 && in.Endpoints[0].Protocol == "smtp" {
			c.OpenIssue = "iss_bad"
		}
		reply(w, 201, c)
		return
	case rest == "":
		if r.URL.Query().Get("state") == "expired" {
			reply(w, 200, server.Page[server.Certificate]{Items: []server.Certificate{}})
			return
		}
		reply(w, 200, server.Page[server.Certificate]{Items: []server.Certificate{c}})
		return
	case ref == "forecast":
		reply(w, 200, server.CertForecast{Name: "Test CA", Sites: 10000, Orders: 10400, Seconds: 101 * 3600, Limit: "new orders of the account"})
		return
	case ref != "crt_1" && ref != "shop.acme.example":
		refuse(w, controlplane.NotFound("certificate"))
		return
	}
	f.certVerb(w, r, c, verb)
}

func (f *fakeAPI) certVerb(w http.ResponseWriter, r *http.Request, c server.Certificate, verb string) {
	switch verb {
	case "":
		switch {
		case r.Method == http.MethodDelete:
			c.State = "ended"
		case r.Method == http.MethodPatch && r.Header.Get("If-Match") != `"v7"`:
			refuse(w, controlplane.Errorf(controlplane.CodeConflict, "Look at it again.", "Somebody else changed it meanwhile"))
			return
		}
		w.Header().Set("ETag", `"v7"`)
		reply(w, 200, c)
	case "issues":
		reply(w, 200, server.Page[server.CertIssue]{Items: []server.CertIssue{fakeIssue("iss_bad", "failed")}})
	case "why":
		reply(w, 200, server.Page[server.CertWhy]{Items: []server.CertWhy{{Message: "The last attempt failed.", Next: "Try again now.", Until: "2026-11-22T11:00:00.000Z"}}})
	case "check":
		reply(w, 200, server.CertServed{Seen: c.Seen})
	case "renew":
		reply(w, 202, fakeIssue("iss_good", "ordering"))
	case "dry-run", "compromised":
		reply(w, 202, fakeIssue("iss_bad", "ordering"))
	case "pause":
		c.PausedUntil, c.PauseReason = "forever", "The site moves"
		reply(w, 200, c)
	default:
		reply(w, 200, c)
	}
}

// issues is one attempt that is served at the second look, and one that fails.
func (f *fakeAPI) issues(w http.ResponseWriter, _ *http.Request, rest string) {
	state := "ordering"
	if f.look("issue "+rest) > 1 {
		state = map[string]string{"iss_good": "served", "iss_bad": "failed"}[rest]
	}
	reply(w, 200, fakeIssue(rest, state))
}

func (f *fakeAPI) authorities(w http.ResponseWriter, r *http.Request, _ string) {
	v := server.CertAuthority{ID: "ca_1", Name: "Test CA", Directory: "https://ca.test.invalid/dir", Role: "primary"}
	if r.Method == http.MethodPost {
		var in server.NewCertAuthority
		_ = json.NewDecoder(r.Body).Decode(&in)
		v.Name, v.Directory, v.Role = in.Name, in.Directory, in.Role
		if in.EABKey != "" {
			v.Contact = "bound with " + in.EABKeyID
		}
		reply(w, 201, v)
		return
	}
	reply(w, 200, server.Page[server.CertAuthority]{Items: []server.CertAuthority{v}})
}

func (f *fakeAPI) providers(w http.ResponseWriter, r *http.Request, rest string) {
	switch {
	case rest == "kinds":
		reply(w, 200, server.Page[server.DNSProviderKind]{Items: []server.DNSProviderKind{{Kind: "rfc2136", Fields: []server.DNSProviderField{{Name: "server", Required: true}, {Name: "key", Secret: true, Required: true}, {Name: "ttl"}}}}})
	case r.Method == http.MethodPost:
		var in server.NewDNSProvider
		_ = json.NewDecoder(r.Body).Decode(&in)
		if in.Config["server"] != "192.0.2.53:53" || in.Config["key"] != "very=secret" {
			refuse(w, controlplane.Invalid(controlplane.Field{Pointer: "/config/key", Message: "Enter the key."}))
			return
		}
		reply(w, 201, server.DNSProvider{ID: "dns_1", Name: in.Name, Kind: in.Kind, Zone: in.Zone, Fields: []string{"key", "server"}})
	default:
		reply(w, 200, server.Page[server.DNSProvider]{Items: []server.DNSProvider{{ID: "dns_1", CustomerID: "cus_1", Name: "Ours", Kind: "rfc2136", Fields: []string{}}}})
	}
}

// campaigns is one mass re-issue that is over at the second look, with one failure.
func (f *fakeAPI) campaigns(w http.ResponseWriter, r *http.Request, rest string) {
	v := server.CertCampaign{ID: "cmp_1", Reason: "drill", State: "running", Total: 2, Waiting: 2, Unknown: []string{"04ff"}, StartedAt: "2026-11-21T12:00:00.000Z"}
	switch {
	case rest == "" && r.Method == http.MethodGet:
		reply(w, 200, server.Page[server.CertCampaign]{Items: []server.CertCampaign{v}})
		return
	case rest != "" && f.look("campaign") > 1:
		v.State, v.Waiting, v.Served, v.Failed = "done", 0, 1, 1
	}
	reply(w, 200, v)
}

func (f *fakeAPI) foundCerts(w http.ResponseWriter, _ *http.Request, rest string) {
	if rest != "fct_1/take-over" {
		refuse(w, controlplane.NotFound("certificate"))
		return
	}
	c := fakeCert()
	c.OpenIssue = "iss_good"
	reply(w, 201, c)
}
