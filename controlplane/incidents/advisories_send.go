package incidents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// draftAdvised drafts for whom an advisory concerns and who has no notice of it yet,
// some in a transaction: a crash between two drafts for nobody twice. For whom
// nothing can be written is left out, and tried again later.
func (s *Service) draftAdvised(ctx context.Context, k *kit, langs map[string]string) (leftOut, error) {
	var whom []string
	err := s.db.Read(asSystem(ctx), func(tx *db.Tx) (err error) { whom, err = unwritten(tx, k.advisory.ID); return err })
	if err != nil {
		return nil, err
	}
	all := leftOut{}
	for part := range slices.Chunk(whom, draftsAtOnce) {
		left, err := s.readyEach(ctx, part...)
		if err == nil {
			err = s.leaveOut(ctx, k, left)
		}
		if err != nil {
			return all, err
		}
		maps.Copy(all, left)
		part := left.without(part)
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return s.draftAdvisedPart(tx, k, part, langs) }); err != nil {
			return all, err
		}
	}
	return all, s.db.Write(asSystem(ctx), func(tx *db.Tx) error {
		var next int64
		if all.again() {
			next = tx.Now.Add(retryAfter).UnixMilli()
		}
		return advisoryNext(tx, k.advisory.ID, next)
	})
}

// draftAdvisedPart drafts for some customers, in one transaction.
func (s *Service) draftAdvisedPart(tx *db.Tx, k *kit, part []string, langs map[string]string) error {
	missing, err := unwritten(tx, k.advisory.ID)
	if err != nil {
		return err
	}
	var rows []noticeRow
	var made []Notice
	for _, customer := range part {
		if !slices.Contains(missing, customer) {
			continue // another replica was faster
		}
		n := Notice{ID: controlplane.NewID(controlplane.PrefixBreachNotice), Advisory: k.advisory.ID, Customer: customer, Audience: ToCustomer, Purpose: k.advisory.Purpose, Phase: 1, Regime: "gdpr",
			Lang: noticeLang(langs[customer]), State: Draft, Author: k.advisory.By, MadeAt: tx.Now, Version: 1}
		r, n, err := s.draftRow(k, n, nil, tx)
		if err != nil {
			return err
		}
		rows, made = append(rows, r), append(made, n)
	}
	if len(made) == 0 {
		return nil
	}
	if err := insertNotices(tx, rows); err != nil {
		return err
	}
	if err := s.notLeft(tx, k.advisory.ID, part...); err != nil {
		return err
	}
	return s.enterDrafts(tx, k.advisory.ID, made)
}

// advisoriesDue drafts what was broken off, and for whom nothing could be written.
func (s *Service) advisoriesDue(ctx context.Context) error {
	ctx = asSystem(ctx)
	var ids []string
	if err := s.db.Read(ctx, func(tx *db.Tx) (err error) { ids, err = dueAdvisories(tx); return err }); err != nil || len(ids) == 0 {
		return wrap("due advisories", err)
	}
	langs, err := s.languages(ctx)
	if err != nil {
		return wrap("due advisories", err)
	}
	var errs []error
	for _, id := range ids {
		k, err := s.kitForAdvisory(ctx, id)
		if err == nil {
			_, err = s.draftAdvised(ctx, k, langs)
		}
		errs = append(errs, wrap("advisory "+id, err))
	}
	return errors.Join(errs...)
}

func (s *Service) kitForAdvisory(ctx context.Context, id string) (k *kit, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error { k, err = s.kitOfAdvisory(tx, id); return err })
	return k, err
}

