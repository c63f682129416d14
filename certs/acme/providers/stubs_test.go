package providers_test

import (
	"context"
	"crypto/sha1"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ostler/certs/preflight"
	"ostler/certs/preflight/dnstest"
)

// The stubs in this file speak as much of the providers' APIs as is used here,
// as their documentation has it; they are no more than stubs.

// zone is what a stub keeps: values by name, in the order they came.
type zone struct {
	mu     sync.Mutex
	values map[string][]string
	writes int
}

func newZone(foreign ...string) *zone {
	return &zone{values: map[string][]string{name: foreign}}
}

func (z *zone) get(fqdn string) []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Clone(z.values[fqdn])
}

// set replaces values; it must be called under the lock.
func (z *zone) set(fqdn string, values []string) {
	z.writes++
	z.values[fqdn] = values
}

// apex and name are of the zone that all stubs keep.
const (
	apex    = "maple.example"
	name    = "_acme-challenge.www.maple.example"
	foreign = "of-somebody-else"
	secret  = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
)

// names is a DNS that knows the zone, and a Resolver of it.
func names(t *testing.T) (*dnstest.Server, *preflight.Resolver) {
	t.Helper()
	s := dnstest.Start(t, dnstest.Options{Keys: map[string]string{"ostler.": secret}})
	s.Zone(apex)
	r, err := preflight.NewResolver(preflight.ResolverOptions{Private: true, Servers: []string{s.Addr()}, Port: s.Port()})
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// client sends every request to a handler, whatever its host; the handler sees
// the URL that was asked for.
func client(t *testing.T, h http.HandlerFunc) *http.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: redirected{to}}
}

type redirected struct{ to *url.URL }

func (d redirected) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Asked", r.URL.String())
	r.URL.Scheme, r.URL.Host = d.to.Scheme, d.to.Host
	return http.DefaultTransport.RoundTrip(r)
}

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

func read(r *http.Request, v any) { _ = json.NewDecoder(r.Body).Decode(v) }

type object = map[string]any

// pdnsStub has the two calls on a zone of PowerDNS's API, and notify.
func pdnsStub(z *zone) http.HandlerFunc {
	type set struct {
		Name, Type, ChangeType string
		Records                []struct{ Content string }
	}
	return func(w http.ResponseWriter, r *http.Request) {
		const path = "/api/v1/servers/localhost/zones/maple.example."
		switch {
		case r.Header.Get("X-API-Key") != "hush":
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, "Unauthorized: hush") // as a careless server would
		case r.URL.Path == path && r.Method == http.MethodGet:
			var sets []object
			z.mu.Lock()
			defer z.mu.Unlock()
			for n, values := range z.values {
				var records []object
				for _, v := range values {
					records = append(records, object{"content": strconv.Quote(v), "disabled": false})
				}
				sets = append(sets, object{"name": n + ".", "type": "TXT", "ttl": 300, "records": records})
			}
			reply(w, 200, object{"kind": "Master", "rrsets": sets})
		case r.URL.Path == path && r.Method == http.MethodPatch:
			var in struct{ RRSets []set }
			read(r, &in)
			z.mu.Lock()
			defer z.mu.Unlock()
			for _, s := range in.RRSets {
				var values []string
				for _, o := range s.Records {
					v, err := strconv.Unquote(o.Content)
					if err != nil {
						reply(w, 422, object{"error": "not quoted"})
						return
					}
					values = append(values, v)
				}
				if (s.ChangeType == "DELETE") != (len(values) == 0) {
					reply(w, 422, object{"error": s.ChangeType})
					return
				}
				z.set(strings.TrimSuffix(s.Name, "."), values)
			}
			w.WriteHeader(http.StatusNoContent)
		case r.URL.Path == path+"/notify" && r.Method == http.MethodPut:
			reply(w, 200, object{"result": "Notification queued"})
		default:
			http.NotFound(w, r)
		}
	}
}

