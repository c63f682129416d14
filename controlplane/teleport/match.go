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

// selector is a role's labels made ready to look at many nodes, by one goroutine.
type selector struct {
	all    bool
	values map[string]func(string) bool // by key; none match nothing
}

func selectorOf(labels map[string][]string) selector {
	s := selector{all: matchesAll(labels), values: make(map[string]func(string) bool, len(labels))}
	for key, values := range labels {
		s.values[key] = remembered(matcher(values))
	}
	return s
}

// remembered asks once for each value: many nodes carry the same.
func remembered(ask func(string) bool) func(string) bool {
	known := map[string]bool{}
	return func(v string) bool {
		answer, ok := known[v]
		if !ok {
			answer = ask(v)
			known[v] = answer
		}
		return answer
	}
}

// matches reports whether labels match a node's as a cluster sees it: no labels
// match nothing, and a node must carry each key. "*" as a key is the name of a
// label unless its only value is "*".
func (s selector) matches(node map[string]string) bool {
	if s.all || len(s.values) == 0 {
		return s.all
	}
	for key, ok := range s.values {
		have, has := node[key]
		if !has || !ok(have) {
			return false
		}
	}
	return true
}

// matchesValue reports whether one of values matches: itself, a glob, or an
// expression that begins with ^ and ends with $.
func matchesValue(values []string, have string) bool { return matcher(values)(have) }

// matcher is matchesValue for many.
func matcher(values []string) func(string) bool {
	var patterns []*regexp.Regexp
	for _, v := range values {
		if v == wildcard {
			return func(string) bool { return true }
		}
		if !isPattern(v) {
			continue
		}
		if re, err := compile(v); err == nil { // one that is none matches nothing
			patterns = append(patterns, re)
		}
	}
	return func(have string) bool {
		return slices.Contains(values, have) && !isExpression(have) ||
			slices.ContainsFunc(patterns, func(re *regexp.Regexp) bool { return re.MatchString(have) })
	}
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
