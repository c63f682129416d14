package access

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
)

// Spans and entries are compared without holding either: each version of a span
// adds its hash to one of many sums, each entry takes away the hashes of the
// versions that follow from it, in whatever order. A sum that is not zero in the
// end says in which part something differs; that part alone is then held.
const (
	sums        = 1 << 12
	replayBatch = 2000
	confirmed   = 3 // times that a difference is looked at: lists change meanwhile
)

// VerifyReplay rebuilds all spans from the ledger's entries alone and names
// every span that the tables hold otherwise. It reads in batches. checked is how
// many entries there were.
func (s *Service) VerifyReplay(ctx context.Context) (checked int, differ []string, err error) {
	var total [sums]sum
	err = s.eachVersion(ctx, func(r spanRow) { total[sumOf(r.ID)].add(r, 1) })
	if err != nil {
		return 0, nil, wrap("verify replay", err)
	}
	broken := map[string]bool{} // spans with an entry that cannot be followed
	checked, err = s.eachEntry(ctx, ledger.Filter{}, func(span string, versions []signed, ok bool) {
		for _, v := range versions {
			total[sumOf(span)].add(v.row, -v.sign)
		}
		if !ok {
			broken[span] = true
		}
	})
	if err != nil {
		return checked, nil, wrap("verify replay", err)
	}
	suspects, err := s.suspects(ctx, &total)
	if err != nil {
		return checked, nil, wrap("verify replay", err)
	}
	for span := range broken {
		suspects[span] = true
	}
	for span := range suspects {
		differs, err := s.differs(ctx, span)
		if err != nil {
			return checked, nil, wrap("verify replay", err)
		}
		if differs {
			differ = append(differ, span)
		}
	}
	slices.Sort(differ)
	return checked, differ, nil
}

// sum is a sum of hashes; equal sets have equal sums, whatever their order.
type sum [2]uint64

func (t *sum) add(r spanRow, sign int) {
	h := sha256.Sum256([]byte(r.version()))
	for i := range t {
		if n := binary.BigEndian.Uint64(h[8*i:]); sign > 0 {
			t[i] += n
		} else {
			t[i] -= n
		}
	}
}

func sumOf(span string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(span)) // a hash never fails
	return int(h.Sum32() % sums)
}

// version is everything of a row that its entry tells.
func (r spanRow) version() string {
	return fmt.Sprintf("%s|%s|%s|%s|%s|%s|%s|%q|%s|%q|%d|%d|%d|%d|%d", r.Rev, r.ID, r.CustomerID, r.Col, r.Source, r.PersonID, r.Way, r.Role, r.ServerID, r.Ground,
		r.FromAt, r.UntilAt, r.KnownFrom, r.KnownUntil, r.Live)
}

// standsRight reports whether a row stands in the interval tree where it ought to.
func (r spanRow) standsRight() bool {
	at := r
	if r.KnownUntil == 0 {
		at.place()
	} else {
		at = r.superseded(r.KnownUntil)
	}
	return at.Node == r.Node && at.Lo == r.Lo && at.Hi == r.Hi
}

// eachVersion calls f with every version of every span.
func (s *Service) eachVersion(ctx context.Context, f func(r spanRow)) error {
	for after := ""; ; {
		var rows []spanRow
		if err := s.db.Read(ctx, func(tx *db.Tx) (err error) { rows, err = versionsAfter(tx, after, replayBatch); return err }); err != nil {
			return err
		}
		for _, r := range rows {
			if !r.standsRight() {
				r.Rev += "?" // differs from every entry
			}
			f(r)
		}
		if len(rows) < replayBatch {
			return nil
		}
		after = rows[len(rows)-1].Rev
	}
}

// signed is a version that an entry makes (1), or makes to be no more (-1).
type signed struct {
	row  spanRow
	sign int
}

// eachEntry calls f with what each entry makes of its span; ok is false for one
// that cannot be followed.
func (s *Service) eachEntry(ctx context.Context, f ledger.Filter, do func(span string, versions []signed, ok bool)) (n int, err error) {
	f.Kinds, f.Limit = []string{entryAdded, entryRemoved, entryMoved}, ledger.MaxLimit
	for {
		items, next, err := s.ledger.List(ctx, everybody, f)
		if err != nil {
			return n, err
		}
		for _, i := range items {
			versions, err := versionsOf(i)
			do(i.Subject, versions, err == nil)
			n++
		}
		if f.PageToken = next; next == "" {
			return n, nil
		}
	}
}

