package sessions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/teleport"
)

// reading is one pass over the audit log, by time. Keys of pages are used within
// one instant only, and never kept: with one that a cluster does not know it
// finds nothing and says nothing.
type reading struct {
	s        *Service
	from, to time.Time
	deep     bool
	started  int64 // by our clock
	readTo   int64 // until when everything was read before
	began    int64 // the first instant that was ever read
	cluster  string
}

// beginReading says from when on is read.
func (s *Service) beginReading(ctx context.Context, deep bool) (*reading, error) {
	r := &reading{s: s, deep: deep}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := feedIn(tx)
		if err != nil {
			return err
		}
		from := controlplane.FromMillis(row.Watermark).Add(-s.opts.Overlap)
		if far := tx.Now.Add(-s.opts.Deep); row.Watermark == 0 || deep && from.After(far) {
			from = far
		}
		if row.BeganAt == 0 {
			row.BeganAt = from.UnixMilli()
			if err := saveFeed(tx, row); err != nil {
				return err
			}
		}
		// A node whose clock is ahead says that things will have happened.
		r.from, r.to, r.started = from, tx.Now.Add(s.opts.Deep), tx.NowMillis()
		r.readTo, r.began, r.cluster = row.ReadTo, row.BeganAt, row.Cluster
		return nil
	})
	return r, wrap("begin a reading", err)
}

// all reads every page. A page that is too large is asked for in smaller ones,
// and an event that is too large alone is passed by.
func (r *reading) all(ctx context.Context) error {
	from, key, limit := r.from, "", teleport.MaxEvents
	for {
		list, next, err := r.s.cluster.Events(ctx, from, r.to, eventTypes(), limit, key)
		switch {
		case errors.Is(err, teleport.ErrTooMuch) && limit > 1:
			limit, key = limit/2, ""
			continue
		case errors.Is(err, teleport.ErrTooMuch):
			if from, err = r.pass(ctx, from, key != ""); err != nil {
				return err
			}
			key = ""
			continue
		case err != nil:
			return err
		}
		if err := r.take(ctx, list); err != nil {
			return err
		}
		if next == "" {
			return nil
		}
		// A page begins with what is of the instant where the one before ended, so
		// one event at a time needs a key to go on. It asks for more only once it did.
		if last := newest(list).Truncate(time.Millisecond); last.After(from) {
			from, key, limit = last, "", min(2*limit, teleport.MaxEvents)
		} else {
			key = next
		}
	}
}

func newest(list []teleport.Event) (at time.Time) {
	for _, e := range list {
		if e.At.After(at) {
			at = e.At
		}
	}
	return at
}

// apart is how far apart the times of events are told.
const apart = time.Millisecond

// pass finds the millisecond of the event that the cluster does not send, takes
// in what else was in it, type by type, and puts the event into quarantine. It
// returns from when on to go on. Where the first events from there on are here
// already, their own millisecond is taken so.
func (r *reading) pass(ctx context.Context, from time.Time, begun bool) (time.Time, error) {
	ask := func(from, to time.Time, kinds []string) ([]teleport.Event, string, bool, error) {
		list, next, err := r.s.cluster.Events(ctx, from, to, kinds, 1, "")
		if errors.Is(err, teleport.ErrTooMuch) {
			return nil, "", true, nil
		}
		return list, next, false, err
	}
	// Where nothing is, nothing is too large: then the cluster is busy.
	if _, _, much, err := ask(r.to.Add(apart), r.to.Add(2*apart), eventTypes()); err != nil || much {
		return from, errors.Join(err, busy(much))
	}
	low, high := from, r.to
	if begun {
		high = from.Add(apart)
	}
	for high.Sub(low) > apart {
		mid := low.Add(high.Sub(low) / 2).Truncate(apart)
		if !mid.After(low) {
			mid = low.Add(apart)
		}
		list, _, much, err := ask(low, mid, eventTypes())
		switch {
		case err != nil:
			return from, err
		case much:
			high = mid
		case len(list) > 0:
			return low, nil // it is sent now
		default:
			low = mid
		}
	}
	for _, kind := range eventTypes() {
		list, _, much, err := ask(low, high, []string{kind})
		switch {
		case err != nil:
			return from, err
		case much:
			err = r.s.quarantineUnsent(ctx, r.cluster, kind, low)
		default:
			err = r.takeAll(ctx, low, high, kind, list)
		}
		if err != nil {
			return from, err
		}
	}
	return high, nil
}

