package server_test

import (
	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/mail"
	"ostler/controlplane/secrets"
)

// accessLetters sends what lists say by the world's mail.
type accessLetters struct{ mail *mail.Mail }

// Enqueue implements access.Mailer.
func (l accessLetters) Enqueue(tx *db.Tx, x access.Letter) (string, error) {
	return l.mail.Enqueue(tx, mail.Message(x))
}

// openAccess wires the lists without any cluster.
func (w *world) openAccess(d access.Deps) {
	w.t.Helper()
	var err error
	w.access, err = access.New(d, access.Options{})
	w.must(err)
	w.mail.OnChanged(w.access.MailBecame)
}

// letIn gives a tenant a person with papers who has a grant and an entry, a
// way in that a scan found, and what the customer is told and may say of it.
func (w *world) letIn(o *tenant) {
	w.t.Helper()
	now, err := w.d.Now(w.ctx)
	w.must(err)
	p, err := w.access.AddPerson(w.ctx, all, access.NewPerson{Kind: access.KindContractor, Name: "Bob Builder", Company: "Build Ltd", TeleportUsers: []string{"bob-" + o.customer.Slug}})
	w.must(err)
	o.person = p.ID
	for _, k := range []access.PaperKind{access.PaperConfidentiality, access.PaperTraining} {
		_, err := w.access.AddPaper(w.ctx, all, access.Paper{Person: p.ID, Kind: k, From: now.AddDate(0, -1, 0), Until: now.AddDate(1, 0, 0)})
		w.must(err)
	}
	g, err := w.access.Grant(w.ctx, all, access.NewGrant{Customer: o.customer.ID, Person: p.ID, Role: w.access.Roles()[0].Name, Reason: "Moves the shop", Ticket: "OPS-7", Until: now.AddDate(0, 0, 7)})
	w.must(err)
	o.grant = g.ID
	e, err := w.access.AddEntry(w.ctx, all, access.Entry{Way: access.WayBackupKey, Person: p.ID, Customer: o.customer.ID, Reason: "Keeps the keys", Until: now.AddDate(0, 1, 0)})
	w.must(err)
	o.ground = e.ID
	z, err := w.access.AddAuthorisation(w.ctx, all, access.Authorisation{Customer: o.customer.ID, Contact: o.contact.ID, Capacity: access.CapacityDesignee, Acts: []string{access.ActAll}})
	w.must(err)
	o.authorisation = z.ID
	i, err := w.access.FlagInstruction(w.ctx, all, access.Instruction{Customer: o.customer.ID, What: "Read the mails of an employee", Ticket: "OPS-8", Why: "It would break the secrecy of correspondence"})
	w.must(err)
	o.instruction = i.ID
	notices, _, err := w.access.Notices(w.ctx, all, o.customer.ID, 10, "")
	w.must(err)
	o.notice = notices[0].ID
	changes, _, err := w.access.Changes(w.ctx, all, access.ChangeFilter{Customer: o.customer.ID, Person: o.person})
	w.must(err)
	o.change = changes[0].ID
	o.wayIn = w.foundAccess(o)
}

// foundAccess puts down an account that a scan found on a tenant's server.
func (w *world) foundAccess(o *tenant) string {
	w.t.Helper()
	id := controlplane.NewID(controlplane.PrefixFoundAccess)
	w.must(w.keeper.EnsureKey(w.ctx, ""))
	data, err := w.keeper.Seal("", secrets.AD{Table: "access_found", Column: "data", Row: id}, []byte(`{"account":"deploy"}`))
	w.must(err)
	w.must(w.d.Write(w.ctx, func(tx *db.Tx) error {
		now := tx.NowMillis()
		return tx.Exec("INSERT INTO access_found (id, customer_id, server_id, kind, mark, data, person_id, confirmed, confirmed_by, confirmed_at, baseline, owner_id, review_by, first_scan, first_at, since_at, seen_at, gone_at, used_at) "+
			"VALUES (?, ?, ?, 'account', ?, ?, '', '', '', 0, 0, '', 0, 0, ?, ?, ?, 0, 0)", id, o.customer.ID, o.server.ID, []byte(id), data, now, now, now).Error
	}))
	return id
}
