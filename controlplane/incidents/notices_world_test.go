package incidents_test

import (
	"ostler/controlplane/customers"
	"ostler/controlplane/findings"
	"ostler/controlplane/incidents"
)

// contactable has it written down whom people can ask: without it no notice goes.
func (w *world) contactable() {
	w.t.Helper()
	_, err := w.incidents.SetCompany(w.ctx, w.all, incidents.Company{Name: "Hof Hosting", Jurisdiction: "EU", Country: "DE-BY", Zone: "Europe/Berlin", Establishment: true,
		Contact: "Dora Datenschutz", ContactEmail: "privacy@hof.example", ContactPhone: "+49 89 1234"})
	if err != nil {
		w.t.Fatal(err)
	}
}

// drafts drafts notices as Ada.
func (w *world) drafts(c incidents.Case, purpose incidents.Purpose, whom ...customers.Customer) []incidents.Notice {
	w.t.Helper()
	var ids []string
	for _, x := range whom {
		ids = append(ids, x.ID)
	}
	made, left, err := w.incidents.MakeDrafts(w.ctx, w.all, c.ID, purpose, ids...)
	if err != nil || len(left) > 0 {
		w.t.Fatalf("drafts: left out %v, %v", left, err)
	}
	return made
}

// draft drafts one to a customer.
func (w *world) draft(c incidents.Case, purpose incidents.Purpose, x customers.Customer) incidents.Notice {
	w.t.Helper()
	list := w.drafts(c, purpose, x)
	if len(list) != 1 || list[0].Customer != x.ID {
		w.t.Fatalf("drafts: got %+v", list)
	}
	return list[0]
}

// notice is a notice as it is now.
func (w *world) notice(id string) incidents.Notice {
	w.t.Helper()
	return must[incidents.Notice](w.t)(w.incidents.Notice(w.ctx, w.all, id))
}

// seen are the versions of notices as they are now.
func (w *world) seen(f incidents.NoticeFilter) map[string]int64 {
	w.t.Helper()
	out := map[string]int64{}
	f.Heads, f.Limit = true, 200
	for {
		items, next, err := w.incidents.Notices(w.ctx, w.all, f)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, n := range items {
			out[n.ID] = n.Version
		}
		if f.Token = next; next == "" {
			return out
		}
	}
}

// sendAlone sends as Ada, without a second person.
func (w *world) sendAlone(id string) incidents.Notice {
	w.t.Helper()
	return must[incidents.Notice](w.t)(w.incidents.Send(w.ctx, w.all, id, incidents.Sending{AloneWhy: "It is three in the morning."}))
}

// sent are the mails of a template, by address.
func (w *world) sent(template string) (to []string) {
	for _, l := range w.post.letters(template) {
		to = append(to, l.To)
	}
	return to
}

func texts(checks []incidents.Check) (keys []string) {
	for _, c := range checks {
		keys = append(keys, c.Key)
	}
	return keys
}

func third[T, U any](_ T, _ U, err error) error { return err }

func second[T any](_ T, err error) error { return err }

// finding is the open finding of a kind.
func (w *world) finding(kind string) findings.Finding {
	w.t.Helper()
	for _, f := range w.found() {
		if f.Kind == kind {
			return f
		}
	}
	w.t.Fatalf("no finding %s: %v", kind, w.kinds())
	return findings.Finding{}
}

// owns has a customer have sites and databases on a server that they live on.
func (w *world) owns(on customers.Server, c customers.Customer, sites, databases []string) {
	w.t.Helper()
	for _, x := range must[[]customers.Tenancy](w.t)(w.customers.TenanciesOf(w.ctx, w.all, on.ID)) {
		if x.Customer == c.ID {
			must[customers.Tenancy](w.t)(w.customers.UpdateTenancy(w.ctx, w.all, x.ID, customers.TenancyChange{Sites: &sites, Databases: &databases}))
		}
	}
}

// left has a customer have lived on a server.
func (w *world) left(on customers.Server, c customers.Customer) {
	w.t.Helper()
	if _, err := w.customers.EndTenancy(w.ctx, w.all, w.lives(on, c).ID); err != nil {
		w.t.Fatal(err)
	}
}