// SendAdvisory sends it, or asks for a second person: who did not write it sends it
// as they looked at it (Sending.Seen). Where it ends in the middle, Watch goes on.
// Permission: incident.write.
func (s *Service) SendAdvisory(ctx context.Context, scope policy.Scope, id string, in Sending) (AdvisoryNote, error) {
	if !scope.All() {
		return AdvisoryNote{}, controlplane.NotFound("advisory")
	}
	by, err := s.senderOf(ctx, in)
	if err != nil {
		return AdvisoryNote{}, err
	}
	was, err := s.AdvisoryOf(ctx, scope, id)
	if err != nil {
		return was, err
	}
	var open []noticeRow
	if err := s.db.Read(asSystem(ctx), func(tx *db.Tx) (err error) { open, err = openAdvised(tx, id); return err }); err != nil {
		return was, wrap("send advisory", err)
	}
	if len(open) == 0 && len(was.Unwritten) == 0 {
		return was, conflict("See in its list who has it.", "Nothing of this advisory is left to be sent")
	}
	o, data, err := s.orderSending(ctx, id, by.Sending)
	if err != nil {
		return was, wrap("send advisory", err)
	}
	sent, kept, err := s.carryOutSending(ctx, o, data)
	if err != nil {
		return was, wrap("send advisory", err)
	}
	mine := slices.ContainsFunc(open, func(r noticeRow) bool { return r.State == string(Draft) && r.Author == by.actor })
	if why := slices.Sorted(maps.Values(kept)); sent == 0 && len(why) > 0 && !mine {
		return was, conflict("Change it, then send it.", "%s", why[0])
	}
	return s.AdvisoryOf(ctx, scope, id)
}

// orderSending has an advisory sent in the name of who acts now, also where this
// process does not live to do it.
func (s *Service) orderSending(ctx context.Context, advisory string, in Sending) (o orderRow, data string, err error) {
	text, err := json.Marshal(in)
	if err != nil {
		return o, "", fmt.Errorf("write order: %w", err)
	}
	if err := s.ready(ctx); err != nil {
		return o, "", err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
		o = orderRow{ID: controlplane.NewID(prefixOrder), CaseID: advisory, Purpose: string(Advisory), ByID: actorOf(tx.Context()).ID, MadeAt: tx.NowMillis(), NextAt: tx.Now.Add(takenOver).UnixMilli()}
		if o.Data, err = s.seal("", "incident_orders", "data", o.ID, string(text)); err != nil {
			return err
		}
		return db.Insert(tx, &o)
	})
	return o, string(text), err
}

// carryOutSending drafts for those of whom there is no notice yet, and sends what is
// not sent, in the name of who ordered it.
func (s *Service) carryOutSending(ctx context.Context, o orderRow, data string) (sent int, kept map[string]string, err error) {
	by := sender{actor: o.ByID}
	if err := json.Unmarshal([]byte(data), &by.Sending); err != nil {
		return 0, nil, fmt.Errorf("read order: %w", err)
	}
	by.Seen = maps.Clone(by.Seen)
	if by.Seen == nil {
		by.Seen = map[string]int64{}
	}
	if by.others, err = s.writers(ctx, by.actor); err != nil {
		return 0, nil, err
	}
	langs, err := s.languages(ctx)
	if err != nil {
		return 0, nil, err
	}
	k, err := s.kitForAdvisory(asSystem(ctx), o.CaseID)
	if err != nil {
		return 0, nil, err
	}
	left, err := s.draftAdvised(ctx, k, langs)
	if err != nil {
		return 0, nil, err
	}
	var heads []noticeRow
	if err := s.db.Read(asSystem(ctx), func(tx *db.Tx) (err error) { heads, err = openAdvised(tx, o.CaseID); return err }); err != nil {
		return 0, nil, err
	}
	by.asked = slices.ContainsFunc(heads, func(r noticeRow) bool { return r.State == string(Waiting) && r.Author == by.actor })
	for _, r := range heads { // what nobody has changed says what the advisory says
		if by.Seen[r.ID] == 0 && r.Version == 1 {
			by.Seen[r.ID] = 1
		}
	}
	sent, kept, more, err := s.sendMany(ctx, noticesScope(), k, heads, by)
	if err != nil {
		return sent, kept, err
	}
	return sent, kept, s.orderEnds(ctx, o, left.again() || more.again())
}
