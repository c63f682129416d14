package acme

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/acme"

	"ostler/controlplane"
)

// op is what was asked for: the same refusal means different things.
type op string

const (
	opDirectory op = "directory"
	opAccount   op = "account"
	opNewOrder  op = "new order"
	opOrder     op = "order" // one that is there, and all that belongs to it
	opRevoke    op = "revoke"
	opRenewal   op = "renewal info"
)

func badAnswer(detail string, err error) *Error {
	return &Error{Kind: KindBadAnswer, Detail: detail, Err: err}
}

// refusal reads an answer from 400 on.
func (c *Client) refusal(resp *http.Response, body []byte, o op) error {
	var p acme.ProblemDetails
	if err := json.Unmarshal(body, &p); err != nil || p.Type == "" && p.Detail == "" {
		p = acme.ProblemDetails{Detail: firstLine(body)}
	}
	if p.Type == acme.BadNonceErr {
		return errBadNonce
	}
	e := c.problem(&p, resp.StatusCode, o)
	e.RetryAfter = c.retryAfter(resp.Header)
	if e.RetryAfter.IsZero() && (e.Kind == KindRateLimited || e.Kind == KindUnreachable) {
		e.RetryAfter = c.within(namedInstant(p.Detail))
	}
	if e.Link == "" {
		for _, rel := range []string{"help", "terms-of-service"} {
			if l := links(resp.Header, rel); len(l) > 0 && link.FindString(l[0]) == l[0] { // people are led there
				e.Link = l[0]
				break
			}
		}
	}
	return e
}

// problem reads a problem document (RFC 8555, 6.7), that of an answer or one
// within an order.
func (c *Client) problem(p *acme.ProblemDetails, status int, o op) *Error {
	e := &Error{Type: controlplane.Line(p.Type, maxDetail), Status: status, Detail: controlplane.Line(p.Detail, maxDetail), Link: link.FindString(p.Detail)}
	e.Kind = kindOf(strings.TrimPrefix(p.Type, urn), status, o)
	if status != 0 && p.Type == urn+"unauthorized" && accountStatus.MatchString(p.Detail) {
		e.Kind = KindAccount
	}
	for _, s := range p.SubProblems[:min(len(p.SubProblems), maxSubs)] {
		e.Sub = append(e.Sub, Error{
			Kind: kindOf(strings.TrimPrefix(s.Type, urn), 0, o),
			Name: controlplane.Line(s.Identifier.Value, maxDetail), Type: controlplane.Line(s.Type, maxDetail), Detail: controlplane.Line(s.Detail, maxDetail),
		})
	}
	if len(e.Sub) > 0 {
		e.Name = e.Sub[0].Name
		if e.Kind == KindRefused && strings.HasSuffix(p.Type, ":compound") {
			e.Kind = e.Sub[0].Kind
		}
	}
	switch e.Kind {
	case KindRateLimited:
		e.limit(p.Type != "")
	case KindUnreachable:
		if status != http.StatusInternalServerError {
			e.Scope = ScopeAuthority
		}
	}
	return e
}

// kindOf reads a problem's type; where there is none, or it says little, the
// status and what was asked for.
func kindOf(typ string, status int, o op) Kind {
	switch typ {
	case "rateLimited":
		if status == http.StatusServiceUnavailable {
			return KindUnreachable // shed load: it is about nobody in particular
		}
		return KindRateLimited
	case "accountDoesNotExist", "externalAccountRequired", "userActionRequired", "invalidContact", "unsupportedContact",
		"badPublicKey", "badSignatureAlgorithm":
		return KindAccount
	case "invalidProfile":
		return KindProfile
	case "alreadyRevoked":
		return KindRevoked
	case "connection", "dns", "incorrectResponse", "tls":
		return KindValidation
	case "rejectedIdentifier", "unsupportedIdentifier", "caa", "badCSR", "badRevocationReason", "orderNotReady", "alreadyReplaced":
		return KindRefused
	case "unauthorized":
		switch {
		case status == 0: // within an authorization: the answer was not the right one
			return KindValidation
		case o == opNewOrder || o == opAccount:
			return KindAccount
		}
	}
	switch {
	case status == http.StatusTooManyRequests:
		return KindRateLimited
	case status >= http.StatusInternalServerError:
		return KindUnreachable
	case o == opOrder && (status == http.StatusNotFound || status == http.StatusGone):
		return KindOrderGone
	case o == opRenewal && typ == "":
		return KindBadAnswer
	}
	return KindRefused
}

