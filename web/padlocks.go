package web

import (
	"slices"
	"strings"

	"ostler/certs"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/policy"
)

// padlockSources is everything a padlock is judged by.
type padlockSources struct {
	tenancies []customers.Tenancy
	certs     []certs.Certificate
	found     []certs.Found
	servers   map[string]string
}

// padlocks is the customer's page: each of their sites, whether its padlock is
// good, until when, who renews it, and what they must do.
func (p *Portal) padlocks(v *visit) error {
	scope, err := v.scope(policy.CertRead)
	if err != nil {
		return err
	}
	src, err := v.padlockSources(scope)
	if err != nil {
		return err
	}
	page := &Padlocks{Page: v.page("certs", v.t("padlock.title"), "")}
	page.Live, page.Refresh = []string{bus.TopicCustomer(v.actor.Customer)}, 60
	for _, t := range src.tenancies {
		for _, site := range t.Sites {
			page.Rows = append(page.Rows, v.padlock(src, t, site))
		}
		page.Live = append(page.Live, bus.TopicServer(t.Server))
	}
	page.Live = page.Live[:min(len(page.Live), maxTopics)]
	rank := func(r PadlockRow) int {
		if r.Change != "" {
			return 10 + toneRank[r.State.Tone]
		}
		return toneRank[r.State.Tone]
	}
	slices.SortStableFunc(page.Rows, func(a, b PadlockRow) int { return rank(b) - rank(a) })
	if v.can(policy.CertWrite) {
		page.New, page.DNS = "/certificates/new", "/certificates/dns"
	}
	page.Say, page.Tone = v.padlocksSay(page.Rows)
	page.Sub = v.t("home.measured", "when", v.moment(v.now))
	return v.render(page)
}

func (v *visit) padlockSources(scope policy.Scope) (padlockSources, error) {
	var s padlockSources
	var err error
	if s.tenancies, err = v.tenancies(customers.TenancyFilter{}); err != nil {
		return s, err
	}
	if s.certs, err = v.allCerts(scope, certs.Filter{}); err != nil {
		return s, err
	}
	if s.found, err = v.p.Certs.Found(v.ctx, scope, ""); err != nil {
		return s, err
	}
	on := map[string]bool{}
	for _, t := range s.tenancies {
		on[t.Server] = true
	}
	s.servers, err = v.serverNames(keysOf(on))
	return s, err
}

// allCerts are a customer's certificates, or a server's.
func (v *visit) allCerts(scope policy.Scope, f certs.Filter) (all []certs.Certificate, err error) {
	for f.PageSize = 200; ; {
		items, next, err := v.p.Certs.List(v.ctx, scope, f)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
		if f.PageToken = next; next == "" {
			return all, nil
		}
	}
}

// covers reports whether names cover a site, by itself or by a wildcard.
func covers(names []string, site string) bool {
	_, parent, _ := strings.Cut(site, ".")
	return slices.Contains(names, site) || parent != "" && slices.Contains(names, "*."+parent)
}

// padlock is one site of a tenancy.
func (v *visit) padlock(s padlockSources, t customers.Tenancy, site string) PadlockRow {
	row := PadlockRow{Site: site, Server: Link{s.servers[t.Server], "/servers/" + t.Server}, Renewer: v.t("renewer.us")}
	var best *certs.Certificate
	for i, c := range s.certs {
		if c.Server == t.Server && c.State != certs.StateEnded && covers(c.Names, site) && (best == nil || c.Issued.NotAfter.After(best.Issued.NotAfter)) {
			best = &s.certs[i]
		}
	}
	if best != nil {
		v.ourPadlock(&row, *best, site)
		return row
	}
	if f := foundFor(s.found, t.Server, site); f != nil {
		from, until := instantOf(f.NotBefore), instantOf(f.NotAfter)
		row.Renewer, row.Until = v.renewerWord(f.Renewer), until
		left := v.daysLeft(from, until)
		switch {
		case left.Tone != ToneGood:
			row.State, row.Note = State{left.Tone, v.t("padlock.ends")}, v.t("padlock.theirs_late")
			if !until.After(v.now) {
				row.State.Word = v.t("padlock.broken")
			}
		case f.Renewer == "":
			row.State, row.Note = State{ToneWarn, v.t("padlock.nobody")}, v.t("padlock.nobody_note")
		default:
			row.State, row.Note = State{ToneUnknown, v.t("padlock.theirs")}, v.t("padlock.theirs_note")
		}
	} else {
		row.State, row.Renewer, row.Note = State{ToneUnknown, v.t("padlock.unknown")}, v.t("renewer.unknown"), v.t("padlock.unknown_note")
	}
	if v.can(policy.CertWrite) {
		row.New = "/certificates/new?tenancy=" + t.ID
	}
	return row
}

