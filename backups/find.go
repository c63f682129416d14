package backups

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ostler/backups/catalogue"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

const (
	findLimit    = 50
	maxFindLimit = 200
	findAtOnce   = 4    // catalogues that one search reads at the same time
	maxFindText  = 1024 // bytes
)

// Find searches the names of all snapshots of a customer, sorted by folder, name
// and server. Files of one path on several servers come on one page, which may
// be longer for it. Permission: file.read. Errors: invalid where the scope
// reaches more than one customer and none is named, not_found, unavailable where
// it takes too long, too many where others of the customer's take that long.
func (s *Service) Find(ctx context.Context, scope policy.Scope, q FindQuery) (Found, error) {
	customer, err := q.check(scope)
	if err != nil {
		return Found{}, err
	}
	after, err := s.openPage(customer, q.PageToken)
	if err != nil {
		return Found{}, err
	}
	names := map[string]string{}
	var plans []reading
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		plans, err = s.openReadings(tx, customer, q, names)
		return err
	})
	if err != nil {
		return Found{}, err
	}
	bounded, cancel := context.WithTimeout(ctx, s.opts.FindTime)
	defer cancel()
	done, err := s.searches.take(bounded, customer)
	if err != nil {
		if ctx.Err() == nil {
			err = controlplane.Errorf(controlplane.CodeTooMany, "Wait until they have an answer, and try again.", "Other searches of yours are still at work").Because(err)
		}
		return Found{}, err
	}
	defer done()
	searches := make([]*planSearch, len(plans))
	for i, r := range plans {
		searches[i] = &planSearch{reading: r, name: names[r.plan.ServerID]}
	}
	s.searchAll(bounded, searches, q, after)
	for _, p := range searches {
		switch {
		case p.err == nil:
		case errors.Is(p.err, context.DeadlineExceeded) && ctx.Err() == nil:
			return Found{}, controlplane.Errorf(controlplane.CodeUnavailable, "Name a server, a folder or a date, or more of the name.", "The search took longer than it may").Because(p.err)
		default:
			return Found{}, p.err
		}
	}
	return s.foundPage(ctx, customer, searches, q)
}

// check validates a query and returns the customer whose files are searched.
func (q *FindQuery) check(scope policy.Scope) (string, error) {
	if q.Limit <= 0 {
		q.Limit = findLimit
	}
	q.Limit = min(q.Limit, maxFindLimit)
	var bad []controlplane.Field
	say := func(pointer, message string) {
		bad = append(bad, controlplane.Field{Pointer: pointer, Message: message})
	}
	if len(q.Text) > maxFindText {
		say("/text", "This is longer than any name: leave some of it out.")
	}
	if q.MinSize < 0 || q.MaxSize < 0 || q.MaxSize > 0 && q.MaxSize < q.MinSize {
		say("/max_size", "This is less than the smallest size. Change one of them.")
	}
	if !q.ModifiedFrom.IsZero() && !q.ModifiedTo.IsZero() && q.ModifiedTo.Before(q.ModifiedFrom) {
		say("/modified_to", "This day is before the other one. Change one of them.")
	}
	customer := q.Customer
	if mine := scope.Customers(); customer == "" && len(mine) == 1 {
		customer = mine[0]
	}
	if customer == "" {
		say("/customer", "Name the customer whose files are searched.")
	}
	if bad != nil {
		return "", controlplane.Invalid(bad...)
	}
	if !scope.Allows(customer) {
		return "", controlplane.NotFound("customer")
	}
	return customer, nil
}

