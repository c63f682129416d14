package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// visit is one request of a person's browser.
type visit struct {
	p       *Portal
	c       echo.Context
	ctx     context.Context
	actor   controlplane.Actor
	person  identity.Person
	session identity.Session
	viewer  Viewer
	now     time.Time
	zone    *time.Location
	helping *backups.Assist // see assist
	// unassisted: what was asked for is seen by who says why first.
	unassisted bool
}

// t returns a text in the portal's language.
func (v *visit) t(key string, pairs ...any) string { return v.p.tx.T(key, pairs...) }

// staff reports whether the reader is one of the hosting company's people.
func (v *visit) staff() bool { return v.actor.Kind == controlplane.ActorStaff }

// ofFiles reports whether a permission has to do with what is in a customer's
// copies: staff have it by an assist only.
func ofFiles(p policy.Permission) bool { return p == policy.FileRead || p == policy.RestoreRun }

// assist is what the reader, one of staff, has open to help a customer: for
// one customer, with a reason and a ticket; its zero value is none.
func (v *visit) assist() backups.Assist {
	if v.helping == nil {
		a, err := v.p.Backups.CurrentAssist(v.ctx)
		if err != nil {
			v.p.log.ErrorContext(v.ctx, "web.assist", "error", err)
		}
		v.helping = &a
	}
	return *v.helping
}

// scope is what the reader reaches, after the permission was looked at. What
// has to do with a customer's files, staff reach by an assist only.
func (v *visit) scope(p policy.Permission) (policy.Scope, error) {
	if v.staff() && ofFiles(p) {
		if v.can(policy.RestoreAssist) {
			s, _, err := v.p.Backups.AssistScope(v.ctx, p)
			v.unassisted = controlplane.ErrorCode(err) == controlplane.CodeForbidden
			return s, err
		}
		p = policy.RestoreAssist
	}
	s, err := policy.For(v.ctx, p)
	if controlplane.ErrorCode(err) != controlplane.CodeForbidden {
		return s, err
	}
	whom := "fault.ask_owner"
	switch v.actor.Kind {
	case controlplane.ActorStaff:
		whom = "fault.ask_admin"
	case controlplane.ActorAuditor:
		whom = "fault.ask_inviter"
	}
	return s, controlplane.Errorf(controlplane.CodeForbidden, v.t(whom), "%s", v.t("fault.forbidden", "what", v.permissionWord(p))).Because(err)
}

// can reports whether the reader's role has a permission.
func (v *visit) can(p policy.Permission) bool { return policy.Can(v.actor, p) }

// canOf is can for what is one customer's: of files, staff may what they have
// an assist for, and nothing of any other customer.
func (v *visit) canOf(customer string, p policy.Permission) bool {
	if v.staff() && ofFiles(p) {
		a := v.assist()
		return a.Open(v.now) && a.Customer == customer
	}
	return policy.Can(v.actor, p)
}

// page begins a page for this reader.
func (v *visit) page(nav, title, say string) Page {
	self := v.c.Request().URL.RequestURI()
	p := Page{Title: title, Say: say, Nav: nav, Viewer: v.viewer, Now: v.now, Zone: v.zone, Self: self, House: v.p.o.Company, Note: v.p.o.Note, Helping: v.helpingBanner()}
	if done := v.c.QueryParam("done"); done != "" {
		p.Done = doneText(v.p.tx, done)
		p.Self = without(v.c.Request().URL, "done")
	}
	return p
}

// doneTexts are what forms say after their redirect, by the word in the address.
var doneTexts = map[string]string{
	"run": "done.run", "saved": "done.saved", "cancelled": "done.cancelled", "revoked": "done.revoked", "ended": "done.ended",
	"key": "done.key", "created": "done.created", "retried": "done.retried", "password": "done.password", "others": "done.others",
	"removed": "done.removed", "enabled": "done.enabled", "signed_out": "done.signed_out", "auditor_ended": "done.auditor_ended", "checked": "done.checked",
	"assist": "done.assist", "assist_ended": "done.assist_ended", "asked": "done.asked", "taken": "done.taken", "answered": "done.answered", "names": "done.names", "taken_out": "done.taken_out",
	"provider_removed": "done.provider_removed", "cert_renew": "done.cert_renew", "cert_dry_run": "done.cert_dry_run", "cert_check": "done.cert_check", "cert_resume": "done.cert_resume", "cert_pause": "done.cert_pause", "cert_revoke": "done.cert_revoke", "cert_compromised": "done.cert_compromised", "cert_end": "done.cert_end", "cert_undo": "done.cert_undo", "cert_created": "done.cert_created", "cert_taken": "done.cert_taken",
	"acknowledged": "done.acknowledged", "call_noted": "done.call_noted", "confirmed": "done.confirmed", "not_ours": "done.not_ours", "flagged": "done.flagged", "person_added": "done.person_added", "left": "done.left", "grant_yes": "done.grant_yes", "grant_no": "done.grant_no", "proposed": "done.proposed", "granted": "done.granted", "grant_revoked": "done.grant_revoked", "reviewed": "done.reviewed", "baseline": "done.baseline", "looked": "done.looked",
	"claimed": "done.claimed", "unclaimed": "done.unclaimed", "recording_check": "done.recording_check", "recording_fetch": "done.recording_fetch", "review_asked": "done.review_asked", "question_answered": "done.question_answered", "login_explained": "done.login_explained", "feed_read": "done.feed_read", "event_dismissed": "done.event_dismissed", "held": "done.held", "release_asked": "done.release_asked", "released": "done.released", "released_alone": "done.released_alone", "release_looked": "done.release_looked", "noted": "done.noted", "judged": "done.judged",
	"inc_opened": "done.inc_opened", "inc_acted": "done.inc_acted", "inc_affected": "done.inc_affected", "inc_asked": "done.inc_asked", "inc_asserted": "done.inc_asserted", "inc_cleared": "done.inc_cleared", "inc_closed": "done.inc_closed", "inc_contained": "done.inc_contained", "inc_decided": "done.inc_decided", "inc_drafted": "done.inc_drafted", "inc_frozen": "done.inc_frozen", "inc_planned": "done.inc_planned", "inc_reopened": "done.inc_reopened", "inc_reported": "done.inc_reported", "inc_sent": "done.inc_sent", "inc_thawed": "done.inc_thawed", "inc_told": "done.inc_told", "inc_confirmed": "done.inc_confirmed", "inc_second": "done.inc_second", "inc_w_not": "done.inc_w_not",
	"nothing": "done.nothing",
}

