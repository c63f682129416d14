package teleport_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ostler/controlplane/teleport"
)

type labels = map[string][]string

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// three are the nodes of most cases: acme's and bolt's, and one without a customer.
func three() []teleport.Node {
	return []teleport.Node{
		{ID: "n-acme", Labels: map[string]string{"customer": "acme", "env": "prod"}},
		{ID: "n-bolt", Labels: map[string]string{"customer": "bolt", "env": "dev"}},
		{ID: "n-none", Labels: map[string]string{"env": "prod"}},
	}
}

func allow(logins []string, l labels) teleport.Reach {
	return teleport.Reach{Logins: logins, NodeLabels: l}
}

// One user, anna, with the roles of the case, in their order.
func TestReaches(t *testing.T) {
	deploy := []string{"deploy"}
	for _, tc := range []struct {
		name   string
		roles  []teleport.Role
		held   []string // nil is all of roles
		traits labels
		locks  []teleport.Lock
		user   teleport.User // further fields
		unread []string
		want   []teleport.Way
	}{
		{
			name:  "values named, and one that no node has yet",
			roles: []teleport.Role{{Name: "r", Allow: allow([]string{"deploy", "root"}, labels{"customer": {"acme", "corp"}})}},
			want:  []teleport.Way{{Role: "r", Via: teleport.ViaLabel, Logins: []string{"deploy", "root"}, Values: []string{"acme", "corp"}, Nodes: []string{"n-acme"}}},
		},
		{
			name:  "no logins, no way",
			roles: []teleport.Role{{Name: "r", Allow: allow(nil, labels{"customer": {"acme"}})}},
		},
		{
			name:  "no labels, no way",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, nil)}},
		},
		{
			name:  "everything, also what has no label",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"*": {"*"}})}},
			want: []teleport.Way{{Role: "r", Via: teleport.ViaWildcard, Logins: deploy, Values: []string{"*"},
				Nodes: []string{"n-acme", "n-bolt", "n-none"}, Unlabelled: []string{"n-none"}}},
		},
		{
			name:  "every value needs the label",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"customer": {"*"}})}},
			want:  []teleport.Way{{Role: "r", Via: teleport.ViaWildcard, Logins: deploy, Values: []string{"*"}, Nodes: []string{"n-acme", "n-bolt"}}},
		},
		{
			name:  "* as a key with other values is the name of a label",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"*": {"acme"}})}},
		},
		{
			name:  "every value, of another label's nodes",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"customer": {"*"}, "env": {"prod"}})}},
			want: []teleport.Way{{Role: "r", Via: teleport.ViaWildcard, Logins: deploy, Values: []string{"*"},
				Also: labels{"env": {"prod"}}, Nodes: []string{"n-acme"}}},
		},
		{
			name:  "a glob: what it finds, and what it will find",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"customer": {"ac*"}})}},
			want: []teleport.Way{{Role: "r", Via: teleport.ViaLabel, Logins: deploy, Values: []string{"acme"},
				Patterns: []string{"ac*"}, Nodes: []string{"n-acme"}}},
		},
		{
			name:  "an expression is one from ^ to $ only",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"customer": {"^(acme|bolt)$", "^bol", "b.lt"}})}},
			want: []teleport.Way{{Role: "r", Via: teleport.ViaLabel, Logins: deploy, Values: []string{"^bol", "acme", "b.lt", "bolt"},
				Patterns: []string{"^(acme|bolt)$"}, Nodes: []string{"n-acme", "n-bolt"}}},
		},
		{
			name:  "an expression that is none matches nothing",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"customer": {"^(acme$"}})}},
			want:  []teleport.Way{{Role: "r", Via: teleport.ViaLabel, Logins: deploy, Patterns: []string{"^(acme$"}}},
		},
		{
			name:  "by another label: its nodes tell the values",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"env": {"prod"}})}},
			want: []teleport.Way{{Role: "r", Via: teleport.ViaOther, Logins: deploy, Values: []string{"acme"}, Also: labels{"env": {"prod"}},
				Nodes: []string{"n-acme", "n-none"}, Unlabelled: []string{"n-none"}}},
		},
		{
			name:  "by another label that nothing has",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"env": {"lab"}})}},
		},
		{
			name:   "by another label, and not all nodes were read",
			roles:  []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"env": {"lab"}})}},
			unread: []string{"node"},
			want:   []teleport.Way{{Role: "r", Via: teleport.ViaOther, Logins: deploy, Also: labels{"env": {"lab"}}, Unsure: true}},
		},
		{
			name: "two roles do not multiply: each has its own logins",
			roles: []teleport.Role{
				{Name: "a", Allow: allow([]string{"root"}, labels{"customer": {"acme"}})},
				{Name: "b", Allow: allow(deploy, labels{"customer": {"bolt"}})},
			},
			want: []teleport.Way{
				{Role: "a", Via: teleport.ViaLabel, Logins: []string{"root"}, Values: []string{"acme"}, Nodes: []string{"n-acme"}},
				{Role: "b", Via: teleport.ViaLabel, Logins: deploy, Values: []string{"bolt"}, Nodes: []string{"n-bolt"}},
			},
		},
		{
			name: "what one role denies, all lose: a login",
			roles: []teleport.Role{
				{Name: "a", Allow: allow([]string{"deploy", "root"}, labels{"customer": {"acme"}})},
				{Name: "b", Deny: teleport.Reach{Logins: []string{"root"}}},
			},
			want: []teleport.Way{{Role: "a", Via: teleport.ViaLabel, Logins: deploy, Values: []string{"acme"}, Nodes: []string{"n-acme"}}},
		},
		{
			name: "a value",
			roles: []teleport.Role{
				{Name: "a", Allow: allow(deploy, labels{"customer": {"acme", "bolt"}})},
				{Name: "b", Deny: teleport.Reach{NodeLabels: labels{"customer": {"ac*"}}}},
			},
			want: []teleport.Way{{Role: "a", Via: teleport.ViaLabel, Logins: deploy, Values: []string{"bolt"}, Except: []string{"ac*"}, Nodes: []string{"n-bolt"}}},
		},
		{
			name: "a value of all",
			roles: []teleport.Role{
				{Name: "a", Allow: allow(deploy, labels{"*": {"*"}})},
				{Name: "b", Deny: teleport.Reach{NodeLabels: labels{"customer": {"acme"}}}},
			},
			want: []teleport.Way{{Role: "a", Via: teleport.ViaWildcard, Logins: deploy, Values: []string{"*"}, Except: []string{"acme"},
				Nodes: []string{"n-bolt", "n-none"}, Unlabelled: []string{"n-none"}}},
		},
		{
			name: "every value: what has no label is left",
			roles: []teleport.Role{
				{Name: "a", Allow: allow(deploy, labels{"*": {"*"}})},
				{Name: "b", Deny: teleport.Reach{NodeLabels: labels{"customer": {"*"}}}},
			},
			want: []teleport.Way{{Role: "a", Via: teleport.ViaOther, Logins: deploy, Except: []string{"*"},
				Nodes: []string{"n-none"}, Unlabelled: []string{"n-none"}}},
		},
		{
			name: "some nodes of a value leave the value",
			roles: []teleport.Role{
				{Name: "a", Allow: allow(deploy, labels{"customer": {"acme", "bolt"}})},
				{Name: "b", Deny: teleport.Reach{NodeLabels: labels{"customer": {"acme"}, "env": {"prod"}}}},
			},
			want: []teleport.Way{{Role: "a", Via: teleport.ViaLabel, Logins: deploy, Values: []string{"acme", "bolt"}, Nodes: []string{"n-bolt"}}},
		},
		{
			name: "all nodes that the role's other labels leave",
			roles: []teleport.Role{
				{Name: "a", Allow: allow(deploy, labels{"customer": {"acme"}, "env": {"prod"}})},
				{Name: "b", Deny: teleport.Reach{NodeLabels: labels{"env": {"pr*"}}}},
			},
		},
		{
			name: "all",
			roles: []teleport.Role{
				{Name: "a", Allow: allow(deploy, labels{"customer": {"acme"}})},
				{Name: "b", Deny: teleport.Reach{NodeLabels: labels{"*": {"*"}}}},
			},
		},
		{
			name: "by an expression: perhaps",
			roles: []teleport.Role{
				{Name: "a", Allow: allow(deploy, labels{"customer": {"acme"}})},
				{Name: "b", Deny: teleport.Reach{NodeExpression: `labels["customer"] == "acme"`}},
			},
			want: []teleport.Way{{Role: "a", Via: teleport.ViaLabel, Logins: deploy, Values: []string{"acme"}, Nodes: []string{"n-acme"}, Unsure: true}},
		},
		{
			name:  "an expression reaches what we cannot tell",
			roles: []teleport.Role{{Name: "r", Allow: teleport.Reach{Logins: deploy, NodeExpression: `contains(user.spec.traits["x"], labels["customer"])`}}},
			want:  []teleport.Way{{Role: "r", Via: teleport.ViaExpression, Logins: deploy, Unsure: true}},
		},
		{
			name:   "traits fill in logins and values",
			roles:  []teleport.Role{{Name: "r", Allow: allow([]string{"{{internal.logins}}", "x-{{external[\"team\"]}}"}, labels{"customer": {"{{external.customers}}"}})}},
			traits: labels{"logins": {"anna"}, "team": {"ops"}, "customers": {"acme", "bolt"}},
			want: []teleport.Way{{Role: "r", Via: teleport.ViaLabel, Logins: []string{"anna", "x-ops"}, Values: []string{"acme", "bolt"},
				Nodes: []string{"n-acme", "n-bolt"}}},
		},
		{
			name:  "no such trait, no way",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"customer": {"{{external.customers}}"}})}},
		},
		{
			name:   "a function among the logins",
			roles:  []teleport.Role{{Name: "r", Allow: allow([]string{"{{email.local(external.email)}}"}, labels{"customer": {"acme"}})}},
			traits: labels{"email": {"anna@example"}},
			want: []teleport.Way{{Role: "r", Via: teleport.ViaLabel, Logins: []string{"{{email.local(external.email)}}"}, Values: []string{"acme"},
				Nodes: []string{"n-acme"}, Unsure: true}},
		},
		{
			name:  "a function among the values",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"customer": {`{{regexp.replace(external.x, "a", "b")}}`}})}},
			want:  []teleport.Way{{Role: "r", Via: teleport.ViaExpression, Logins: deploy, Unsure: true}},
		},
		{
			name:  "a lock on the user",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"*": {"*"}})}},
			locks: []teleport.Lock{{User: "anna"}},
		},
		{
			name:  "a lock on somebody else, and one that is over",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"customer": {"acme"}})}},
			locks: []teleport.Lock{{User: "bert"}, {User: "anna", Expires: at}},
			want:  []teleport.Way{{Role: "r", Via: teleport.ViaLabel, Logins: deploy, Values: []string{"acme"}, Nodes: []string{"n-acme"}}},
		},
		{
			name: "a lock on one role keeps out whoever holds it",
			roles: []teleport.Role{
				{Name: "a", Allow: allow(deploy, labels{"customer": {"acme"}})},
				{Name: "b", Allow: allow(deploy, labels{"customer": {"bolt"}})},
			},
			locks: []teleport.Lock{{Role: "b", Expires: at.Add(time.Second)}},
		},
		{
			name:  "a lock on a login, and one on a node",
			roles: []teleport.Role{{Name: "r", Allow: allow([]string{"deploy", "root"}, labels{"customer": {"acme", "bolt"}})}},
			locks: []teleport.Lock{{Login: "root"}, {Node: "n-bolt"}},
			want:  []teleport.Way{{Role: "r", Via: teleport.ViaLabel, Logins: deploy, Values: []string{"acme", "bolt"}, Nodes: []string{"n-acme"}}},
		},
		{
			name:  "a role that is over, one that is not there, one held twice",
			roles: []teleport.Role{{Name: "a", Expires: at, Allow: allow(deploy, labels{"*": {"*"}})}, {Name: "b", Allow: allow(deploy, labels{"customer": {"bolt"}})}},
			held:  []string{"a", "gone", "b", "b"},
			want:  []teleport.Way{{Role: "b", Via: teleport.ViaLabel, Logins: deploy, Values: []string{"bolt"}, Nodes: []string{"n-bolt"}}},
		},
		{
			name:  "a user who is over",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"*": {"*"}})}},
			user:  teleport.User{Expires: at},
		},
		{
			name:  "a bot of a connector says so",
			roles: []teleport.Role{{Name: "r", Allow: allow(deploy, labels{"customer": {"acme"}})}},
			user:  teleport.User{Bot: true, Connector: "okta"},
			want: []teleport.Way{{Bot: true, Connector: "okta", Role: "r", Via: teleport.ViaLabel, Logins: deploy, Values: []string{"acme"},
				Nodes: []string{"n-acme"}}},
		},
		{
			name:  "who writes roles has every way; who writes locks has none",
			roles: []teleport.Role{{Name: "r", Allow: teleport.Reach{Writes: []string{"role", "lock"}}}},
			want:  []teleport.Way{{Role: "r", Via: teleport.ViaAdmin, Values: []string{"*"}, Through: []string{"role"}}},
		},
		{
			name: "who writes all, and is denied what counts",
			roles: []teleport.Role{
				{Name: "r", Allow: teleport.Reach{Writes: []string{"*"}}},
				{Name: "s", Deny: teleport.Reach{Writes: []string{"*"}}},
			},
		},
		{
			name:  "who writes all",
			roles: []teleport.Role{{Name: "r", Allow: teleport.Reach{Writes: []string{"*", "role"}}}},
			want:  []teleport.Way{{Role: "r", Via: teleport.ViaAdmin, Values: []string{"*"}, Through: []string{"*"}}},
		},
		{
			name: "through another role, as oneself or after asking",
			roles: []teleport.Role{
				{Name: "bot", Allow: teleport.Reach{ImpersonatesRoles: []string{"acme-*"}, RequestsRoles: []string{"bolt-ops", "gone"}}},
				{Name: "acme-ops", Allow: allow(deploy, labels{"customer": {"acme"}})},
				{Name: "bolt-ops", Allow: allow([]string{"root"}, labels{"customer": {"bolt"}})},
			},
			held: []string{"bot"},
			want: []teleport.Way{
				{Role: "bot", Via: teleport.ViaImpersonate, Logins: deploy, Values: []string{"acme"}, Nodes: []string{"n-acme"}, Through: []string{"acme-*"}},
				{Role: "bot", Via: teleport.ViaRequest, Logins: []string{"root"}, Values: []string{"bolt"}, Nodes: []string{"n-bolt"}, Through: []string{"bolt-ops", "gone"}},
			},
		},
		{
			name: "what may not be impersonated or asked for",
			roles: []teleport.Role{{
				Name:  "r",
				Allow: teleport.Reach{ImpersonatesRoles: []string{"x"}, ImpersonatesUsers: []string{"u"}, RequestsRoles: []string{"y", "z"}},
				Deny:  teleport.Reach{ImpersonatesRoles: []string{"*"}, RequestsRoles: []string{"z"}},
			}},
			want: []teleport.Way{{Role: "r", Via: teleport.ViaRequest, Through: []string{"y"}}},
		},
		{
			name:  "joining others' sessions",
			roles: []teleport.Role{{Name: "r", Allow: teleport.Reach{JoinsSessions: true}}},
			want:  []teleport.Way{{Role: "r", Via: teleport.ViaJoin, Unsure: true}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := tc.user
			u.Name, u.Traits, u.Roles = "anna", tc.traits, tc.held
			if tc.held == nil {
				for _, r := range tc.roles {
					u.Roles = append(u.Roles, r.Name)
				}
			}
			got := teleport.Reaches(teleport.State{
				At: at, Roles: tc.roles, Users: []teleport.User{u}, Nodes: three(), Locks: tc.locks, Unread: tc.unread,
			}, "customer")
			for i := range tc.want {
				tc.want[i].User = "anna"
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("got (+), want (-):\n%s", diff)
			}
			for _, w := range got {
				if !w.Via.Valid() {
					t.Errorf("%q is no way that we know", w.Via)
				}
			}
		})
	}
}

