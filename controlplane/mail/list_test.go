package mail_test

import (
	"slices"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/mail"
	"ostler/controlplane/mail/mailtest"
	"ostler/controlplane/policy"
)

// TestWhoSeesWhat walks readers over mails of two customers and of the company.
func TestWhoSeesWhat(t *testing.T) {
	each(t, mailtest.Options{}, nil, func(h *house, s *mailtest.Sink) {
		other := "cus_0000000000000000000000000h"
		h.must(h.keys.EnsureKey(h.ctx, other))
		mine := h.enqueue(h.ready())
		m := h.ready()
		m.Customer, m.Subject = other, "res_2"
		theirs := h.enqueue(m)
		m = h.ready()
		m.Person, m.Subject = "stf_00000000000000000000000000", "res_3"
		staffs := h.enqueue(m)
		m.Customer, m.Template, m.Args = "", mail.Test, nil
		ours := h.enqueue(m)
		for _, c := range []struct {
			name  string
			scope policy.Scope
			want  []string
		}{
			{"all", h.all, []string{mine, theirs, staffs, ours}},
			{"customer", policy.OneCustomer(h.customer), []string{mine}},
			{"other customer", policy.OneCustomer(other), []string{theirs}},
			{"nobody", policy.Scope{}, nil},
		} {
			items, _, err := h.List(h.ctx, c.scope, mail.Filter{})
			h.must(err)
			var got []string
			for _, d := range items {
				got = append(got, d.ID)
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) {
				h.t.Errorf("%s: got %v, want %v", c.name, got, c.want)
			}
			for _, id := range []string{mine, theirs, staffs, ours} {
				want := controlplane.CodeNotFound
				if slices.Contains(c.want, id) {
					want = ""
				}
				_, err1 := h.Get(h.ctx, c.scope, id)
				_, err2 := h.Bytes(h.ctx, c.scope, id)
				for what, err := range map[string]error{"get": err1, "bytes": err2, "call": h.RecordCall(h.ctx, c.scope, id, "x"), "opened": h.Opened(h.ctx, c.scope, id)} {
					if got := controlplane.ErrorCode(err); got != want {
						h.t.Errorf("%s: %s: got %q, want %q", c.name, what, got, want)
					}
				}
			}
		}
		// Row-level security holds the same line for a contact's transaction.
		contact := controlplane.WithActor(h.ctx, controlplane.Actor{Kind: controlplane.ActorContact, ID: con, Customer: other, Role: string(policy.RoleOwner)})
		if h.db.Dialect() == db.Postgres {
			if items, _, err := h.List(contact, h.all, mail.Filter{}); err != nil || len(items) != 1 {
				h.t.Errorf("a contact's transaction: got %d, %v", len(items), err)
			}
		}
	})
}

func TestFilters(t *testing.T) {
	each(t, mailtest.Options{}, nil, func(h *house, s *mailtest.Sink) {
		h.enqueue(h.ready())
		m := h.ready()
		m.Subject, m.Person, m.Template, m.Args = "ask_1", "con_0000000000000000000000000g", mail.AskAnswered, nil
		h.clock.Advance(time.Second)
		id := h.enqueue(m)
		h.tick()
		for name, f := range map[string]mail.Filter{"subject": {Subject: "ask_1"}, "person": {Person: m.Person}, "template": {Template: mail.AskAnswered},
			"limit": {Limit: 1}, "several": {Customer: h.customer, Subject: "ask_1", States: []mail.State{mail.Accepted}}} {
			if items, _, err := h.List(h.ctx, h.all, f); err != nil || len(items) != 1 || items[0].ID != id || items[0].Title != "We have answered you" || items[0].To != annaA {
				h.t.Errorf("%s: got %+v, %v", name, items, err)
			}
		}
		for name, f := range map[string]mail.Filter{"state": {States: []mail.State{"read"}}, "page": {PageToken: "1.x"}} {
			if _, _, err := h.List(h.ctx, h.all, f); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
				h.t.Errorf("%s: got %v", name, err)
			}
		}
	})
}

func TestOpenedAndAcknowledged(t *testing.T) {
	each(t, mailtest.Options{}, nil, func(h *house, s *mailtest.Sink) {
		contact := controlplane.WithActor(h.ctx, controlplane.Actor{Kind: controlplane.ActorContact, ID: con, Customer: h.customer, Role: string(policy.RoleOwner)})
		scope := policy.OneCustomer(h.customer)
		id := h.enqueue(h.ready())
		h.must(h.Opened(contact, scope, id)) // they saw it in the portal before the mail went out
		h.want(id, mail.Queued, "")
		h.tick()
		if d := h.want(id, mail.Opened, ""); d.AcceptedAt.IsZero() || len(s.Messages()) != 1 {
			h.t.Error("it did not go out all the same")
		}
		id = h.enqueue(h.ready())
		h.tick()
		h.must(h.Opened(contact, scope, id))
		first := h.want(id, mail.Opened, "").OpenedAt
		h.clock.Advance(time.Hour)
		h.must(h.Opened(contact, scope, id))
		h.must(h.Acknowledge(contact, scope, id))
		h.clock.Advance(time.Hour)
		h.must(h.Acknowledge(contact, scope, id))
		d := h.want(id, mail.Acknowledged, "")
		if !d.OpenedAt.Equal(first) || d.AcknowledgedAt.Sub(first) != time.Hour {
			h.t.Errorf("got %v, %v", d.OpenedAt, d.AcknowledgedAt)
		}
		if err := h.RecordCall(h.ctx, h.all, id, " "); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			h.t.Errorf("an empty note: %v", err)
		}
	})
}
