package web

import (
	"encoding/base64"
	"slices"

	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

func base64Std(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func (p *Portal) repository(v *visit) (backups.Repository, error) {
	scope, err := v.scope(policy.PlanRead)
	if err != nil {
		return backups.Repository{}, err
	}
	return p.Backups.Repository(v.ctx, scope, v.c.Param("id"))
}

// keyPage is where a repository's recovery key stands for this reader.
func (v *visit) keyPage(r backups.Repository) *RecoveryKey {
	server := v.serverName(r.Server)
	page := &RecoveryKey{Page: v.page("backups", v.t("backups.key"), ""), Server: server, At: r.ConfirmedAt, Digest: r.KeyFingerprint}
	page.Self = "/keys/" + r.ID
	page.Crumbs = []Link{{v.t("backups.title"), "/backups"}, {Label: server}}
	if v.staff() {
		page.Nav, page.Crumbs = "servers", []Link{{v.t("servers.title"), "/servers"}, {server, "/servers/" + r.Server}}
	}
	choose := page.Self + "/choose"
	owner := v.can(policy.KeyConfirm)
	switch {
	case r.State == backups.RepositoryChoosing:
		page.Step, page.Tone, page.Say = KeyChoose, ToneWarn, v.t("key.say_choose", "server", server)
		if owner {
			page.Action = choose + "?custody=customer"
		}
		if owner || v.can(policy.PlanWrite) {
			page.Escrow = choose + "?custody=escrow"
		}
	case r.State == backups.RepositoryUnconfirmed:
		v.unconfirmed(page, r, server, owner)
	case r.State == backups.RepositoryFailed:
		page.Step, page.Tone, page.Say = KeyFailed, ToneBad, v.t("key.say_failed", "server", server)
		page.Problem = &Problem{Cause: causeText(r.FailureCause), Next: v.t("key.failed_next")}
		if v.can(policy.PlanWrite) {
			page.Action = page.Self + "/retry"
		}
	case !r.ConfirmedAt.IsZero() && r.State != backups.RepositoryReady:
		page.Step, page.Say = KeyWaiting, v.t("key.say_returning", "server", server)
		page.Waiting = &Waiting{Text: v.t("wait.for", "server", server)}
		page.Live, page.Refresh = []string{bus.TopicServer(r.Server), bus.TopicCustomer(r.Customer)}, 3
	case r.ConfirmedAt.IsZero():
		page.Step, page.Say = KeyWaiting, v.t("key.say_waiting", "server", server)
		page.Waiting = &Waiting{Text: v.t("wait.for", "server", server)}
		page.Live, page.Refresh = []string{bus.TopicServer(r.Server), bus.TopicCustomer(r.Customer)}, 3
	case r.Custody == backups.CustodyEscrow:
		page.Step, page.Tone, page.Say = KeyEscrowed, ToneGood, v.t("key.say_escrowed", "server", server)
	default:
		page.Step, page.Tone, page.Say = KeyConfirmed, ToneGood, v.t("key.say_confirmed", "server", server)
		if !v.staff() {
			page.Say = v.t("key.say_yours", "server", server)
		}
	}
	if owner && !r.ConfirmedAt.IsZero() && page.Step != KeyWaiting {
		page.Return, page.Typed = page.Self+"/return", r.Custody == backups.CustodyCustomer
	}
	return page
}

// unconfirmed is a key that exists and that nobody has confirmed.
func (v *visit) unconfirmed(page *RecoveryKey, r backups.Repository, server string, owner bool) {
	page.Step, page.Tone, page.Say = KeyConfirm, ToneWarn, v.t("key.say_staff", "server", server)
	if !owner {
		page.Step = KeyTheirs
		return
	}
	choose := page.Self + "/choose"
	page.Escrow, page.Anew = choose+"?custody=escrow", choose+"?custody=customer"
	page.Say, page.Action = v.t("key.say_confirm", "server", server), page.Self+"/confirm"
	if !r.Shown {
		page.Step, page.Say, page.Action = KeyReady, v.t("key.say_ready", "server", server), page.Self+"/show"
	}
}

func (p *Portal) key(v *visit) error {
	r, err := p.repository(v)
	if err != nil {
		return err
	}
	page := v.keyPage(r)
	if v.staff() && (page.Step == KeyChoose || page.Step == KeyTheirs) && v.can(policy.PeopleRead) {
		if err := v.owners(page, r.Customer); err != nil {
			return err
		}
	}
	return v.render(page)
}

// owners are whom staff can ask to keep a key: the customer's owners with
// their addresses, or where one is added.
func (v *visit) owners(page *RecoveryKey, customer string) error {
	people, err := v.contacts(customer)
	if err != nil {
		return err
	}
	people = slices.DeleteFunc(people, func(x identity.Person) bool { return !x.Active || x.Role != policy.RoleOwner })
	page.Owners = v.personRows(people, "/people/")
	if len(people) == 0 {
		page.NoOwner = Link{v.t("key.add_owner"), "/customers/" + customer}
	}
	return nil
}

// keyChoose says who keeps the key.
func (p *Portal) keyChoose(v *visit) error {
	scope, err := v.scope(policy.PlanWrite)
	if err != nil {
		return err
	}
	if _, err := p.repository(v); err != nil {
		return err
	}
	c := backups.Custody(v.c.QueryParam("custody"))
	if c == backups.CustodyCustomer && !v.can(policy.KeyConfirm) {
		return controlplane.Errorf(controlplane.CodeForbidden, "Ask an owner of the customer to choose.", "Only the customer can take the key for themselves")
	}
	if err := p.Backups.ChooseCustody(v.ctx, scope, v.c.Param("id"), c); err != nil {
		return err
	}
	return v.redirect("/keys/"+v.c.Param("id"), "")
}

// keyShow shows the key in its own answer: it can be read this once.
func (p *Portal) keyShow(v *visit) error {
	scope, err := v.scope(policy.KeyConfirm)
	if err != nil {
		return err
	}
	key, err := p.Backups.RevealKey(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	r, err := p.repository(v)
	if err != nil {
		return err
	}
	page := v.keyPage(r)
	page.Step, page.Say, page.Key = KeyShown, v.t("key.say_shown", "server", page.Server), key
	page.Action, page.Live, page.Refresh = page.Self+"/confirm", nil, 0
	return v.render(page)
}

func (p *Portal) keyConfirm(v *visit) error {
	scope, err := v.scope(policy.KeyConfirm)
	if err != nil {
		return err
	}
	if err := p.Backups.ConfirmKey(v.ctx, scope, v.c.Param("id"), v.c.FormValue("last_group")); err != nil {
		r, rerr := p.repository(v)
		if rerr != nil {
			return rerr
		}
		return v.invalid(v.keyPage(r), err)
	}
	return v.redirect("/keys/"+v.c.Param("id"), "key")
}

// keyRetry goes on with a repository that could not be made.
func (p *Portal) keyRetry(v *visit) error {
	scope, err := v.scope(policy.PlanWrite)
	if err != nil {
		return err
	}
	if err := p.Backups.Retry(v.ctx, scope, v.c.Param("id")); err != nil {
		return err
	}
	return v.redirect("/keys/"+v.c.Param("id"), "retried")
}

// keyReturn gives the key back to a server that has lost it.
func (p *Portal) keyReturn(v *visit) error {
	scope, err := v.scope(policy.KeyConfirm)
	if err != nil {
		return err
	}
	if err := p.Backups.ReturnKey(v.ctx, scope, v.c.Param("id"), v.c.FormValue("recovery_key")); err != nil {
		r, rerr := p.repository(v)
		if rerr != nil {
			return rerr
		}
		return v.invalid(v.keyPage(r), err)
	}
	return v.redirect("/keys/"+v.c.Param("id"), "")
}
