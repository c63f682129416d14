package providers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// cloudflare speaks version 4 of its API.
type cloudflare struct{ api *rest }

func openCloudflare(f map[string]string, o Options) (writer, error) {
	return cloudflare{&rest{base: "https://api.cloudflare.com/client/v4", client: o.http(), sign: bearer(f["api_token"])}}, nil
}

// bearer signs with a token (RFC 6750).
func bearer(token string) func(*http.Request, []byte) {
	return func(r *http.Request, _ []byte) { r.Header.Set("Authorization", "Bearer "+token) }
}

type cloudflareRecord struct {
	ID      string `json:"id,omitempty"`
	Type    string `json:"type"`
	Name    string `json:"name"`
	Content string `json:"content"`
	TTL     int    `json:"ttl"`
}

// zone returns the path of the records of a zone.
func (c cloudflare) zone(ctx context.Context, name string) (string, error) {
	var found struct {
		Result []struct{ ID string } `json:"result"`
	}
	if err := c.api.do(ctx, http.MethodGet, "/zones", url.Values{"name": {name}}, nil, &found); err != nil {
		return "", err
	}
	if len(found.Result) != 1 {
		return "", fmt.Errorf("the token sees %d zones of the name %s, and one is wanted", len(found.Result), name)
	}
	return "/zones/" + url.PathEscape(found.Result[0].ID) + "/dns_records", nil
}

// ours returns the zone's path and the ids of the records with our value.
func (c cloudflare) ours(ctx context.Context, r record) (string, []string, error) {
	path, err := c.zone(ctx, r.zone)
	if err != nil {
		return "", nil, err
	}
	var found struct {
		Result []cloudflareRecord `json:"result"`
	}
	if err := c.api.do(ctx, http.MethodGet, path, url.Values{"type": {"TXT"}, "name": {r.fqdn}, "per_page": {"100"}}, nil, &found); err != nil {
		return "", nil, err
	}
	var ids []string
	for _, o := range found.Result {
		if strings.EqualFold(o.Name, r.fqdn) && strings.Trim(o.Content, `"`) == r.value {
			ids = append(ids, o.ID)
		}
	}
	return path, ids, nil
}

func (c cloudflare) add(ctx context.Context, r record) error {
	path, ids, err := c.ours(ctx, r)
	if err != nil || len(ids) > 0 {
		return err
	}
	return c.api.do(ctx, http.MethodPost, path, nil, cloudflareRecord{Type: "TXT", Name: r.fqdn, Content: `"` + r.value + `"`, TTL: recordTTL}, nil)
}

func (c cloudflare) remove(ctx context.Context, r record) error {
	path, ids, err := c.ours(ctx, r)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := c.api.do(ctx, http.MethodDelete, path+"/"+url.PathEscape(id), nil, nil, nil); err != nil && status(err) != http.StatusNotFound {
			return err
		}
	}
	return nil
}