func doneText(tx *Text, word string) string {
	if key, ok := doneTexts[word]; ok {
		return tx.T(key)
	}
	return ""
}

// without returns u's path and query without one parameter.
func without(u *url.URL, name string) string {
	q := u.Query()
	q.Del(name)
	c := url.URL{Path: u.Path, RawQuery: q.Encode()}
	return c.RequestURI()
}

// render answers with a page.
func (v *visit) render(view View) error { return v.renderStatus(http.StatusOK, view) }

func (v *visit) renderStatus(status int, view View) error {
	var b bytes.Buffer
	if err := v.p.r.Render(&b, view); err != nil {
		return err
	}
	v.c.Response().Header().Set("Content-Security-Policy", PolicyOf(view))
	if err := v.c.HTMLBlob(status, b.Bytes()); err != nil {
		return fmt.Errorf("web: answer: %w", err)
	}
	return nil
}

// redirect answers a form: the browser shows the page next, and says what was done.
func (v *visit) redirect(to, done string) error {
	if done != "" {
		sep := "?"
		if strings.Contains(to, "?") {
			sep = "&"
		}
		to += sep + "done=" + done
	}
	return v.c.Redirect(http.StatusSeeOther, to)
}

// invalid answers a form that cannot be carried out with the form again, what
// is wrong marked, and the error's status. Other errors go to the error edge.
func (v *visit) invalid(view View, err error) error {
	var e *controlplane.Error
	if !errors.As(err, &e) || e.Code == controlplane.CodeNotFound || e.Code == controlplane.CodeForbidden || e.Code == controlplane.CodeInternal {
		return err
	}
	p := view.base()
	p.Live, p.Refresh = nil, 0 // asking again would take away what is wrong
	if len(e.Fields) == 0 {
		p.Problem = &Problem{Cause: trimDot(e.Message), Next: e.Next}
	}
	for _, f := range e.Fields {
		id, at, _ := strings.Cut(strings.TrimPrefix(f.Pointer, "/"), "/")
		p.Errors = append(p.Errors, FieldError{Field: id, Message: v.lineOf(id, at, f.Message)})
	}
	return v.renderStatus(status(e.Code), view)
}

// lineOf is what is wrong with one line of a text area, with that line named.
func (v *visit) lineOf(id, at, message string) string {
	i, err := strconv.Atoi(at)
	sent := lines(v.c.FormValue(id))
	if err != nil || i < 0 || i >= len(sent) || strings.Contains(message, sent[i]) {
		return message
	}
	return PlainName([]byte(sent[i])) + ": " + lower(message)
}

func trimDot(s string) string { return strings.TrimSuffix(s, ".") }

// client is where the request came from, for the throttle and the session list.
func (v *visit) client() identity.Client {
	return identity.Client{Address: v.c.RealIP(), UserAgent: v.c.Request().UserAgent()}
}

// serverName returns a server's name for a sentence; where the reader may not
// see it, a plain word.
func (v *visit) serverName(id string) string {
	names, err := v.servers([]string{id})
	if err != nil || names[id].Name == "" {
		return v.t("word.server")
	}
	return names[id].Name
}

// servers returns servers by id.
func (v *visit) servers(ids []string) (map[string]customers.Server, error) {
	scope, err := v.scope(policy.ServerRead)
	if err != nil {
		return nil, err
	}
	return v.p.Customers.ServersByIDs(v.ctx, scope, ids)
}

// customerNames returns customers' names by id; none for a contact, who sees
// one customer only and needs no name for it.
func (v *visit) customerNames(ids []string) (map[string]string, error) {
	if !v.staff() {
		return nil, nil
	}
	scope, err := v.scope(policy.CustomerRead)
	if err != nil {
		return nil, err
	}
	return v.p.Customers.Names(v.ctx, scope, ids)
}

// moment is a time as words, for sentences.
func (v *visit) moment(t time.Time) string { return moment(v.p.tx, t, v.now, v.zone) }
