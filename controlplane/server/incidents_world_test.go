package server_test

import (
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/mail"
)

// incidentLetters sends mail as cmd wires it.
type incidentLetters struct{ mail *mail.Mail }

// Enqueue implements incidents.Mailer.
func (l incidentLetters) Enqueue(tx *db.Tx, x incidents.Letter) (string, error) {
	return l.mail.Enqueue(tx, mail.Message(x))
}

func (w *world) openIncidents(d incidents.Deps) {
	w.t.Helper()
	var err error
	w.incidents, err = incidents.New(d, incidents.Options{})
	w.must(err)
	w.mail.OnChanged(w.incidents.MailBecame)
}

// alarmed puts each tenant into an incident of their own, of which they are told,
// and has each report something.
func (w *world) alarmed(tenants ...*tenant) {
	w.t.Helper()
	_, err := w.incidents.SetCompany(w.ctx, all, incidents.Company{Name: "Test", Jurisdiction: "EU", Country: "DE", Authorities: []string{"The authority"}, Zone: "Europe/Berlin", Entity: law.Entity{Scope: law.Unknown}, Contact: "Data protection", ContactEmail: "privacy@test.invalid"})
	w.must(err)
	lead, _, err := w.identity.Bootstrap(controlplane.System(w.ctx, "test"), "lead@test.invalid", "Lena Lead")
	w.must(err)
	for _, o := range tenants {
		c, err := w.incidents.Open(w.ctx, all, incidents.NewCase{Title: "Files of " + o.customer.Slug + " were read", Servers: []string{o.server.ID}, Certainty: law.Certain, Ground: "The log shows it", Lead: lead.ID})
		w.must(err)
		o.incident = c.ID
		task, err := w.incidents.AddTask(w.ctx, all, c.ID, incidents.Task{Text: "Look at the logs", Owner: lead.ID})
		w.must(err)
		o.task = task.ID
		_, err = w.incidents.Affect(w.ctx, all, c.ID, incidents.Affect{Customers: []string{o.customer.ID}, State: incidents.Certain, Because: "The files are theirs"})
		w.must(err)
		drafts, _, err := w.incidents.MakeDrafts(w.ctx, all, c.ID, incidents.First, o.customer.ID)
		w.must(err)
		if len(drafts) != 1 {
			w.t.Fatalf("%d drafts for %s, want one", len(drafts), o.customer.Name)
		}
		o.breach = drafts[0].ID
		_, err = w.incidents.Send(w.ctx, all, o.breach, incidents.Sending{Version: drafts[0].Version, AloneWhy: "Nobody else is awake"})
		w.must(err)
		r, err := w.incidents.Report(w.ctx, all, incidents.NewReport{Source: incidents.FromCustomer, Customer: o.customer.ID, Text: "The shop is slow"})
		w.must(err)
		o.report = r.ID
		a, err := w.incidents.PlanAdvisory(w.ctx, all, incidents.NewAdvisory{Purpose: incidents.Change, Title: "A move", Text: "The server moves.", Customers: []string{o.customer.ID}, Ground: "It is on it"})
		w.must(err)
		o.advisory = a.ID
	}
}
