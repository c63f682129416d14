package web

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// tokenDays are the lives that a token can be given.
var tokenDays = []int{7, 30, 90, 365}

// accountPage is one's own sign-ins and tokens, and the form for a new token.
func (p *Portal) accountPage(v *visit) (*Account, error) {
	page := &Account{Page: v.page("account", v.t("account.title"), ""), Email: v.person.Email, Role: roleWord(p.tx, v.person.Role),
		TokenName: strings.TrimSpace(v.c.FormValue("name")), TokenDays: tokenDays, Days: 30}
	page.Self = "/account"
	if err := v.fillSessions(page); err != nil {
		return nil, err
	}
	tokens, err := p.Identity.Tokens(v.ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		row := TokenRow{Name: t.Name, Made: t.CreatedAt, Used: t.UsedAt, Expires: t.ExpiresAt, Revoke: "/account/tokens/" + t.ID + "/revoke"}
		for _, perm := range t.Permissions {
			row.May = append(row.May, string(perm))
		}
		page.Tokens = append(page.Tokens, row)
	}
	if err := v.c.Request().ParseForm(); err != nil {
		return nil, err
	}
	chosen := v.c.Request().PostForm["permissions"]
	for _, perm := range policy.Permissions(v.person.Role) {
		page.Permissions = append(page.Permissions, Choice{Value: string(perm), Chosen: slices.Contains(chosen, string(perm))})
	}
	if n, err := strconv.Atoi(v.c.FormValue("days")); err == nil && slices.Contains(tokenDays, n) {
		page.Days = n
	}
	return page, nil
}

// tokenMake shows the new token in its own answer: it can be read this once.
func (p *Portal) tokenMake(v *visit) error {
	page, err := p.accountPage(v)
	if err != nil {
		return err
	}
	in := identity.NewToken{Name: page.TokenName, ExpiresAt: v.now.Add(time.Duration(page.Days) * 24 * time.Hour)}
	for _, c := range page.Permissions {
		if c.Chosen {
			in.Permissions = append(in.Permissions, policy.Permission(c.Value))
		}
	}
	secret, _, err := p.Identity.MakeToken(v.ctx, in)
	if err != nil {
		return v.invalid(page, err)
	}
	if page, err = p.accountPage(v); err != nil {
		return err
	}
	page.Secret, page.Say, page.TokenName = secret, v.t("token.say_made"), ""
	return v.render(page)
}

func (p *Portal) tokenRevoke(v *visit) error {
	if err := p.Identity.RevokeToken(v.ctx, v.c.Param("id")); err != nil {
		return err
	}
	return v.redirect("/account", "ended")
}