func busy(much bool) error {
	if much {
		return teleport.ErrTooMuch
	}
	return nil
}

// takeAll takes in the events of one type in one millisecond, of which first is
// the first page.
func (r *reading) takeAll(ctx context.Context, low, high time.Time, kind string, first []teleport.Event) error {
	if len(first) == 0 {
		return nil
	}
	for key := ""; ; {
		list, next, err := r.s.cluster.Events(ctx, low, high, []string{kind}, 1, key)
		if errors.Is(err, teleport.ErrTooMuch) {
			return r.s.quarantineUnsent(ctx, r.cluster, kind, low)
		}
		if err != nil {
			return err
		}
		if err := r.take(ctx, list); err != nil {
			return err
		}
		if key = next; key == "" {
			return nil
		}
	}
}

// coming is an event on its way in.
type coming struct {
	teleport.Event
	said said
	row  eventRow
	of   string // the customers whose it is, joined by ","
}

// page is what is new of a page of events, and its batches: sealed before the
// transaction that stores them.
type page struct {
	cluster string
	events  []coming
	bad     []quarantineRow
	batches []batchRow
	newest  int64
}

// take takes in a page: all of it in one transaction, or nothing.
func (r *reading) take(ctx context.Context, list []teleport.Event) error {
	for range maxTakes {
		p, err := r.page(ctx, list)
		if err != nil {
			return err
		}
		if len(p.events)+len(p.bad) == 0 {
			return nil
		}
		err = r.s.db.Write(ctx, func(tx *db.Tx) error { return r.s.takeIn(tx, r, p) })
		if errors.Is(err, errKnown) {
			continue
		}
		if err != nil {
			return errors.Join(errOurs, wrap("take in events", err))
		}
		if p.cluster != "" {
			r.cluster = p.cluster
		}
		return nil
	}
	return errors.Join(errOurs, wrap("take in events", errKnown))
}

const maxTakes = 5

// errKnown says that somebody else took an event in meanwhile.
var errKnown = errors.New("an event was taken in meanwhile")

// page is what of a list is not here yet.
func (r *reading) page(ctx context.Context, list []teleport.Event) (*page, error) {
	p := &page{cluster: r.cluster}
	var ids []string
	var all []coming
	for _, e := range list {
		c := coming{Event: e}
		c.ID, c.Type = clip(e.ID), clip(e.Type)
		if e.Bad == nil {
			if c.said, c.Bad = read(e.Raw); c.Bad == nil && p.cluster == "" {
				p.cluster = c.said.Cluster
			}
		}
		if c.ID == "" {
			c.ID = fmt.Sprintf("unnamed:%s:%d", c.Type, controlplane.Millis(e.At))
		}
		all, ids = append(all, c), append(ids, c.ID)
		p.newest = max(p.newest, controlplane.Millis(e.At))
	}
	var known map[string]bool
	var held map[string]quarantineRow
	err := r.s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if known, err = knownEvents(tx, p.cluster, ids); err == nil {
			held, err = quarantinedAs(tx, p.cluster, ids)
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(errOurs, wrap("find known events", err))
	}
	for _, c := range all {
		switch _, in := held[c.ID]; {
		case known[c.ID], in && c.Bad != nil:
		case c.Bad != nil:
			known[c.ID] = true
			row, err := r.s.quarantined(p.cluster, c)
			if err != nil {
				return nil, err
			}
			p.bad = append(p.bad, row)
		default:
			known[c.ID] = true
			p.events = append(p.events, c)
		}
	}
	if len(p.events) == 0 {
		return p, nil
	}
	if err := r.s.belong(ctx, p); err != nil {
		return nil, errors.Join(errOurs, wrap("whose events are", err))
	}
	return p, r.s.sealBatches(p)
}