// openReadings opens the catalogues that a query is about, and names their servers.
func (s *Service) openReadings(tx *db.Tx, customer string, q FindQuery, names map[string]string) ([]reading, error) {
	mine := policy.OneCustomer(customer)
	plans, err := db.Where[planRow](tx, mine, "id", 0, "(? = '' OR server_id = ?) AND (? = '' OR id = ?)", q.Server, q.Server, q.Plan, q.Plan)
	if err != nil {
		return nil, err
	}
	if len(plans) == 0 && q.Plan != "" {
		return nil, controlplane.NotFound("plan")
	}
	if len(plans) == 0 && q.Server != "" {
		if _, err := s.customers.ServerIn(tx, mine, q.Server); err != nil {
			return nil, err
		}
	}
	repos, err := db.Where[repositoryRow](tx, mine, "id", 0, "1 = 1")
	if err != nil {
		return nil, err
	}
	custody := make(map[string]Custody, len(repos))
	for _, r := range repos {
		custody[r.ID] = Custody(r.Custody)
	}
	out := make([]reading, 0, len(plans))
	for _, p := range plans {
		r, err := s.openReading(tx, p, custody[p.RepositoryID])
		if err == nil && !q.On.IsZero() {
			err = r.until(tx, q.On)
		}
		if err != nil {
			return nil, err
		}
		if names[p.ServerID] == "" {
			if names[p.ServerID], err = s.serverName(tx, p.ServerID); err != nil {
				return nil, err
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// until narrows what is read to the newest snapshot at or before the end of a
// day, and what is behind to what would have been read instead.
func (r *reading) until(tx *db.Tx, on time.Time) error {
	end, err := endOfDay(on, r.plan.Zone)
	if err != nil {
		return err
	}
	var from int64
	r.at = -1
	for i, m := range r.merged {
		if m.snap.ArrivedAt < end {
			r.at, from = i, m.snap.ArrivedAt
		}
	}
	r.behind, err = behindOf(tx, r.plan.ID, r.row.LastArrived, from, end)
	return err
}

// planSearch is the search of one plan's catalogue.
type planSearch struct {
	reading
	name string // of the server
	hits []catalogue.Hit
	more bool
	err  error
}

// searchAll searches the catalogues, a few at the same time.
func (s *Service) searchAll(ctx context.Context, searches []*planSearch, q FindQuery, after []byte) {
	places := make(chan struct{}, findAtOnce)
	var wg sync.WaitGroup
	for _, p := range searches {
		places <- struct{}{}
		wg.Go(func() { defer func() { <-places }(); s.searchOne(ctx, p, q, after) })
	}
	wg.Wait()
}

// searchOne searches one catalogue. One that is damaged is made anew, and
// counts as one that knows nothing.
func (s *Service) searchOne(ctx context.Context, p *planSearch, q FindQuery, after []byte) {
	if len(p.merged) == 0 {
		return
	}
	cq := catalogue.Query{Text: q.Text, Ext: strings.TrimPrefix(q.Ext, "."), Type: q.Type, MinSize: q.MinSize, MaxSize: q.MaxSize,
		ModifiedFrom: controlplane.Millis(q.ModifiedFrom), ModifiedTo: controlplane.Millis(q.ModifiedTo), Beneath: q.Beneath, Limit: q.Limit, After: after}
	if !q.On.IsZero() {
		if p.at < 0 { // nothing had been copied by then
			p.merged = nil
			return
		}
		cq.At = &p.merged[p.at].ordinal
	}
	if p.err = p.stale; p.err == nil {
		p.hits, p.more, p.err = p.cat.Search(ctx, cq, aliveOf(p.merged))
	}
	if p.err != nil && s.ofDamage(ctx, p.row, p.err) {
		n := len(p.merged)
		if p.at >= 0 {
			n, p.at = 1, -1
		}
		p.behind = append(p.behind, behindRow{N: n})
		p.row.State, p.merged, p.hits, p.more, p.err = string(CatalogueDamaged), nil, nil, false, nil
	}
}

// endOfDay is the first instant (Unix milliseconds) after a date in a zone.
func endOfDay(on time.Time, name string) (int64, error) {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return 0, fmt.Errorf("backups: find: %w", err)
	}
	y, m, d := on.Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, zone).UnixMilli(), nil
}

// foundPage merges what the searches found into one page.
func (s *Service) foundPage(ctx context.Context, customer string, searches []*planSearch, q FindQuery) (Found, error) {
	var out Found
	slices.SortStableFunc(searches, func(a, b *planSearch) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.plan.ID, b.plan.ID)
	})
	var ends []byte // the path up to which every search that goes on has answered
	for _, p := range searches {
		if p.at < 0 {
			out.Snapshots += len(p.merged)
		} else {
			out.Snapshots++
		}
		if len(p.merged) > 0 && !slices.Contains(out.Servers, p.plan.ServerID) {
			out.Servers = append(out.Servers, p.plan.ServerID)
		}
		if n, why, _ := p.why(); n > 0 {
			out.Behind = append(out.Behind, PlanBehind{Plan: p.plan.ID, Name: p.plan.Name, Server: p.plan.ServerID, Snapshots: n, Why: why})
		}
		if p.more && (ends == nil || comparePaths(p.hits[len(p.hits)-1].Path, ends) < 0) {
			ends = p.hits[len(p.hits)-1].Path
		}
	}
	files, last, more := mergeHits(searches, q.Limit, ends)
	unread := &unreadLists{s: s, ctx: ctx, runs: map[string][]Unread{}}
	for _, f := range files {
		v, err := f.search.file(f.hit, unread)
		if err != nil {
			return Found{}, err
		}
		out.Files = append(out.Files, v)
	}
	if more {
		var err error
		if out.Next, err = s.sealPage(customer, last); err != nil {
			return Found{}, err
		}
	}
	return out, nil
}