// foundFor is the certificate of somebody else that is good for a site longest.
func foundFor(all []certs.Found, server, site string) (best *certs.Found) {
	for i, f := range all {
		if f.Server == server && f.TakenBy == "" && covers(f.Names, site) && (best == nil || f.NotAfter > best.NotAfter) {
			best = &all[i]
		}
	}
	return best
}

// ourPadlock is a site whose certificate is ours to renew.
func (v *visit) ourPadlock(row *PadlockRow, c certs.Certificate, site string) {
	row.Href, row.Until = "/certificates/"+c.ID, c.Issued.NotAfter
	open, left := v.certOpen(c), v.certLeft(c)
	switch {
	case open == "" && v.paused(c):
		row.State, row.Note = State{ToneWarn, v.t("padlock.paused")}, v.pauseNote(c)
	case open == "":
		row.State = State{ToneGood, v.t("padlock.good")}
	case open == OpenIssuing:
		row.State = State{ToneBusy, v.t("padlock.coming")}
	case open == OpenRenewal && c.Issued.Serial == "":
		row.State = State{ToneBad, v.t("padlock.missing")}
	case open == OpenRenewal:
		row.State = State{worseTone(ToneWarn, left.Tone), v.t("padlock.good_yet")}
	case open == OpenUnserved:
		row.State = State{ToneBad, v.t("padlock.unserved")}
		if n, ok := v.siteIsRight(c, site); ok {
			row.State, row.Note = State{ToneWarn, v.t("padlock.good")}, n
		}
	default:
		row.State = State{ToneBad, v.t("padlock.broken")}
	}
	if row.Note != "" || c.Failing.Attempts == 0 {
		return
	}
	cause, next := v.whyText(c.Failing.Why)
	switch name := c.Failing.Why.Name; {
	case name != "" && name != site: // the other site's line says it
		row.Note = v.t("padlock.with", "name", name)
	case customerActs(c.Failing.Why):
		row.Note, row.Change = cause, next
	default:
		row.Note = cause
	}
}

// customerActs reports whether it is the customer who must change something:
// their DNS. Names that cannot be, and port 80 of the server, are ours.
func customerActs(w certs.Why) bool {
	rest, ok := strings.CutPrefix(w.Code, "preflight_")
	return ok && !strings.HasPrefix(rest, "http_") && rest != "bad_name" && rest != "wildcard_dns" && rest != "address_http"
}

// siteIsRight reports whether one name is served rightly everywhere, though
// another name of the same certificate is not.
func (v *visit) siteIsRight(c certs.Certificate, site string) (string, bool) {
	seen := false
	for _, s := range c.Seen {
		if s.Name == site && !s.Right {
			return "", false
		}
		seen = seen || s.Name == site
	}
	return v.t("padlock.elsewhere"), seen
}

// padlocksSay is the sentence about all padlocks: what the customer must do
// first, then what is broken, then what is not known.
func (v *visit) padlocksSay(rows []PadlockRow) (string, Tone) {
	var change, bad, warn, unknown, busy int
	first, tone := "", ToneGood
	for _, r := range rows {
		tone = worseTone(tone, r.State.Tone)
		if r.Change != "" {
			change++
		}
		switch r.State.Tone {
		case ToneBad:
			bad++
		case ToneWarn:
			warn++
		case ToneUnknown:
			unknown++
		case ToneBusy:
			busy++
		default:
			continue
		}
		if first == "" {
			first = r.Site
		}
	}
	pairs := []any{"all", len(rows), "site", first}
	switch {
	case len(rows) == 0:
		return v.t("padlock.say_none"), ToneUnknown
	case change > 0:
		return v.t("padlock.say_change", append(pairs, "n", change)...), tone
	case bad > 0:
		return v.t("padlock.say_bad", append(pairs, "n", bad)...), tone
	case warn > 0:
		return v.t("padlock.say_warn", append(pairs, "n", warn)...), tone
	case unknown > 0:
		return v.t("padlock.say_unknown", append(pairs, "n", unknown)...), tone
	case busy > 0:
		return v.t("padlock.say_busy", append(pairs, "n", busy)...), tone
	}
	return v.t("padlock.say_good", "n", len(rows)), ToneGood
}
