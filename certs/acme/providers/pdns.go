package providers

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
)

// powerDNS speaks the HTTP API of the PowerDNS authoritative server, version 1.
// It sets all values of a name at once, so what is there is read first; another
// writer in between is healed by the Solver, which writes again.
type powerDNS struct {
	api    *rest
	server string
	mu     sync.Mutex // between reading and writing
}

func openPowerDNS(f map[string]string, o Options) (writer, error) {
	sign := func(r *http.Request, _ []byte) { r.Header.Set("X-API-Key", f["api_key"]) }
	return &powerDNS{api: &rest{base: f["url"], client: o.http(), sign: sign}, server: f["server_id"]}, nil
}

type pdnsRecord struct {
	Content  string `json:"content"`
	Disabled bool   `json:"disabled"`
}

type pdnsSet struct {
	Name       string       `json:"name"`
	Type       string       `json:"type"`
	TTL        int          `json:"ttl,omitempty"`
	ChangeType string       `json:"changetype,omitempty"`
	Records    []pdnsRecord `json:"records"`
}

type pdnsZone struct {
	Kind   string    `json:"kind"`
	RRSets []pdnsSet `json:"rrsets"`
}

func (p *powerDNS) add(ctx context.Context, r record) error {
	return p.edit(ctx, r, func(set *pdnsSet, content string) bool {
		if slices.ContainsFunc(set.Records, func(o pdnsRecord) bool { return o.Content == content }) {
			return false
		}
		set.Records = append(set.Records, pdnsRecord{Content: content})
		return true
	})
}

func (p *powerDNS) remove(ctx context.Context, r record) error {
	return p.edit(ctx, r, func(set *pdnsSet, content string) bool {
		before := len(set.Records)
		set.Records = slices.DeleteFunc(set.Records, func(o pdnsRecord) bool { return o.Content == content })
		return len(set.Records) < before
	})
}

// edit changes the set of one name; where change says that nothing is different,
// nothing is sent.
func (p *powerDNS) edit(ctx context.Context, r record, change func(*pdnsSet, string) bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	path := "/api/v1/servers/" + url.PathEscape(p.server) + "/zones/" + url.PathEscape(r.zone+".")
	var zone pdnsZone
	query := url.Values{"rrset_name": {r.fqdn + "."}, "rrset_type": {"TXT"}} // older servers answer with all
	if err := p.api.do(ctx, http.MethodGet, path, query, nil, &zone); err != nil {
		return err
	}
	set := pdnsSet{Name: r.fqdn + ".", Type: "TXT", TTL: recordTTL}
	for _, s := range zone.RRSets {
		if s.Name == set.Name && s.Type == "TXT" {
			set = s
		}
	}
	if !change(&set, strconv.Quote(r.value)) {
		return nil
	}
	set.ChangeType = "REPLACE"
	if len(set.Records) == 0 {
		set.ChangeType = "DELETE"
	}
	if err := p.api.do(ctx, http.MethodPatch, path, nil, map[string]any{"rrsets": []pdnsSet{set}}, nil); err != nil {
		return err
	}
	if zone.Kind == "Master" || zone.Kind == "Primary" {
		return p.api.do(ctx, http.MethodPut, path+"/notify", nil, nil, nil)
	}
	return nil
}
