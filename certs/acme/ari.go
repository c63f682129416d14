package acme

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// CertID names a certificate to its CA (RFC 9773, 4.1): the key identifier of
// its issuer, and its serial as DER has it (with the zero that keeps it positive).
func CertID(leaf *x509.Certificate) (string, error) {
	if len(leaf.AuthorityKeyId) == 0 {
		return "", errors.New("acme: the certificate names no key of its issuer")
	}
	if leaf.SerialNumber == nil || leaf.SerialNumber.Sign() <= 0 {
		return "", errors.New("acme: the certificate has no positive serial")
	}
	serial := leaf.SerialNumber.Bytes()
	if serial[0]&0x80 != 0 {
		serial = append([]byte{0}, serial...)
	}
	return b64.EncodeToString(leaf.AuthorityKeyId) + "." + b64.EncodeToString(serial), nil
}

// RenewalInfo asks when a certificate should be renewed. Every answer that is
// not a good one is an error.
func (c *Client) RenewalInfo(ctx context.Context, certID string) (Renewal, error) {
	r, err := c.renewalInfo(ctx, certID)
	if err != nil {
		return Renewal{}, fmt.Errorf("acme: renewal info: %w", err)
	}
	return r, nil
}

func (c *Client) renewalInfo(ctx context.Context, certID string) (Renewal, error) {
	if aki, serial, ok := strings.Cut(certID, "."); !ok || aki == "" || serial == "" {
		return Renewal{}, fmt.Errorf("%q is no id of a certificate", certID)
	}
	n := new(counter)
	dir, err := c.readDirectory(ctx, n)
	if err != nil {
		return Renewal{}, err
	}
	if dir.RenewalInfo == "" {
		return Renewal{}, &Error{Kind: KindUnsupported, Detail: "the CA has no renewalInfo"}
	}
	a, err := c.get(ctx, strings.TrimSuffix(dir.RenewalInfo, "/")+"/"+url.PathEscape(certID), c.renewals, n, opRenewal)
	if err != nil {
		return Renewal{}, err
	}
	r, err := readRenewal(a)
	if err != nil {
		e := badAnswer("", err)
		e.Status, e.RetryAfter = a.status, c.retryAfter(a.header)
		return Renewal{}, e
	}
	r.RetryAfter = c.retryAfter(a.header)
	return r, nil
}

func readRenewal(a answer) (Renewal, error) {
	var doc struct {
		Window struct {
			Start time.Time `json:"start"`
			End   time.Time `json:"end"`
		} `json:"suggestedWindow"`
		Explanation string `json:"explanationURL"`
	}
	if a.status != http.StatusOK {
		return Renewal{}, fmt.Errorf("the status is %d", a.status)
	}
	if err := json.Unmarshal(a.body, &doc); err != nil {
		return Renewal{}, err
	}
	r := Renewal{Start: doc.Window.Start.UTC(), End: doc.Window.End.UTC()}
	switch {
	case r.Start.IsZero() || r.End.IsZero():
		return Renewal{}, errors.New("there is no window")
	case !r.End.After(r.Start):
		return Renewal{}, errors.New("the window ends before it begins")
	}
	if u, err := url.Parse(doc.Explanation); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && len(doc.Explanation) <= maxDetail {
		r.Explanation = doc.Explanation // people are led there
	}
	return r, nil
}
