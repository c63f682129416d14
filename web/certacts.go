package web

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// certDo answers a form that does something with one certificate; what cannot
// be done now is said on its page.
func (p *Portal) certDo(v *visit, perm policy.Permission, done string, do func(scope policy.Scope, id string) error) error {
	scope, c, err := v.aCert(perm, v.c.Param("id"))
	if err != nil {
		return err
	}
	if err := do(scope, c.ID); err != nil {
		page, perr := v.certificatePage(c.ID)
		if perr != nil {
			return perr
		}
		return v.invalid(page, err)
	}
	return v.redirect("/certificates/"+c.ID, done)
}

func (p *Portal) certRenew(v *visit) error {
	return p.certDo(v, policy.CertWrite, "cert_renew", func(s policy.Scope, id string) error {
		_, err := p.Certs.Renew(v.ctx, s, id)
		return err
	})
}

func (p *Portal) certDryRun(v *visit) error {
	return p.certDo(v, policy.CertWrite, "cert_dry_run", func(s policy.Scope, id string) error {
		_, err := p.Certs.DryRun(v.ctx, s, id)
		return err
	})
}

func (p *Portal) certCheck(v *visit) error {
	return p.certDo(v, policy.CertRead, "cert_check", func(s policy.Scope, id string) error {
		_, err := p.Certs.CheckServed(v.ctx, s, id)
		return err
	})
}

func (p *Portal) certResume(v *visit) error {
	return p.certDo(v, policy.CertWrite, "cert_resume", func(s policy.Scope, id string) error {
		_, err := p.Certs.Resume(v.ctx, s, id)
		return err
	})
}

// A certAct is what is asked for once more before it is done.
type certAct struct {
	word string // of the address
	perm policy.Permission
	// page says what will happen.
	page func(v *visit, c certs.Certificate, page *CertConfirm) error
	do   func(v *visit, scope policy.Scope, c certs.Certificate, page *CertConfirm) error
	done string
}

// certActions are the acts with a page of their own.
func (p *Portal) certActions() []certAct {
	return []certAct{
		{"pause", policy.CertWrite, pausePage, p.pauseDo, "cert_pause"}, {"revoke", policy.CertWrite, revokePage, p.revokeDo, "cert_revoke"},
		{"compromised", policy.CertAdmin, compromisedPage, p.compromisedDo, "cert_compromised"}, {"end", policy.CertWrite, endPage, p.endDo, "cert_end"},
		{"undo", policy.CertWrite, undoPage, p.undoDo, "cert_undo"},
	}
}

// certConfirm returns the handlers of an act: its page, and its form.
func (p *Portal) certConfirm(a certAct) (ask, do func(*visit) error) {
	begin := func(v *visit) (policy.Scope, certs.Certificate, *CertConfirm, error) {
		scope, c, err := v.aCert(a.perm, v.c.Param("id"))
		if err != nil {
			return scope, c, nil, err
		}
		self := "/certificates/" + c.ID
		page := &CertConfirm{Page: v.page("certs", certName(c), ""), Action: self + "/" + a.word, Back: self}
		page.Crumbs = []Link{{v.t("certs.title"), "/certificates"}, {certName(c), self}}
		return scope, c, page, a.page(v, c, page)
	}
	ask = func(v *visit) error {
		_, _, page, err := begin(v)
		if err != nil {
			return err
		}
		return v.render(page)
	}
	do = func(v *visit) error {
		scope, c, page, err := begin(v)
		if err != nil {
			return err
		}
		if page.Typed != "" && strings.TrimSpace(v.c.FormValue("typed")) != page.Typed {
			return v.invalid(page, controlplane.Invalid(controlplane.Field{Pointer: "/typed", Message: v.t("certconfirm.typed_wrong", "name", page.Typed)}))
		}
		if page.Words != nil {
			page.Words.Value = strings.TrimSpace(v.c.FormValue("words"))
		}
		if err := a.do(v, scope, c, page); err != nil {
			return v.invalid(page, err)
		}
		return v.redirect("/certificates/"+c.ID, a.done)
	}
	return ask, do
}

func pausePage(v *visit, c certs.Certificate, page *CertConfirm) error {
	page.Say, page.Do, page.Until = v.t("certconfirm.pause", "name", certName(c)), v.t("certconfirm.pause_do"), true
	page.Words = &CertWords{Label: v.t("col.reason"), Hint: v.t("certconfirm.pause_hint")}
	page.UntilOn = v.c.FormValue("until")
	page.Lines = []string{v.t("certconfirm.pause_1"), v.t("certconfirm.pause_2")}
	if !c.Issued.NotAfter.IsZero() {
		page.Lines = append(page.Lines, v.t("certconfirm.pause_3", "when", v.moment(c.Issued.NotAfter)))
	}
	return nil
}

