package teleporttest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"

	"ostler/controlplane/teleport"
)

// PutRole makes a role as somebody does by hand: without our mark.
func (c *Cluster) PutRole(r teleport.Role) error {
	spec := types.RoleSpecV6{Allow: conditions(r.Allow), Deny: conditions(r.Deny)}
	if r.MaxTTL > 0 {
		spec.Options.MaxSessionTTL = types.NewDuration(r.MaxTTL)
	}
	return c.putSpec(r.Name, spec)
}

func (c *Cluster) putSpec(name string, spec types.RoleSpecV6) error {
	r, err := types.NewRole(name, spec)
	if err != nil {
		return fmt.Errorf("teleporttest: put role: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.storeRole("admin", r.(*types.RoleV6))
}

func conditions(r teleport.Reach) types.RoleConditions {
	out := types.RoleConditions{Logins: r.Logins, NodeLabelsExpression: r.NodeExpression}
	for key, values := range r.NodeLabels {
		if out.NodeLabels == nil {
			out.NodeLabels = types.Labels{}
		}
		out.NodeLabels[key] = values
	}
	for _, kind := range r.Writes {
		out.Rules = append(out.Rules, types.NewRule(kind, []string{types.VerbCreate, types.VerbUpdate, types.VerbDelete, types.VerbList, types.VerbRead}))
	}
	if len(r.ImpersonatesRoles)+len(r.ImpersonatesUsers) > 0 {
		out.Impersonate = &types.ImpersonateConditions{Roles: r.ImpersonatesRoles, Users: r.ImpersonatesUsers}
	}
	if len(r.RequestsRoles) > 0 {
		out.Request = &types.AccessRequestConditions{Roles: r.RequestsRoles}
	}
	if r.JoinsSessions {
		out.JoinSessions = []*types.SessionJoinPolicy{{
			Name: "join", Roles: []string{types.Wildcard}, Kinds: []string{string(types.SSHSessionKind)}, Modes: []string{string(types.SessionObserverMode)},
		}}
	}
	return out
}

// storeRole stores a copy under a new revision. c.mu is held.
func (c *Cluster) storeRole(by string, r *types.RoleV6) error {
	next := copyOf(r)
	if err := next.CheckAndSetDefaults(); err != nil {
		return err
	}
	for _, expr := range []string{next.Spec.Allow.NodeLabelsExpression, next.Spec.Deny.NodeLabelsExpression} {
		if expr != "" && simple.FindStringSubmatch(expr) == nil {
			return trace.BadParameter(`the fake evaluates expressions of the form labels["key"] == "value" only`)
		}
	}
	next.SetRevision(c.revision())
	_, had := c.roles[next.GetName()]
	c.roles[next.GetName()] = next
	c.roleStored(by, next.GetName(), had)
	return nil
}

// revision is a new one. c.mu is held.
func (c *Cluster) revision() string {
	c.revisions++
	return "fake-" + strconv.FormatInt(c.revisions, 10)
}

// RemoveRole deletes a role as somebody does by hand, also one in use.
func (c *Cluster) RemoveRole(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.roles, name)
	c.roleDeleted("admin", name)
}

// Unmodelled are fields of a role that our client does not model, for tests of
// what it keeps.
type Unmodelled struct {
	Description    string
	Label          string // a label of the role itself, "other" by key
	AppLabel       string // "app" by key
	ForwardAgent   bool
	MaxConnections int64
}

// SetUnmodelled sets fields of a role that our client does not model.
func (c *Cluster) SetUnmodelled(role string, u Unmodelled) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.roles[role]
	if r == nil {
		return fmt.Errorf("teleporttest: there is no role %s", role)
	}
	next := copyOf(r)
	if next.Metadata.Labels == nil {
		next.Metadata.Labels = map[string]string{}
	}
	next.Metadata.Description, next.Metadata.Labels["other"] = u.Description, u.Label
	next.Spec.Allow.AppLabels = types.Labels{"app": {u.AppLabel}}
	next.Spec.Options.ForwardAgent = types.NewBool(u.ForwardAgent)
	next.Spec.Options.MaxConnections = u.MaxConnections
	return c.storeRole("admin", next)
}

// GetUnmodelled is what SetUnmodelled set, as it stands now.
func (c *Cluster) GetUnmodelled(role string) Unmodelled {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.roles[role]
	if r == nil {
		return Unmodelled{}
	}
	u := Unmodelled{
		Description: r.Metadata.Description, Label: r.Metadata.Labels["other"],
		ForwardAgent: r.Spec.Options.ForwardAgent.Value(), MaxConnections: r.Spec.Options.MaxConnections,
	}
	if app := r.Spec.Allow.AppLabels["app"]; len(app) > 0 {
		u.AppLabel = app[0]
	}
	return u
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Widen puts ways to more access into a role by hand: rules that write and that
// read, impersonation, requests, joining, a label expression.
func (c *Cluster) Widen(role string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.roles[role]
	if r == nil {
		return fmt.Errorf("teleporttest: there is no role %s", role)
	}
	next := copyOf(r)
	more := conditions(teleport.Reach{
		Writes: []string{types.KindRole, types.KindUser}, ImpersonatesRoles: []string{RoleAdmin}, ImpersonatesUsers: []string{"admin"},
		RequestsRoles: []string{RoleAdmin}, JoinsSessions: true,
	})
	a := &next.Spec.Allow
	a.Rules, a.Impersonate, a.Request, a.JoinSessions = more.Rules, more.Impersonate, more.Request, more.JoinSessions
	a.NodeLabelsExpression = `labels["customer"] == "acme"`
	return c.storeRole("admin", next)
}
