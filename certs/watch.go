package certs

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

const (
	// dueBatch bounds the certificates of one pass.
	dueBatch = 500
	// maxBatches bounds one pass: what else is there to do comes round.
	maxBatches = 40
	// lookCerts is how many certificates a replica looks at, at a time.
	lookCerts = 8
)

// instant is an atomic time.
type instant struct{ v atomic.Int64 }

func (i *instant) Load() time.Time   { return time.UnixMilli(i.v.Load()) }
func (i *instant) Store(t time.Time) { i.v.Store(t.UnixMilli()) }

// Watch starts what is due until ctx ends: renewals, polls of the CA's renewal
// windows, daily looks, notices. Several replicas may do so at once.
func (s *Service) Watch(ctx context.Context) error {
	var opening sync.WaitGroup
	defer opening.Wait()
	opening.Go(func() { s.openAccounts(ctx) })
	s.opts.Bus.Watch(ctx, s.opts.Every, topicWatch, func() {
		if err := s.Look(ctx); err != nil && ctx.Err() == nil {
			s.opts.Log.ErrorContext(ctx, "certs.watch", "error", err)
		}
	})
	return nil
}

// Look makes one pass of Watch: it begins what is due, and returns when all
// that it asked and looked at is kept.
func (s *Service) Look(ctx context.Context) error {
	ctx = controlplane.System(ctx, "certs.watch")
	errs := []error{s.refresh(ctx), s.runCampaigns(ctx), s.dueServers(ctx), s.tidy(ctx), s.polls(ctx)}
	for range maxBatches {
		n, err := s.dueOnce(ctx)
		errs = append(errs, err)
		if err != nil || n < dueBatch || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(append(errs, s.admitAll(ctx))...)
}

// dueOnce deals with one batch of what is due.
func (s *Service) dueOnce(ctx context.Context) (int, error) {
	var rows []certRow
	var now int64
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		now = tx.NowMillis()
		rows, err = dueCerts(tx, dueBatch)
		return err
	})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	var errs []error
	for _, r := range rows {
		if at := r.attemptAt(); at > 0 && at <= now {
			errs = append(errs, s.orLater(ctx, r, s.attempt(ctx, r.ID)))
		}
		if r.NoticeAt > 0 && r.NoticeAt <= now {
			errs = append(errs, s.orLater(ctx, r, s.noticeNow(ctx, r)))
		}
	}
	errs = append(errs, s.each(ctx, rows, lookCerts, s.opts.LookEvery, func(r *certRow) *int64 { return &r.LookAt }, now, func(ctx context.Context, r certRow) error {
		_, err := s.look(ctx, r)
		return err
	}))
	return len(rows), errors.Join(errs...)
}

// tryLater is when what went wrong in our own house is thought of again.
const tryLater = 10 * time.Minute

// orLater puts off what could not be begun, so that it stands in nobody's way,
// and returns why.
func (s *Service) orLater(ctx context.Context, r certRow, why error) error {
	if why == nil || ctx.Err() != nil {
		return why
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := db.One[certRow](tx, forAttempts(), "certificate", r.ID)
		if err != nil {
			return err
		}
		at := tx.Now.Add(tryLater).UnixMilli()
		if due := row.attemptAt(); due > 0 && due <= tx.NowMillis() {
			row.NextTry = at
		}
		if row.NoticeAt > 0 && row.NoticeAt <= tx.NowMillis() {
			row.NoticeAt = at
		}
		return saveCert(tx, &row)
	})
	return errors.Join(why, err)
}

// each does something about every row whose instant has come. Who moves the
// instant on does it, and nobody else.
func (s *Service) each(ctx context.Context, rows []certRow, parallel int, on time.Duration, at func(*certRow) *int64, now int64, do func(context.Context, certRow) error) error {
	var wg sync.WaitGroup
	turn := make(chan struct{}, parallel)
	var mu sync.Mutex
	var errs []error
	for _, r := range rows {
		due := *at(&r)
		if due == 0 || due > now || ctx.Err() != nil {
			continue
		}
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			mine := false
			err := s.db.Write(ctx, func(tx *db.Tx) error {
				mine = false
				row, err := db.One[certRow](tx, forAttempts(), "certificate", r.ID)
				if err != nil || *at(&row) != due || row.EndedAt > 0 {
					return err
				}
				*at(&row), mine = tx.Now.Add(on).UnixMilli(), true
				return saveCert(tx, &row)
			})
			if err == nil && mine {
				err = do(ctx, r)
			}
			if err != nil && ctx.Err() == nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// attempt begins what is due at a certificate, as it stands now.
func (s *Service) attempt(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		cert, err := db.One[certRow](tx, forAttempts(), "certificate", id)
		if err != nil {
			return err
		}
		if at := cert.attemptAt(); at == 0 || at > tx.NowMillis() {
			return nil
		}
		o, err := s.reasonFor(tx, cert)
		if err != nil {
			return err
		}
		_, err = s.begin(tx, &cert, o)
		return err
	})
}

// reasonFor is why the next attempt is made: that of the one before, where it
// came to nothing.
func (s *Service) reasonFor(tx *db.Tx, cert certRow) (start, error) {
	o := start{reason: ReasonRenewal}
	if cert.IssuedRound == 0 {
		o.reason = ReasonNew
	}
	last, err := company[issueRow](tx, "started_at DESC, id DESC", 1, "certificate_id = ? AND dry_run = 0", cert.ID)
	if err != nil || len(last) == 0 || last[0].State == string(IssueServed) {
		return o, err
	}
	if r := Reason(last[0].Reason); r != ReasonForced && r.Valid() {
		o = start{reason: r, campaign: last[0].CampaignID, revokeOld: last[0].RevokeOld != 0}
	}
	return o, nil
}

// noticeNow tells people what is due about a certificate.
func (s *Service) noticeNow(ctx context.Context, r certRow) error {
	people, err := s.people(ctx, r.CustomerID)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		cert, err := db.One[certRow](tx, forAttempts(), "certificate", r.ID)
		if err != nil || cert.EndedAt > 0 || cert.NoticeAt == 0 || cert.NoticeAt > tx.NowMillis() {
			return err
		}
		if err := s.notice(tx, &cert, people); err != nil {
			return err
		}
		return saveCert(tx, &cert)
	})
}

// admitAll has what waits at every CA go on where there is room.
func (s *Service) admitAll(ctx context.Context) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		rows, err := company[authorityRow](tx, "id", 0, "1 = 1")
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := s.admit(tx, r.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// tidyEvery is how often what is not needed any more is let go of.
const tidyEvery = time.Hour

// tidy lets go of answers to challenges that are over, and of limits that are
// free again.
func (s *Service) tidy(ctx context.Context) error {
	now, err := s.db.Now(ctx)
	if err != nil || now.Sub(s.tidied.Load()) < tidyEvery {
		return err
	}
	s.tidied.Store(now)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		authorities, err := company[authorityRow](tx, "id", 0, "1 = 1")
		if err != nil {
			return err
		}
		for _, ca := range authorities {
			if _, err := (Budget{}).Tidy(tx, ca.ID); err != nil {
				return err
			}
		}
		return remove[tokenRow](tx, "expires_at <= ?", tx.NowMillis())
	})
}
