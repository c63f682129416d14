package access_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
)

// post is mail that the test plays: a key is one mail for ever, and what becomes
// of it the test says.
type post struct {
	byKey map[string]string
	sent  []access.Letter
	ids   map[string]string // id of a mail by "template address", the latest
	fail  error             // of the next Enqueue, once
}

func newPost() *post { return &post{byKey: map[string]string{}, ids: map[string]string{}} }

func (p *post) Enqueue(tx *db.Tx, l access.Letter) (string, error) {
	if p.fail != nil {
		err := p.fail
		p.fail = nil
		return "", err
	}
	if id := p.byKey[l.Key]; id != "" {
		return id, nil
	}
	id := controlplane.NewID(controlplane.PrefixMail)
	tx.AfterCommit(func() {
		p.byKey[l.Key], p.ids[l.Template+" "+l.To] = id, id
		p.sent = append(p.sent, l)
	})
	return id, nil
}

// teller is a world whose mail the test plays.
type teller struct {
	*world
	post        *post
	anna, berta customers.Contact // owners of maple
}

func newTeller(t testing.TB, d *db.DB, clock *dbtest.Clock) *teller {
	t.Helper()
	w := &teller{post: newPost()}
	w.world = newWorld(t, d, clock, func(deps *access.Deps, _ *access.Options) { deps.Mail = w.post })
	w.anna, w.berta = w.contact(w.Maple, "Anna", policy.RoleOwner), w.contact(w.Maple, "Berta", policy.RoleOwner)
	w.contact(w.Maple, "Reader", policy.RoleReader)
	return w
}

// tellEach runs fn with a teller on each database.
func tellEach(t *testing.T, fn func(w *teller)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) { fn(newTeller(t, d, clock)) })
}

func (w *world) contact(c customers.Customer, name string, role policy.Role) customers.Contact {
	w.T.Helper()
	return must[customers.Contact](w.T)(w.Customers.AddContact(w.Ctx, w.all, customers.NewContact{Customer: c.ID, Name: name, Email: name + "@" + c.Slug + ".example", Role: role}))
}

// tellDue does what is due.
func (w *world) tellDue() {
	w.T.Helper()
	if err := w.access.TellDue(w.T.Context()); err != nil {
		w.T.Fatal(err)
	}
}

// after moves the clock, and does what is due then.
func (w *world) after(d time.Duration) {
	w.T.Helper()
	w.Clock.Advance(d)
	w.tellDue()
}

// becomes plays what becomes of the latest mail of a template to an address.
func (w *teller) becomes(template, to string, state mail.State, cause mail.Cause) {
	w.T.Helper()
	id := w.post.ids[template+" "+to]
	if id == "" {
		w.T.Fatalf("no mail %s to %s: %v", template, to, w.post.sent)
	}
	w.Write(func(tx *db.Tx) error {
		b := mail.Became{Mail: id, State: state, Cause: cause}
		if state == mail.Accepted {
			b.AcceptedAt = tx.Now
		}
		return w.access.MailBecame(tx, b)
	})
}

// to lists to whom mails went, in order.
func (w *teller) to() (out []string) {
	for _, l := range w.post.sent {
		out = append(out, l.Template+" "+l.To)
	}
	return out
}

// notices are a customer's, the oldest first.
func (w *world) notices(c customers.Customer) []access.Notice {
	w.T.Helper()
	items, _, err := w.access.Notices(w.Ctx, w.all, c.ID, 0, "")
	if err != nil {
		w.T.Fatal(err)
	}
	slices.Reverse(items)
	return items
}

// found are the kinds of open findings of a customer, sorted.
func (w *world) found(customer string) (kinds []string) {
	w.T.Helper()
	items, _, err := w.Findings.List(w.Ctx, w.all, findings.Filter{Customer: customer})
	if err != nil {
		w.T.Fatal(err)
	}
	for _, f := range items {
		if f.Customer != customer {
			continue
		}
		kinds = append(kinds, f.Kind)
		if title, cause, next := findings.Sentence("en", f); title == "" || cause == "" || next == "" {
			w.T.Errorf("finding %s has no sentence", f.Kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// open are the open findings of a kind.
func (w *world) open(kind string) []findings.Finding {
	w.T.Helper()
	items, _, err := w.Findings.List(w.Ctx, w.all, findings.Filter{Kinds: []string{kind}})
	if err != nil {
		w.T.Fatal(err)
	}
	return items
}

// asError is errors.As for what people read.
func asError(err error, to **controlplane.Error) bool { return errors.As(err, to) }

// ledgerOf are the kinds of the ledger's entries about a subject, in order.
func (w *world) ledgerOf(subject string) (kinds []string) {
	w.T.Helper()
	if err := w.DB.Read(w.Ctx, func(tx *db.Tx) error {
		return tx.Raw("SELECT kind FROM ledger_pending WHERE subject = ? ORDER BY id", subject).Scan(&kinds).Error
	}); err != nil {
		w.T.Fatal(err)
	}
	return kinds
}

// code is the code of an error.
func code(err error) controlplane.Code { return controlplane.ErrorCode(err) }

// list settles what is listed for customers by a source of the test.
func (w *world) list(c customers.Customer, wants ...access.Want) []access.Change {
	w.T.Helper()
	for i := range wants {
		wants[i].Customer, wants[i].Way, wants[i].Ground = c.ID, access.WayTeleport, "test-"+wants[i].Person
	}
	return w.settle(access.Part{Column: access.Listed, Source: "test", Customers: []string{c.ID}}, wants...)
}
