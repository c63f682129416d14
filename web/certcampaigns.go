package web

import (
	"strings"

	"ostler/certs"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/policy"
)

var campaignLooks = map[certs.CampaignState]struct {
	tone Tone
	key  string
}{certs.CampaignRunning: {ToneBusy, "campaign.running"}, certs.CampaignDone: {ToneGood, "campaign.over"}, certs.CampaignCancelled: {ToneUnknown, "campaign.cancelled"}}

// campaignState is how a mass re-issue stands; one with failures is not well.
func (v *visit) campaignState(c certs.Campaign) State {
	look, ok := campaignLooks[c.State]
	switch {
	case !ok:
		return State{ToneUnknown, v.t("unknown")}
	case c.State == certs.CampaignDone && c.Failed > 0:
		return State{ToneWarn, v.t("campaign.over_failed", "n", c.Failed)}
	}
	return State{look.tone, v.t(look.key)}
}

func (p *Portal) campaigns(v *visit) error {
	scope, err := v.scope(policy.CertAdmin)
	if err != nil {
		return err
	}
	items, _, err := p.Certs.Campaigns(v.ctx, scope, certs.Page{Size: 100})
	if err != nil {
		return err
	}
	page := &CertCampaigns{Page: v.page("certs", v.t("campaign.title"), v.t("campaign.say")), New: "/certificates/campaigns/new", More: v.certMore("/certificates/campaigns")}
	page.Crumbs = []Link{{v.t("certs.title"), "/certificates"}}
	ids := map[string]bool{}
	for _, c := range items {
		ids[c.StartedBy] = true
	}
	who, err := p.Identity.Names(v.ctx, keysOf(ids))
	if err != nil {
		return err
	}
	running := 0
	for _, c := range items {
		if c.State == certs.CampaignRunning {
			running++
		}
		page.Rows = append(page.Rows, CampaignRow{Reason: c.Reason, Href: "/certificates/campaigns/" + c.ID, State: v.campaignState(c), Finished: c.Served + c.Failed, Total: c.Total, At: c.StartedAt, Who: who[c.StartedBy]})
	}
	if running > 0 {
		page.Say = v.t("campaign.say_running", "n", running)
	}
	return v.render(page)
}

func (p *Portal) campaign(v *visit) error {
	scope, err := v.scope(policy.CertAdmin)
	if err != nil {
		return err
	}
	c, err := p.Certs.GetCampaign(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	page := &CertCampaign{Page: v.page("certs", v.t("campaign.one"), ""), State: v.campaignState(c), Unknown: c.Unknown}
	page.Self = "/certificates/campaigns/" + c.ID
	page.Crumbs = []Link{{v.t("certs.title"), "/certificates"}, {v.t("campaign.title"), "/certificates/campaigns"}}
	page.Sub = PlainName([]byte(c.Reason))
	v.campaignSays(page, c)
	token := v.c.QueryParam("page")
	items, next, err := p.Certs.CampaignCertificates(v.ctx, scope, c.ID, certs.Page{Size: certPage, Token: token})
	if err != nil {
		return err
	}
	if page.Rows, err = v.certRows(items); err != nil {
		return err
	}
	if token != "" {
		page.Pager.First = page.Self
	}
	if next != "" {
		page.Pager.Next = page.Self + "?page=" + next
	}
	who, err := p.Identity.Names(v.ctx, []string{c.StartedBy})
	if err != nil {
		return err
	}
	page.About = []Pair{{Label: v.t("campaign.begun"), Value: v.t("restore.who_when", "who", who[c.StartedBy], "when", v.moment(c.StartedAt))}}
	if !c.EndedAt.IsZero() {
		page.About = append(page.About, Pair{Label: v.t("campaign.ended"), Value: v.moment(c.EndedAt)})
	}
	return v.render(page)
}

func (v *visit) campaignSays(page *CertCampaign, c certs.Campaign) {
	key := map[certs.CampaignState]string{certs.CampaignRunning: "campaign.say_one", certs.CampaignDone: "campaign.say_done", certs.CampaignCancelled: "campaign.say_cancelled"}[c.State]
	page.Tone = page.State.Tone
	page.Say = v.t(key, "n", c.Served, "total", c.Total)
	for _, x := range []struct {
		n    int
		tone Tone
		key  string
	}{{c.Served, ToneGood, "campaign.served"}, {c.Open, ToneBusy, "campaign.open"}, {c.Waiting, ToneUnknown, "campaign.waiting"}, {c.Failed, ToneBad, "campaign.failed"}} {
		page.Counts = append(page.Counts, ChangeCount{State{x.tone, v.t(x.key)}, int64(x.n)})
	}
	if c.State == certs.CampaignRunning {
		page.Cancel, page.Live, page.Refresh = page.Self+"/cancel", []string{bus.TopicFindings}, 10
		if c.Total > 0 {
			page.Progress = &Progress{Percent: (c.Served + c.Failed) * 100 / c.Total, Step: v.t("campaign.at_it")}
		}
	}
}

func (p *Portal) campaignNewPage(v *visit) *NewCertCampaign {
	page := &NewCertCampaign{Page: v.page("certs", v.t("campaign.new"), v.t("campaign.say_new")), Serials: v.c.FormValue("serials"), Reason: v.c.FormValue("reason"),
		Lines: []string{v.t("campaign.new_1"), v.t("campaign.new_2"), v.t("campaign.new_3")}}
	page.Crumbs = []Link{{v.t("certs.title"), "/certificates"}, {v.t("campaign.title"), "/certificates/campaigns"}}
	return page
}

func (p *Portal) campaignNew(v *visit) error { return v.render(p.campaignNewPage(v)) }

func (p *Portal) campaignStart(v *visit) error {
	page := p.campaignNewPage(v)
	scope, err := v.scope(policy.CertAdmin)
	if err != nil {
		return err
	}
	serials := strings.FieldsFunc(page.Serials, func(r rune) bool { return strings.ContainsRune(" ,;\r\n\t", r) })
	if len(serials) == 0 {
		return v.invalid(page, controlplane.Invalid(controlplane.Field{Pointer: "/serials", Message: v.t("campaign.no_serials")}))
	}
	c, err := p.Certs.Replace(v.ctx, scope, certs.Replacement{Serials: serials, Reason: strings.TrimSpace(page.Reason)})
	if err != nil {
		return v.invalid(page, err)
	}
	return v.redirect("/certificates/campaigns/"+c.ID, "created")
}

func (p *Portal) campaignCancel(v *visit) error {
	scope, err := v.scope(policy.CertAdmin)
	if err != nil {
		return err
	}
	c, err := p.Certs.CancelCampaign(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	return v.redirect("/certificates/campaigns/"+c.ID, "cancelled")
}
