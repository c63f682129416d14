package web

import (
	"errors"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/identity"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
)

// ticksUpTo is up to how many things a form offers to be ticked; more of them
// are written, a name on each line.
const ticksUpTo = 40

// serversField chooses servers, with those that are chosen.
func (v *visit) serversField(id, label, hint string, was []string) (FormField, error) {
	scope, err := v.scope(policy.ServerRead)
	if err != nil {
		return FormField{}, err
	}
	items, next, err := v.p.Customers.ListServers(v.ctx, scope, customers.ServerFilter{Limit: ticksUpTo + 1})
	if err != nil {
		return FormField{}, err
	}
	if next == "" && len(items) <= ticksUpTo {
		var options []Choice
		for _, s := range items {
			options = append(options, Choice{Value: s.ID, Label: s.Name})
		}
		if len(options) > 0 {
			f := v.tickedOf(id, label, options, was)
			f.Hint = hint
			return f, nil
		}
	}
	on, err := v.servers(was)
	if err != nil {
		return FormField{}, err
	}
	var names []string
	for _, w := range was {
		names = append(names, on[w].Name)
	}
	f := v.entered(id, label, strings.Join(names, "\n")).rows(3).optional()
	f.Hint = join2(hint, v.t("inc.one_a_line"))
	return f, nil
}

// serversEntered are the ids of the servers of a form, written by name or ticked.
func (v *visit) serversEntered(id string) ([]string, error) {
	return v.picked(id, "srv_", func(scope policy.Scope, name string) (string, error) {
		s, err := v.p.Customers.GetServer(v.ctx, scope, name)
		return s.ID, err
	}, policy.ServerRead)
}

// customersField chooses customers, with those that are chosen.
func (v *visit) customersField(id, label, hint string, was []string) (FormField, error) {
	scope, err := v.scope(policy.CustomerRead)
	if err != nil {
		return FormField{}, err
	}
	n, err := v.p.Customers.CountCustomers(v.ctx, scope, "")
	if err != nil {
		return FormField{}, err
	}
	if n > 0 && n <= ticksUpTo {
		options, err := v.customerChoices("")
		if err != nil {
			return FormField{}, err
		}
		f := v.tickedOf(id, label, options[1:], was)
		f.Hint = hint
		return f, nil
	}
	names, err := v.namesOfCustomers(was)
	if err != nil {
		return FormField{}, err
	}
	var all []string
	for _, w := range was {
		all = append(all, names[w])
	}
	f := v.entered(id, label, strings.Join(all, "\n")).rows(3).optional()
	f.Hint = join2(hint, v.t("inc.one_a_line"))
	return f, nil
}

// customersEntered are the ids of the customers of a form.
func (v *visit) customersEntered(id string) ([]string, error) {
	return v.picked(id, "cus_", v.customerCalled, policy.CustomerRead)
}

// customerCalled is the customer of a name or a slug.
func (v *visit) customerCalled(scope policy.Scope, name string) (string, error) {
	c, err := v.p.Customers.GetCustomer(v.ctx, scope, name)
	if err == nil || controlplane.ErrorCode(err) != controlplane.CodeNotFound {
		return c.ID, err
	}
	items, _, lerr := v.p.Customers.ListCustomers(v.ctx, scope, customers.CustomerFilter{Name: name, Limit: 20})
	if lerr != nil {
		return "", lerr
	}
	for _, x := range items {
		if strings.EqualFold(x.Name, name) {
			return x.ID, nil
		}
	}
	return "", err
}

// picked reads what a field names: ids that were ticked, or names on lines.
func (v *visit) picked(id, prefix string, find func(policy.Scope, string) (string, error), perm policy.Permission) ([]string, error) {
	scope, err := v.scope(perm)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, value := range v.formList(id) {
		for _, name := range lines(value) {
			if controlplane.ValidID(prefix, name) {
				out = append(out, name)
				continue
			}
			found, err := find(scope, name)
			if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
				return nil, controlplane.Invalid(controlplane.Field{Pointer: "/" + id, Message: v.t("inc.no_such", "name", plain(name))})
			}
			if err != nil {
				return nil, err
			}
			out = append(out, found)
		}
	}
	return out, nil
}

// staffChoices are our people to choose from.
func (v *visit) ourChoices(none string) ([]Choice, error) {
	scope, err := v.scope(policy.PeopleRead)
	if err != nil {
		return nil, err
	}
	people, err := v.p.Identity.People(v.ctx, scope, identity.PeopleFilter{Kind: controlplane.ActorStaff})
	if err != nil {
		return nil, err
	}
	out := []Choice{{Value: "", Label: none}}
	for _, x := range people {
		out = append(out, Choice{Value: x.ID, Label: x.Name})
	}
	return out, nil
}

// timeField is an instant in the case's zone; left empty it is now, or not known.
func (v *visit) timeField(id, label, hint string, was time.Time) FormField {
	value := ""
	if !was.IsZero() {
		value = was.In(v.zone).Format("2006-01-02T15:04")
	}
	return v.entered(id, label, value).kind("datetime-local").optional().hint(v.t(hint, "zone", v.zone.String()))
}

// at is an instant as it was entered.
func (v *visit) at(id string) incidents.At { return incidents.At(v.formValue(id)) }

// wrongCase answers a form of a case that cannot be carried out. A time that is
// none, or two, can then be written with its offset.
func (v *visit) wrongCase(page *AccessForm, err error) error {
	var e *controlplane.Error
	if errors.As(err, &e) {
		for _, f := range e.Fields {
			id, _, _ := strings.Cut(strings.TrimPrefix(f.Pointer, "/"), "/")
			for i := range page.Fields {
				if page.Fields[i].ID == id && page.Fields[i].Type == "datetime-local" {
					page.Fields[i].Type, page.Fields[i].Hint = "", v.t("inc.time_offset", "zone", v.zone.String())
				}
			}
		}
	}
	return v.invalid(page, err)
}

// radiosOf are a choice of one of a few.
func (v *visit) radiosOf(id, label string, options []RoleChoice, was string) FormField {
	f := v.entered(id, label, was)
	f.Radios = slices.Clone(options)
	for i := range f.Radios {
		f.Radios[i].Chosen = f.Radios[i].Value == f.Value
	}
	return f
}

// yes reports whether one box of a form was ticked.
func (v *visit) yes(id string) bool { return slices.Contains(v.formList(id), "1") }

// tick is one box.
func (v *visit) tick(id, label, hint string, was bool) FormField {
	var chosen []string
	if was {
		chosen = []string{"1"}
	}
	f := v.tickedOf(id, label, []Choice{{Value: "1", Label: hint}}, chosen)
	return f
}

// kindsField chooses what happened to personal data.
func (v *visit) kindsField(was []incidents.Kind) FormField {
	var options []Choice
	var chosen []string
	for _, k := range incidents.Kinds() {
		options = append(options, Choice{Value: string(k), Label: wordOf(v, kindsOfBreach, k)})
	}
	for _, k := range was {
		chosen = append(chosen, string(k))
	}
	f := v.tickedOf("kinds", v.t("inc.kinds"), options, chosen)
	f.Hint = v.t("inc.kinds_hint")
	return f
}

func (v *visit) kindsEntered() (out []incidents.Kind) {
	for _, k := range v.formList("kinds") {
		out = append(out, incidents.Kind(k))
	}
	return out
}