func TestWayReaches(t *testing.T) {
	w := teleport.Way{Values: []string{"acme"}, Patterns: []string{"b*"}, Except: []string{"bo*"}}
	for value, want := range map[string]bool{"acme": true, "bar": true, "bolt": false, "corp": false} {
		if got := w.Reaches(value); got != want {
			t.Errorf("%s: got %v, want %v", value, got, want)
		}
	}
	all := teleport.Way{Values: []string{"*"}, Except: []string{"acme"}}
	for value, want := range map[string]bool{"acme": false, "bolt": true} {
		if got := all.Reaches(value); got != want {
			t.Errorf("of all, %s: got %v, want %v", value, got, want)
		}
	}
	if teleport.Via("").Valid() || teleport.Via("by magic").Valid() {
		t.Error("a way that we do not know is valid")
	}
}

func TestPrincipals(t *testing.T) {
	s := teleport.State{
		At: at,
		Roles: []teleport.Role{
			{Name: "a", Allow: allow([]string{"root", "{{internal.logins}}"}, labels{"customer": {"acme"}})},
			{Name: "b", Allow: allow([]string{"deploy", "root", "{{email.local(external.email)}}"}, labels{"customer": {"bolt"}})},
			{Name: "c", Allow: allow([]string{"never"}, nil), Expires: at},
		},
		Users: []teleport.User{
			{Name: "anna", Roles: []string{"a", "b", "c", "gone"}, Traits: labels{"logins": {"anna"}}},
			{Name: "bert", Roles: []string{"a"}},
		},
		Locks: []teleport.Lock{{User: "bert"}},
	}
	if got, want := teleport.Principals(s, "anna"), []string{"anna", "deploy", "root", "{{email.local(external.email)}}"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, who := range []string{"bert", "nobody"} {
		if got := teleport.Principals(s, who); len(got) > 0 {
			t.Errorf("%s: got %v, want none", who, got)
		}
	}
}

// As many users and nodes as a large company has, with patterns.
func BenchmarkReaches(b *testing.B) {
	s := teleport.State{At: at}
	for i := range 10_000 {
		s.Nodes = append(s.Nodes, teleport.Node{ID: fmt.Sprintf("n-%05d", i), Labels: map[string]string{"customer": fmt.Sprintf("c-%03d", i%500), "env": "prod"}})
	}
	for i := range 200 {
		role := fmt.Sprintf("r-%03d", i)
		s.Roles = append(s.Roles, teleport.Role{Name: role, Allow: allow([]string{"deploy"}, labels{"customer": {fmt.Sprintf("c-%03d", i), "c-1*", "^c-2[0-9]5$"}})})
		s.Users = append(s.Users, teleport.User{Name: fmt.Sprintf("u-%03d", i), Roles: []string{role}})
	}
	for b.Loop() {
		if got := teleport.Reaches(s, "customer"); len(got) != 200 {
			b.Fatalf("got %d ways, want 200", len(got))
		}
	}
}
