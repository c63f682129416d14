package web

import (
	"net/url"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/policy"
)

// attemptsShown is how many attempts a page of a certificate shows.
const attemptsShown = 10

// certificate shows one certificate.
func (p *Portal) certificate(v *visit) error {
	page, err := v.certificatePage(v.c.Param("id"))
	if err != nil {
		return err
	}
	return v.render(page)
}

// aCert reads a certificate by its id.
func (v *visit) aCert(perm policy.Permission, id string) (policy.Scope, certs.Certificate, error) {
	scope, err := v.scope(perm)
	if err != nil {
		return scope, certs.Certificate{}, err
	}
	if !controlplane.ValidID(controlplane.PrefixCertificate, id) { // a page has one address
		return scope, certs.Certificate{}, controlplane.NotFound("certificate")
	}
	c, err := v.p.Certs.Get(v.ctx, scope, id)
	return scope, c, err
}

func (v *visit) certificatePage(id string) (*Certificate, error) {
	scope, c, err := v.aCert(policy.CertRead, id)
	if err != nil {
		return nil, err
	}
	cas, err := v.authorityNames(scope)
	if err != nil {
		return nil, err
	}
	page := &Certificate{Page: v.page("certs", certName(c), ""), Names: c.Names, Served: v.servedRows(c)}
	page.Self = "/certificates/" + c.ID
	page.Live, page.Refresh = []string{bus.TopicServer(c.Server), "certificate:" + c.ID}, 30
	page.Crumbs = []Link{{v.t("certs.title"), "/certificates"}, {Label: certName(c)}}
	page.Say, page.Tone = v.certSays(c)
	page.Strip = v.certStrip(c, cas)
	if page.Records, err = v.records(scope, c); err != nil {
		return nil, err
	}
	if err := v.certWhy(scope, page, c); err != nil {
		return nil, err
	}
	page.Renewal, page.Explain = v.renewalLines(c, cas)
	if err := v.certAttempts(scope, page, c, cas); err != nil {
		return nil, err
	}
	if err := v.certAbout(scope, page, c, cas); err != nil {
		return nil, err
	}
	return page, v.certActs(scope, page, c)
}

// authorityNames are authorities' names by id.
func (v *visit) authorityNames(scope policy.Scope) (map[string]string, error) {
	list, err := v.p.Certs.Authorities(v.ctx, scope)
	out := map[string]string{}
	for _, a := range list {
		out[a.ID] = a.Name
	}
	return out, err
}

// certSays is the sentence about one certificate. It is never better than what
// is served, nor than how the attempts go.
func (v *visit) certSays(c certs.Certificate) (string, Tone) {
	name, end, left := certName(c), v.dayOf(c.Issued.NotAfter), v.certLeft(c)
	say := func(key string, tone Tone, more ...any) (string, Tone) {
		return v.t(key, append([]any{"name", name, "day", end, "left", left.Word, "n", c.Failing.Attempts}, more...)...), tone
	}
	switch v.certStateNow(c) {
	case certs.StateEnded:
		return say("cert.say_ended", ToneUnknown)
	case certs.StateExpired:
		return say("cert.say_expired", ToneBad)
	case certs.StateRevoked:
		return say("cert.say_revoked", ToneBad)
	case certs.StateUnserved:
		if c.Issued.Serial != "" {
			wrong, all := wrongPlaces(c)
			return say("cert.say_unserved", ToneBad, "n", wrong, "all", all)
		}
	case certs.StateServed:
		switch {
		case c.Failing.Attempts > 0:
			return say("cert.say_failing", worseTone(left.Tone, ToneWarn))
		case left.Tone != ToneGood:
			return say("cert.say_late", left.Tone)
		case v.paused(c):
			return say("cert.say_paused", ToneWarn)
		}
		return say("cert.say_served", ToneGood)
	}
	switch {
	case c.Failing.Attempts > 0:
		return say("cert.say_not_issued", ToneBad)
	case v.paused(c):
		return say("cert.say_new_paused", ToneWarn)
	case c.Open != "":
		return say("cert.say_issuing", ToneBusy)
	}
	return say("cert.say_new", ToneUnknown)
}

// worseTone returns the worse of two tones.
func worseTone(a, b Tone) Tone {
	if toneRank[a] > toneRank[b] {
		return a
	}
	return b
}

func (v *visit) certStrip(c certs.Certificate, cas map[string]string) []Fact {
	good := Fact{Label: v.t("cert.until"), State: v.certLeft(c)}
	if !c.Issued.NotAfter.IsZero() {
		good.Note = v.moment(c.Issued.NotAfter)
	}
	state, note := v.certState(c)
	if c.Failing.Attempts > 0 && v.certStateNow(c) != certs.StateUnserved {
		note = "" // it stands beneath, with what to do
	}
	served := Fact{Label: v.t("cert.served"), State: state, Note: note}
	for _, s := range c.Seen {
		if s.At.After(served.At) {
			served.At = s.At
		}
	}
	next := Fact{Label: v.t("cert.renews")}
	if c.Issued.Serial == "" || c.Failing.Attempts > 0 {
		next.Label = v.t("cert.next_try")
	}
	at, why := v.certRenews(c)
	if next.State.Word = why; !at.IsZero() {
		next.State.Word, next.Note = v.moment(at), why
	}
	if why == "" && c.Renewal.From == certs.FromARI {
		next.Note = v.t("cert.from_ari_short", "ca", v.caName(cas, c.Issued.Authority))
	}
	out := []Fact{good, served, next}
	if c.Issued.Issuer != "" {
		out = append(out, Fact{Label: v.t("cert.issuer"), State: State{Word: c.Issued.Issuer}, Note: cas[c.Issued.Authority]})
	}
	return out
}

