package web

import (
	"strconv"
	"strings"
	"time"

	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// byLimit are the codes of waits that a limit asks for.
var byLimit = map[string]bool{"limit": true, "ca_rate_limited": true}

// certLimits shows what authorities' limits leave, whom they keep waiting, and
// how long so many new sites would take.
func (p *Portal) certLimits(v *visit) error {
	scope, err := v.scope(policy.CertRead)
	if err != nil {
		return err
	}
	page := &CertLimits{Page: v.page("certs", v.t("certlimits.title"), v.t("certlimits.say_none")), N: strings.TrimSpace(v.c.QueryParam("n")), More: v.certMore("/certificates/limits")}
	page.Crumbs = []Link{{v.t("certs.title"), "/certificates"}}
	page.Tone = ToneGood
	list, _, err := v.openCerts(scope, certs.Filter{}, 5)
	if err != nil {
		return err
	}
	var waiting []certs.Certificate
	for _, c := range list {
		if byLimit[c.Failing.Why.Code] {
			waiting = append(waiting, c)
		}
	}
	if page.Waiting, err = v.certRows(waiting); err != nil {
		return err
	}
	if n := len(waiting); n > 0 {
		page.Say, page.Tone = v.t("certlimits.say", "n", n), ToneWarn
	}
	if err := v.limitRows(scope, page); err != nil {
		return err
	}
	if page.N != "" {
		if err := v.forecast(scope, page); err != nil {
			return v.invalid(page, err)
		}
	}
	return v.render(page)
}

// forecast answers how long so many new sites would take.
func (v *visit) forecast(scope policy.Scope, page *CertLimits) error {
	wrong := controlplane.Invalid(controlplane.Field{Pointer: "/n", Message: v.t("certlimits.no_number")})
	n, err := strconv.ParseInt(strings.NewReplacer(",", "", " ", "", "\u202f", "").Replace(page.N), 10, 64)
	if err != nil {
		return wrong
	}
	f, err := v.p.Certs.Forecast(v.ctx, scope, "", n)
	switch controlplane.ErrorCode(err) {
	case "":
	case controlplane.CodeInvalid:
		return wrong
	case controlplane.CodeNotFound:
		page.Forecast = v.t("certset.say_none")
		return nil
	default:
		return err
	}
	page.Forecast = v.t("certlimits.at_once", "n", n, "ca", f.Name)
	if f.Takes > 0 {
		page.Forecast = v.t("certlimits.takes", "n", n, "ca", f.Name, "span", v.long(f.Takes))
		page.Points = append(page.Points, Pair{Label: v.t("certlimits.because"), Value: f.Limit}, Pair{Label: v.t("certlimits.over"), Value: v.moment(v.now.Add(f.Takes))})
	}
	page.Points = append(page.Points, Pair{Label: v.t("certlimits.orders"), Value: group(f.Orders)})
	return nil
}

// long is a length of time to the hour: "4 days 5 h".
func (v *visit) long(d time.Duration) string {
	const day = 24 * time.Hour
	d = d.Round(time.Hour)
	if d < 2*day || d%day == 0 {
		return span(v.p.tx, d)
	}
	return v.t("span.days", "n", int(d/day)) + " " + v.t("span.h", "n", int(d%day/time.Hour))
}

// limitRows are the limits of every authority but those of dry runs.
func (v *visit) limitRows(scope policy.Scope, page *CertLimits) error {
	cas, err := v.p.Certs.Authorities(v.ctx, scope)
	if err != nil {
		return err
	}
	for _, ca := range cas {
		if ca.Role == certs.RoleStaging {
			continue
		}
		lines, err := v.p.Certs.Limits(v.ctx, scope, ca.ID)
		if err != nil {
			return err
		}
		for _, l := range lines {
			row := LimitRow{Limit: capital(l.Limit), Scope: v.t("certlimits.account", "ca", ca.Name), Used: int(l.Used), Most: int(l.Max), State: State{ToneGood, v.t("certlimits.room")}}
			if l.Scope != "" {
				row.Scope = v.t("certlimits.of", "what", l.Scope, "ca", ca.Name)
			}
			switch {
			case l.BlockedUntil.After(v.now):
				row.State, row.Free = State{ToneWarn, v.t("certlimits.blocked")}, l.BlockedUntil
			case l.Max > 0 && l.Used >= l.Max:
				row.State, row.Free = State{ToneWarn, v.t("certlimits.full")}, l.Next
			}
			page.Rows = append(page.Rows, row)
		}
	}
	return nil
}