func (p *Portal) pauseDo(v *visit, scope policy.Scope, c certs.Certificate, page *CertConfirm) error {
	until := certs.Forever
	if page.UntilOn != "" {
		day, err := time.ParseInLocation(time.DateOnly, page.UntilOn, v.zone)
		if err != nil {
			return controlplane.Invalid(controlplane.Field{Pointer: "/until", Message: v.t("activity.no_day")})
		}
		until = day
	}
	_, err := p.Certs.Pause(v.ctx, scope, c.ID, until, page.Words.Value)
	return relabelled(err, "/reason", "/words")
}

// relabelled moves what is wrong with a field to the input that asks for it.
func relabelled(err error, pairs ...string) error {
	var e *controlplane.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Fields = nil
	for _, f := range e.Fields {
		for i := 0; i+1 < len(pairs); i += 2 {
			if f.Pointer == pairs[i] {
				f.Pointer = pairs[i+1]
			}
		}
		out.Fields = append(out.Fields, f)
	}
	return &out
}

// revokeReasons are the reasons a person gives, RFC 5280, 5.3.1.
var revokeReasons = []struct {
	code int
	key  string
}{{4, "revoke.superseded"}, {5, "revoke.cessation"}, {3, "revoke.affiliation"}, {0, "revoke.unspecified"}}

func revokePage(v *visit, c certs.Certificate, page *CertConfirm) error {
	page.Say, page.Tone, page.Do, page.Typed = v.t("certconfirm.revoke", "name", certName(c)), ToneBad, v.t("certconfirm.revoke_do"), certName(c)
	page.Lines = []string{v.t("certconfirm.revoke_1"), v.t("certconfirm.revoke_2"), v.t("certconfirm.revoke_3"), v.t("certconfirm.revoke_4")}
	chosen := v.c.FormValue("reason")
	for i, r := range revokeReasons {
		value := strconv.Itoa(r.code)
		page.Reasons = append(page.Reasons, Choice{value, v.t(r.key), value == chosen || chosen == "" && i == 0})
	}
	return nil
}

func (p *Portal) revokeDo(v *visit, scope policy.Scope, c certs.Certificate, _ *CertConfirm) error {
	reason, err := strconv.Atoi(v.c.FormValue("reason"))
	if err != nil {
		reason = 0
	}
	_, err = p.Certs.Revoke(v.ctx, scope, c.ID, reason)
	return err
}

func compromisedPage(v *visit, c certs.Certificate, page *CertConfirm) error {
	page.Say, page.Tone, page.Do, page.Typed = v.t("certconfirm.known", "name", certName(c)), ToneBad, v.t("certconfirm.known_do"), certName(c)
	page.Words = &CertWords{Label: v.t("certconfirm.known_how"), Hint: v.t("certconfirm.known_hint")}
	page.Lines = []string{v.t("certconfirm.known_1"), v.t("certconfirm.known_2"), v.t("certconfirm.known_3"), v.t("certconfirm.known_4")}
	return nil
}

func (p *Portal) compromisedDo(v *visit, scope policy.Scope, c certs.Certificate, page *CertConfirm) error {
	_, err := p.Certs.Compromised(v.ctx, scope, c.ID, page.Words.Value)
	return relabelled(err, "/detail", "/words")
}

func endPage(v *visit, c certs.Certificate, page *CertConfirm) error {
	page.Say, page.Tone, page.Do, page.Typed = v.t("certconfirm.end", "name", certName(c)), ToneWarn, v.t("certconfirm.end_do"), certName(c)
	page.Lines = []string{v.t("certconfirm.end_1"), v.t("certconfirm.end_2")}
	if c.Issued.NotAfter.After(v.now) {
		page.Lines = append(page.Lines, v.t("certconfirm.end_3", "when", v.moment(c.Issued.NotAfter)))
	}
	return nil
}

func (p *Portal) endDo(v *visit, scope policy.Scope, c certs.Certificate, _ *CertConfirm) error {
	_, err := p.Certs.End(v.ctx, scope, c.ID)
	return err
}

func undoPage(v *visit, c certs.Certificate, page *CertConfirm) error {
	page.Say, page.Tone, page.Do = v.t("certconfirm.undo", "name", certName(c)), ToneWarn, v.t("certconfirm.undo_do")
	page.Lines = []string{v.t("certconfirm.undo_1"), v.t("certconfirm.undo_2"), v.t("certconfirm.undo_3")}
	return nil
}

func (p *Portal) undoDo(v *visit, scope policy.Scope, c certs.Certificate, _ *CertConfirm) error {
	_, err := p.Certs.UndoTakeOver(v.ctx, scope, c.ID)
	return err
}