func (v *visit) caName(cas map[string]string, id string) string {
	if n := cas[id]; n != "" {
		return n
	}
	return v.t("cert.the_ca")
}

// servedRows are the endpoints for each name, with what both sides saw.
func (v *visit) servedRows(c certs.Certificate) []ServedRow {
	var rows []ServedRow
	at := map[wire.Endpoint]int{}
	for _, s := range c.Seen {
		i, ok := at[s.Endpoint]
		if !ok {
			i, at[s.Endpoint] = len(rows), len(rows)
			r := ServedRow{Name: s.Name, Address: s.Address, Host: Look{State: State{ToneUnknown, v.t("look.never")}}, Here: Look{State: State{ToneUnknown, v.t("look.never")}}}
			if key, ok := protocolWords[s.Protocol]; ok {
				r.Protocol = v.t(key)
			}
			rows = append(rows, r)
		}
		side := &rows[i].Here
		if s.From == "host" {
			side = &rows[i].Host
		}
		if s.At.After(side.At) {
			*side = v.lookOf(s, c)
		}
	}
	return rows
}

// lookOf is what one side saw, in words.
func (v *visit) lookOf(s certs.Seen, c certs.Certificate) Look {
	l := Look{At: s.At}
	switch {
	case s.Right:
		l.State = State{ToneGood, v.t("look.right")}
	case s.Leaf == "":
		l.State, l.Note = State{ToneBad, v.t("look.nothing")}, PlainName([]byte(s.Problem))
	case s.Leaf == c.Issued.Leaf:
		l.State, l.Note = State{ToneBad, v.t("look.chain")}, v.t("look.chain_note")
	default:
		l.State = State{ToneBad, v.t("look.other")}
		if s.NotAfter > 0 {
			l.Note = v.t("look.other_until", "when", v.moment(controlplane.FromMillis(s.NotAfter)))
		}
	}
	return l
}

// certWhy puts why it failed, and why nothing is done now, on the page.
func (v *visit) certWhy(scope policy.Scope, page *Certificate, c certs.Certificate) error {
	if c.State == certs.StateEnded {
		return nil
	}
	if c.Failing.Attempts > 0 {
		cause, next := v.whyText(c.Failing.Why)
		page.Failed = &Problem{Cause: trimDot(cause), Next: next}
		if c.Open == "" {
			page.TryAgain = c.Failing.NextTry
		}
	}
	whys, err := v.p.Certs.WhyNot(v.ctx, scope, c.ID)
	if err != nil {
		return err
	}
	page.WhyTitle = v.t("cert.why_not")
	switch {
	case c.Open != "":
		page.WhyTitle = v.t("cert.why_open")
	case c.Issued.Serial == "":
		page.WhyTitle = v.t("cert.why_not_issued")
	}
	for _, w := range whys {
		cause, next := v.whyText(w)
		row := WhyRow{Text: cause, Next: next}
		if !w.Until.IsZero() && w.Until.Before(certs.Forever) && !strings.Contains(cause, v.moment(w.Until)) {
			row.Until = w.Until
		}
		page.Why = append(page.Why, row)
	}
	return nil
}

// renewalLines say when it is renewed next, and why then.
func (v *visit) renewalLines(c certs.Certificate, cas map[string]string) (lines []string, explain Link) {
	r := c.Renewal
	if c.State == certs.StateEnded || r.At.IsZero() {
		return nil, explain
	}
	ca := v.caName(cas, c.Issued.Authority)
	pairs := []any{"ca", ca, "at", v.moment(r.At), "from", v.moment(r.Start), "to", v.moment(r.End)}
	switch r.From {
	case certs.FromARI:
		lines = append(lines, v.t("cert.from_ari", pairs...))
		if !r.PollAt.IsZero() {
			lines = append(lines, v.t("cert.poll", "ca", ca, "when", v.moment(r.PollAt)))
		}
	case certs.FromPerson:
		lines = append(lines, v.t("cert.from_person", pairs...))
	default:
		lines = append(lines, v.t("cert.from_lifetime", pairs...))
		if !r.PollAt.IsZero() {
			lines = append(lines, v.t("cert.poll", "ca", ca, "when", v.moment(r.PollAt)))
		}
	}
	if u, err := url.Parse(r.Explanation); err == nil && u.Scheme == "https" && u.Host != "" {
		explain = Link{v.t("cert.explained", "ca", ca, "host", u.Host), r.Explanation}
	}
	return lines, explain
}

// dayOf is a day in words, for sentences.
func (v *visit) dayOf(t time.Time) string { return day(v.p.tx, t, v.now, v.zone) }
