package web

import (
	"strings"

	"ostler/controlplane/policy"
)

func (p *Portal) account(v *visit) error {
	page, err := p.accountPage(v)
	if err != nil {
		return err
	}
	return v.render(page)
}

// fillSessions lists one's own sign-ins.
func (v *visit) fillSessions(page *Account) error {
	sessions, err := v.p.Identity.Sessions(v.ctx)
	if err != nil {
		return err
	}
	page.Say = v.t("account.say", "n", len(sessions), "number", v.p.tx.Number(len(sessions)))
	for _, s := range sessions {
		row := SessionRow{ID: s.ID, Browser: browser(s.UserAgent), Address: s.Address, Started: s.CreatedAt, Seen: s.SeenAt, Expires: s.ExpiresAt, This: s.Current}
		if row.Browser == "" {
			row.Browser = v.t("unknown")
		}
		if !s.Current {
			row.Revoke = "/account/sessions/" + s.ID + "/revoke"
		}
		page.Sessions = append(page.Sessions, row)
	}
	page.Others = len(sessions) > 1
	return nil
}

// fewCodes is how many recovery codes are too few to be at ease.
const fewCodes = 3

// fillSignIn says how one's own sign-in stands.
func (v *visit) fillSignIn(page *Account) error {
	c, err := v.p.Identity.Credentials(v.ctx)
	if err != nil {
		return err
	}
	page.Ready, page.Low = c.Ready, c.Ready && c.RecoveryLeft < fewCodes
	if !c.Ready {
		return nil
	}
	page.SignIn = []Pair{
		{Label: v.t("account.password"), Value: v.t("account.set", "when", v.moment(c.PasswordAt))},
		{Label: v.t("account.factor"), Value: v.t("account.factor_set", "when", v.moment(c.FactorAt))},
		{Label: v.t("account.codes"), Value: v.t("account.codes_left", "n", c.RecoveryLeft)},
	}
	return nil
}

func (p *Portal) sessionRevoke(v *visit) error {
	if err := p.Identity.RevokeSession(v.ctx, v.c.Param("id")); err != nil {
		return err
	}
	return v.redirect("/account", "revoked")
}

var roleTexts = map[policy.Role]string{
	policy.RoleOps: "role.ops", policy.RoleAdmin: "role.admin", policy.RoleSupport: "role.support", policy.RoleOwner: "role.owner",
	policy.RoleRestorer: "role.restorer", policy.RoleReader: "role.reader", policy.RoleAuditor: "role.auditor",
}

func roleWord(tx *Text, r policy.Role) string {
	if key, ok := roleTexts[r]; ok {
		return tx.T(key)
	}
	return string(r)
}

// browser says which browser and system a user agent names, as people call them.
func browser(agent string) string {
	find := func(pairs ...string) string {
		for i := 0; i+1 < len(pairs); i += 2 {
			if strings.Contains(agent, pairs[i]) {
				return pairs[i+1]
			}
		}
		return ""
	}
	name := find("Firefox/", "Firefox", "Edg/", "Edge", "OPR/", "Opera", "Chrome/", "Chrome", "Safari/", "Safari", "curl/", "curl")
	system := find("Android", "Android", "iPhone", "iPhone", "iPad", "iPad", "Windows", "Windows", "Mac OS X", "Mac", "Linux", "Linux")
	if name != "" && system != "" {
		return name + ", " + system
	}
	return name + system
}
