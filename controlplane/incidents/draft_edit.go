package incidents

import (
	"context"
	"errors"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// notStaff is the answer to who is no staff: notices that were not sent are nobody
// else's.
func notStaff() error { return controlplane.NotFound("notice") }

// noticeIn finds a notice within a scope. A contact finds what was sent to their
// customer, and nothing else.
func noticeIn(tx *db.Tx, scope policy.Scope, id string) (noticeRow, error) {
	r, err := db.One[noticeRow](tx, scope, "notice", id)
	if err == nil && !scope.All() && !r.shown() {
		_, err = db.One[noticeRow](tx, scope, "notice", "")
	}
	return r, err
}

// shown reports whether a contact sees it: it was sent to them.
func (r noticeRow) shown() bool {
	return r.CustomerID != "" && r.Audience == string(ToCustomer) && r.SentAt > 0 && r.Drill == 0 && r.State != string(Discarded)
}

// kitOf reads what a notice is made of.
func (s *Service) kitOf(tx *db.Tx, r noticeRow) (*kit, error) {
	if r.AdvisoryID != "" {
		return s.kitOfAdvisory(tx, r.AdvisoryID)
	}
	return s.kitIn(tx, r.CaseID)
}

// changeDraft changes a draft in a transaction of staff.
func (s *Service) changeDraft(ctx context.Context, scope policy.Scope, id string, version int64, change func(tx *db.Tx, k *kit, r *noticeRow, n Notice, d *noticeData) error) (n Notice, err error) {
	if !scope.All() {
		return n, notStaff()
	}
	var row noticeRow
	if err := s.db.Read(ctx, func(tx *db.Tx) error { row, err = noticeIn(tx, scope, id); return err }); err != nil {
		return n, wrap("notice", err)
	}
	if err := s.ready(ctx, row.CustomerID); err != nil {
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
		was, d, err := s.openNotice(r)
		if err != nil {
			return err
		}
		switch {
		case r.State != string(Draft) && r.State != string(Waiting):
			return conflict("Write another one: what was sent stays as it was.", "This notice is no draft any more")
		case version != 0 && version != r.Version:
			return conflict("Load it again, and change it then.", "Somebody changed this notice meanwhile")
		}
		if err := change(tx, k, &r, was, &d); err != nil {
			return err
		}
		n, err = s.keepDraft(tx, k, &r, d)
		return err
	})
	return n, wrap("change notice", err)
}

// keepDraft writes a changed draft.
func (s *Service) keepDraft(tx *db.Tx, k *kit, r *noticeRow, d noticeData) (Notice, error) {
	r.Version++
	n, _, err := s.openNotice(*r)
	if err != nil {
		return n, err
	}
	n.Fields, n.Words, n.Lang = d.Fields, d.Words, r.Lang
	n, _, err = k.write(n, d, tx.Now)
	if err != nil {
		return n, err
	}
	d.Title = n.Title
	if err := s.sealNotice(r, d, ""); err != nil {
		return n, err
	}
	return n, db.Save(tx, r)
}

// Edit changes a draft. What waited for a second person is a draft again: another
// person is to see what it says now. A first notice goes out all the same, as it
// says then, an hour after somebody was asked first. Permission: incident.write.
func (s *Service) Edit(ctx context.Context, scope policy.Scope, id string, version int64, in NoticeEdit) (Notice, error) {
	return s.changeDraft(ctx, scope, id, version, func(tx *db.Tx, k *kit, r *noticeRow, n Notice, d *noticeData) error {
		edit, err := checkEdit(in, tx.Now)
		if err != nil {
			return err
		}
		if err := s.edit(tx, k, r, d, edit); err != nil {
			return err
		}
		return s.noMoreAsked(tx, r.CaseID, r.AdvisoryID, r.ID)
	})
}

