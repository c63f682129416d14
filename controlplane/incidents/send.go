package incidents

import (
	"cmp"
	"context"
	"fmt"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/policy"
)

// Why a notice went out without a second person, where nobody wrote why.
const (
	aloneNobody = "There was nobody else who could look at it."
	aloneHour   = "A second person was asked, and nobody answered within an hour."
)

// sender is who sends, and how.
type sender struct {
	Sending
	actor  string
	others []identity.Person // who could look at it, too
	many   bool              // what was looked at is in Seen
	asked  bool              // the others were asked to look
}

// Send sends a draft, or asks for a second person. Who did not write it is the
// second person. Permission: incident.write.
func (s *Service) Send(ctx context.Context, scope policy.Scope, id string, in Sending) (n Notice, err error) {
	if !scope.All() {
		return n, notStaff()
	}
	by, err := s.senderOf(ctx, in)
	if err != nil {
		return n, err
	}
	var r noticeRow
	if err := s.db.Read(ctx, func(tx *db.Tx) error { r, err = noticeIn(tx, scope, id); return err }); err != nil {
		return n, wrap("send notice", err)
	}
	if err := s.ready(ctx, r.CustomerID); err != nil {
		return n, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := noticeIn(tx, scope, id)
		if err != nil {
			return err
		}
		k, err := s.kitOf(tx, r)
		if err != nil {
			return err
		}
		if err := s.send(tx, k, &r, by); err != nil {
			return err
		}
		if r.State == string(Waiting) {
			if err := s.askSecond(tx, k, by, r, 1); err != nil {
				return err
			}
		}
		if err := s.noMoreAsked(tx, r.CaseID, r.AdvisoryID, ""); err != nil {
			return err
		}
		n, _, err = s.openNotice(r)
		return err
	})
	return n, wrap("send notice", err)
}

// Approve sends what another person drafted, as it was seen: version is that of the
// notice that was looked at. Permission: incident.write. Errors: a conflict where it
// was changed meanwhile.
func (s *Service) Approve(ctx context.Context, scope policy.Scope, id string, version int64) (Notice, error) {
	var r noticeRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) { r, err = noticeIn(tx, scope, id); return err })
	switch {
	case err != nil:
		return Notice{}, wrap("approve", err)
	case !scope.All():
		return Notice{}, notStaff()
	case r.State != string(Waiting):
		return Notice{}, conflict("Load it again: somebody may have sent it, or changed it.", "This notice does not wait for a second person")
	case r.Author == actorOf(ctx).ID:
		return Notice{}, conflict("Ask a colleague, or send it alone with a reason where that is allowed.", "Another person than its author has to look at it")
	case version != r.Version:
		return Notice{}, conflict("Load it again, look at it, and send it then.", "Somebody changed this notice meanwhile")
	}
	return s.Send(ctx, scope, id, Sending{Version: version})
}

// senderOf checks how something is to be sent, and who else could look at it.
func (s *Service) senderOf(ctx context.Context, in Sending) (by sender, err error) {
	by = sender{Sending: in, actor: actorOf(ctx).ID}
	if by.AloneWhy, err = textField("/alone_why", in.AloneWhy, maxWhy, false); err != nil {
		return by, err
	}
	if by.LateWhy, err = textField("/late_why", in.LateWhy, maxField, false); err != nil {
		return by, err
	}
	by.AloneWhy, by.LateWhy = plainText(by.AloneWhy), plainText(by.LateWhy)
	if by.others, err = s.writers(ctx, by.actor); err != nil {
		return by, wrap("second person", err)
	}
	return by, nil
}

// send sends a notice in a transaction, or has it wait for a second person.
func (s *Service) send(tx *db.Tx, k *kit, r *noticeRow, by sender) error {
	n, d, err := s.openNotice(*r)
	if err != nil {
		return err
	}
	switch {
	case r.Audience != string(ToCustomer):
		return conflict("Hand it in by their own form, then record that you did.", "This is a paper: it is not sent from here")
	case r.State != string(Draft) && r.State != string(Waiting):
		return conflict("Write another one: what was sent stays as it was.", "This notice was sent, or put aside")
	case k.over(n):
		return conflict("Put this notice aside.", "Its customer is not in the case any more, or it was a false alarm")
	}
	if err := by.saw(*r); err != nil {
		return err
	}
	if by.LateWhy != "" {
		d.LateWhy = by.LateWhy
	}
	if due := k.due(n); !due.IsZero() {
		r.DueAt = controlplane.Millis(due)
		n.DueAt = due
	}
	n.LateWhy = d.LateWhy
	if k.lateBy(n, tx.Now) > 0 && n.lateReasons() == "" {
		return lateUnsaid()
	}
	n, out, err := k.write(n, d, tx.Now)
	if err != nil {
		return err
	}
	if err := stopped(k.stops(n, out)); err != nil {
		return err
	}
	alone, wait, err := s.mayGo(tx, *r, by)
	if err != nil {
		return err
	}
	if wait {
		r.State, r.NextAt = string(Waiting), 0
		if n.Purpose != First {
			r.AskedAt = tx.NowMillis()
		} else { // an hour in all, however often it is changed
			r.AskedAt = cmp.Or(r.AskedAt, tx.NowMillis())
			r.NextAt = r.AskedAt + s.opts.Second.Milliseconds()
		}
		r.Version++
		if err := s.sealNotice(r, d, ""); err != nil {
			return err
		}
		return db.Save(tx, r)
	}
	r.Alone = flag(alone != "")
	if d.AloneWhy = alone; alone == "" {
		r.Second = by.actor
	}
	return s.dispatch(tx, k, r, n, d)
}

