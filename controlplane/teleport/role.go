package teleport

import (
	"cmp"
	"slices"

	"github.com/gravitational/teleport/api/types"
)

// Our mark, in the labels of roles and locks.
const (
	markLabel   = "ostler/managed"
	ownerLabel  = "ostler/owner"
	markValue   = "yes"
	description = "Made and kept by Ostler. What is changed here by hand is put back."
)

func marked(m types.Metadata) (owner string, labelled, ours bool) {
	owner, labelled = m.Labels[ownerLabel]
	return owner, labelled, m.Labels[markLabel] == markValue
}

// grantKinds are kinds whose writers can give themselves access: they change
// who holds which role, who may sign in as whom, or what others ask for.
var grantKinds = []string{
	types.KindRole, types.KindUser, types.KindAuthConnector, types.KindConnectors, types.KindOIDC, types.KindSAML, types.KindGithub,
	types.KindBot, types.KindToken, types.KindCertAuthority, types.KindTrustedCluster, types.KindLoginRule,
	types.KindAccessList, types.KindAccessRequest, types.KindClusterAuthPreference, types.KindSessionRecordingConfig,
}

// writeKinds are the kinds that Reach.Writes speaks of.
var writeKinds = append(slices.Clone(grantKinds), types.KindLock, types.Wildcard)

func fromRole(r *types.RoleV6) Role {
	out := Role{
		Name: r.GetName(), Revision: r.GetRevision(), MaxTTL: r.Spec.Options.MaxSessionTTL.Duration(),
		Expires: expires(r.Metadata.Expiry()),
		Allow:   fromConditions(r.Spec.Allow, types.Allow), Deny: fromConditions(r.Spec.Deny, types.Deny),
	}
	out.Owner, _, out.Ours = marked(r.Metadata)
	// Roles of version 3 without labels match every node.
	if r.Version == types.V3 && r.Spec.Allow.NodeLabels == nil && len(r.Spec.Allow.Logins) > 0 {
		out.Allow.NodeLabels = map[string][]string{types.Wildcard: {types.Wildcard}}
	}
	return out
}

func fromConditions(c types.RoleConditions, half types.RoleConditionType) Reach {
	out := Reach{Logins: slices.Clone(c.Logins), NodeExpression: c.NodeLabelsExpression, Writes: writes(c.Rules, half)}
	for key, values := range c.NodeLabels {
		if out.NodeLabels == nil {
			out.NodeLabels = map[string][]string{}
		}
		out.NodeLabels[key] = slices.Clone([]string(values))
	}
	if i := c.Impersonate; i != nil {
		out.ImpersonatesRoles, out.ImpersonatesUsers = slices.Clone(i.Roles), slices.Clone(i.Users)
	}
	for _, j := range c.JoinSessions {
		out.JoinsSessions = out.JoinsSessions || slices.Contains(j.Kinds, string(types.SSHSessionKind)) || slices.Contains(j.Kinds, types.Wildcard)
	}
	if q := c.Request; q != nil {
		out.RequestsRoles = append(slices.Clone(q.Roles), q.SearchAsRoles...)
		for _, claim := range q.ClaimsToRoles {
			out.RequestsRoles = append(out.RequestsRoles, claim.Roles...)
		}
		slices.Sort(out.RequestsRoles)
		out.RequestsRoles = slices.Compact(out.RequestsRoles)
	}
	return out
}

// writes are the kinds that rules let create or change or, for the half that
// denies, those of which neither is left.
func writes(rules []types.Rule, half types.RoleConditionType) []string {
	var out []string
	for _, kind := range writeKinds {
		var create, update bool
		for _, r := range rules {
			if !r.HasResource(kind) || half == types.Deny && r.Where != "" {
				continue
			}
			all := r.HasVerb(types.Wildcard)
			create = create || all || r.HasVerb(types.VerbCreate) || kind == types.KindCertAuthority && r.HasVerb(types.VerbRotate)
			update = update || all || r.HasVerb(types.VerbUpdate)
			if kind == types.KindLock && half == types.Allow {
				update = update || r.HasVerb(types.VerbDelete)
			}
		}
		if create && update || half == types.Allow && (create || update) {
			out = append(out, kind)
		}
	}
	return out
}

// applyRole makes onto what want models, and leaves the rest as it is.
func applyRole(onto *types.RoleV6, want Role) {
	if onto.Metadata.Labels == nil {
		onto.Metadata.Labels = map[string]string{}
	}
	onto.Metadata.Labels[markLabel] = markValue
	onto.Metadata.Labels[ownerLabel] = want.Owner
	onto.Metadata.Description = cmp.Or(onto.Metadata.Description, description)
	onto.Metadata.Expires = nil
	if !want.Expires.IsZero() {
		onto.SetExpiry(want.Expires.UTC())
	}
	if want.MaxTTL > 0 {
		onto.Spec.Options.MaxSessionTTL = types.NewDuration(want.MaxTTL)
	}
	applyConditions(&onto.Spec.Allow, want.Allow, types.Allow)
	applyConditions(&onto.Spec.Deny, want.Deny, types.Deny)
}

func applyConditions(onto *types.RoleConditions, want Reach, half types.RoleConditionType) {
	onto.Logins = slices.Clone(want.Logins)
	onto.NodeLabels = types.Labels{}
	for key, values := range want.NodeLabels {
		onto.NodeLabels[key] = slices.Clone(values)
	}
	onto.NodeLabelsExpression = ""
	if half == types.Deny {
		return // what somebody denies beyond it only narrows
	}
	onto.Impersonate, onto.JoinSessions, onto.Request = nil, nil, nil
	kept := onto.Rules[:0:0]
	for _, r := range onto.Rules {
		if len(writes([]types.Rule{r}, types.Allow)) == 0 {
			kept = append(kept, r)
		}
	}
	onto.Rules = kept
}