// searchHit is a hit of one of several searches.
type searchHit struct {
	search *planSearch
	hit    catalogue.Hit
}

// mergeHits takes hits in the order of their paths, those of one path together,
// until there are limit of them. ends is the path after which some search would
// have more (nil: none has).
func mergeHits(searches []*planSearch, limit int, ends []byte) (out []searchHit, last []byte, more bool) {
	next := make([]int, len(searches))
	for {
		var least []byte
		for i, p := range searches {
			if next[i] < len(p.hits) && (least == nil || comparePaths(p.hits[next[i]].Path, least) < 0) {
				least = p.hits[next[i]].Path
			}
		}
		switch {
		case least == nil:
			return out, last, ends != nil
		case len(out) >= limit, ends != nil && comparePaths(least, ends) > 0:
			return out, last, true
		}
		for i, p := range searches {
			if next[i] < len(p.hits) && bytes.Equal(p.hits[next[i]].Path, least) {
				out = append(out, searchHit{p, p.hits[next[i]]})
				next[i]++
			}
		}
		last = least
	}
}

// comparePaths sorts as catalogues do: by folder, a slash below every other
// byte, and then by name.
func comparePaths(a, b []byte) int {
	i, j := bytes.LastIndexByte(a, '/'), bytes.LastIndexByte(b, '/')
	dirA, dirB := a[:max(i, 0)], b[:max(j, 0)]
	if bytes.Equal(dirA, dirB) {
		return bytes.Compare(a[i+1:], b[j+1:])
	}
	for k := range min(len(dirA), len(dirB)) {
		x, y := dirA[k], dirB[k]
		if x == y {
			continue
		}
		if x == '/' || y != '/' && x < y {
			return -1
		}
		return 1
	}
	return len(dirA) - len(dirB)
}

// span is the living snapshots that the ordinals from first to last bound.
func (r reading) span(first, last catalogue.Ordinal) (from, to int, ok bool) {
	from, _ = findOrdinal(r.merged, first)
	to, ok = findOrdinal(r.merged, last)
	if !ok {
		to--
	}
	return from, to, from <= to && from < len(r.merged)
}

// file is a hit with the snapshots that it speaks of.
func (p *planSearch) file(h catalogue.Hit, unread *unreadLists) (FoundFile, error) {
	f := FoundFile{Customer: p.plan.CustomerID, Server: p.plan.ServerID, Plan: p.plan.ID, Path: h.Path, Type: h.Newest.Type, Size: h.Newest.Size,
		MTime: controlplane.FromMillis(h.Newest.MTime), Versions: h.Versions, Present: h.Present}
	from, to, ok := p.span(h.First, h.Last)
	if !ok {
		return f, fmt.Errorf("backups: find: no living snapshot between %d and %d of plan %s", h.First, h.Last, p.plan.ID)
	}
	in, ok := findOrdinal(p.merged, h.In)
	if !ok {
		return f, fmt.Errorf("backups: find: snapshot %d of plan %s does not live", h.In, p.plan.ID)
	}
	f.First, f.Last, f.In = p.merged[from].snap.value(), p.merged[to].snap.value(), p.merged[in].snap.value()
	var err error
	f.MissingSince, f.Unread, err = p.missing(to, h.Path, unread)
	return f, err
}

// missing is the living snapshot after the one at index last, the newest that
// has a path: there the path is missing. unread reports that it could not be read.
func (r reading) missing(last int, path []byte, lists *unreadLists) (since *Snapshot, unread bool, err error) {
	if last+1 >= len(r.merged) {
		return nil, false, nil
	}
	row := r.merged[last+1].snap
	v := row.value()
	unread, err = lists.has(row, path)
	return &v, unread, err
}
