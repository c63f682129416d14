package web

import (
	"ostler/controlplane"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// holdByID is the hold that the address names.
func (v *visit) holdByID() (sessions.Hold, error) {
	scope, err := v.scope(policy.SessionAdmin)
	if err != nil {
		return sessions.Hold{}, err
	}
	list, err := v.p.Sessions.Holds(v.ctx, scope, "", true)
	if err != nil {
		return sessions.Hold{}, err
	}
	for _, h := range list {
		if h.ID == v.c.Param("hold") {
			return h, nil
		}
	}
	return sessions.Hold{}, controlplane.NotFound("hold")
}

// aboutHold begins a form about a hold: what it keeps, why, and who placed it.
func (v *visit) aboutHold(h sessions.Hold, title, say, path, do string) (*AccessForm, error) {
	page := v.accessForm(title, say, "/sessions/holds/"+h.ID+path, "/sessions/holds", do)
	page.Nav, page.Crumbs, page.About = "sessions", []Link{v.sessionHome(), {v.t("holds.title"), "/sessions/holds"}}, v.t("holds.about")
	what := v.t("holds.one")
	if h.Session == "" {
		names, err := v.namesOfCustomers([]string{h.Customer})
		if err != nil {
			return nil, err
		}
		what = join(names[h.Customer], v.holdSpan(h))
	}
	who, err := v.staffNames(h.By)
	if err != nil {
		return nil, err
	}
	page.Answers = []Pair{{Label: v.t("holds.what"), Value: what}, {Label: v.t("col.reason"), Value: plain(h.Reason)}, {Label: v.t("holds.by"), Value: join(who[h.By], v.moment(h.At))}}
	return page, nil
}

// releaseForm ends a hold: one asks, another one grants it. Where one person
// released it, another one says that they have looked at it.
func (v *visit) releaseForm(h sessions.Hold) (page *AccessForm, err error) {
	if h.Alone && h.ReviewedBy == "" {
		who, err := v.staffNames(h.ReleasedBy)
		if err != nil {
			return nil, err
		}
		if page, err = v.aboutHold(h, v.t("holds.look"), v.t("holds.look_say", "name", who[h.ReleasedBy]), "/release", v.t("holds.look_do")); err != nil {
			return nil, err
		}
		page.Lines = []string{v.t("holds.look_1")}
		page.Fields = []FormField{v.entered("why", v.t("holds.look_note"), "").rows(3).optional()}
		return page, nil
	}
	if page, err = v.aboutHold(h, v.t("holds.release"), v.t("holds.release_say"), "/release", v.t("holds.release_do")); err != nil {
		return nil, err
	}
	page.Lines = []string{v.t("holds.release_1"), v.t("holds.release_2")}
	why := v.entered("why", v.t("col.why"), "").rows(3)
	if h.Asked != "" {
		why = why.optional()
	}
	page.Fields = []FormField{why}
	return page, nil
}

// aloneForm ends a hold by one person: what follows from that stands on it.
func (v *visit) aloneForm(h sessions.Hold) (*AccessForm, error) {
	page, err := v.aboutHold(h, v.t("holds.alone_do"), v.t("holds.alone_say"), "/alone", v.t("holds.alone_send"))
	if err != nil {
		return nil, err
	}
	page.Lines = []string{v.t("holds.alone_1"), v.t("holds.alone_2"), v.t("holds.release_2")}
	page.Fields = []FormField{v.entered("why", v.t("col.why"), "").rows(3).hint(v.t("holds.alone_hint"))}
	return page, nil
}

// holdForms shows a form about a hold, while there is something to release.
func (v *visit) holdForms(make func(sessions.Hold) (*AccessForm, error), looks bool) error {
	h, err := v.holdByID()
	if err != nil {
		return err
	}
	if over := !h.ReleasedAt.IsZero() || !h.Until.IsZero() && !h.Until.After(v.now); over && (!looks || !h.Alone || h.ReviewedBy != "") {
		return controlplane.Errorf(controlplane.CodeConflict, "There is nothing to release.", "The hold has ended")
	}
	page, err := make(h)
	if err != nil {
		return err
	}
	return v.render(page)
}

// holdWrong answers a form about a hold that cannot be carried out.
func (v *visit) holdWrong(make func(sessions.Hold) (*AccessForm, error), why error) error {
	h, err := v.holdByID()
	if err != nil {
		return err
	}
	page, err := make(h)
	if err != nil {
		return err
	}
	return v.invalid(page, why)
}

func (p *Portal) holdAlone(v *visit) error { return v.holdForms(v.aloneForm, false) }

func (p *Portal) holdAloneDo(v *visit) error {
	scope, err := v.scope(policy.SessionAdmin)
	if err != nil {
		return err
	}
	if _, err := p.Sessions.ReleaseAlone(v.ctx, scope, v.c.Param("hold"), v.text("why")); err != nil {
		return v.holdWrong(v.aloneForm, err)
	}
	return v.redirect("/sessions/holds", "released_alone")
}

func (p *Portal) holdRelease(v *visit) error { return v.holdForms(v.releaseForm, true) }

func (p *Portal) holdReleaseDo(v *visit) error {
	scope, err := v.scope(policy.SessionAdmin)
	if err != nil {
		return err
	}
	h, err := p.Sessions.Release(v.ctx, scope, v.c.Param("hold"), v.text("why"))
	if err != nil {
		return v.holdWrong(v.releaseForm, err)
	}
	switch {
	case h.ReleasedAt.IsZero():
		return v.redirect("/sessions/holds", "release_asked")
	case h.Alone:
		return v.redirect("/sessions/holds", "release_looked")
	}
	return v.redirect("/sessions/holds", "released")
}
