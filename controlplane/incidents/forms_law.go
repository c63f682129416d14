package incidents

import (
	"slices"
	"strings"

	"ostler/controlplane/incidents/law"
)

// everyAuthority says that each authority where people live is told, and in which
// countries, of a controller without an establishment in the Union; "" of others.
func (f folder) everyAuthority() string {
	countries, all := everyAuthority(f.company, f.c.PeopleIn)
	switch {
	case !all:
		return ""
	case len(countries) == 0:
		return "We have no establishment in the Union: each authority where people live is told. In which countries that is, is not recorded yet."
	}
	return "We have no establishment in the Union: each authority where people live is told, in " + strings.Join(countries, ", ") + "."
}

// crossBorder says whether people in several countries are affected, as far as it is
// recorded.
func (f folder) crossBorder() string {
	var parts []string
	if len(f.c.PeopleIn) > 0 {
		parts = append(parts, "The people live in: "+strings.Join(f.c.PeopleIn, ", ")+".")
		if n := len(slices.DeleteFunc(slices.Clone(f.c.PeopleIn), func(c string) bool { return !law.InUnion(c) })); n < 2 {
			parts = append(parts, "That is in no more than one member state.")
		}
	}
	if len(f.company.Authorities) > 1 {
		parts = append(parts, "We are established in several member states: "+sentence(strings.Join(f.company.Authorities, ", ")))
	}
	return strings.Join(parts, " ")
}
