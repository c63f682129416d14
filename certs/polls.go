package certs

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"ostler/certs/acme"
	"ostler/certs/limits"
	"ostler/controlplane/db"
)

const (
	// pollSize is how many certificates are claimed at a time, pollBatches how
	// many such batches are asked about at once.
	pollSize    = 10_000
	pollBatches = 2
	// pollClaim is how long the answers may take before another replica asks.
	pollClaim = 10 * time.Minute
)

// pacers keep this process within what each CA takes from one address.
type pacers struct {
	mu sync.Mutex
	of map[string]*limits.Pacer
}

func (p *pacers) at(authority string) *limits.Pacer {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = map[string]*limits.Pacer{}
	}
	if p.of[authority] == nil {
		p.of[authority] = limits.NewPacer(limits.LetsEncryptPace())
	}
	return p.of[authority]
}

// refresh reads what is planned.
func (s *Service) refresh(ctx context.Context) error {
	return s.db.Read(ctx, func(tx *db.Tx) error {
		_, err := s.turns.Refresh(tx)
		return err
	})
}

// polls asks CAs when they want certificates renewed, and keeps the answers
// where they are any. It has no effect on the outside, so it is no job: a lost
// answer is asked for again. While one batch is asked about, the next one is
// claimed: a CA's pace is not wasted on our own tables.
func (s *Service) polls(ctx context.Context) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	failed := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
	}
	places := make(chan struct{}, pollBatches)
	for ctx.Err() == nil {
		places <- struct{}{}
		mine, err := s.claimPolls(ctx)
		if err != nil {
			failed(err)
		}
		if err != nil || len(mine) == 0 {
			break
		}
		wg.Go(func() {
			defer func() { <-places }()
			s.pollBatch(ctx, mine, failed)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// pollBatch asks every CA about its part of a batch. One that is slow holds no
// other up.
func (s *Service) pollBatch(ctx context.Context, mine []certRow, failed func(error)) {
	byCA := map[string][]certRow{}
	for _, r := range mine {
		byCA[r.IssuedBy] = append(byCA[r.IssuedBy], r)
	}
	var wg sync.WaitGroup
	for ca, rows := range byCA {
		wg.Go(func() {
			if err := s.pollAt(ctx, ca, rows); err != nil && ctx.Err() == nil {
				failed(err)
			}
		})
	}
	wg.Wait()
}

// claimPolls takes certificates whose CA is to be asked: nobody else asks about
// them for some time.
func (s *Service) claimPolls(ctx context.Context) (mine []certRow, err error) {
	offset := rand.Int64N(60_000) // replicas that claim in the same millisecond differ
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		due, err := duePolls(tx, pollSize)
		if err != nil || len(due) == 0 {
			mine = nil
			return err
		}
		mark := tx.Now.Add(pollClaim).UnixMilli() + offset
		if err := claimDue(tx, due, tx.NowMillis(), mark); err != nil {
			return err
		}
		mine, err = claimedPolls(tx, mark)
		return err
	})
	return mine, err
}

// answer is what a CA said of one certificate.
type answer struct {
	info acme.Renewal
	err  error
}

// pollAt asks one CA about its certificates, at the pace that it takes.
func (s *Service) pollAt(ctx context.Context, authority string, rows []certRow) error {
	ca, err := s.authority(ctx, authority)
	if err != nil {
		return err
	}
	acc, broken := s.account(ctx, ca)
	pacer := s.pacers.at(authority)
	answers := make(map[string]answer, len(rows))
	claimed := make(map[string]certRow, len(rows))
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i], claimed[r.ID] = r.ID, r
	}
	var mu sync.Mutex
	ask := func(ctx context.Context, id string) {
		a := answer{err: broken}
		if broken == nil {
			a.info, a.err = acc.engine.RenewalInfo(ctx, claimed[id].AriID)
		}
		var e *acme.Error
		if errors.As(a.err, &e) && (e.Kind == acme.KindRateLimited || e.Status == 503) && !e.RetryAfter.IsZero() {
			pacer.Stop(limits.EndpointRenewalInfo, e.RetryAfter)
		}
		mu.Lock()
		defer mu.Unlock()
		answers[id] = a
	}
	var lost error
	keep := func(ctx context.Context, asked []string) {
		part, said := make([]certRow, len(asked)), make(map[string]answer, len(asked))
		mu.Lock()
		for i, id := range asked {
			part[i], said[id] = claimed[id], answers[id]
			delete(answers, id)
		}
		mu.Unlock()
		if err := s.keepAnswers(ctx, ca, part, said); err != nil {
			lost = errors.Join(lost, err)
		}
	}
	limited, cancel := context.WithTimeout(ctx, pollClaim*3/4)
	defer cancel()
	if _, err := (Sweep{Ask: ask, Keep: keep, Pacer: pacer, Now: db.SystemClock{}.Now}).Run(limited, ids); err != nil && ctx.Err() != nil {
		return err
	}
	return lost
}

// keepAnswers keeps what a CA said, each for the certificate that it was asked
// about: one that has taken its place since has a window of its own.
func (s *Service) keepAnswers(ctx context.Context, ca authorityRow, rows []certRow, answers map[string]answer) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for part := range slices.Chunk(rows, idsAtOnce) {
			if err := s.keepPart(tx, ca, part, answers); err != nil {
				return err
			}
		}
		return nil
	})
}

// keepPart keeps what was said of a few certificates, in their order.
func (s *Service) keepPart(tx *db.Tx, ca authorityRow, part []certRow, answers map[string]answer) error {
	ids := make([]string, len(part))
	for i, r := range part {
		ids[i] = r.ID
	}
	now, err := polledCerts(tx, ids)
	if err != nil {
		return err
	}
	byID := make(map[string]*certRow, len(now))
	for i := range now {
		byID[now[i].ID] = &now[i]
	}
	for _, r := range part {
		a, ok := answers[r.ID]
		row := byID[r.ID]
		if !ok || row == nil || row.AriID != r.AriID || row.EndedAt > 0 {
			continue // where its turn did not come, it is asked about when the claim ends
		}
		if err := s.polled(tx, row, ca, a.info, a.err); err != nil {
			return err
		}
	}
	return nil
}
