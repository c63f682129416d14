package providers

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"ostler/controlplane"
)

// hetzner speaks the DNS part of the Hetzner Cloud API, version 1.
type hetzner struct{ api *rest }

func openHetzner(f map[string]string, o Options) (writer, error) {
	return hetzner{&rest{base: "https://api.hetzner.cloud/v1", client: o.http(), sign: bearer(f["api_token"])}}, nil
}

type hetznerRecord struct {
	Value string `json:"value"`
}

type hetznerSet struct {
	TTL     int             `json:"ttl,omitempty"`
	Records []hetznerRecord `json:"records"`
}

// actions take a moment: this is how often and how long they are asked after.
const (
	hetznerPoll = 500 * time.Millisecond
	hetznerTime = 30 * time.Second
)

// set returns the path of a name's TXT records, whether there are any, and
// whether our value is among them.
func (h hetzner) set(ctx context.Context, r record) (path string, exists, ours bool, err error) {
	path = "/zones/" + url.PathEscape(r.zone) + "/rrsets/" + url.PathEscape(cmp.Or(r.label(), "@")) + "/TXT"
	var found struct {
		RRSet hetznerSet `json:"rrset"`
	}
	err = h.api.do(ctx, http.MethodGet, path, nil, nil, &found)
	if status(err) == http.StatusNotFound {
		return path, false, false, nil
	}
	return path, err == nil, slices.Contains(found.RRSet.Records, hetznerRecord{strconv.Quote(r.value)}), err
}

func (h hetzner) add(ctx context.Context, r record) error {
	path, exists, ours, err := h.set(ctx, r)
	if err != nil || ours {
		return err
	}
	in := hetznerSet{Records: []hetznerRecord{{strconv.Quote(r.value)}}}
	if !exists {
		in.TTL = recordTTL
	}
	return h.act(ctx, path+"/actions/add_records", in)
}

func (h hetzner) remove(ctx context.Context, r record) error {
	path, _, ours, err := h.set(ctx, r)
	if err != nil || !ours {
		return err
	}
	return h.act(ctx, path+"/actions/remove_records", hetznerSet{Records: []hetznerRecord{{strconv.Quote(r.value)}}})
}

// act starts an action and waits until it is done.
func (h hetzner) act(ctx context.Context, path string, in hetznerSet) error {
	ctx, cancel := context.WithTimeout(ctx, hetznerTime)
	defer cancel()
	var got struct {
		Action struct {
			ID     int64                           `json:"id"`
			Status string                          `json:"status"`
			Error  *struct{ Code, Message string } `json:"error"`
		} `json:"action"`
	}
	if err := h.api.do(ctx, http.MethodPost, path, nil, in, &got); err != nil {
		return err
	}
	tick := time.NewTicker(hetznerPoll)
	defer tick.Stop()
	for got.Action.Status == "running" {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := h.api.do(ctx, http.MethodGet, "/actions/"+strconv.FormatInt(got.Action.ID, 10), nil, nil, &got); err != nil {
			return err
		}
	}
	if e := got.Action.Error; e != nil {
		return fmt.Errorf("%s: %s", e.Code, controlplane.Line(e.Message, maxSaid))
	}
	return nil
}
