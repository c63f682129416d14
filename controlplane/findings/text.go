package findings

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// kind is what a kind of finding takes and how it reads.
type kind struct {
	Args     []string // arguments that Raise takes
	Ops      text     // for staff
	Customer text     // for contacts; the zero text where they do not see it
}

// text is a sentence in alternatives: the first whose arguments are all there
// is used, so the last of each takes none.
type text struct {
	Title []string
	Cause []string
	Step  string // key in steps
}

// cause is how a failure of a host reads.
type cause struct {
	Ops, Customer []string
	Step          string // for staff; "" is the kind's
}

// Kinds lists the kinds of finding, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// Args lists the arguments that a kind takes; nil for an unknown kind.
func Args(kind string) []string { return slices.Clone(kinds[kind].Args) }

// customerKinds are the kinds that have a sentence for customers.
func customerKinds() []string {
	var names []string
	for _, name := range Kinds() {
		if len(kinds[name].Customer.Title) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// Sentence returns how a finding reads to staff: what is wrong, why, and the
// one next step as a short imperative. Only "en" is there; any other language
// reads English.
func Sentence(lang string, x Finding) (title, cause, next string) {
	return SentenceFor(policy.Staff, lang, x)
}

// SentenceFor is Sentence for an audience. Everyone but policy.Staff reads the
// customer's wording, which names no cause inside our house; a kind without
// one reads as a plain sentence without detail.
func SentenceFor(audience policy.Audience, lang string, x Finding) (title, cause, next string) {
	k, ok := kinds[x.Kind]
	t, because, step := k.Ops, causes[wire.Cause(x.Args["cause"])].Ops, causes[wire.Cause(x.Args["cause"])].Step
	if audience != policy.Staff {
		t, because, step = k.Customer, causes[wire.Cause(x.Args["cause"])].Customer, ""
	}
	if !ok || len(t.Title) == 0 {
		t = plain
	}
	if s := fill(because, x.Args); s != "" {
		cause = s
	} else {
		cause = fill(t.Cause, x.Args)
	}
	switch {
	case steps[x.Next] != "":
		step = x.Next
	case step == "":
		step = t.Step
	}
	return fill(t.Title, x.Args), cause, steps[step]
}

// fill returns the first alternative whose arguments are all there.
func fill(alternatives []string, args map[string]string) string {
	for _, a := range alternatives {
		if s, ok := controlplane.Fill(a, args); ok {
			return s
		}
	}
	return ""
}

// Ago returns a duration as people say it, in its largest whole unit: "41
// minutes", "27 hours", "3 days". Hours go up to 47.
func Ago(lang string, d time.Duration) string {
	n, unit := int(d/time.Minute), "minute"
	switch {
	case d >= 48*time.Hour:
		n, unit = int(d/(24*time.Hour)), "day"
	case d >= time.Hour:
		n, unit = int(d/time.Hour), "hour"
	case d < time.Minute:
		return "less than a minute"
	}
	if n != 1 {
		unit += "s"
	}
	return strconv.Itoa(n) + " " + unit
}
