package incidents

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// closedOf follows the end of a case: nothing of a false alarm is sent any more,
// and whoever was told is told so.
func (s *Service) closedOf(tx *db.Tx, c Case) error {
	if c.State != FalseAlarm {
		return nil
	}
	if err := s.discardDrafts(tx, c.ID, "", "it was a false alarm"); err != nil {
		return err
	}
	if err := s.withdrawPapers(tx, c); err != nil {
		return err
	}
	return s.order(tx, c.ID, "", Withdrawal, c.ClosedWhy)
}

// withdrawPapers drafts a withdrawal for everybody who was told on paper, and has
// the lead hand it in.
func (s *Service) withdrawPapers(tx *db.Tx, c Case) error {
	k, err := s.kitIn(tx, c.ID)
	if err != nil {
		return err
	}
	told := map[[2]string]bool{} // audience and regime
	for _, r := range k.heads {
		to := [2]string{r.Audience, r.Regime}
		switch p := Purpose(r.Purpose); {
		case r.Audience == string(ToCustomer) || r.SentAt == 0:
		case ofBreach(p):
			told[to] = true
		case p == Withdrawal:
			delete(told, to)
		}
	}
	var rows []noticeRow
	var made []Notice
	for _, to := range slices.SortedFunc(maps.Keys(told), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }) {
		n := Notice{ID: controlplane.NewID(controlplane.PrefixBreachNotice), Case: c.ID, Audience: Audience(to[0]), Purpose: Withdrawal, Regime: to[1], Lang: s.homeLang(k),
			State: Draft, Author: actorOf(tx.Context()).ID, MadeAt: tx.Now, Drill: c.Drill, Version: 1}
		n.Phase = k.phase("", n.Audience, n.Regime)
		r, n, err := s.draftRow(k, n, nil, tx)
		if err != nil {
			return err
		}
		if err := s.sealNotice(&r, noticeData{Title: n.Title, Why: plainText(c.ClosedWhy)}, ""); err != nil {
			return err
		}
		rows, made = append(rows, r), append(made, n)
		if err := s.withdrawTask(tx, c, n); err != nil {
			return err
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if err := insertNotices(tx, rows); err != nil {
		return err
	}
	return s.enterDrafts(tx, c.ID, made)
}

// withdrawTask has the lead of a case hand a withdrawal in, by the same hour tomorrow.
func (s *Service) withdrawTask(tx *db.Tx, c Case, n Notice) (err error) {
	to := map[Audience]string{ToAuthority: "the authority", ToCSIRT: "the CSIRT", ToPeople: "the people concerned"}[n.Audience]
	text := "Tell " + to + " that it was a false alarm: the withdrawal is drafted among the notices. Record it there when it is handed in."
	due := tx.Now.Add(24 * time.Hour)
	row := taskRow{ID: controlplane.NewID(controlplane.PrefixTask), CaseID: c.ID, OwnerID: c.Lead, DueAt: due.UnixMilli(), MadeAt: tx.NowMillis(), MadeBy: actorOf(tx.Context()).ID}
	if row.Text, err = s.seal("", "incident_tasks", "text", row.ID, text); err != nil {
		return err
	}
	if err := db.Insert(tx, &row); err != nil {
		return err
	}
	return s.enter(tx, c.ID, "incident.task", map[string]any{"task": row.ID, "owner": row.OwnerID, "due": controlplane.Instant(due)}, map[string]string{"text": text})
}

// clearedOf follows that a customer is not in a case after all.
func (s *Service) clearedOf(tx *db.Tx, c Case, a Affected) error {
	if a.State != Cleared {
		return nil
	}
	if err := s.discardDrafts(tx, c.ID, a.Customer, "the customer is not affected"); err != nil {
		return err
	}
	return s.order(tx, c.ID, a.Customer, Withdrawal, a.ClearedWhy)
}

// discardDrafts puts aside the drafts of a case, or those to one customer.
func (s *Service) discardDrafts(tx *db.Tx, incident, customer, why string) error {
	rows, err := openDrafts(tx, incident, customer)
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		if err := discardRows(tx, incident, customer); err != nil {
			return err
		}
		ids := make([]any, len(rows))
		for i, r := range rows {
			ids[i] = r
		}
		if err := s.enter(tx, incident, "incident.notice_discarded", map[string]any{"notices": ids, "why": why}, nil); err != nil {
			return err
		}
	}
	return s.noMoreAsked(tx, incident, "", "")
}

// freezeNotice has the customers of a case told that data of theirs is kept longer,
// in the transaction that keeps it: each once for each end that it has.
func (s *Service) freezeNotice(tx *db.Tx, c Case) error {
	row, err := caseRowIn(tx, everyone(), c.ID)
	if err != nil || row.Drill == 1 {
		return err // nothing is kept in an exercise
	}
	d, err := s.dataOf(row)
	if err != nil {
		return err
	}
	o := orderRow{ID: prefixOrder + c.ID + ":" + strconv.FormatInt(row.FrozenUntil, 36), CaseID: c.ID, Purpose: string(Freezing)}
	return s.putOrder(tx, o, d.FrozenGround)
}

// order has customers told something by Watch, in the name of who acts now.
func (s *Service) order(tx *db.Tx, incident, customer string, p Purpose, why string) error {
	return s.putOrder(tx, orderRow{ID: controlplane.NewID(prefixOrder), CaseID: incident, CustomerID: customer, Purpose: string(p)}, why)
}