// saw refuses what was changed since it was looked at, and what somebody else wrote
// and nobody says that they looked at.
func (by sender) saw(r noticeRow) error {
	version := by.Version
	if by.many {
		version = by.Seen[r.ID]
	}
	switch {
	case version == r.Version, version == 0 && r.Author == by.actor:
		return nil
	case version == 0:
		return conflict("Look at it, and send it then.", "Somebody else wrote this notice, and you have not looked at it")
	}
	return conflict("Load it again, look at it, and send it then.", "Somebody changed this notice after you looked at it")
}

// lateUnsaid refuses what is late without reasons.
func lateUnsaid() error {
	return invalid("/late_why", "It is late. Say why it took longer: it stands in the notice.")
}

// mayGo decides whether a notice goes out now, and why without a second person, or
// waits for one. The first one to a customer never waits for longer than an hour,
// and not at all where its author says why.
func (s *Service) mayGo(tx *db.Tx, r noticeRow, by sender) (alone string, wait bool, err error) {
	asked := r.State == string(Waiting)
	over := asked && tx.NowMillis() >= r.AskedAt+s.opts.Second.Milliseconds()
	switch {
	case r.Author != by.actor:
		return "", false, nil // who sends it is the second person
	case len(by.others) == 0:
		if by.AloneWhy != "" {
			return by.AloneWhy, false, nil
		}
		return aloneNobody, false, nil
	case by.AloneWhy != "" && (r.Purpose == string(First) || over):
		return by.AloneWhy, false, nil
	case by.AloneWhy != "":
		return "", false, conflict("Ask for a second person; after an hour without an answer you can send it alone, with a reason.", "Another person has to look at this notice first")
	case asked:
		return "", false, conflict("Wait for them, or say why you send it alone.", "Another person is asked already")
	}
	return "", true, nil
}

// stopped is the error of checks that nothing may be sent against.
func stopped(list []Check) error {
	for _, c := range list {
		if c.Stops {
			return controlplane.Errorf(controlplane.CodeConflict, "Change it, then send it.", "%s", c.Text)
		}
	}
	return nil
}

// askSecond asks those who could look at notices that wait now: by mail, and by a
// finding, one for all notices of a case. r is the first of count.
func (s *Service) askSecond(tx *db.Tx, k *kit, by sender, r noticeRow, count int) error {
	who, err := s.identity.NameIn(tx, by.actor)
	if err != nil {
		return err
	}
	what := "a notice"
	switch {
	case count > 1:
		what = fmt.Sprintf("%d notices", count)
	case r.Purpose == string(First):
		what = "the first notice to " + k.names.clients[r.CustomerID]
	case r.CustomerID != "":
		what = "a notice to " + k.names.clients[r.CustomerID]
	}
	args := map[string]string{"case": k.c.Number, "what": what, "person": who}
	if k.c.Number == "" {
		delete(args, "case")
	}
	path := "/incidents/notices/" + r.ID
	if count > 1 && r.CaseID != "" {
		path = "/incidents/" + r.CaseID + "/notices"
	}
	err = s.findings.Raise(tx, findings.Finding{Key: secondKey(r), Subject: r.about(), Kind: findings.IncidentSecond, Severity: findings.Warn, Owner: findings.Ops, Args: args, Link: path})
	if err != nil {
		return err
	}
	letter := map[string]string{"who": who, "number": k.c.Number, "what": what}
	if r.NextAt > 0 {
		letter["until"] = controlplane.FromMillis(r.NextAt).In(k.zone).Format("2 January 2006 15:04 MST")
	}
	for _, p := range by.others {
		_, err := s.post(tx, k.c.Drill, Letter{Key: fmt.Sprint("incident.second:", r.ID, ":", r.Version, ":", p.ID), Person: p.ID, To: p.Email, Name: p.Name, Lang: p.Language,
			Template: mailSecond, Args: letter, Path: path, Subject: r.about()})
		if err != nil {
			return err
		}
	}
	return nil
}

func secondKey(r noticeRow) string { return findings.IncidentSecond + ":" + r.about() }

// noMoreAsked ends the finding that a second person is asked, where no notice of a
// case, or of an advisory, waits for one but that of an id.
func (s *Service) noMoreAsked(tx *db.Tx, incident, advisory, but string) error {
	n, err := waitingOf(tx, incident, advisory, but)
	if err != nil || n > 0 {
		return err
	}
	return s.findings.Close(tx, secondKey(noticeRow{CaseID: incident, AdvisoryID: advisory}), "nothing waits for a second person any more")
}
