package web

import (
	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// letIn are the ways in that the customer has to say yes or no about: what was
// found on their servers, is theirs as far as we know, and is not confirmed.
func (v *visit) letIn(scope policy.Scope, customer string) ([]Section, error) {
	if v.actor.Customer == "" || !v.can(policy.AccessConfirm) {
		return nil, nil
	}
	items, next, err := v.p.Access.ListFound(v.ctx, scope, access.FoundFilter{Customer: customer, Limit: 100})
	if err != nil {
		return nil, err
	}
	s := Section{ID: "confirm", Title: v.t("letin.title"), Lead: v.t("letin.lead"), Grid: Grid{Heads: []string{v.t("letin.found"), v.t("col.server"), v.t("letin.first"), v.t("letin.yours")}}}
	for _, f := range items {
		if f.Customer == "" || !f.ConfirmedAt.IsZero() || !f.GoneAt.IsZero() {
			continue
		}
		ask := &Ask1{Action: "/access/found/" + f.ID + "/confirm", ID: "name-" + f.ID, Label: v.t("letin.whose"), Yes: v.t("letin.yes"), No: v.t("letin.no")}
		s.Grid.Rows = append(s.Grid.Rows, GridRow{ID: f.ID, Cells: []Cell{v.foundWhat(f), {Link: Link{Label: f.ServerName}}, {At: f.FirstAt}, {Ask: ask}}})
	}
	if len(s.Grid.Rows) == 0 {
		return nil, nil
	}
	if next != "" {
		s.Notes = []string{v.t("letin.more")}
	}
	return []Section{s}, nil
}

var foundTexts = map[access.FoundKind]string{
	access.FoundKey: "foundkind.key", access.FoundSudo: "foundkind.sudo", access.FoundAccount: "foundkind.account", access.FoundCA: "foundkind.ca", access.FoundLogin: "foundkind.login",
}

// foundWhat is a way in that a scan found, in words.
func (v *visit) foundWhat(f access.Found) Cell {
	what := string(f.Kind)
	if key, ok := foundTexts[f.Kind]; ok {
		what = v.t(key, "account", f.Account)
	}
	c := Cell{Link: Link{Label: what}, Strong: true, Notes: []string{PlainName([]byte(f.Comment)), f.Fingerprint, f.Rights}}
	return c
}

// foundConfirm is a customer's word about somebody they let in, or did not.
func (p *Portal) foundConfirm(v *visit) error {
	scope, err := v.scope(policy.AccessConfirm)
	if err != nil {
		return err
	}
	id, yes, name := v.c.Param("id"), v.c.FormValue("answer") == "yes", v.formValue("words")
	if _, err := p.Access.GetFound(v.ctx, scope, id); err != nil {
		return err
	}
	if !yes && v.c.FormValue("answer") != "no" {
		err = controlplane.Invalid(controlplane.Field{Pointer: "/name-" + id, Message: v.t("letin.say_which")})
	} else if yes && name == "" {
		err = controlplane.Invalid(controlplane.Field{Pointer: "/name-" + id, Message: v.t("letin.name_missing")})
	}
	if err == nil {
		_, err = p.Access.ConfirmFound(v.ctx, scope, id, yes, name)
		err = relabelled(err, "/name", "/name-"+id)
	}
	if err == nil {
		if yes {
			return v.redirect("/access", "confirmed")
		}
		return v.redirect("/access", "not_ours")
	}
	read, c, perr := v.accessOf(policy.AccessRead)
	if perr != nil {
		return perr
	}
	page, perr := v.listPage(read, c)
	if perr != nil {
		return perr
	}
	return v.invalid(page, err)
}
