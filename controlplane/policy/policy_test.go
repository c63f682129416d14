package policy_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ostler/controlplane"
	"ostler/controlplane/policy"
)

var update = flag.Bool("update", false, "write the golden files anew")

var roles = []policy.Role{
	policy.RoleSupport, policy.RoleOps, policy.RoleAdmin,
	policy.RoleReader, policy.RoleRestorer, policy.RoleOwner, policy.RoleAuditor,
}

func allPermissions() []policy.Permission {
	var all []policy.Permission
	for _, r := range roles {
		all = append(all, policy.Permissions(r)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// TestEveryRoleAndPermission writes down who may do what: a change of it is
// seen in review.
func TestEveryRoleAndPermission(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-16s", "")
	for _, r := range roles {
		fmt.Fprintf(&b, " %-8s", r)
	}
	for _, p := range allPermissions() {
		fmt.Fprintf(&b, "\n%-16s", p)
		for _, r := range roles {
			word := "-"
			if policy.Can(controlplane.Actor{Kind: r.Kind(), ID: "x", Role: string(r)}, p) {
				word = "may"
			}
			fmt.Fprintf(&b, " %-8s", word)
		}
	}
	got := b.String() + "\n"
	file := filepath.Join("testdata", "permissions.golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got (run with -update where it is meant):\n%s", diff)
	}
}

func TestCan(t *testing.T) {
	for _, tt := range []struct {
		name  string
		actor controlplane.Actor
		p     policy.Permission
		want  bool
	}{
		{"nobody", controlplane.Actor{}, policy.SelfRead, false},
		{"unknown role", controlplane.Actor{Kind: controlplane.ActorStaff, Role: "king"}, policy.SelfRead, false},
		{"ops", controlplane.Actor{Kind: controlplane.ActorStaff, Role: "ops"}, policy.ServerWrite, true},
		{"staff's role on a contact", controlplane.Actor{Kind: controlplane.ActorContact, Role: "ops", Customer: "cus_a"}, policy.ServerWrite, false},
		{"contact's role on staff", controlplane.Actor{Kind: controlplane.ActorStaff, Role: "owner"}, policy.FileRead, false},
		{"an agent is no person", controlplane.Actor{Kind: controlplane.ActorAgent, Role: "ops"}, policy.ServerRead, false},
		{"unknown permission", controlplane.Actor{Kind: controlplane.ActorStaff, Role: "admin"}, "server.explode", false},
		{"token with it", controlplane.Actor{Kind: controlplane.ActorStaff, Role: "ops", Token: "tok_1", Permissions: []string{"server.write"}}, policy.ServerWrite, true},
		{"token without it", controlplane.Actor{Kind: controlplane.ActorStaff, Role: "ops", Token: "tok_1", Permissions: []string{"server.read"}}, policy.ServerWrite, false},
		{"token cannot exceed the role", controlplane.Actor{Kind: controlplane.ActorStaff, Role: "support", Token: "tok_1", Permissions: []string{"server.write"}}, policy.ServerWrite, false},
		{"token that names nothing", controlplane.Actor{Kind: controlplane.ActorStaff, Role: "ops", Token: "tok_1"}, policy.ServerRead, false},
		{"narrowed to nothing", controlplane.Actor{Kind: controlplane.ActorStaff, Role: "ops", Permissions: []string{}}, policy.ServerRead, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := policy.Can(tt.actor, tt.p); got != tt.want {
				t.Errorf("Can = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestFor(t *testing.T) {
	with := func(a controlplane.Actor) context.Context { return controlplane.WithActor(t.Context(), a) }
	for _, tt := range []struct {
		name string
		ctx  context.Context
		code controlplane.Code
		all  bool
		own  []string
	}{
		{"nobody", t.Context(), controlplane.CodeUnauthorized, false, nil},
		{"staff", with(controlplane.Actor{Kind: controlplane.ActorStaff, ID: "stf_1", Role: "ops"}), "", true, nil},
		{"support may not", with(controlplane.Actor{Kind: controlplane.ActorStaff, ID: "stf_1", Role: "support"}), controlplane.CodeForbidden, false, nil},
		{"contact", with(controlplane.Actor{Kind: controlplane.ActorContact, ID: "con_1", Customer: "cus_a", Role: "owner"}), "", false, []string{"cus_a"}},
		{"contact of nobody", with(controlplane.Actor{Kind: controlplane.ActorContact, ID: "con_1", Role: "owner"}), "", false, nil},
		{"auditor may not", with(controlplane.Actor{Kind: controlplane.ActorAuditor, ID: "aud_1", Customer: "cus_a", Customers: []string{"cus_a", "cus_b"}, Role: "auditor"}), controlplane.CodeForbidden, false, nil},
		{"agent", with(controlplane.Actor{Kind: controlplane.ActorAgent, ID: "agt_1"}), controlplane.CodeForbidden, false, nil},
		{"system", controlplane.System(t.Context(), "jobs"), "", true, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := policy.For(tt.ctx, policy.PlanWrite)
			if controlplane.ErrorCode(err) != tt.code {
				t.Fatalf("error = %v, want code %q", err, tt.code)
			}
			if got.All() != tt.all || !slices.Equal(got.Customers(), tt.own) {
				t.Errorf("scope = all %v, customers %v; want %v, %v", got.All(), got.Customers(), tt.all, tt.own)
			}
		})
	}
}

// An auditor reaches the customers that the sign-in names; nobody else reaches several.
func TestScopeOfSeveralCustomers(t *testing.T) {
	several := []string{"cus_a", "cus_b"}
	for _, tt := range []struct {
		name  string
		actor controlplane.Actor
		want  []string
	}{
		{"auditor of one", controlplane.Actor{Kind: controlplane.ActorAuditor, Customer: "cus_a"}, []string{"cus_a"}},
		{"auditor of several", controlplane.Actor{Kind: controlplane.ActorAuditor, Customer: "cus_a", Customers: several}, several},
		{"auditor of none", controlplane.Actor{Kind: controlplane.ActorAuditor}, nil},
		{"contact", controlplane.Actor{Kind: controlplane.ActorContact, Customer: "cus_a", Customers: several}, []string{"cus_a"}},
		{"agent", controlplane.Actor{Kind: controlplane.ActorAgent, Customer: "cus_a", Customers: several}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := policy.ScopeOf(tt.actor)
			if got.All() || !slices.Equal(got.Customers(), tt.want) {
				t.Errorf("got %v (all %v), want %v", got.Customers(), got.All(), tt.want)
			}
		})
	}
}

func TestScopeAllows(t *testing.T) {
	for _, tt := range []struct {
		name     string
		scope    policy.Scope
		customer string
		want     bool
	}{
		{"zero scope", policy.Scope{}, "cus_a", false},
		{"zero scope, the company", policy.Scope{}, "", false},
		{"one, own", policy.OneCustomer("cus_a"), "cus_a", true},
		{"one, other", policy.OneCustomer("cus_a"), "cus_b", false},
		{"one, the company", policy.OneCustomer("cus_a"), "", false},
		{"none", policy.OneCustomer(""), "", false},
		{"all", policy.AllCustomers("test"), "cus_b", true},
		{"all, the company", policy.AllCustomers("test"), "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.scope.Allows(tt.customer); got != tt.want {
				t.Errorf("Allows = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestRolesKnowTheirKind(t *testing.T) {
	for _, r := range roles {
		if !r.Valid() || r.Kind() == "" || r.OfStaff() != (r.Kind() == controlplane.ActorStaff) {
			t.Errorf("role %s: valid %v, kind %q, of staff %v", r, r.Valid(), r.Kind(), r.OfStaff())
		}
	}
	if got := policy.Role("king").Kind(); got != "" {
		t.Errorf("unknown role has kind %q", got)
	}
	for _, p := range allPermissions() {
		if !p.Valid() {
			t.Errorf("permission %s is not valid", p)
		}
	}
	if policy.Permission("server.explode").Valid() {
		t.Error("unknown permission is valid")
	}
}
