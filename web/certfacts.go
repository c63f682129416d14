package web

import (
	"cmp"
	"slices"

	"ostler/certs"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// certOpen is what is open about a certificate, for every reader and every
// page alike; "" is only where everything serves the newest one, it is good,
// and no attempt fails.
func (v *visit) certOpen(c certs.Certificate) OpenKind {
	switch v.certStateNow(c) {
	case certs.StateEnded:
		return ""
	case certs.StateExpired:
		return OpenExpired
	case certs.StateRevoked:
		return OpenRevoked
	case certs.StateUnserved:
		return OpenUnserved
	case certs.StateServed:
		if c.Failing.Attempts > 0 || v.certLeft(c).Tone != ToneGood {
			return OpenRenewal
		}
		return ""
	}
	if c.Failing.Attempts > 0 { // new; an unknown state too
		return OpenRenewal
	}
	return OpenIssuing
}

// openCerts are certificates about which something is open, each once, and
// whether there are more than were asked for: so many pages of 200 of each sort.
// They are asked for by what is wrong, so that thousands that are well cost nothing.
func (v *visit) openCerts(scope policy.Scope, f certs.Filter, pages int) (out []certs.Certificate, more bool, err error) {
	seen := map[string]bool{}
	for _, q := range []certs.Filter{{State: certs.StateExpired}, {State: certs.StateRevoked}, {State: certs.StateUnserved}, {State: certs.StateServed, Before: v.now.Add(soon)}, {Failing: true}, {State: certs.StateNew}} {
		q.Customer, q.Server, q.Tenancy, q.PageSize = f.Customer, f.Server, f.Tenancy, 200
		for range pages {
			items, next, err := v.p.Certs.List(v.ctx, scope, q)
			if err != nil {
				return nil, false, err
			}
			for _, c := range items {
				if !seen[c.ID] && v.certOpen(c) != "" {
					seen[c.ID] = true
					out = append(out, c)
				}
			}
			if q.PageToken = next; next == "" {
				break
			}
		}
		more = more || q.PageToken != ""
	}
	return out, more, nil
}

// certs adds what is open about the certificates that a filter leaves.
func (g *facts) certs(f certs.Filter) {
	if g.v.p.Certs == nil || !g.v.can(policy.CertRead) {
		return
	}
	scope, err := g.v.scope(policy.CertRead)
	var list []certs.Certificate
	if err == nil {
		list, _, err = g.v.openCerts(scope, f, 1)
	}
	if err != nil {
		g.unread("slice.certs", err)
		return
	}
	for _, c := range list {
		kind := g.v.certOpen(c)
		_, note := g.v.certState(c)
		o := opened{OpenFact: OpenFact{Kind: kind, What: certName(c), Mine: g.v.staff()}, customer: c.Customer, server: c.Server, cause: note, action: Link{g.v.t("cert.open"), "/certificates/" + c.ID}}
		g.say(o, certSaid[kind], c.ID)
	}
}

// certSaid are the findings that say an open fact already.
var certSaid = map[OpenKind][]string{
	OpenExpired: {findings.CertExpiring}, OpenRevoked: {findings.CertRevoked, findings.CertKeyBlocked}, OpenUnserved: {findings.CertNotServed},
	OpenRenewal: {findings.CertFailed, findings.CertExpiring}, OpenIssuing: {findings.CertFailed},
}

// certSum counts certificates by what is open about them.
type certSum struct {
	all  int
	more bool // there are more than were counted
	// theirs are those of kinds that wait for a change by their customers.
	theirs int
	kinds  map[OpenKind]int
	worst  certs.Certificate // about which the worst is open
}

func (s certSum) open() int {
	n := 0
	for _, k := range s.kinds {
		n += k
	}
	return n
}

// certSum counts what the scope reaches.
func (v *visit) certSum(scope policy.Scope) (certSum, error) {
	sum := certSum{kinds: map[OpenKind]int{}}
	var err error
	if sum.all, err = v.p.Certs.Count(v.ctx, scope); err != nil {
		return sum, err
	}
	list, more, err := v.openCerts(scope, certs.Filter{}, 10)
	if err != nil {
		return sum, err
	}
	sum.more = more
	rank := func(c certs.Certificate) int { return slices.Index(openOrder, v.certOpen(c)) }
	slices.SortStableFunc(list, func(a, b certs.Certificate) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Issued.NotAfter.Compare(b.Issued.NotAfter))
	})
	for _, c := range list {
		sum.kinds[v.certOpen(c)]++
		if customerActs(c.Failing.Why) {
			sum.theirs++
		}
	}
	if len(list) > 0 {
		sum.worst = list[0]
	}
	return sum, nil
}

// certsSentence says how many need somebody, and the worst of them.
func (v *visit) certsSentence(sum certSum) (string, Tone) {
	open, issuing := sum.open(), sum.kinds[OpenIssuing]
	switch {
	case sum.all == 0:
		return v.t("certs.say_none"), ToneUnknown
	case open == 0:
		return v.t("certs.say_good", "n", sum.all), ToneGood
	case open == issuing:
		return v.t("certs.say_issuing", "n", issuing, "all", sum.all), ToneBusy
	}
	kind := v.certOpen(sum.worst)
	worst := v.p.tx.T(openTexts[kind], "what", certName(sum.worst))
	if sum.more {
		return v.t("certs.say_more", "n", open, "all", sum.all, "what", worst), kind.Tone()
	}
	said, ours := "", open-issuing-sum.theirs
	switch {
	case ours <= 0:
		return v.t("certs.say_theirs", "n", sum.theirs, "all", sum.all, "what", worst), kind.Tone()
	case sum.theirs > 0:
		said = " " + v.t("certs.say_theirs_too", "n", sum.theirs)
	}
	return v.t("certs.say_open", "n", ours, "all", sum.all, "what", worst) + said, kind.Tone()
}
