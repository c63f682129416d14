package providers

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ovh speaks version 1.0 of its API; every request is signed.
type ovh struct{ api *rest }

func openOVH(f map[string]string, o Options) (writer, error) {
	base := map[string]string{
		"ovh-eu": "https://eu.api.ovh.com/1.0", "ovh-ca": "https://ca.api.ovh.com/1.0", "ovh-us": "https://api.us.ovhcloud.com/1.0",
	}[f["endpoint"]]
	sign := func(r *http.Request, body []byte) {
		ovhSign(r, body, f["application_key"], f["application_secret"], f["consumer_key"], time.Now())
	}
	return ovh{&rest{base: base, client: o.http(), sign: sign}}, nil
}

// ovhSign adds the four headers: the signature is "$1$" and the hex SHA-1 of
// secret, consumer, method, URL, body and time, with a plus between.
func ovhSign(r *http.Request, body []byte, key, secret, consumer string, now time.Time) {
	at := strconv.FormatInt(now.Unix(), 10)
	sum := sha1.Sum([]byte(strings.Join([]string{secret, consumer, r.Method, r.URL.String(), string(body), at}, "+")))
	r.Header.Set("X-Ovh-Application", key)
	r.Header.Set("X-Ovh-Consumer", consumer)
	r.Header.Set("X-Ovh-Timestamp", at)
	r.Header.Set("X-Ovh-Signature", "$1$"+hex.EncodeToString(sum[:]))
}

type ovhRecord struct {
	FieldType string `json:"fieldType"`
	SubDomain string `json:"subDomain"`
	Target    string `json:"target"`
	TTL       int    `json:"ttl"`
}

// ours returns the zone's path and the ids of the records with our value.
func (v ovh) ours(ctx context.Context, r record) (string, []int64, error) {
	path := "/domain/zone/" + url.PathEscape(r.zone)
	var all, ids []int64
	query := url.Values{"fieldType": {"TXT"}, "subDomain": {r.label()}}
	if err := v.api.do(ctx, http.MethodGet, path+"/record", query, nil, &all); err != nil {
		return "", nil, err
	}
	for _, id := range all {
		var one ovhRecord
		err := v.api.do(ctx, http.MethodGet, fmt.Sprintf("%s/record/%d", path, id), nil, nil, &one)
		switch {
		case status(err) == http.StatusNotFound:
		case err != nil:
			return "", nil, err
		case strings.Trim(one.Target, `"`) == r.value:
			ids = append(ids, id)
		}
	}
	return path, ids, nil
}

func (v ovh) add(ctx context.Context, r record) error {
	path, ids, err := v.ours(ctx, r)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		in := ovhRecord{FieldType: "TXT", SubDomain: r.label(), Target: r.value, TTL: recordTTL}
		if err := v.api.do(ctx, http.MethodPost, path+"/record", nil, in, nil); err != nil {
			return err
		}
	}
	return v.api.do(ctx, http.MethodPost, path+"/refresh", nil, nil, nil) // even so: a killed plane may not have come this far
}

func (v ovh) remove(ctx context.Context, r record) error {
	path, ids, err := v.ours(ctx, r)
	if err != nil || len(ids) == 0 {
		return err
	}
	for _, id := range ids {
		if err := v.api.do(ctx, http.MethodDelete, fmt.Sprintf("%s/record/%d", path, id), nil, nil, nil); err != nil && status(err) != http.StatusNotFound {
			return err
		}
	}
	return v.api.do(ctx, http.MethodPost, path+"/refresh", nil, nil, nil)
}
