package web

import (
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/certs"
)

// certLooks are how the states of a certificate read.
var certLooks = map[certs.State]struct {
	tone Tone
	key  string
}{
	certs.StateNew: {ToneUnknown, "certstate.new"}, certs.StateServed: {ToneGood, "certstate.served"}, certs.StateUnserved: {ToneBad, "certstate.unserved"},
	certs.StateExpired: {ToneBad, "certstate.expired"}, certs.StateRevoked: {ToneBad, "certstate.revoked"}, certs.StateEnded: {ToneUnknown, "certstate.ended"},
}

// paused reports whether a certificate is kept from the CA now.
func (v *visit) paused(c certs.Certificate) bool { return c.PausedUntil.After(v.now) }

// certStateNow is the state with what the clock says: what ended is expired,
// even where nobody has noted it yet.
func (v *visit) certStateNow(c certs.Certificate) certs.State {
	if (c.State == certs.StateServed || c.State == certs.StateUnserved) && !c.Issued.NotAfter.After(v.now) {
		return certs.StateExpired
	}
	return c.State
}

// certState is what was issued against what is served, and a note on it.
func (v *visit) certState(c certs.Certificate) (State, string) {
	now := v.certStateNow(c)
	look, ok := certLooks[now]
	if !ok {
		return State{ToneUnknown, v.t("unknown")}, ""
	}
	s := State{look.tone, v.t(look.key)}
	switch {
	case now == certs.StateNew && c.Failing.Attempts > 0:
		s = State{ToneBad, v.t("certstate.not_issued")}
	case now == certs.StateNew && c.Open != "":
		s = State{ToneBusy, v.t("certstate.issuing")}
	case now == certs.StateServed && c.Failing.Attempts > 0:
		s = State{ToneWarn, v.t("certstate.failing")}
	}
	switch {
	case now == certs.StateUnserved:
		return s, v.unservedNote(c)
	case now != certs.StateEnded && c.Failing.Attempts > 0:
		return s, v.whyCause(c.Failing.Why)
	case now != certs.StateEnded && v.paused(c):
		return s, v.pauseNote(c)
	}
	return s, ""
}

// unservedNote says where another certificate is served, or none.
func (v *visit) unservedNote(c certs.Certificate) string {
	wrong, all := wrongPlaces(c)
	if all == 0 {
		return v.t("cert.unseen")
	}
	return v.t("cert.wrong", "n", all, "wrong", wrong)
}

// wrongPlaces counts the endpoints, each for one name, and those where a side
// saw something else than the newest certificate.
func wrongPlaces(c certs.Certificate) (wrong, all int) {
	right := map[wire.Endpoint]bool{}
	for _, s := range c.Seen {
		was, seen := right[s.Endpoint]
		right[s.Endpoint] = s.Right && (was || !seen)
	}
	for _, ok := range right {
		if !ok {
			wrong++
		}
	}
	return wrong, len(right)
}

func (v *visit) pauseNote(c certs.Certificate) string {
	key := "cert.paused_until"
	if !c.PausedUntil.Before(certs.Forever) {
		key = "cert.paused"
	}
	return v.t(key, "when", v.moment(c.PausedUntil), "reason", trimDot(PlainName([]byte(c.PauseReason))))
}

// whyText is a why as its cause and the next step, its times as the reader
// reads them.
func (v *visit) whyText(w certs.Why) (cause, next string) {
	if w.Code == "" {
		return "", ""
	}
	w.Args = v.args(w.Args)
	if !w.Until.IsZero() && w.Args["until"] == "" {
		w.Args["until"] = v.moment(w.Until)
		if !w.Until.Before(certs.Forever) {
			w.Args["until"] = v.t("cert.somebody")
		}
	}
	return w.Text(v.p.tx.Lang)
}

func (v *visit) whyCause(w certs.Why) string { cause, _ := v.whyText(w); return cause }

func (v *visit) stepText(s certs.Step) string {
	s.Args = v.args(s.Args)
	return s.Text(v.p.tx.Lang)
}

// args are a sentence's arguments with instants as the reader reads them.
func (v *visit) args(in map[string]string) map[string]string {
	out := make(map[string]string, len(in))
	for k, x := range in {
		if t, err := time.Parse(time.RFC3339, x); err == nil {
			x = v.moment(t)
		}
		out[k] = x
	}
	return out
}

// certLeft is how long what is installed is good, judged by its own lifetime.
func (v *visit) certLeft(c certs.Certificate) State {
	end := c.Issued.NotAfter
	if end.IsZero() {
		return State{ToneUnknown, v.t("cert.none_yet")}
	}
	return v.daysLeft(c.Issued.NotBefore, end)
}

