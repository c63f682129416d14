package web

import (
	"strconv"
	"strings"

	"ostler/certs"
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
	list, err := v.openCerts(scope, certs.Filter{})
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
	if page.N != "" {
		n, err := strconv.Atoi(strings.ReplaceAll(page.N, ",", ""))
		if err != nil || n < 1 || n > 10_000_000 {
			page.Errors = append(page.Errors, FieldError{"n", v.t("certlimits.no_number")})
			return v.render(page)
		}
	}
	return v.render(page)
}
