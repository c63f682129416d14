package incidents_test

import (
	"strings"
	"testing"
	"time"

	"ostler/controlplane/customers"
	"ostler/controlplane/incidents"
	"ostler/controlplane/mail"
)

// Who is only suspected to be concerned is not told that they are.
func TestAPossibleCustomerReadsMay(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.open([]customers.Server{w.mapleOne})
		n := w.draft(c, incidents.First, w.maple)
		if strings.Contains(n.Text, "From when we knew that it concerns you") || n.Title != "An incident that may concern your data" {
			t.Errorf("possible: got %q\n%s", n.Title, n.Text)
		}
		w.affect(c, w.maple)
		if n = w.notice(n.ID); !strings.Contains(n.Text, "From when we knew that it concerns you") || n.Title != "An incident that concerns your data" {
			t.Errorf("certain: got %q\n%s", n.Title, n.Text)
		}
	})
}

// What is not done yet is not told as done; what nobody wrote says what is done when
// the notice is sent.
func TestMeasuresAreThoseThatAreDone(t *testing.T) {
	each(t, func(w *world) {
		w.contactable()
		c := w.affect(w.open([]customers.Server{w.mapleOne}), w.maple)
		must[incidents.Action](t)(w.incidents.Act(w.ctx, w.all, c.ID, incidents.NewAction{Kind: incidents.ActSnapshot, Why: "x"}))
		ended := func(is string) {
			w.write(func(tx *dbTx) error { return tx.Exec("UPDATE incident_actions SET ended_at = " + is).Error })
		}
		ended("0")
		const backups = "We made backups"
		n := w.draft(c, incidents.First, w.maple)
		if strings.Contains(n.Text, backups) {
			t.Errorf("an action that runs is told as done:\n%s", n.Text)
		}
		ended("at")
		if n = w.sendAlone(n.ID); !strings.Contains(n.Text, backups) {
			t.Errorf("what was done since it was drafted is missing:\n%s", n.Text)
		}
		u := w.draft(c, incidents.Update, w.maple)
		must[incidents.Notice](t)(w.incidents.Edit(w.ctx, w.all, u.ID, 0, incidents.NoticeEdit{Fields: []incidents.Field{{Key: "measures", Known: incidents.IsKnown, Value: "We called the police."}}}))
		if u = w.notice(u.ID); !strings.Contains(u.Text, "We called the police.") || strings.Contains(u.Text, backups) {
			t.Errorf("what somebody wrote does not stay:\n%s", u.Text)
		}
	})
}

// A first notice goes an hour after somebody was asked, however often it is changed,
// as it says then.
func TestAChangedFirstNoticeWaitsNoLonger(t *testing.T) {
	for name, again := range map[string]bool{"a draft": false, "asked for again": true} {
		t.Run(name, func(t *testing.T) {
			each(t, func(w *world) {
				w.contactable()
				n := w.draft(w.affect(w.open([]customers.Server{w.mapleOne}), w.maple), incidents.First, w.maple)
				must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, n.ID, incidents.Sending{}))
				asked := w.clock.Now()
				w.later(50 * time.Minute)
				words := "Change your passwords."
				must[incidents.Notice](t)(w.incidents.Edit(w.ctx, w.all, n.ID, 0, incidents.NoticeEdit{Words: &words}))
				if again {
					must[incidents.Notice](t)(w.incidents.Send(w.ctx, w.all, n.ID, incidents.Sending{}))
					if got := len(w.sent(mail.IncidentSecond)); got != 4 {
						t.Errorf("asked: got %d mails, want two to each of two", got)
					}
				}
				w.later(9 * time.Minute)
				if got := w.notice(n.ID); got.SentAt.After(asked) {
					t.Errorf("sent at %s", got.SentAt)
				}
				w.later(time.Minute)
				if got := w.notice(n.ID); got.State != incidents.Sent || !got.SentAt.Equal(asked.Add(time.Hour)) || !strings.Contains(got.Text, words) {
					t.Errorf("got %s at %s\n%s", got.State, got.SentAt, got.Text)
				}
			})
		})
	}
}

// Which authority is the lead one goes by where the main establishment is.
func TestTheLeadAuthority(t *testing.T) {
	each(t, func(w *world) {
		c := w.open([]customers.Server{w.mapleOne})
		for name, tt := range map[string]struct {
			company incidents.Company
			want    string
		}{
			"main establishment": {incidents.Company{Jurisdiction: "EU"}, "It is the lead one"},
			"both":               {incidents.Company{Jurisdiction: "EU", Establishment: true}, "It is the lead one"},
			"an establishment":   {incidents.Company{Jurisdiction: "UK", Establishment: true}, "outside of the Union"},
			"none":               {incidents.Company{Jurisdiction: "UK"}, "We have no establishment in the Union"},
		} {
			tt.company.Name, tt.company.Zone, tt.company.Authorities = "Hof Hosting", "Europe/Berlin", []string{"BayLDA"}
			must[incidents.Company](t)(w.incidents.SetCompany(w.ctx, w.all, tt.company))
			form := must[incidents.Form](t)(w.incidents.AuthorityForm(w.ctx, w.all, c.ID, incidents.FormEDPB))
			for _, f := range form.Fields {
				if f.Key == "authority" && !strings.Contains(f.Answer, tt.want) {
					t.Errorf("%s: got %q, want %q", name, f.Answer, tt.want)
				}
			}
		}
	})
}