// daysLeft judges the rest of a lifetime: the last quarter warns, the last
// eighth is bad; a long one warns at 14 days and is bad at 3.
func (v *visit) daysLeft(from, end time.Time) State {
	left, life := end.Sub(v.now), end.Sub(from)
	s := State{ToneGood, span(v.p.tx, left)}
	switch {
	case left <= 0:
		return State{ToneBad, v.t("certstate.expired")}
	case left <= min(72*time.Hour, life/8):
		s.Tone = ToneBad
	case left <= min(14*24*time.Hour, life/4):
		s.Tone = ToneWarn
	}
	return s
}

// certRenews is when it is renewed next, or why no time is said; and what the
// time comes from.
func (v *visit) certRenews(c certs.Certificate) (at time.Time, why string) {
	switch {
	case c.State == certs.StateEnded:
		return at, v.t("cert.renews_ended")
	case c.Open != "":
		return at, v.t("cert.renews_now")
	case v.paused(c):
		if c.PausedUntil.Before(certs.Forever) {
			return c.PausedUntil, v.t("cert.renews_after_pause")
		}
		return at, v.t("cert.renews_paused")
	case c.Failing.Attempts > 0 && !c.Failing.NextTry.IsZero():
		return c.Failing.NextTry, v.t("cert.renews_again", "n", c.Failing.Attempts)
	case c.Renewal.At.IsZero():
		return at, v.t("cert.renews_unknown")
	}
	return c.Renewal.At, ""
}

// certName is what a certificate is called in a sentence: its first name.
func certName(c certs.Certificate) string {
	if len(c.Names) == 0 {
		return c.Folder
	}
	return c.Names[0]
}

// certRow is a certificate in a list.
func (v *visit) certRow(c certs.Certificate, server, customer string) CertRow {
	r := CertRow{Name: certName(c), Href: "/certificates/" + c.ID, Others: max(0, len(c.Names)-1), Until: c.Issued.NotAfter, Left: v.certLeft(c)}
	r.State, r.Note = v.certState(c)
	r.Renews, r.RenewsWhy = v.certRenews(c)
	if server != "" {
		r.Server = Link{server, "/servers/" + c.Server}
	}
	if customer != "" {
		r.Customer = Link{customer, "/customers/" + c.Customer}
	}
	return r
}

// certRows are certificates as a list shows them, with the names around them.
func (v *visit) certRows(list []certs.Certificate) ([]CertRow, error) {
	servers, customers := map[string]bool{}, map[string]bool{}
	for _, c := range list {
		servers[c.Server], customers[c.Customer] = true, true
	}
	on, err := v.serverNames(keysOf(servers))
	if err != nil {
		return nil, err
	}
	names, err := v.customerNames(keysOf(customers))
	if err != nil {
		return nil, err
	}
	out := make([]CertRow, 0, len(list))
	for _, c := range list {
		out = append(out, v.certRow(c, on[c.Server], names[c.Customer]))
	}
	return out, nil
}

// renewerWord says who renews a found certificate.
func (v *visit) renewerWord(renewer string) string {
	if renewer == "" {
		return v.t("renewer.nobody")
	}
	return v.t("renewer.other", "name", renewer)
}

// protocolWords are how an endpoint is reached, where it is not plain TLS.
var protocolWords = map[wire.CertProtocol]string{wire.ProtocolSMTP: "certproto.smtp", wire.ProtocolIMAP: "certproto.imap", wire.ProtocolPOP3: "certproto.pop3"}

// challengeWords say how a CA is shown that a name is ours, for a form and for a page.
var challengeWords = []struct {
	challenge  certs.Challenge
	key, about string
}{
	{certs.ChallengeAgent, "challenge.agent", "challenge.agent_note"}, {certs.ChallengePlane, "challenge.plane", "challenge.plane_note"},
	{certs.ChallengeDelegate, "challenge.delegate", "challenge.delegate_note"}, {certs.ChallengeDNS, "challenge.dns", "challenge.dns_note"},
}

func (v *visit) challengeWord(c certs.Challenge) string {
	for _, x := range challengeWords {
		if x.challenge == c {
			return v.t(x.key)
		}
	}
	return string(c)
}

// hexColons writes a serial as people compare it: "04:a1:…".
func hexColons(s string) string {
	if len(s)%2 == 1 {
		s = "0" + s
	}
	var b strings.Builder
	for i := 0; i < len(s); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(s[i : i+2])
	}
	return b.String()
}