// edit changes what a draft says.
func (s *Service) edit(tx *db.Tx, k *kit, r *noticeRow, d *noticeData, in NoticeEdit) error {
	for _, f := range in.Fields {
		if f.Known == IsUnknown {
			if err := s.isStaff(tx, "/fields/owner", f.Owner); err != nil {
				return err
			}
		}
		if !ofBreach(Purpose(r.Purpose)) || !slices.ContainsFunc(fieldsFor(Audience(r.Audience)), func(x Field) bool { return x.Key == f.Key }) {
			return invalid("/fields", "This notice has no such field.")
		}
	}
	was := r.Lang
	in.apply(r, d)
	r.State, r.Second = string(Draft), ""
	if r.Purpose != string(First) { // its hour runs on: it goes then as it says now
		r.AskedAt, r.NextAt = 0, 0
	}
	if a := actorOf(tx.Context()); a.ID != "" {
		r.Author = a.ID
	}
	if was == r.Lang {
		return nil
	}
	// What the case says by itself is said in the language of the notice.
	before, err1 := wordsFor(r.Regime, was)
	after, err2 := wordsFor(r.Regime, r.Lang)
	if err1 != nil || err2 != nil {
		return errors.Join(err1, err2)
	}
	n, _, err := s.openNotice(*r)
	if err != nil {
		return err
	}
	f := k.facts(n, tx.Now)
	for key, says := range map[string][2]string{"nature": {before.nature(f.kinds), after.nature(f.kinds)}, "measures": {before.measures(f.actions), after.measures(f.actions)}} {
		if x := fieldOf(d.Fields, key); x != nil && x.Known == IsKnown && x.Value == says[0] {
			x.Value = says[1]
		}
	}
	return nil
}

// EditAll writes the same fields and words into every open draft of a case to
// customers. For whom nothing can be written is left out: a person is told. Permission: incident.write.
func (s *Service) EditAll(ctx context.Context, scope policy.Scope, incident string, in NoticeEdit) (int, error) {
	if !scope.All() {
		return 0, notStaff()
	}
	k, err := s.kitFor(ctx, scope, incident)
	if err != nil {
		return 0, wrap("edit notices", err)
	}
	var open []noticeRow
	for _, r := range k.heads {
		if r.Audience == string(ToCustomer) && ofBreach(Purpose(r.Purpose)) && (r.State == string(Draft) || r.State == string(Waiting)) {
			open = append(open, r)
		}
	}
	n := 0
	for part := range slices.Chunk(open, draftsAtOnce) {
		var customers []string
		for _, r := range part {
			customers = append(customers, r.CustomerID)
		}
		gone, err := s.readyEach(ctx, customers...)
		if err == nil {
			err = s.leaveOut(ctx, k, gone)
		}
		if err != nil {
			return n, wrap("edit notices", err)
		}
		done := 0
		err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
			done, err = s.editPart(tx, scope, k, part, gone, in)
			return err
		})
		if n += done; err != nil {
			return n, wrap("edit notices", err)
		}
	}
	return n, nil
}

// editPart changes some drafts in a transaction, and answers how many.
func (s *Service) editPart(tx *db.Tx, scope policy.Scope, k *kit, part []noticeRow, gone leftOut, in NoticeEdit) (done int, err error) {
	edit, err := checkEdit(in, tx.Now)
	if err != nil {
		return 0, err
	}
	for _, head := range part {
		if gone[head.CustomerID] != nil {
			continue
		}
		r, err := noticeIn(tx, scope, head.ID)
		if err != nil {
			return 0, err
		}
		if r.State != string(Draft) && r.State != string(Waiting) {
			continue // sent meanwhile
		}
		_, d, err := s.openNotice(r)
		if err != nil {
			return 0, err
		}
		if err := s.edit(tx, k, &r, &d, edit); err != nil {
			return 0, err
		}
		if _, err := s.keepDraft(tx, k, &r, d); err != nil {
			return 0, err
		}
		done++
	}
	return done, s.noMoreAsked(tx, k.c.ID, "", "")
}

// Discard puts a draft aside. Permission: incident.write.
func (s *Service) Discard(ctx context.Context, scope policy.Scope, id, why string) (Notice, error) {
	why, err := textField("/why", why, maxWhy, true)
	if err != nil {
		return Notice{}, err
	}
	return s.changeDraft(ctx, scope, id, 0, func(tx *db.Tx, k *kit, r *noticeRow, n Notice, d *noticeData) error {
		d.Discarded = why
		return s.discard(tx, r, why)
	})
}

// discard has a draft be one no more.
func (s *Service) discard(tx *db.Tx, r *noticeRow, why string) error {
	r.State, r.NextAt = string(Discarded), 0
	if err := s.noMoreAsked(tx, r.CaseID, r.AdvisoryID, r.ID); err != nil {
		return err
	}
	return s.enter(tx, r.about(), "incident.notice_discarded", map[string]any{"notice": r.ID, "purpose": r.Purpose}, map[string]string{"why": why})
}

// about is what a notice belongs to.
func (r noticeRow) about() string {
	if r.CaseID != "" {
		return r.CaseID
	}
	return r.AdvisoryID
}
