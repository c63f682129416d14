package preflight

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// knownTags are the CAA properties that CAs understand (RFC 8659, 9495, 8657,
// the CA/B forum's contact properties). Only unknown ones that are critical matter.
var knownTags = []string{"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"}

// caa climbs from the name to the first CAA records (RFC 8659, 3) and reports
// whether they let our CA issue.
func (c *Checker) caa(ctx context.Context, r Request, name string) []Problem {
	wildcard := strings.HasPrefix(name, "*.")
	base := strings.TrimPrefix(name, "*.")
	for _, i := range dns.Split(dns.Fqdn(base)) {
		at := base[i:]
		found, err := c.resolver.lookup(ctx, at, dns.TypeCAA)
		if err != nil {
			return []Problem{{Name: name, Code: CAAFailed, Fatal: true, Detail: err.Error(),
				Args: map[string]string{"at": at, "error": errorWord(err)}}}
		}
		if len(found.rrs) == 0 {
			continue
		}
		var set []*dns.CAA
		for _, rr := range found.rrs {
			set = append(set, rr.(*dns.CAA))
		}
		if p, ok := judge(set, wildcard, r); !ok {
			p.Name, p.Fatal, p.Args["at"] = name, true, at
			return []Problem{p}
		}
		return nil
	}
	return nil
}

// judge reports whether a set of CAA records lets our CA issue.
func judge(set []*dns.CAA, wildcard bool, r Request) (Problem, bool) {
	var issue, wild, detail []string
	for _, rr := range set {
		tag := strings.ToLower(rr.Tag)
		detail = append(detail, rr.String())
		switch {
		case tag == "issue":
			issue = append(issue, rr.Value)
		case tag == "issuewild":
			wild = append(wild, rr.Value)
		case rr.Flag&128 != 0 && !slices.Contains(knownTags, tag):
			return Problem{Code: CAACritical, Args: map[string]string{"tag": rr.Tag}, Detail: rr.String()}, false
		}
	}
	if wildcard && len(wild) > 0 {
		issue = wild
	}
	if len(issue) == 0 || len(r.Identities) == 0 {
		return Problem{}, true
	}
	worst := Problem{Code: CAANone, Args: map[string]string{"ca": r.Identities[0], "allowed": "no CA"}}
	var allowed []string
	for _, value := range issue {
		issuer, params := parseIssue(value)
		if issuer == "" {
			continue
		}
		allowed = append(allowed, issuer)
		if !slices.ContainsFunc(r.Identities, func(id string) bool { return strings.EqualFold(id, issuer) }) {
			if worst.Code == CAANone {
				worst.Code = CAAOther
			}
			continue
		}
		code := params.refuses(r)
		if code == "" {
			return Problem{}, true
		}
		worst.Code = code
		worst.Args["wanted"], worst.Args["methods"] = params["accounturi"], params["validationmethods"]
	}
	if len(allowed) > 0 {
		worst.Args["allowed"] = strings.Join(allowed, ", ")
	}
	worst.Args["account"], worst.Args["method"] = r.Account, r.Way.method()
	worst.Detail = strings.Join(detail, "; ")
	return worst, false
}

// issueParams are the parameters of an issue property, names in lower case.
type issueParams map[string]string

// refuses returns why parameters keep us out, "" where they do not (RFC 8657).
func (p issueParams) refuses(r Request) Code {
	if uri, ok := p["accounturi"]; ok && (uri != r.Account || r.Account == "") {
		return CAAAccount
	}
	if methods, ok := p["validationmethods"]; ok {
		if !slices.Contains(strings.FieldsFunc(methods, func(c rune) bool { return c == ',' || c == ' ' }), r.Way.method()) {
			return CAAMethod
		}
	}
	return ""
}

// parseIssue reads "ca.example; accounturi=https://...; validationmethods=dns-01"
// (RFC 8659, 4.2). One that breaks the grammar allows nobody: issuer is "".
func parseIssue(value string) (string, issueParams) {
	issuer, rest, _ := strings.Cut(value, ";")
	params := issueParams{}
	for part := range strings.SplitSeq(rest, ";") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		tag, v, ok := strings.Cut(part, "=")
		tag = strings.ToLower(strings.TrimSpace(tag))
		if !ok || tag == "" {
			return "", nil
		}
		if _, twice := params[tag]; twice {
			return "", nil
		}
		params[tag] = strings.TrimSpace(v)
	}
	issuer = strings.TrimSpace(issuer)
	if strings.ContainsAny(issuer, " \t") {
		return "", nil
	}
	return issuer, params
}

// errorWord is a DNS failure in a word or two.
func errorWord(err error) string {
	var e *DNSError
	var loop *LoopError
	switch {
	case errors.As(err, &loop):
		return "a CNAME loop"
	case errors.As(err, &e) && e.DNSSEC:
		return "DNSSEC is not valid"
	case errors.As(err, &e) && e.Rcode != "":
		return e.Rcode
	}
	return "no answer"
}
