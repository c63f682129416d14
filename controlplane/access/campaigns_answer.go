package access

import (
	"context"
	"errors"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// AnswerItem keeps or revokes one line, with why. Nobody answers for themselves,
// nor for a team they are in. Permission: access.approve. Errors: not found,
// invalid, conflict where it was answered already, forbidden.
func (s *Service) AnswerItem(ctx context.Context, scope policy.Scope, item string, keep bool, because string) (out CampaignItem, err error) {
	var c inputs
	because = c.line("/because", because, maxReason, "Say why, in a sentence.")
	if err := c.err(); err != nil {
		return out, err
	}
	var row campaignItemRow
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := db.One[campaignItemRow](tx, scope, "line to confirm", item)
		if err != nil {
			return err
		}
		if r.AnsweredAt > 0 {
			return conflict("Read the answer beside it. Grant it anew, or revoke it, where it is needed.", "Somebody has answered this already")
		}
		own, err := isOwn(tx, r, actorOf(tx.Context()).ID)
		if err != nil {
			return err
		}
		if own {
			return controlplane.Errorf(controlplane.CodeForbidden, "Ask a colleague to answer it.", "You cannot confirm your own access")
		}
		answer := AnswerRevoke
		if keep {
			answer = AnswerKeep
		}
		row, err = s.answerItem(tx, r, answer, because)
		return err
	})
	if err != nil {
		return out, wrap("answer", err)
	}
	if err := s.carryOut(ctx, row); err != nil {
		return out, wrap("answer", err)
	}
	// A customer's transaction does not see what others have not answered.
	if err := s.db.Write(asSystem(ctx), endCampaigns); err != nil {
		return out, wrap("answer", err)
	}
	err = s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		items, err := s.campaignItemsOf(tx, []campaignItemRow{row})
		if err == nil {
			out = items[0]
		}
		return err
	})
	return out, wrap("answer", err)
}

// answerItem stores the answer to an item. What is revoked is carried out after it
// is stored, until it is done.
func (s *Service) answerItem(tx *db.Tx, r campaignItemRow, answer, because string) (_ campaignItemRow, err error) {
	r.Answer, r.AnsweredAt, r.AnsweredBy = answer, tx.NowMillis(), actorOf(tx.Context()).ID
	if answer == AnswerKeep || answer == AnswerEnded {
		r.DoneAt = tx.NowMillis()
	}
	if r.Because, err = s.seal(r.CustomerID, "access_campaign_items", "because", r.ID, because); err != nil {
		return r, err
	}
	if err := db.Save(tx, &r); err != nil {
		return r, err
	}
	if err := s.findings.Close(tx, onCallKey(r.ID), "somebody answered"); err != nil {
		return r, err
	}
	return r, s.note(tx, ledger.Entry{Customer: r.CustomerID, Subject: r.GroundID, Kind: "access.recertified",
		Data: map[string]any{"campaign": r.CampaignID, "item": r.ID, "answer": answer}, Personal: map[string]string{"because": because}})
}

func onCallKey(item string) string { return findings.AccessLastOnCall + ":" + item }

// carryOut takes away what an answer revokes. Done twice it changes nothing. A
// customer's answer is carried out by the plane: lists of others who share a
// server may change with it.
func (s *Service) carryOut(ctx context.Context, r campaignItemRow) error {
	if actorOf(ctx).Kind == controlplane.ActorContact {
		ctx = asSystem(ctx)
	}
	if r.DoneAt > 0 {
		return nil
	}
	why := "not confirmed in the recertification by its date"
	if r.Answer == AnswerRevoke {
		why = "not confirmed in the recertification"
	}
	var err error
	if controlplane.ValidID(controlplane.PrefixAccessEntry, r.GroundID) {
		_, err = s.EndEntry(ctx, everyone(), r.GroundID, why)
	} else {
		_, err = s.Revoke(ctx, everyone(), r.GroundID, why)
	}
	if err != nil && controlplane.ErrorCode(err) != controlplane.CodeNotFound {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error { return itemDone(tx, r.ID) })
}

