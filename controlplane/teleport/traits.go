package teleport

import (
	"regexp"
	"slices"
	"strings"
)

// template is a value with a variable in it, and variable what stands between
// the braces where it is a plain one.
var (
	template = regexp.MustCompile(`^([^{}]*)\{\{(.*)\}\}([^{}]*)$`)
	variable = regexp.MustCompile(`^\s*(?:internal|external)(?:\.([\w-]+)|\["([^"]+)"\])\s*$`)
)

// fill puts a user's traits in the place of variables. A value whose variable
// is empty or unknown to the user is left out; unknown are those that we do not
// evaluate, as they stand.
func fill(values []string, traits map[string][]string) (out, unknown []string) {
	for _, v := range values {
		if !strings.Contains(v, "{{") && !strings.Contains(v, "}}") {
			out = append(out, v)
			continue
		}
		parts := template.FindStringSubmatch(v)
		if parts == nil {
			continue // a cluster does not read it either, and takes no value from it
		}
		name := variable.FindStringSubmatch(parts[2])
		if name == nil {
			unknown = append(unknown, v)
			continue
		}
		for _, trait := range traits[name[1]+name[2]] {
			if trait != "" {
				out = append(out, parts[1]+trait+parts[3])
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), unknown
}

// fillLabels is fill for labels; a key that is a template is not evaluated.
func fillLabels(labels map[string][]string, traits map[string][]string) (out map[string][]string, unsure bool) {
	if len(labels) == 0 {
		return nil, false
	}
	out = make(map[string][]string, len(labels))
	for key, values := range labels {
		if strings.Contains(key, "{{") {
			return nil, true
		}
		filled, unknown := fill(values, traits)
		if len(unknown) > 0 {
			return nil, true
		}
		out[key] = filled // none left: the label matches nothing
	}
	return out, false
}
