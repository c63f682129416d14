package incidents

import (
	"context"
	"errors"
	"maps"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// SendAll sends every draft of a case, or asks for a second person for all of
// them. What others wrote goes as it was looked at (Sending.Seen); what was changed
// since is left out. It answers how many went, and why others did not, by id.
// Permission: incident.write.
func (s *Service) SendAll(ctx context.Context, scope policy.Scope, incident string, in Sending) (sent int, kept map[string]string, err error) {
	if !scope.All() {
		return 0, nil, notStaff()
	}
	by, err := s.senderOf(ctx, in)
	if err != nil {
		return 0, nil, err
	}
	k, err := s.kitFor(ctx, scope, incident)
	if err != nil {
		return 0, nil, wrap("send notices", err)
	}
	var ids []noticeRow
	for _, r := range k.heads {
		if r.Audience == string(ToCustomer) && (r.State == string(Draft) || r.State == string(Waiting)) {
			ids = append(ids, r)
		}
	}
	sent, kept, _, err = s.sendMany(ctx, scope, k, ids, by)
	return sent, kept, err
}

// sendAtOnce is how many notices one transaction sends.
const sendAtOnce = 50

// sendMany sends notices, some in a transaction. What stops one stops no other.
// Left are those for whom nothing can be written.
func (s *Service) sendMany(ctx context.Context, scope policy.Scope, k *kit, heads []noticeRow, by sender) (sent int, kept map[string]string, left leftOut, err error) {
	kept, left = map[string]string{}, leftOut{}
	by.many = true
	for part := range slices.Chunk(heads, sendAtOnce) {
		var customers []string
		for _, r := range part {
			customers = append(customers, r.CustomerID)
		}
		gone, err := s.readyEach(ctx, customers...)
		if err == nil {
			err = s.leaveOut(ctx, k, gone)
		}
		if err != nil {
			return sent, kept, left, err
		}
		maps.Copy(left, gone)
		var now partSent
		err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
			if now, err = s.sendPart(tx, scope, k, part, by, gone); err != nil {
				return err
			}
			if !by.asked && now.wait != nil { // one mail for all of them
				if err := s.askSecond(tx, k, by, *now.wait, len(heads)); err != nil {
					return err
				}
			}
			return s.noMoreAsked(tx, k.c.ID, k.advisoryID(), "")
		})
		if err != nil {
			return sent, kept, left, wrap("send notices", err)
		}
		sent += now.went
		by.asked = by.asked || now.wait != nil
		maps.Copy(kept, now.held)
	}
	return sent, kept, left, nil
}

// partSent is what became of some notices in a transaction.
type partSent struct {
	went int
	wait *noticeRow        // the first that waits for a second person
	held map[string]string // why others did not go, by id
}

// sendPart sends some notices in a transaction.
func (s *Service) sendPart(tx *db.Tx, scope policy.Scope, k *kit, part []noticeRow, by sender, gone leftOut) (now partSent, err error) {
	now.held = map[string]string{}
	for _, h := range part {
		if err := gone[h.CustomerID]; err != nil {
			now.held[h.ID] = whyLeft(err) + "."
			continue
		}
		r, err := noticeIn(tx, scope, h.ID)
		if err == nil {
			if _, _, oerr := s.openNotice(r); oerr != nil { // one that cannot be read keeps no other back
				s.opts.Log.ErrorContext(tx.Context(), "incidents.notice", "notice.id", h.ID, "err", oerr)
				now.held[h.ID] = "It cannot be read. Put it aside, and draft another one."
				continue
			}
			err = s.send(tx, k, &r, by)
		}
		var e *controlplane.Error
		switch {
		case errors.As(err, &e):
			now.held[h.ID] = said(e)
		case err != nil:
			return now, err
		case r.State == string(Waiting):
			now.held[h.ID] = "Another person is asked to look at it first."
			if now.wait == nil {
				now.wait = &r
			}
		default:
			now.went++
		}
	}
	if now.went > 0 && k.advisory != nil {
		err = advisorySent(tx, k.advisory.ID, tx.NowMillis())
	}
	return now, err
}

// said is an error as one line.
func said(e *controlplane.Error) string {
	if len(e.Fields) > 0 {
		return e.Fields[0].Message
	}
	return e.Message
}
