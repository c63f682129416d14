package web

import "ostler/controlplane/policy"

// restoresListed is how many restores the list shows.
const restoresListed = 100

// restores lists what was fetched and put back, newest first.
func (p *Portal) restores(v *visit) error {
	page := &Restores{Page: v.page("restore", v.t("restores.title"), v.t("restores.say")), Another: &FindForm{}}
	var err error
	if page.Rows, err = v.asked(restoresListed, false); err != nil {
		return err
	}
	c, err := v.chosen()
	if err != nil {
		return err
	}
	page.Basket = v.basketNote(&page.Page, c)
	if v.can(policy.RestoreAsk) {
		page.Asked, page.Asks = "/ask", "/asks"
	}
	if page.Assists, err = v.assistRows(v.customer()); err != nil {
		return err
	}
	return v.render(page)
}