// cloudflareStub refuses a record that is there, as the real one does.
func cloudflareStub(z *zone) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		z.mu.Lock()
		defer z.mu.Unlock()
		const path = "/client/v4/zones/z1/dns_records"
		switch {
		case r.Header.Get("Authorization") != "Bearer hush":
			reply(w, 403, object{"errors": []object{{"code": 9109, "message": "Invalid access token hush"}}})
		case r.URL.Path == "/client/v4/zones":
			var found []object
			if r.URL.Query().Get("name") == apex {
				found = append(found, object{"id": "z1", "name": apex})
			}
			reply(w, 200, object{"success": true, "result": found})
		case r.URL.Path == path && r.Method == http.MethodGet:
			found := []object{}
			for _, v := range z.values[r.URL.Query().Get("name")] {
				found = append(found, object{"id": "r-" + v, "type": "TXT", "name": r.URL.Query().Get("name"), "content": strconv.Quote(v)})
			}
			reply(w, 200, object{"success": true, "result": found})
		case r.URL.Path == path && r.Method == http.MethodPost:
			var in struct{ Name, Content string }
			read(r, &in)
			v, _ := strconv.Unquote(in.Content)
			if slices.Contains(z.values[in.Name], v) {
				reply(w, 400, object{"errors": []object{{"code": 81058, "message": "An identical record already exists."}}})
				return
			}
			z.set(in.Name, append(z.values[in.Name], v))
			reply(w, 200, object{"success": true, "result": object{"id": "r-" + v}})
		case strings.HasPrefix(r.URL.Path, path+"/r-") && r.Method == http.MethodDelete:
			v := strings.TrimPrefix(r.URL.Path, path+"/r-")
			z.set(name, slices.DeleteFunc(z.values[name], func(o string) bool { return o == v }))
			reply(w, 200, object{"success": true})
		default:
			http.NotFound(w, r)
		}
	}
}

func hetznerStub(z *zone) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		z.mu.Lock()
		defer z.mu.Unlock()
		const path = "/v1/zones/maple.example/rrsets/_acme-challenge.www/TXT"
		var in struct{ Records []struct{ Value string } }
		var values []string
		if r.Method == http.MethodPost {
			read(r, &in)
			for _, o := range in.Records {
				v, _ := strconv.Unquote(o.Value)
				values = append(values, v)
			}
		}
		running := object{"action": object{"id": 7, "status": "running"}}
		switch {
		case r.Header.Get("Authorization") != "Bearer hush":
			reply(w, 401, object{"error": object{"code": "unauthorized", "message": "hush"}})
		case r.URL.Path == path && r.Method == http.MethodGet:
			if len(z.values[name]) == 0 {
				reply(w, 404, object{"error": object{"code": "not_found"}})
				return
			}
			var records []object
			for _, v := range z.values[name] {
				records = append(records, object{"value": strconv.Quote(v)})
			}
			reply(w, 200, object{"rrset": object{"records": records}})
		case r.URL.Path == path+"/actions/add_records":
			z.set(name, append(z.values[name], values...))
			reply(w, 201, running)
		case r.URL.Path == path+"/actions/remove_records":
			z.set(name, slices.DeleteFunc(z.values[name], func(o string) bool { return slices.Contains(values, o) }))
			reply(w, 201, running)
		case r.URL.Path == "/v1/actions/7":
			reply(w, 200, object{"action": object{"id": 7, "status": "success"}})
		default:
			http.NotFound(w, r)
		}
	}
}

