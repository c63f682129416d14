package web

import (
	"strings"

	"ostler/controlplane/identity"
)

func (p *Portal) passwordPage(v *visit) *Password {
	page := &Password{Page: v.page("account", v.t("password.title"), v.t("password.say")), Email: v.person.Email}
	page.Sub, page.Crumbs = v.t("password.sub"), []Link{{v.t("account.title"), "/account"}}
	return page
}

func (p *Portal) passwordForm(v *visit) error { return v.render(p.passwordPage(v)) }

// passwordChange signs out everywhere else; this browser goes on with a cookie
// of a new value.
func (p *Portal) passwordChange(v *visit) error {
	secret, err := p.Identity.ChangePassword(v.ctx, identity.PasswordChange{Old: v.c.FormValue("old_password"), New: v.c.FormValue("new_password")})
	if err != nil {
		return v.invalid(p.passwordPage(v), err)
	}
	p.setCookie(v.c, cookieSession, secret, v.session.ExpiresAt.Sub(v.now))
	return v.redirect("/account", "password")
}

func (p *Portal) codesPage(v *visit) *NewCodes {
	page := &NewCodes{v.page("account", v.t("codes.title"), v.t("newcodes.say"))}
	page.Sub, page.Crumbs = v.t("newcodes.sub"), []Link{{v.t("account.title"), "/account"}}
	return page
}

func (p *Portal) codesForm(v *visit) error { return v.render(p.codesPage(v)) }

// codesReplace shows the new codes in its own answer: they can be read this once.
func (p *Portal) codesReplace(v *visit) error {
	codes, err := p.Identity.ReplaceRecoveryCodes(v.ctx, strings.ReplaceAll(v.c.FormValue("code"), " ", ""))
	if err != nil {
		return v.invalid(p.codesPage(v), err)
	}
	return v.render(&Codes{Page: v.page("account", v.t("codes.title"), v.t("newcodes.done")), Codes: codes, Back: "/account"})
}

// sessionsEnd signs the reader out everywhere but here.
func (p *Portal) sessionsEnd(v *visit) error {
	if _, err := p.Identity.RevokeOtherSessions(v.ctx); err != nil {
		return err
	}
	return v.redirect("/account", "others")
}