func (s *Service) putOrder(tx *db.Tx, r orderRow, why string) (err error) {
	r.ByID, r.MadeAt = actorOf(tx.Context()).ID, tx.NowMillis()
	if r.Data, err = s.seal("", "incident_orders", "data", r.ID, why); err != nil {
		return err
	}
	s.wakeWatch(tx)
	return db.Upsert(tx, &r, "id")
}

// ordersDue carries orders out, some customers in a transaction: a crash between
// two tells nobody twice.
func (s *Service) ordersDue(ctx context.Context) error {
	ctx = asSystem(ctx)
	var orders []orderRow
	if err := s.db.Read(ctx, func(tx *db.Tx) (err error) { orders, err = openOrders(tx); return err }); err != nil {
		return wrap("orders", err)
	}
	var errs []error
	for _, o := range orders {
		errs = append(errs, wrap("order "+o.ID, s.carryOutOrder(ctx, o)))
	}
	return errors.Join(errs...)
}

func (s *Service) carryOutOrder(ctx context.Context, o orderRow) error {
	why, err := s.open("", "incident_orders", "data", o.ID, o.Data)
	if err != nil {
		return err
	}
	if Purpose(o.Purpose) == Advisory {
		_, _, err := s.carryOutSending(ctx, o, why)
		return err
	}
	var k *kit
	var done []string
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if done, err = orderedOf(tx, o.ID); err != nil {
			return err
		}
		k, err = s.kitIn(tx, o.CaseID)
		return err
	})
	if err != nil {
		return err
	}
	langs, err := s.languages(ctx)
	if err != nil {
		return err
	}
	again := false
	for part := range slices.Chunk(k.ordered(o, done), sendAtOnce) {
		left, err := s.readyEach(ctx, part...)
		if err == nil {
			err = s.leaveOut(ctx, k, left)
		}
		if err != nil {
			return err
		}
		again = again || left.again()
		part := left.without(part)
		err = s.db.Write(ctx, func(tx *db.Tx) error {
			told, err := orderedOf(tx, o.ID)
			if err != nil {
				return err
			}
			for _, customer := range part {
				if slices.Contains(told, customer) {
					continue // another replica was faster
				}
				if err := s.sendOrdered(tx, k, o, customer, langs[customer], why); err != nil {
					return err
				}
			}
			return s.notLeft(tx, k.c.ID, part...)
		})
		if err != nil {
			return err
		}
	}
	return s.orderEnds(ctx, o, again)
}

// ordered are whom an order is for who were not told by it.
func (k *kit) ordered(o orderRow, done []string) (whom []string) {
	for _, a := range k.c.Affected {
		switch {
		case o.CustomerID != "" && a.Customer != o.CustomerID, slices.Contains(done, a.Customer):
		case o.Purpose == string(Withdrawal) && !k.toWithdraw(a.Customer):
		case o.Purpose == string(Freezing) && a.State == Cleared:
		default:
			whom = append(whom, a.Customer)
		}
	}
	return whom
}

// orderEnds notes that an order is carried out, or for whom it is tried again later.
func (s *Service) orderEnds(ctx context.Context, o orderRow, again bool) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if again {
			return orderLater(tx, o.ID, tx.Now.Add(retryAfter).UnixMilli())
		}
		return orderDone(tx, o.ID, tx.NowMillis())
	})
}

// toWithdraw reports whether what a customer was told last is to be taken back.
func (k *kit) toWithdraw(customer string) bool {
	told := false
	for _, r := range k.heads {
		if r.CustomerID != customer || r.Audience != string(ToCustomer) || r.SentAt == 0 {
			continue
		}
		switch p := Purpose(r.Purpose); {
		case ofBreach(p):
			told = true
		case p == Withdrawal:
			told = false
		}
	}
	return told
}

// sendOrdered writes a notice to one customer, and sends it. A reason that names
// somebody else is left out: they can ask for it.
func (s *Service) sendOrdered(tx *db.Tx, k *kit, o orderRow, customer, lang, why string) error {
	n := Notice{ID: controlplane.NewID(controlplane.PrefixBreachNotice), Case: k.c.ID, Customer: customer, Audience: ToCustomer, Purpose: Purpose(o.Purpose), Phase: 1,
		Regime: k.regimeOf(customer), Lang: noticeLang(lang), State: Draft, Author: o.ByID, MadeAt: tx.Now, Drill: k.c.Drill}
	if len(k.names.strangers(customer, why)) > 0 {
		why = ""
	}
	d := noticeData{Why: plainText(why)}
	r := noticeRow{ID: n.ID, CaseID: n.Case, OrderID: o.ID, CustomerID: customer, Audience: string(n.Audience), Purpose: o.Purpose, Phase: 1, Regime: n.Regime, Lang: n.Lang,
		State: string(Draft), Drill: flag(n.Drill), Unsafe: flag(k.c.ChannelUnsafe), Author: o.ByID, MadeAt: tx.NowMillis(), Version: 1}
	if err := s.sealNotice(&r, d, ""); err != nil {
		return err
	}
	if err := insertNotices(tx, []noticeRow{r}); err != nil {
		return err
	}
	return s.dispatch(tx, k, &r, n, d)
}
