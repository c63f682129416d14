package web

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// accessForm begins a form about access; what was entered stays in it.
func (v *visit) accessForm(title, say, action, back, do string) *AccessForm {
	return &AccessForm{Page: v.page("access", title, say), Action: action, Back: back, Do: do}
}

// entered is a field with what was entered, or with what is.
func (v *visit) entered(id, label, was string) FormField {
	if v.c.Request().Method == "POST" {
		was = v.c.FormValue(id)
	} else if q := v.c.QueryParam(id); q != "" {
		was = q
	}
	return FormField{ID: id, Label: label, Value: strings.TrimSpace(was)}
}

func (f FormField) hint(s string) FormField    { f.Hint = s; return f }
func (f FormField) optional() FormField        { f.Optional = true; return f }
func (f FormField) kind(s string) FormField    { f.Type = s; return f }
func (f FormField) rows(n int) FormField       { f.Rows = n; return f }
func (f FormField) among(o []Choice) FormField { f.Options = chosen1(o, f.Value); return f }

// chosen1 marks the choice with a value.
func chosen1(options []Choice, value string) []Choice {
	out := slices.Clone(options)
	for i := range out {
		out[i].Chosen = out[i].Value == value
	}
	return out
}

// tickedOf is a field of several choices, with what was ticked.
func (v *visit) tickedOf(id, label string, options []Choice, was []string) FormField {
	if v.c.Request().Method == "POST" {
		was = v.formList(id)
	}
	f := FormField{ID: id, Label: label, Ticks: slices.Clone(options)}
	for i := range f.Ticks {
		f.Ticks[i].Chosen = slices.Contains(was, f.Ticks[i].Value)
	}
	return f
}

// formList is every value of a form's field.
func (v *visit) formList(id string) []string {
	if v.c.Request().ParseForm() != nil {
		return nil
	}
	return v.c.Request().PostForm[id]
}

// formValue is what was entered, on one line and without space around it.
func (v *visit) formValue(id string) string {
	broken := func(r rune) bool { return r == '\r' || r == '\n' }
	return strings.TrimSpace(strings.Join(strings.FieldsFunc(v.c.FormValue(id), broken), " "))
}

// dayField reads a day of a form, as that day's end in the reader's zone; ""
// is the zero time. What is no day is an error of that field.
func (v *visit) dayField(id string) (time.Time, error) {
	s := v.formValue(id)
	if s == "" {
		return time.Time{}, nil
	}
	d, ok := v.day(s)
	if !ok {
		return time.Time{}, controlplane.Invalid(controlplane.Field{Pointer: "/" + id, Message: v.t("activity.no_day")})
	}
	return d.AddDate(0, 0, 1).Add(-time.Second), nil
}

// dayValue is a time as a form's field of a day has it.
func (v *visit) dayValue(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(v.zone).Format(time.DateOnly)
}

// version is the version of what a form changes.
func (v *visit) version() int64 {
	n, err := strconv.ParseInt(v.c.FormValue("version"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func versionOf(n int64) Pair { return Pair{Label: "version", Value: strconv.FormatInt(n, 10)} }

// formErrors puts all that is wrong with several fields together.
func formErrors(errs ...error) error {
	var fields []controlplane.Field
	for _, err := range errs {
		if err == nil {
			continue
		}
		e, ok := err.(*controlplane.Error) //nolint:errorlint // made here, never wrapped
		if !ok || len(e.Fields) == 0 {
			return err
		}
		fields = append(fields, e.Fields...)
	}
	if len(fields) == 0 {
		return nil
	}
	return controlplane.Invalid(fields...)
}

// personChoices are persons who can be chosen in a form, those who left not.
func (v *visit) personChoices(none string, of func(access.Person) bool) ([]Choice, error) {
	scope, err := v.scope(policy.AccessRead)
	if err != nil {
		return nil, err
	}
	people, err := v.p.Access.People(v.ctx, scope)
	if err != nil {
		return nil, err
	}
	out := []Choice{{Value: "", Label: none}}
	for _, x := range people {
		if x.LeftAt.IsZero() && (of == nil || of(x)) {
			out = append(out, Choice{Value: x.ID, Label: join(x.Name, x.Company)})
		}
	}
	return out, nil
}

// human reports whether somebody is a person who can answer for something.
func human(x access.Person) bool {
	return x.Kind == access.KindStaff || x.Kind == access.KindContractor
}

// numberField reads a whole number of a form.
func (v *visit) numberField(id string) (int, error) {
	n, err := strconv.Atoi(v.formValue(id))
	if err != nil || n < 0 {
		return 0, controlplane.Invalid(controlplane.Field{Pointer: "/" + id, Message: v.t("form.no_number")})
	}
	return n, nil
}

func number0(n int) string { return strconv.Itoa(n) }

// endOfToday is this day's last second in the reader's zone.
func (v *visit) endOfToday() time.Time {
	y, m, d := v.now.In(v.zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, v.zone).AddDate(0, 0, 1).Add(-time.Second)
}
