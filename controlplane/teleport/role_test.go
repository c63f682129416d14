package teleport_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gravitational/teleport/api/types"

	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

// A role goes through the cluster as it is.
func TestObserveRole(t *testing.T) {
	c := fake(t, teleporttest.Options{})
	reach := teleport.Reach{
		Logins: []string{"deploy", "{{internal.logins}}"}, NodeLabels: labels{"customer": {"acme", "b*"}, "env": {"*"}},
		NodeExpression: `labels["customer"] == "acme"`, Writes: []string{"role", "lock"},
		ImpersonatesRoles: []string{"x"}, ImpersonatesUsers: []string{"y"}, RequestsRoles: []string{"z"},
	}
	want := teleport.Role{Name: "r", Allow: reach, Deny: reach, MaxTTL: 90 * time.Minute}
	want.Allow.JoinsSessions = true
	must(t, c.PutRole(want))
	s, err := client(t, c).Observe(reaching(t))
	must(t, err)
	for _, got := range s.Roles {
		if got.Name != "r" {
			continue
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(teleport.Role{}, "Revision")); diff != "" || got.Revision == "" {
			t.Errorf("got (+), want (-):\n%s", diff)
		}
		return
	}
	t.Fatal("the role is not there")
}

func TestRoleRules(t *testing.T) {
	rule := func(verbs []string, where string, kinds ...string) types.Rule {
		return types.Rule{Resources: kinds, Verbs: verbs, Where: where}
	}
	all, create, update, del, read := []string{"*"}, []string{"create"}, []string{"update"}, []string{"delete"}, []string{"list", "read"}
	both := []string{"create", "update"}
	for _, tc := range []struct {
		name        string
		allow, deny []types.Rule
		wantAllow   []string
		wantDeny    []string
	}{
		{name: "reading is no writing", allow: []types.Rule{rule(read, "", "role", "user", "*")}},
		{name: "one verb is enough to allow", allow: []types.Rule{rule(create, "", "user"), rule(update, "", "role")}, wantAllow: []string{"role", "user"}},
		{name: "and not to deny", deny: []types.Rule{rule(create, "", "role")}},
		{name: "both deny, in two rules too", deny: []types.Rule{rule(create, "", "role"), rule(update, "", "role"), rule(both, "", "user")}, wantDeny: []string{"role", "user"}},
		{name: "every verb", allow: []types.Rule{rule(all, "", "token")}, deny: []types.Rule{rule(all, "", "*")}, wantAllow: []string{"token"}, wantDeny: []string{"*"}},
		{name: "a condition allows, perhaps, and does not deny", allow: []types.Rule{rule(all, "x", "role")}, deny: []types.Rule{rule(all, "x", "role")}, wantAllow: []string{"role"}},
		{name: "deleting a role gives nothing, deleting a lock frees", allow: []types.Rule{rule(del, "", "role", "lock")}, wantAllow: []string{"lock"}},
		{name: "what gives no access", allow: []types.Rule{rule(all, "", "node", "app", "session")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := types.NewRole("r", types.RoleSpecV6{Allow: types.RoleConditions{Rules: tc.allow}, Deny: types.RoleConditions{Rules: tc.deny}})
			must(t, err)
			got := teleport.FromRole(r.(*types.RoleV6))
			if diff := cmp.Diff(tc.wantAllow, got.Allow.Writes); diff != "" {
				t.Errorf("allow: got (+), want (-):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantDeny, got.Deny.Writes); diff != "" {
				t.Errorf("deny: got (+), want (-):\n%s", diff)
			}
		})
	}
}

// Roles of version 3 with logins and without labels match every node.
func TestRoleOfVersion3(t *testing.T) {
	r := &types.RoleV6{Version: types.V3, Metadata: types.Metadata{Name: "old"}, Spec: types.RoleSpecV6{Allow: types.RoleConditions{Logins: []string{"root"}}}}
	if got := teleport.FromRole(r).Allow.NodeLabels; len(got) != 1 || len(got["*"]) != 1 || got["*"][0] != "*" {
		t.Errorf("got %v, want every node", got)
	}
	r.Version = types.V7
	if got := teleport.FromRole(r).Allow.NodeLabels; len(got) != 0 {
		t.Errorf("of version 7: got %v, want no node", got)
	}
}