// limit tells the limits apart, as far as the CA does: by the sentences of
// Boulder (ratelimits/limiter.go) and the anchors of the page they link to. A
// 429 that is no problem document comes from what stands before the CA.
func (e *Error) limit(document bool) {
	d := strings.ToLower(e.Detail)
	has := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(d, p) {
				return true
			}
		}
		return false
	}
	e.Scope = ScopeAccount
	switch {
	case has("temporarily prevented", "unpause"):
		e.Kind, e.Scope = KindPaused, ScopeName
	case has("failed authorizations", "failed validations", "#authorization-failures"):
		e.Scope = ScopeName
	case has("exact set", "#new-certificates-per-exact-set"):
		e.Scope = ScopeSet
	case has("certificates already issued for", "already issued for \"", "#new-certificates-per-registered-domain"):
		e.Scope = ScopeDomain
	case has("too many new orders", "new orders from this account", "#new-orders-per-account"):
		e.Scope = ScopeOrders
	case has("this ip", "ipv6 addresses", "ip address", "#new-registrations"), !document:
		e.Scope = ScopeIP
	case has("service busy"):
		e.Scope = ScopeAuthority
	}
	if m := paused.FindStringSubmatch(e.Detail); m != nil && e.Kind == KindPaused {
		e.Name = m[1]
	}
	if e.Name == "" && (e.Scope == ScopeName || e.Scope == ScopeDomain) {
		if m := quoted.FindStringSubmatch(e.Detail); m != nil {
			e.Name = m[1]
		}
	}
}

var (
	quoted  = regexp.MustCompile(`"([^"\s]+)"`)
	paused  = regexp.MustCompile(`certificates for (\S+) and possibly others`)
	link    = regexp.MustCompile(`https://[^\s"<>]+[^\s"<>.,:;)]`)
	instant = regexp.MustCompile(`retry after (\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(Z| UTC)`)
	// Boulder's and Pebble's sentence about an account that was deactivated.
	accountStatus = regexp.MustCompile(`(?i)account.*(status|deactivated|not valid)`)
	rel           = regexp.MustCompile(`<([^>]+)>\s*;[^,]*\brel="?([^",;]+)"?`)
)

// namedInstant reads the instant that Boulder names in a limit's sentence.
func namedInstant(detail string) time.Time {
	m := instant.FindStringSubmatch(detail)
	if m == nil {
		return time.Time{}
	}
	t, err := time.Parse(time.DateTime, strings.Replace(m[1], "T", " ", 1))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// retryAfter reads the header, in seconds or as a date (RFC 9110, 10.2.3), as
// an instant; zero where there is none, or it cannot be read.
func (c *Client) retryAfter(h http.Header) time.Time {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return time.Time{}
	}
	if s, err := strconv.ParseInt(v, 10, 64); err == nil {
		return c.opts.Now().Add(time.Duration(min(max(s, 0), int64(longestWait/time.Second))) * time.Second)
	}
	if t, err := http.ParseTime(v); err == nil {
		return c.within(t)
	}
	return time.Time{}
}

// longestWait is the longest that a CA may have itself waited for.
const longestWait = 365 * 24 * time.Hour

func (c *Client) within(t time.Time) time.Time {
	if most := c.opts.Now().Add(longestWait); t.After(most) {
		return most
	}
	return t
}

// links are the targets of one relation (RFC 8288).
func links(h http.Header, relation string) []string {
	var found []string
	for _, line := range h.Values("Link") {
		for _, m := range rel.FindAllStringSubmatch(line, -1) {
			if m[2] == relation {
				found = append(found, m[1])
			}
		}
	}
	return found
}

// maxDetail bounds what a CA may tell at once, in characters; maxSubs are the single
// names that it may tell of.
const (
	maxDetail = 1000
	maxSubs   = 200
)

// firstLine is what a text that is no problem document begins with.
func firstLine(body []byte) string {
	s := strings.TrimSpace(strings.ToValidUTF8(string(body), ""))
	if strings.HasPrefix(s, "<") {
		return "a page in HTML"
	}
	line, _, _ := strings.Cut(s, "\n")
	return controlplane.Line(line, maxDetail)
}

// canonical is the form that a CA answers with.
func canonical(name string) string {
	if a, err := netip.ParseAddr(name); err == nil {
		return a.String()
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}