// versionsOf are the versions of a span that an entry makes and unmakes.
func versionsOf(i ledger.Item) ([]signed, error) {
	e := reading{data: i.Data}
	r := spanRow{ID: i.Subject, CustomerID: i.Customer, Col: e.text("column"), Source: e.text("source"), PersonID: e.text("person"), Way: e.text("way"), Role: e.text("role"),
		ServerID: e.text("server"), Ground: e.text("ground"), FromAt: e.instant("from"), Live: 1}
	if e.text("span") != i.Subject || r.ServerID != i.Server {
		return nil, fmt.Errorf("an entry about another span")
	}
	n, _ := i.Data["revision"].(int64)
	now := r
	now.Rev, now.UntilAt, now.KnownFrom = revision(r.ID, int(n)), e.instant("until"), e.instant("known")
	if i.Kind == entryAdded {
		return []signed{{now, 1}}, e.err
	}
	was := r
	was.UntilAt, was.KnownFrom = e.instant("was_until"), e.instant("was_known")
	if expired, _ := i.Data["expired"].(bool); expired {
		was.Rev = now.Rev
		over := was
		over.Live = 0
		return []signed{{was, -1}, {over, 1}}, e.err
	}
	void, _ := i.Data["void"].(bool)
	if was.Rev = revision(r.ID, int(n-1)); void {
		was.Rev = now.Rev
	}
	old := was
	old.KnownUntil, old.Live = now.KnownFrom, 0
	if void {
		return []signed{{was, -1}, {old, 1}}, e.err
	}
	if i.Kind == entryRemoved {
		now.Live = 0
	}
	return []signed{{was, -1}, {old, 1}, {now, 1}}, e.err
}

// reading reads an entry's data; the first thing that is missing is its error.
type reading struct {
	data map[string]any
	err  error
}

func (e *reading) text(name string) string {
	v, ok := e.data[name].(string)
	if !ok && e.err == nil {
		e.err = fmt.Errorf("an entry without %s", name)
	}
	return v
}

func (e *reading) instant(name string) int64 {
	v := e.text(name)
	if v == "" {
		return 0
	}
	t, err := time.Parse(controlplane.InstantFormat, v)
	if err != nil && e.err == nil {
		e.err = err
	}
	return controlplane.Millis(t)
}

// suspects are the spans that differ in the parts whose sums do.
func (s *Service) suspects(ctx context.Context, total *[sums]sum) (map[string]bool, error) {
	bad := map[int]bool{}
	for i, t := range total {
		if t != (sum{}) {
			bad[i] = true
		}
	}
	out := map[string]bool{}
	if len(bad) == 0 {
		return out, nil
	}
	by := map[string]*sum{}
	add := func(span string, r spanRow, sign int) {
		if !bad[sumOf(span)] {
			return
		}
		if by[span] == nil {
			by[span] = &sum{}
		}
		by[span].add(r, sign)
	}
	if err := s.eachVersion(ctx, func(r spanRow) { add(r.ID, r, 1) }); err != nil {
		return nil, err
	}
	_, err := s.eachEntry(ctx, ledger.Filter{}, func(span string, versions []signed, _ bool) {
		for _, v := range versions {
			add(span, v.row, -v.sign)
		}
	})
	for span, t := range by {
		if *t != (sum{}) {
			out[span] = true
		}
	}
	return out, err
}

// differs reports whether one span is held otherwise than its entries say. What
// changes while it is looked at is looked at again.
func (s *Service) differs(ctx context.Context, span string) (bool, error) {
	for range confirmed {
		var t sum
		ok := true
		_, err := s.eachEntry(ctx, ledger.Filter{Subject: span}, func(_ string, versions []signed, read bool) {
			ok = ok && read
			for _, v := range versions {
				t.add(v.row, -v.sign)
			}
		})
		if err != nil {
			return false, err
		}
		var rows []spanRow
		if err := s.db.Read(ctx, func(tx *db.Tx) (err error) { rows, err = versionsOfSpan(tx, span); return err }); err != nil {
			return false, err
		}
		for _, r := range rows {
			if !r.standsRight() || !strings.HasPrefix(r.Rev, r.ID+"/") {
				ok = false
			}
			t.add(r, 1)
		}
		if ok && t == (sum{}) {
			return false, nil
		}
	}
	return true, nil
}
