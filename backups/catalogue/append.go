package catalogue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// How segments are merged: one that has not tierRatio times the events of all
// that are newer is merged with them, and so is all that fits into one block,
// about. So there are few, and an event is rewritten seldom.
const (
	tierRatio = 4
	tierSmall = 8192
)

// Append merges the listing of the next snapshot; ord is above every one that
// was merged before. It returns the manifest to store, and the segments to
// delete once it is stored, after the readers of this one are done. After an
// error nothing has changed and what it put is deleted again, as far as that
// could be; where another manifest was stored meanwhile, delete the segments
// that this one has and that one has not.
func (c *Catalogue) Append(ctx context.Context, ord Ordinal, l *ListingReader) (Manifest, []string, Stats, error) {
	if err := c.check(); err != nil {
		return Manifest{}, nil, Stats{}, err
	}
	if ord < c.manifest.Next || ord == ^Ordinal(0) {
		return Manifest{}, nil, Stats{}, fmt.Errorf("catalogue: append: snapshot %d is not above all before, %d is next", ord, c.manifest.Next)
	}
	a := appending{ord: ord, listing: l}
	m := c.manifest
	m.Format, m.Next, m.Merged = manifestFormat, ord+1, with(m.Merged, ord)
	m, obsolete, err := c.change(ctx, m, func(ctx context.Context, w *Catalogue) ([]Segment, error) {
		seg, err := a.run(ctx, w)
		if err != nil || seg.Keys == 0 {
			return w.manifest.Segments, err
		}
		return w.tier(ctx, append(slices.Clone(w.manifest.Segments), seg))
	}, &a.stats.Written)
	if err != nil {
		return Manifest{}, nil, Stats{}, err
	}
	return m, obsolete, a.stats, nil
}

// change has rewrite make the segments of a new manifest. What it puts waits in
// memory while it is small; nothing it reads stays in the cache.
func (c *Catalogue) change(ctx context.Context, m Manifest, rewrite func(context.Context, *Catalogue) ([]Segment, error), written *int64) (Manifest, []string, error) {
	stage := newStaging(c.blocks, c.bounds.stage)
	w := &Catalogue{blocks: stage, manifest: c.manifest, cache: &Cache{dec: c.cache.dec}, bounds: c.bounds}
	segs, err := rewrite(ctx, w)
	m.Segments = segs
	if err == nil {
		for i := range segs {
			if err = stage.keep(ctx, segs[i].Name); err != nil {
				break
			}
		}
	}
	keep := m.Names()
	if err != nil {
		keep = nil
	}
	if e := stage.clean(context.WithoutCancel(ctx), keep); e != nil && err == nil {
		err = e
	}
	if err != nil {
		return Manifest{}, nil, err
	}
	*written = stage.written
	var obsolete []string
	for _, name := range c.manifest.Names() {
		if !slices.Contains(keep, name) {
			obsolete = append(obsolete, name)
		}
	}
	return m, obsolete, nil
}

// tier merges the newest segments as far as there are too many.
func (c *Catalogue) tier(ctx context.Context, segs []Segment) ([]Segment, error) {
	from := len(segs) - 1
	sum := segs[from].Events
	for from > 0 {
		e := segs[from-1].Events
		if e >= tierRatio*sum && e+sum > c.bounds.small {
			break
		}
		from--
		sum += e
	}
	if from == len(segs)-1 {
		return segs, nil
	}
	m, err := c.merge(ctx, segs[from:], nil, nil, nil)
	if err != nil {
		return nil, err
	}
	w := c.newSegment(ctx)
	for {
		more, err := m.next()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		events, err := m.events()
		if err != nil {
			return nil, err
		}
		if err := w.add(m.dir, m.name, events); err != nil {
			return nil, err
		}
	}
	seg, err := w.close()
	if err != nil {
		return nil, err
	}
	return append(segs[:from:from], seg), nil
}

// appending writes what is other in a listing than in the snapshot before.
type appending struct {
	ord     Ordinal
	listing *ListingReader
	stats   Stats

	old     *merged
	oldMore bool
	now     *state // of the listing; nil at its end
	w       *segmentWriter
}

func (a *appending) run(ctx context.Context, c *Catalogue) (Segment, error) {
	var err error
	if a.old, err = c.merge(ctx, c.manifest.Segments, nil, nil, nil); err != nil {
		return Segment{}, err
	}
	a.w = c.newSegment(ctx)
	if err := a.nextOld(); err != nil {
		return Segment{}, err
	}
	if err := a.nextNow(ctx); err != nil {
		return Segment{}, err
	}
	for a.oldMore || a.now != nil {
		if err := a.step(ctx); err != nil {
			return Segment{}, err
		}
	}
	a.stats.Entries = a.listing.Entries()
	return a.w.close()
}

func (a *appending) nextOld() (err error) {
	a.oldMore, err = a.old.next()
	return err
}

func (a *appending) nextNow(ctx context.Context) error {
	if a.listing.Entries()&0xfff == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	var err error
	a.now, err = a.listing.next()
	if errors.Is(err, io.EOF) {
		a.now, err = nil, nil
	}
	return err
}

// step takes the next key of the two.
func (a *appending) step(ctx context.Context) error {
	d := -1 // only in the listing
	switch {
	case a.now == nil:
		d = 1
	case a.oldMore:
		d = compareKeys(a.listing.dir, a.listing.name, a.old.dir, a.old.name)
	}
	var was state
	if d >= 0 {
		events, err := a.old.events()
		if err != nil {
			return err
		}
		was = events[len(events)-1].state
	}
	if d <= 0 {
		if err := a.there(&was); err != nil {
			return err
		}
		if err := a.nextNow(ctx); err != nil {
			return err
		}
	} else if was.kind != gone {
		a.stats.Gone++
		if err := a.w.add(a.old.dir, a.old.name, []event{{ord: a.ord}}); err != nil {
			return err
		}
	}
	if d < 0 {
		return nil
	}
	return a.nextOld()
}

// there takes an entry of the listing, and what stood at its path before.
func (a *appending) there(was *state) error {
	if was.equal(a.now) {
		return nil
	}
	if was.kind == gone {
		a.stats.New++
	} else {
		a.stats.Changed++
	}
	return a.w.add(a.listing.dir, a.listing.name, []event{{ord: a.ord, state: *a.now}})
}
