package teleport

import (
	"regexp"
	"slices"
	"strings"
)

// wildcard is the value, and the key, that matches all.
const wildcard = "*"

// matchesAll reports whether labels match every node, also one without labels.
func matchesAll[L ~[]string](labels map[string]L) bool {
	all := labels[wildcard]
	return len(all) == 1 && all[0] == wildcard
}

// matches reports whether labels match a node's as a cluster sees it: no labels
// match nothing, and a node must carry each key. "*" as a key is the name of a
// label unless its only value is "*".
func matches(labels map[string][]string, node map[string]string) bool {
	if len(labels) == 0 {
		return false
	}
	if matchesAll(labels) {
		return true
	}
	for key, values := range labels {
		have, ok := node[key]
		if !ok || !matchesValue(values, have) {
			return false
		}
	}
	return true
}

// matchesValue reports whether one of values matches: itself, a glob, or an
// expression that begins with ^ and ends with $.
func matchesValue(values []string, have string) bool {
	return slices.ContainsFunc(values, func(v string) bool {
		if v == wildcard || v == have && !isExpression(v) {
			return true
		}
		if !isPattern(v) {
			return false
		}
		re, err := compile(v)
		return err == nil && re.MatchString(have)
	})
}

func isExpression(v string) bool { return strings.HasPrefix(v, "^") && strings.HasSuffix(v, "$") }

// isPattern reports whether a value matches others than itself.
func isPattern(v string) bool { return isExpression(v) || strings.Contains(v, wildcard) }

func compile(v string) (*regexp.Regexp, error) {
	if isExpression(v) {
		return regexp.Compile(v)
	}
	return regexp.Compile("^" + strings.ReplaceAll(regexp.QuoteMeta(v), `\*`, "(.*)") + "$")
}
