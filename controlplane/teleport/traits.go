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
		filled, known := fillOne(v, traits)
		out = append(out, filled...)
		if !known {
			unknown = append(unknown, v)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), unknown
}

// fillOne is what becomes of one value; known is false where we do not evaluate it.
func fillOne(v string, traits map[string][]string) (out []string, known bool) {
	if !strings.Contains(v, "{{") && !strings.Contains(v, "}}") {
		return []string{v}, true
	}
	parts := template.FindStringSubmatch(v)
	if parts == nil {
		return nil, true // a cluster does not read it either, and takes no value from it
	}
	name := variable.FindStringSubmatch(parts[2])
	if name == nil {
		return nil, false
	}
	for _, trait := range traits[name[1]+name[2]] {
		if trait != "" {
			out = append(out, parts[1]+trait+parts[3])
		}
	}
	return out, true
}

// fillLabels is fill for labels, where a value of which nothing is left matches
// what is empty. One that we do not evaluate, or a key that is a template,
// makes it unsure, and nil.
func fillLabels(labels map[string][]string, traits map[string][]string) (out map[string][]string, unsure bool) {
	if len(labels) == 0 {
		return nil, false
	}
	out = make(map[string][]string, len(labels))
	for key, values := range labels {
		if strings.Contains(key, "{{") {
			return nil, true
		}
		out[key] = []string{}
		for _, v := range values {
			filled, known := fillOne(v, traits)
			if !known {
				return nil, true
			}
			if len(filled) == 0 {
				filled = []string{""}
			}
			out[key] = append(out[key], filled...)
		}
	}
	return out, false
}
