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
	if err := v.fillSignIn(page); err != nil {
		return nil, err
	}
	tokens, err := p.Identity.Tokens(v.ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		row := TokenRow{Name: t.Name, Made: t.CreatedAt, Used: t.UsedAt, Expires: t.ExpiresAt, Revoke: "/account/tokens/" + t.ID + "/revoke"}
		row.May = v.mayWords(t.Permissions)
		page.Tokens = append(page.Tokens, row)
	}
	if err := v.c.Request().ParseForm(); err != nil {
		return nil, err
	}
	chosen := v.c.Request().PostForm["permissions"]
	for _, perm := range policy.Permissions(v.person.Role) {
		page.Permissions = append(page.Permissions, Choice{string(perm), v.permissionWord(perm), slices.Contains(chosen, string(perm))})
	}
	v.fillPresets(page, len(chosen) > 0)
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
	if preset := v.c.FormValue("preset"); preset != "" && preset != presetChosen {
		in.Permissions = presetPermissions(v.person.Role, preset)
	} else {
		for _, c := range page.Permissions {
			if c.Chosen {
				in.Permissions = append(in.Permissions, policy.Permission(c.Value))
			}
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

// The presets of a token's permissions.
const (
	presetLook   = "look"
	presetBackup = "backup"
	presetAll    = "all"
	presetChosen = "chosen"
)

// presetPermissions are those of a role that a preset gives; none for an
// unknown preset.
func presetPermissions(r policy.Role, preset string) []policy.Permission {
	var out []policy.Permission
	for _, p := range policy.Permissions(r) {
		looks := strings.HasSuffix(string(p), ".read") && p != policy.FileRead
		works := p == policy.BackupRun || p == policy.RestoreRun || p == policy.FileRead || p == policy.JobCancel
		if preset == presetAll || preset == presetLook && looks || preset == presetBackup && (looks || works) {
			out = append(out, p)
		}
	}
	return out
}

// fillPresets offers the presets that differ for the reader's role.
func (v *visit) fillPresets(page *Account, boxes bool) {
	sent := v.c.FormValue("preset")
	if sent == "" {
		sent = presetLook
		if boxes {
			sent = presetChosen
		}
	}
	page.Choosing = sent == presetChosen
	look, backup := presetPermissions(v.person.Role, presetLook), presetPermissions(v.person.Role, presetBackup)
	all := policy.Permissions(v.person.Role)
	page.Presets = append(page.Presets, RoleChoice{presetLook, v.t("token.look"), v.t("token.look_note"), sent == presetLook})
	if len(backup) > len(look) {
		page.Presets = append(page.Presets, RoleChoice{presetBackup, v.t("token.backup"), v.t("token.backup_note"), sent == presetBackup})
	}
	if len(all) > len(backup) {
		page.Presets = append(page.Presets, RoleChoice{presetAll, v.t("token.all"), v.t("token.all_note"), sent == presetAll})
	}
	page.Presets = append(page.Presets, RoleChoice{presetChosen, v.t("token.chosen"), v.t("token.chosen_note"), sent == presetChosen})
}

// mayWords are permissions in words: a preset's, or each one's.
func (v *visit) mayWords(ps []policy.Permission) []string {
	have := slices.Sorted(slices.Values(ps))
	for _, preset := range []struct{ name, key string }{{presetLook, "token.look"}, {presetBackup, "token.backup"}, {presetAll, "token.all"}} {
		if want := presetPermissions(v.person.Role, preset.name); len(want) > 0 && slices.Equal(have, want) {
			return []string{v.t(preset.key)}
		}
	}
	out := make([]string, 0, len(have))
	for _, p := range have {
		out = append(out, v.permissionWord(p))
	}
	return out
}

var permissionTexts = map[policy.Permission]string{
	policy.CustomerRead: "may.customer_read", policy.CustomerWrite: "may.customer_write", policy.ServerRead: "may.server_read", policy.ServerWrite: "may.server_write",
	policy.ServerEnrol: "may.server_enrol", policy.WindowWrite: "may.window_write", policy.PlanRead: "may.plan_read", policy.PlanWrite: "may.plan_write", policy.KeyConfirm: "may.key_confirm",
	policy.BackupRun: "may.backup_run", policy.SnapshotRead: "may.snapshot_read", policy.FileRead: "may.file_read", policy.RestoreRun: "may.restore_run",
	policy.CertRead: "may.cert_read", policy.CertWrite: "may.cert_write", policy.CertAdmin: "may.cert_admin",
	policy.AccessRead: "may.access_read", policy.AccessWrite: "may.access_write", policy.AccessApprove: "may.access_approve", policy.AccessAdmin: "may.access_admin", policy.AccessConfirm: "may.access_confirm",
	policy.IncidentRead: "may.incident_read", policy.IncidentReport: "may.incident_report", policy.IncidentWrite: "may.incident_write", policy.IncidentAdmin: "may.incident_admin",
	policy.RestoreAssist: "may.restore_assist", policy.RestoreAsk: "may.restore_ask",
	policy.JobRead: "may.job_read", policy.JobCancel: "may.job_cancel", policy.FindingRead: "may.finding_read", policy.FindingWrite: "may.finding_write",
	policy.LedgerRead: "may.ledger_read", policy.PeopleRead: "may.people_read", policy.PeopleWrite: "may.people_write", policy.SelfRead: "may.self_read", policy.SelfWrite: "may.self_write",
}

// permissionWord is a permission in words; its name where there are none.
func (v *visit) permissionWord(p policy.Permission) string {
	if key, ok := permissionTexts[p]; ok {
		return v.t(key)
	}
	return string(p)
}
