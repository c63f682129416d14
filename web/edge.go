package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// headers are sent with every answer of the portal.
func headers(c echo.Context) {
	h := c.Response().Header()
	h.Set("Content-Security-Policy", ContentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// serve is the edge around each handler: who asks, whether they may, and how
// an error reads.
func (p *Portal) serve(r route) echo.HandlerFunc {
	return func(c echo.Context) error {
		headers(c)
		v := &visit{p: p, c: c, ctx: c.Request().Context(), zone: p.zoneOf(c, p.o.Zone)}
		if strings.HasPrefix(r.Path, "/static/") {
			return r.handle(v)
		}
		v.now = p.now(v.ctx)
		err := p.cross.Check(c.Request())
		if err != nil {
			err = controlplane.Errorf(controlplane.CodeForbidden, "Open the page here and send the form again.", "The form was sent from another site").Because(err)
		}
		if err == nil {
			err = p.admit(v, r)
		}
		if err == nil {
			err = r.handle(v)
		}
		if err == nil || c.Response().Committed {
			return err
		}
		return v.fault(err)
	}
}

// admit finds out who asks and whether the route is for them. Whoever is not
// of its audience gets what a missing page gets.
func (p *Portal) admit(v *visit, r route) error {
	err := p.authenticate(v)
	if r.Audience == policy.Public {
		return nil
	}
	if err != nil {
		return err
	}
	if !r.Audience.Admits(string(v.actor.Kind)) {
		return controlplane.NotFound("page")
	}
	if r.Permission != "" {
		if _, err := v.scope(r.Permission); err != nil {
			return err
		}
	}
	return nil
}

// authenticate fills in who asks, by the session's cookie.
func (p *Portal) authenticate(v *visit) error {
	secret := p.cookie(v.c, cookieSession)
	if secret == "" {
		return controlplane.Errorf(controlplane.CodeUnauthorized, "Sign in and try again.", "You are not signed in")
	}
	actor, session, err := p.Identity.Authenticate(v.ctx, secret)
	if err != nil {
		return err
	}
	ctx := controlplane.WithActor(v.ctx, actor)
	person, err := p.Identity.Person(ctx, actor)
	if err != nil {
		return err
	}
	v.ctx, v.actor, v.session, v.person = ctx, actor, session, person
	v.c.SetRequest(v.c.Request().WithContext(ctx))
	v.viewer = Viewer{Name: person.Name, Company: p.o.Company, Staff: v.staff(), Auditor: actor.Kind == controlplane.ActorAuditor, May: map[string]bool{}}
	for _, perm := range policy.Permissions(policy.Role(actor.Role)) {
		v.viewer.May[string(perm)] = policy.Can(actor, perm) && (p.Sessions != nil || !strings.HasPrefix(string(perm), "session.")) && (p.Incidents != nil || !strings.HasPrefix(string(perm), "incident."))
	}
	if actor.Customer != "" {
		c, err := p.Customers.GetCustomer(ctx, policy.ScopeOf(actor), actor.Customer)
		if err != nil {
			return err
		}
		v.viewer.Company = c.Name
		if z, err := time.LoadLocation(c.Zone); err == nil && c.Zone != "" && c.Zone != "Local" {
			v.zone = p.zoneOf(v.c, z)
		}
	}
	return nil
}

// status is a code's HTTP status on pages.
func status(code controlplane.Code) int {
	switch code {
	case controlplane.CodeInvalid:
		return http.StatusUnprocessableEntity
	case controlplane.CodeUnauthorized:
		return http.StatusUnauthorized
	case controlplane.CodeForbidden:
		return http.StatusForbidden
	case controlplane.CodeNotFound:
		return http.StatusNotFound
	case controlplane.CodeConflict:
		return http.StatusConflict
	case controlplane.CodeExpired:
		return http.StatusGone
	case controlplane.CodeUnavailable:
		return http.StatusServiceUnavailable
	case controlplane.CodeTooMany:
		return http.StatusTooManyRequests
	}
	return http.StatusInternalServerError
}

// fault answers with an error's page, its cause and the next step. Whoever is
// not signed in is asked to sign in, and comes back to where they were going.
func (v *visit) fault(err error) error {
	var he *echo.HTTPError
	if errors.As(err, &he) && he.Code < http.StatusInternalServerError {
		err = controlplane.NotFound("page")
	}
	e := &controlplane.Error{Code: controlplane.CodeInternal, Message: v.t("fault.internal"), Next: v.t("fault.internal_next")}
	id := ""
	var known *controlplane.Error
	if errors.As(err, &known) && known.Code != controlplane.CodeInternal {
		e = known
	} else {
		id = controlplane.RequestID(v.ctx)
		v.p.log.ErrorContext(v.ctx, "web.error", "request_id", id, "error", err)
	}
	if e.Code == controlplane.CodeUnauthorized && v.c.Request().URL.Path != "/signin" {
		if v.c.Request().Header.Get("HX-Request") != "" {
			return v.c.NoContent(http.StatusUnauthorized)
		}
		return v.c.Redirect(http.StatusSeeOther, "/signin?next="+url.QueryEscape(v.next()))
	}
	f := &Fault{Page: v.page("", v.t("fault.title"), capital(trimDot(e.Message))+"."), Status: status(e.Code), Next: e.Next, Back: Link{v.t("fault.home"), "/"}}
	f.RequestID = id
	if v.unassisted && e.Code == controlplane.CodeForbidden {
		f.Back = v.sayWhy()
	}
	return v.renderStatus(f.Status, f)
}

// next is where a person was going when they had to sign in.
func (v *visit) next() string {
	if r := v.c.Request(); r.Method == http.MethodGet && r.URL.Path != "/" && r.URL.Path != "/events" {
		return r.URL.RequestURI()
	}
	return ""
}

// safeNext lets only a path of this portal through.
func safeNext(s string) string {
	u, err := url.Parse(s)
	if err != nil || s == "" || s[0] != '/' || strings.HasPrefix(s, "//") || strings.ContainsAny(s, "\\\r\n\t") || u.Host != "" || u.Scheme != "" {
		return "/"
	}
	return s
}

// The cookies. Over TLS their names bind them to this host.
const (
	cookieSession = "session"
	cookiePending = "signin"
)

func (p *Portal) cookieName(name string) string {
	if p.o.Secure {
		return "__Host-" + name
	}
	return name
}

func (p *Portal) cookie(c echo.Context, name string) string {
	k, err := c.Cookie(p.cookieName(name))
	if err != nil {
		return ""
	}
	return k.Value
}

// setCookie sets a cookie that scripts cannot read; an empty value deletes it.
func (p *Portal) setCookie(c echo.Context, name, value string, life time.Duration) {
	k := &http.Cookie{Name: p.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: p.o.Secure, SameSite: http.SameSiteLaxMode, MaxAge: int(life.Seconds())}
	if value == "" {
		k.MaxAge = -1
	}
	c.SetCookie(k)
}

// zoneOf is the reader's time zone, which their browser says in a cookie; z
// until it has.
func (p *Portal) zoneOf(c echo.Context, z *time.Location) *time.Location {
	k, err := c.Cookie("zone")
	if err != nil || len(k.Value) > 64 {
		return z
	}
	name, err := url.QueryUnescape(k.Value)
	if err != nil || name == "" || name == "Local" {
		return z
	}
	said, err := time.LoadLocation(name)
	if err != nil {
		return z
	}
	return said
}
