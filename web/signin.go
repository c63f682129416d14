package web

import (
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/identity"
)

// start leads everybody to their first page.
func (p *Portal) start(v *visit) error {
	switch {
	case v.actor.ID == "":
		return v.c.Redirect(http.StatusSeeOther, "/signin")
	case v.staff():
		return v.c.Redirect(http.StatusSeeOther, "/today")
	case v.actor.Kind == controlplane.ActorContact:
		return v.c.Redirect(http.StatusSeeOther, "/home")
	case p.Sessions != nil:
		return v.c.Redirect(http.StatusSeeOther, "/recordings")
	}
	return v.c.Redirect(http.StatusSeeOther, "/evidence")
}

func (p *Portal) signInPage(v *visit, step SignInStep) *SignIn {
	s := &SignIn{Page: v.page("", v.t("signin.title"), v.t("signin.say")), Step: step, Next: v.c.FormValue("next")}
	s.Viewer = Viewer{}
	if p.o.Company != "" {
		s.Say = v.t("signin.say_at", "company", p.o.Company)
	}
	switch step {
	case StepCode:
		s.Say, s.Sub = v.t("signin.code_say"), v.t("signin.code_sub")
	case StepSpent:
		s.Say = v.t("signin.spent_say")
	case StepPassword:
		s.Sub = v.t("signin.sub")
	}
	return s
}

func (p *Portal) signIn(v *visit) error {
	if v.actor.ID != "" {
		return v.c.Redirect(http.StatusSeeOther, safeNext(v.c.QueryParam("next")))
	}
	return v.render(p.signInPage(v, StepPassword))
}

func (p *Portal) signInPassword(v *visit) error {
	page := p.signInPage(v, StepPassword)
	page.Email = strings.TrimSpace(v.c.FormValue("email"))
	pending, err := p.Identity.SignIn(v.ctx, identity.SignIn{Email: page.Email, Password: v.c.FormValue("password"), Customer: v.c.FormValue("customer"), Client: v.client()})
	if controlplane.ErrorCode(err) == controlplane.CodeConflict {
		page.AskCustomer = true
	}
	if err != nil {
		return v.invalid(page, err)
	}
	p.setCookie(v.c, cookiePending, pending.Secret, identity.PendingLife)
	to := "/signin/code"
	if next := safeNext(page.Next); next != "/" {
		to += "?next=" + template.URLQueryEscaper(next)
	}
	return v.redirect(to, "")
}

func (p *Portal) signInCode(v *visit) error {
	if p.cookie(v.c, cookiePending) == "" {
		return v.redirect("/signin", "")
	}
	return v.render(p.signInPage(v, StepCode))
}

func (p *Portal) signInSecond(v *visit) error {
	page := p.signInPage(v, StepCode)
	in, err := p.Identity.SecondFactor(v.ctx, p.cookie(v.c, cookiePending), strings.ReplaceAll(v.c.FormValue("code"), " ", ""), v.client())
	if controlplane.ErrorCode(err) == controlplane.CodeExpired {
		p.setCookie(v.c, cookiePending, "", 0)
		page = p.signInPage(v, StepPassword)
	}
	if err != nil {
		return v.invalid(page, err)
	}
	p.signedIn(v, in)
	return v.redirect(safeNext(page.Next), "")
}

// signedIn gives the browser its session.
func (p *Portal) signedIn(v *visit, in identity.SignedIn) {
	p.setCookie(v.c, cookiePending, "", 0)
	p.setCookie(v.c, cookieSession, in.Secret, in.Session.ExpiresAt.Sub(v.now))
}

// spent is the answer to a link that signs nobody in any more.
func (p *Portal) spent(v *visit, err error) error {
	var e *controlplane.Error
	if !errors.As(err, &e) || e.Code == controlplane.CodeInternal {
		return err
	}
	return v.renderStatus(status(e.Code), p.signInPage(v, StepSpent))
}

// demo signs in by a demo's one-time link. A browser that looks ahead must not
// use it up.
func (p *Portal) demo(v *visit) error {
	if v.c.Request().Header.Get("Sec-Purpose") != "" || v.c.Request().Method == http.MethodHead {
		return v.c.NoContent(http.StatusServiceUnavailable)
	}
	in, err := p.Identity.DemoSignIn(v.ctx, v.c.Param("secret"), v.client())
	if err != nil {
		return p.spent(v, err)
	}
	p.signedIn(v, in)
	return v.redirect("/", "")
}

func (p *Portal) setupPage(v *visit) (*Setup, error) {
	inv, err := p.Identity.Invitation(v.ctx, v.c.Param("secret"))
	if err != nil {
		return nil, err
	}
	png, err := inv.QR(232)
	if err != nil {
		return nil, err
	}
	s := &Setup{Page: v.page("", v.t("setup.title"), v.t("setup.say", "name", inv.Person.Name)), Token: v.c.Param("secret"), Name: inv.Person.Name,
		Email: inv.Person.Email, Secret: inFours(inv.TOTPSecret), QR: QR("data:image/png;base64," + base64.StdEncoding.EncodeToString(png))}
	if inv.Reset {
		s.Say = v.t("setup.say_again", "name", inv.Person.Name)
	}
	s.Viewer = Viewer{}
	if p.o.Company != "" {
		s.Sub = v.t("setup.of", "company", p.o.Company)
	}
	return s, nil
}

// inFours writes a secret in groups of four, for typing.
func inFours(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (p *Portal) invite(v *visit) error {
	page, err := p.setupPage(v)
	if err != nil {
		return p.spent(v, err)
	}
	return v.render(page)
}

// inviteAccept shows the recovery codes in its own answer: they can be read
// this once.
func (p *Portal) inviteAccept(v *visit) error {
	page, err := p.setupPage(v)
	if err != nil {
		return p.spent(v, err)
	}
	in, err := p.Identity.AcceptInvite(v.ctx, page.Token, identity.Acceptance{Password: v.c.FormValue("password"), Code: strings.ReplaceAll(v.c.FormValue("code"), " ", ""), Client: v.client()})
	if err != nil {
		return v.invalid(page, err)
	}
	p.signedIn(v, in.SignedIn)
	return v.render(&Codes{Page: v.page("", v.t("codes.title"), v.t("codes.say")), Codes: in.RecoveryCodes, Back: "/"})
}

func (p *Portal) signOut(v *visit) error {
	if err := p.Identity.SignOut(v.ctx); err != nil {
		return err
	}
	p.setCookie(v.c, cookieSession, "", 0)
	return v.redirect("/signin", "")
}
