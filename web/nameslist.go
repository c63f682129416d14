package web

import (
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// whyNots say why the list of names does not answer for some copies.
var whyNots = map[string]string{
	backups.WhyNotChosen: "catalogue.not_chosen", backups.WhyOff: "catalogue.off", backups.WhyBuilding: "catalogue.building", backups.WhyWaiting: "catalogue.waiting",
	backups.WhyFailed: "catalogue.failed", backups.WhySkipped: "catalogue.skipped", backups.WhyDamaged: "catalogue.damaged", backups.WhyUnread: "catalogue.unreadable",
	backups.WhyGone: "catalogue.gone",
}

// whyNot is a reason as the end of a sentence, with its full stop.
func (v *visit) whyNot(key string) string {
	if key == backups.WhyNotChosen && v.staff() {
		return v.t("catalogue.not_chosen_staff")
	}
	if k, ok := whyNots[key]; ok {
		return v.t(k)
	}
	return v.t("catalogue.building")
}

// namesStates are the words and sentences of a list of names.
var namesStates = map[backups.CatalogueStatus]struct {
	tone      Tone
	word, say string
}{
	backups.CatalogueReady: {ToneGood, "names.ready", "names.say_ready"}, backups.CatalogueBuilding: {ToneBusy, "names.building", "names.say_building"},
	backups.CatalogueDamaged: {ToneWarn, "names.damaged", "names.say_damaged"}, backups.CatalogueDeclined: {ToneUnknown, "names.declined", "names.say_declined"},
	backups.CatalogueOff: {ToneUnknown, "names.off", "names.say_off"},
}

// namesList is how a plan's list of names stands, and what the reader may do
// about it.
func (v *visit) namesList(c backups.CatalogueState) *NamesList {
	s := namesStates[c.Status]
	n := &NamesList{State: State{s.tone, v.t(s.word)}, Text: v.t(s.say, "n", c.Snapshots),
		On: c.Status != backups.CatalogueDeclined && c.Status != backups.CatalogueOff}
	if n.On && c.Behind > 0 && c.Status != backups.CatalogueDamaged {
		n.Behind = v.t("names.behind", "n", c.Behind, "why", v.whyNot(c.Why))
		if c.Cause != "" {
			n.Behind += " " + capital(causeText(c.Cause)) + "."
		}
	}
	if c.Choosable {
		n.Means = v.t("names.means")
		if v.staff() {
			n.Means = v.t("names.means_staff")
		}
	}
	if !v.can(policy.PlanWrite) {
		return n
	}
	self := "/plans/" + c.Plan + "/names"
	switch {
	case c.Choosable && v.staff() && !n.On:
		n.Theirs = v.t("names.theirs")
	default:
		n.Choose, n.Yes = self, c.Choosable && !v.staff()
	}
	if n.On {
		n.Anew = self + "/anew"
	}
	return n
}

// namesSet turns a plan's list of names on or off.
func (p *Portal) namesSet(v *visit) error {
	scope, err := v.scope(policy.PlanWrite)
	if err != nil {
		return err
	}
	id := v.c.Param("id")
	on := v.c.FormValue("names")
	if on != "yes" && on != "no" {
		if _, err := p.Backups.Plan(v.ctx, scope, id); err != nil {
			return err
		}
		return controlplane.Errorf(controlplane.CodeInvalid, v.t("names.choose_next"), "%s", v.t("names.nothing_chosen"))
	}
	if err := p.Backups.SetCatalogue(v.ctx, scope, id, on == "yes"); err != nil {
		return err
	}
	return v.redirect("/plans/"+id, "saved")
}

// namesAnew has a plan's list of names made anew.
func (p *Portal) namesAnew(v *visit) error {
	scope, err := v.scope(policy.PlanWrite)
	if err != nil {
		return err
	}
	if err := p.Backups.RebuildCatalogue(v.ctx, scope, v.c.Param("id")); err != nil {
		return err
	}
	return v.redirect("/plans/"+v.c.Param("id"), "names")
}
