package main

import (
	"context"
	"fmt"
	"time"

	"ostler/controlplane/incidents"
	"ostler/controlplane/incidents/law"
	"ostler/controlplane/mail"
)

// hour is which hour of its 72 the demo's incident is in when anybody signs in.
const hour = 31

// moment is something that happens at an instant of the demo's days.
type moment struct {
	at time.Time
	do func(ctx context.Context) error
}

// plot is the demo's incident: found at night on the server that two customers
// share, with data of our own on it, too.
func (d *demo) plot() []moment {
	began := time.Now().Add(-hour*time.Hour + 10*time.Minute)
	var id string
	one := d.cast.company[2]
	other := d.cast.company[3]
	return []moment{
		{began, func(ctx context.Context) error {
			if _, err := d.app.Incidents.SetCompany(ctx, everyone, incidents.Company{Name: d.app.Config.Portal.Company, Jurisdiction: "EU", Country: "DE-HE", Zone: demoZone, Establishment: true,
				Authorities: []string{"The data protection authority of the demo"}, Entity: law.Entity{Type: law.UnknownType, Size: law.UnknownSize, Services: []law.Service{law.ManagedService}},
				Contact: "Ada Keller, data protection", ContactEmail: "privacy@ostler.example", ContactPhone: "+49 69 0000 0000"}); err != nil {
				return fmt.Errorf("demo: company: %w", err)
			}
			c, err := d.app.Incidents.Open(ctx, everyone, incidents.NewCase{
				Title:   "Somebody used an old deploy key to read files on " + one.server,
				Summary: "The key of a tool that was switched off in spring was used from an address that nobody knows. It could read the shop of one customer, and a list of our own on-call staff.",
				Kinds:   []incidents.Kind{incidents.Disclosure, incidents.Access}, Servers: []string{one.server}, Certainty: law.Certain, OurData: law.Yes,
				Ground: "The web server's log shows 214 files that were fetched with it"})
			if err != nil {
				return fmt.Errorf("demo: incident: %w", err)
			}
			id = c.ID
			_, err = d.app.Incidents.Affect(ctx, everyone, id, incidents.Affect{Customers: []string{one.slug}, State: incidents.Certain, Because: "The files that were fetched are theirs"})
			if err != nil {
				return fmt.Errorf("demo: incident: %w", err)
			}
			_, err = d.app.Incidents.AddTask(ctx, everyone, id, incidents.Task{Text: "Find out whose names stand in the files that were fetched", DueAt: began.Add(36 * time.Hour)})
			return err
		}},
		{began.Add(90 * time.Minute), func(ctx context.Context) error {
			if _, err := d.app.Incidents.Act(ctx, everyone, id, incidents.NewAction{Kind: incidents.ActDone, Why: "The deploy key was taken out of every authorized_keys by hand"}); err != nil {
				return fmt.Errorf("demo: incident: %w", err)
			}
			_, err := d.app.Incidents.Contain(ctx, everyone, id, "", "The key opens nothing any more, and the hosts were looked at")
			return err
		}},
		{began.Add(4 * time.Hour), func(ctx context.Context) error { return d.notified(ctx, id, one.slug) }},
		{began.Add(28 * time.Hour), func(ctx context.Context) error {
			_, err := d.app.Incidents.Affect(ctx, everyone, id, incidents.Affect{Customers: []string{other.slug}, State: incidents.Certain, Because: "Three of the files that were fetched turned out to be theirs"})
			if err != nil {
				return fmt.Errorf("demo: incident: %w", err)
			}
			_, _, err = d.app.Incidents.MakeDrafts(ctx, everyone, id, incidents.First, d.customers[other.slug])
			return err
		}},
	}
}

// notified has one customer told, by two people, and waits until a mail server
// has it: the clock jumps after it.
func (d *demo) notified(ctx context.Context, id, slug string) error {
	drafts, _, err := d.app.Incidents.MakeDrafts(ctx, everyone, id, incidents.First, d.customers[slug])
	if err != nil {
		return fmt.Errorf("demo: notice: %w", err)
	}
	for _, n := range drafts {
		if n, err = d.app.Incidents.Edit(ctx, everyone, n.ID, n.Version, incidents.NoticeEdit{Fields: []incidents.Field{
			{Key: "nature", Known: incidents.IsKnown, Value: "Somebody fetched 214 files of your shop with a key that should have been switched off."},
			{Key: "people", Known: incidents.IsRange, Low: 100, High: 400},
			{Key: "consequences", Known: incidents.IsKnown, Value: "Order confirmations may have been read."},
			{Key: "measures", Known: incidents.IsKnown, Value: "The key opens nothing any more. All hosts were looked at."}}}); err != nil {
			return fmt.Errorf("demo: notice: %w", err)
		}
		if n, err = d.app.Incidents.Send(ctx, everyone, n.ID, incidents.Sending{Version: n.Version}); err != nil {
			return fmt.Errorf("demo: notice: %w", err)
		}
		if n.State == incidents.Waiting {
			second, err := d.colleague(ctx, colleagues[0].name)
			if err != nil {
				return err
			}
			if _, err := d.app.Incidents.Approve(second, everyone, n.ID, n.Version); err != nil {
				return fmt.Errorf("demo: notice: %w", err)
			}
		}
		err = waitFor(ctx, "the notice", func() bool {
			now, err := d.app.Incidents.Notice(ctx, everyone, n.ID)
			return err == nil && now.State.Delivered()
		})
		if err != nil {
			return fmt.Errorf("demo: notice: %w", err)
		}
	}
	return nil
}

// until lets everything happen that is planned before an instant, each at its time.
func (d *demo) until(ctx context.Context, at time.Time) error {
	for len(d.moments) > 0 && !d.moments[0].at.After(at) {
		m := d.moments[0]
		d.moments = d.moments[1:]
		if wait := m.at.Sub(d.clock.Now()); wait > 0 {
			d.clock.Advance(wait)
		}
		if err := m.do(ctx); err != nil {
			return err
		}
		if err := d.settle(ctx, mail.JobSend); err != nil {
			return err
		}
	}
	return nil
}