// ovhStub checks the signature, and shows records only after a refresh.
func ovhStub(z *zone) http.HandlerFunc {
	ids := map[string]int{} // value to id
	id := func(v string) int {
		if ids[v] == 0 {
			ids[v] = len(ids) + 1
		}
		return ids[v]
	}
	return func(w http.ResponseWriter, r *http.Request) {
		z.mu.Lock()
		defer z.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		sum := sha1.Sum([]byte("hush+consume+" + r.Method + "+" + r.Header.Get("X-Asked") + "+" + string(body) + "+" + r.Header.Get("X-Ovh-Timestamp")))
		const path = "/1.0/domain/zone/maple.example"
		at := func(v string) string { return fmt.Sprintf("%s/record/%d", path, id(v)) }
		if r.Header.Get("X-Ovh-Signature") != fmt.Sprintf("$1$%x", sum) || r.Header.Get("X-Ovh-Application") != "app" {
			reply(w, 400, object{"message": "Invalid signature"})
			return
		}
		switch {
		case r.URL.Path == path+"/refresh":
		case r.URL.Path == path+"/record" && r.Method == http.MethodGet:
			found := []int{}
			for _, v := range z.values[r.URL.Query().Get("subDomain")+"."+apex] {
				found = append(found, id(v))
			}
			reply(w, 200, found)
		case r.URL.Path == path+"/record":
			var in struct{ SubDomain, Target string }
			_ = json.Unmarshal(body, &in)
			z.set(in.SubDomain+"."+apex, append(z.values[in.SubDomain+"."+apex], in.Target))
			reply(w, 200, object{"id": id(in.Target)})
		default:
			for _, v := range z.values[name] {
				if r.URL.Path != at(v) {
					continue
				}
				if r.Method == http.MethodDelete {
					z.set(name, slices.DeleteFunc(z.values[name], func(o string) bool { return o == v }))
				} else {
					reply(w, 200, object{"id": id(v), "fieldType": "TXT", "target": strconv.Quote(v)})
				}
				return
			}
			http.NotFound(w, r)
		}
	}
}

// route53Stub has the two calls that lego makes; it does not check signatures.
func route53Stub(z *zone) http.HandlerFunc {
	type set struct {
		Name, Type string
		Values     []string `xml:"ResourceRecords>ResourceRecord>Value"`
	}
	type change struct {
		Action            string
		ResourceRecordSet set
	}
	return func(w http.ResponseWriter, r *http.Request) {
		z.mu.Lock()
		defer z.mu.Unlock()
		w.Header().Set("Content-Type", "text/xml")
		if !strings.Contains(r.Header.Get("Authorization"), "Credential=AKIDTEST/") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if r.Method == http.MethodGet {
			var records strings.Builder
			for _, v := range z.values[name] {
				fmt.Fprintf(&records, "<ResourceRecord><Value>%q</Value></ResourceRecord>", v)
			}
			body := ""
			if records.Len() > 0 {
				body = "<ResourceRecordSet><Name>" + name + ".</Name><Type>TXT</Type><TTL>60</TTL><ResourceRecords>" + records.String() + "</ResourceRecords></ResourceRecordSet>"
			}
			fmt.Fprintf(w, `<?xml version="1.0"?><ListResourceRecordSetsResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ResourceRecordSets>%s</ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListResourceRecordSetsResponse>`, body)
			return
		}
		var in struct {
			Changes []change `xml:"ChangeBatch>Changes>Change"`
		}
		if err := xml.NewDecoder(r.Body).Decode(&in); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, c := range in.Changes {
			var values []string
			for _, v := range c.ResourceRecordSet.Values {
				plain, _ := strconv.Unquote(v)
				values = append(values, plain)
			}
			if c.Action == "DELETE" {
				values = nil
			}
			z.set(strings.TrimSuffix(c.ResourceRecordSet.Name, "."), values)
		}
		fmt.Fprint(w, `<?xml version="1.0"?><ChangeResourceRecordSetsResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeInfo><Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-11-22T00:00:00Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>`)
	}
}

// fixed is a Resolver that knows one answer.
type fixed struct{ fqdn string }

func (f fixed) Follow(context.Context, string) ([]string, error) {
	return []string{"_acme-challenge.x.example", f.fqdn}, nil
}
func (f fixed) Zone(context.Context, string) (string, error)              { return apex, nil }
func (f fixed) Without(context.Context, string, string) ([]string, error) { return nil, nil }
func (f fixed) Look(context.Context, string, string) (lacking, silent []string, all int, err error) {
	return nil, nil, 1, nil
}