// campaignsDue keeps the schedule, revokes what was not confirmed by its date,
// and carries out answers that a crash left behind.
func (s *Service) campaignsDue(ctx context.Context) error {
	ctx = asSystem(ctx)
	if !s.scheduled.Load() {
		err := s.db.Write(ctx, func(tx *db.Tx) error {
			_, err := s.jobs.PutSchedule(tx, jobs.Schedule{Key: scheduleCampaign, Kind: scheduleCampaign, Cron: quarterly, Zone: s.opts.Zone.String(), CatchUp: true, Enabled: true})
			return err
		})
		if err != nil {
			return wrap("schedule campaigns", err)
		}
		s.scheduled.Store(true)
	}
	var whose []string
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) { whose, err = overdueCustomers(tx); return err })
	if err != nil {
		return wrap("campaigns", err)
	}
	var errs []error
	for _, customer := range whose {
		if err := s.keeper.EnsureKey(ctx, customer); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, wrap("revoke what was not confirmed", s.db.Write(ctx, func(tx *db.Tx) error { return s.silence(tx, customer) })))
	}
	var undone []campaignItemRow
	over := false
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if undone, err = undoneItems(tx); err == nil {
			over, err = campaignsOver(tx)
		}
		return err
	})
	if err == nil && over {
		err = s.db.Write(ctx, endCampaigns)
	}
	errs = append(errs, wrap("campaigns", err))
	for _, r := range undone {
		errs = append(errs, wrap("carry out "+r.ID, s.carryOut(ctx, r)))
	}
	return errors.Join(errs...)
}

// silence answers every item of a customer whose date has come: revoked, unless
// nobody would be left who could come. Then the latest granted one stays seven
// days more, and a person hears of it.
func (s *Service) silence(tx *db.Tx, customer string) error {
	rows, err := overdueItems(tx, customer)
	if err != nil || len(rows) == 0 {
		return err
	}
	active, err := activeGrants(tx, customer)
	if err != nil {
		return err
	}
	going := map[string]bool{}
	for _, r := range rows {
		going[r.GroundID] = true
	}
	last := ""
	for _, g := range active { // the latest granted first
		if !going[g] {
			last = ""
			break
		}
		if last == "" {
			last = g
		}
	}
	for _, r := range rows {
		switch open, err := groundOpen(tx, r.GroundID); {
		case err != nil:
			return err
		case !open:
			if _, err := s.answerItem(tx, r, AnswerEnded, ""); err != nil {
				return err
			}
		case customer != "" && r.GroundID == last && r.LastOnCall == 0:
			if err := s.lastOnCall(tx, r); err != nil {
				return err
			}
		default:
			if _, err := s.answerItem(tx, r, AnswerSilence, ""); err != nil {
				return err
			}
		}
	}
	return nil
}

// lastOnCall leaves the last one who could come seven days more.
func (s *Service) lastOnCall(tx *db.Tx, r campaignItemRow) error {
	until := tx.Now.Add(onCallTime)
	r.LastOnCall, r.RevokeAt = 1, until.UnixMilli()
	if err := db.Save(tx, &r); err != nil {
		return err
	}
	c, err := s.customers.CustomerIn(tx, policy.OneCustomer(r.CustomerID), r.CustomerID)
	if err != nil {
		return err
	}
	items, err := s.campaignItemsOf(tx, []campaignItemRow{r})
	if err != nil {
		return err
	}
	if err := s.findings.Raise(tx, findings.Finding{Key: onCallKey(r.ID), Customer: r.CustomerID, Subject: r.GroundID, Kind: findings.AccessLastOnCall, Severity: findings.Bad,
		Owner: findings.Ops, Args: map[string]string{"person": items[0].Name, "where": c.Name, "by": "on " + day(until.Truncate(time.Minute))},
		Link: "/access/campaigns/" + r.CampaignID}); err != nil {
		return err
	}
	return s.note(tx, ledger.Entry{Customer: r.CustomerID, Subject: r.GroundID, Kind: "access.recertify_extended",
		Data: map[string]any{"campaign": r.CampaignID, "item": r.ID, "until": controlplane.Instant(until), "because": "the last one who could come"}})
}
