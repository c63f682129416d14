package teleporttest

import (
	"regexp"
	"slices"
	"strings"

	"github.com/gravitational/teleport/api/types"
)

// simple is the one form of label expressions that the fake evaluates.
var simple = regexp.MustCompile(`^\s*labels\["([^"]+)"\]\s*==\s*"([^"]*)"\s*$`)

// enters decides as a node does. A rule that denies takes away whatever other
// roles allow, by its labels or by its logins alone; one role must allow both.
func enters(roles []*types.RoleV6, traits map[string][]string, login string, n *types.ServerV2) bool {
	for _, r := range roles {
		if labelsDeny(r.Spec.Deny, traits, n) || slices.Contains(filled(r.Spec.Deny.Logins, traits), login) {
			return false
		}
	}
	for _, r := range roles {
		if labelsAllow(r.Spec.Allow, traits, n) && slices.Contains(filled(r.Spec.Allow.Logins, traits), login) {
			return true
		}
	}
	return false
}

// sees decides whether a node is listed: logins do not matter.
func sees(roles []*types.RoleV6, traits map[string][]string, n *types.ServerV2) bool {
	if slices.ContainsFunc(roles, func(r *types.RoleV6) bool { return labelsDeny(r.Spec.Deny, traits, n) }) {
		return false
	}
	return slices.ContainsFunc(roles, func(r *types.RoleV6) bool { return labelsAllow(r.Spec.Allow, traits, n) })
}

// labelsAllow: what is set must match, labels and expression both.
func labelsAllow(c types.RoleConditions, traits map[string][]string, n *types.ServerV2) bool {
	if len(c.NodeLabels) == 0 && c.NodeLabelsExpression == "" {
		return false
	}
	return (len(c.NodeLabels) == 0 || labelsMatch(c.NodeLabels, traits, n)) &&
		(c.NodeLabelsExpression == "" || expressionMatches(c.NodeLabelsExpression, n))
}

// labelsDeny: either is enough.
func labelsDeny(c types.RoleConditions, traits map[string][]string, n *types.ServerV2) bool {
	return len(c.NodeLabels) > 0 && labelsMatch(c.NodeLabels, traits, n) ||
		c.NodeLabelsExpression != "" && expressionMatches(c.NodeLabelsExpression, n)
}

func expressionMatches(expr string, n *types.ServerV2) bool {
	m := simple.FindStringSubmatch(expr)
	return m != nil && n.GetAllLabels()[m[1]] == m[2]
}

func labelsMatch(labels types.Labels, traits map[string][]string, n *types.ServerV2) bool {
	if all := labels[types.Wildcard]; len(all) == 1 && all[0] == types.Wildcard {
		return true
	}
	for key, values := range labels {
		have, ok := n.GetLabel(key)
		if !ok {
			return false
		}
		one := false
		for _, v := range values {
			options := filled([]string{v}, traits)
			if len(options) == 0 {
				options = []string{""} // a variable without a value matches what is empty
			}
			for _, o := range options {
				one = one || valueMatches(o, have)
			}
		}
		if !one {
			return false
		}
	}
	return true
}

func valueMatches(want, have string) bool {
	if want == types.Wildcard {
		return true
	}
	expr := want
	if !strings.HasPrefix(want, "^") || !strings.HasSuffix(want, "$") {
		parts := strings.Split(want, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		expr = "^" + strings.Join(parts, ".*") + "$"
	}
	ok, err := regexp.MatchString(expr, have)
	return ok && err == nil
}

var braces = regexp.MustCompile(`^([^{}]*)\{\{\s*(?:internal|external)\.([\w-]+)\s*\}\}([^{}]*)$`)

// filled puts traits in the place of variables.
func filled(values []string, traits map[string][]string) []string {
	var out []string
	for _, v := range values {
		m := braces.FindStringSubmatch(v)
		switch {
		case m != nil:
			for _, t := range traits[m[2]] {
				out = append(out, m[1]+t+m[3])
			}
		case !strings.Contains(v, "{{"):
			out = append(out, v)
		}
	}
	return out
}
