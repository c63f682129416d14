package sessions

import (
	"bytes"
	"context"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// CommandQuery searches commands across all recordings of the scope.
type CommandQuery struct {
	Text             string // every word, in any order, in one command; case does not count
	Customer, Person string
	From, To         time.Time
	Limit            int // sessions; at most 200, 0 is 50
	PageToken        string
}

// CommandHit is one session with the commands that match.
type CommandHit struct {
	Session Session
	Moments []Moment
}

// Bounds of one search.
const (
	maxQuery    = 200
	maxSought   = 10 // words
	searchBatch = 250
	// maxSearched is how many sessions are looked through at once; next goes on
	// behind them, whatever was found.
	maxSearched = 5000
	maxMatches  = 100 // of one session
)

// SearchCommands finds sessions by what was run in them, the latest first. That
// somebody searched, and for what, is on record for every customer whose
// sessions were found. next may come with fewer hits than Limit: so many
// sessions were looked through. Contacts search those sessions that their terms
// let them watch. Permission: session.watch. Errors: invalid.
func (s *Service) SearchCommands(ctx context.Context, scope policy.Scope, q CommandQuery) (hits []CommandHit, next string, err error) {
	words, err := q.words()
	if err != nil {
		return nil, "", err
	}
	at, after, err := parsePage(q.PageToken)
	if err != nil {
		return nil, "", err
	}
	actor, _ := controlplane.ActorFrom(ctx)
	found := search{s: s, scope: scope, contact: actor.Kind == controlplane.ActorContact, words: words, limit: pageSize(q.Limit),
		filter: inPeriod(ctx, Filter{Customer: q.Customer, Person: q.Person, From: q.From, To: q.To})}
	// Whether a server is shared is known of all its customers: the plane reads it.
	if err := s.db.Read(controlplane.System(ctx, "sessions.search"), func(tx *db.Tx) (err error) {
		hits, next, err = found.run(tx, at, after)
		return err
	}); err != nil {
		return nil, "", wrap("search commands", err)
	}
	if err := s.noteSearch(ctx, hits, strings.TrimSpace(q.Text)); err != nil {
		return nil, "", wrap("search commands", err)
	}
	return hits, next, nil
}

// words are what every match has, in small letters.
func (q CommandQuery) words() (out [][]byte, err error) {
	bad := func(why string) error {
		return controlplane.Invalid(controlplane.Field{Pointer: "/text", Message: why})
	}
	if len([]rune(q.Text)) > maxQuery {
		return nil, bad("At most 200 characters.")
	}
	for _, w := range strings.Fields(strings.ToLower(q.Text)) {
		out = append(out, []byte(w))
	}
	switch {
	case len(out) == 0 || len(strings.TrimSpace(q.Text)) < 2:
		return nil, bad("Write a part of a command, at least two characters.")
	case len(out) > maxSought:
		return nil, bad("At most ten words.")
	}
	return out, nil
}

// search is one search on its way.
type search struct {
	s       *Service
	scope   policy.Scope
	contact bool
	filter  Filter
	words   [][]byte
	limit   int
}

func (x search) run(tx *db.Tx, at int64, after string) (hits []CommandHit, next string, err error) {
	var ids []string
	moments := map[string][]Moment{}
	for looked := 0; looked < maxSearched; {
		rows, err := searchable(tx, x.scope, x.filter, at, after, searchBatch)
		if err != nil {
			return nil, "", err
		}
		for _, r := range rows {
			at, after = r.StartedAt, r.SessionID
			matches, err := x.match(tx, r)
			if err != nil {
				return nil, "", err
			}
			if len(matches) == 0 {
				continue
			}
			if ids = append(ids, r.SessionID); len(ids) == x.limit {
				moments[r.SessionID] = matches
				hits, err := x.hits(tx, ids, moments)
				return hits, pageToken(at, after), err
			}
			moments[r.SessionID] = matches
		}
		if looked += len(rows); len(rows) < searchBatch {
			hits, err = x.hits(tx, ids, moments)
			return hits, "", err
		}
	}
	hits, err = x.hits(tx, ids, moments)
	return hits, pageToken(at, after), err
}

// match are the commands of a session that have all words, if whoever asks may
// see them.
func (x search) match(tx *db.Tx, r commandsRow) ([]Moment, error) {
	lines, err := x.s.openMoments(r, "commands", r.Commands)
	if err != nil {
		return nil, err
	}
	lower := bytes.ToLower(lines)
	for _, w := range x.words {
		if !bytes.Contains(lower, w) {
			return nil, nil
		}
	}
	found, err := decodeMoments(lines, func(line []byte) bool { return x.has(line) })
	if err != nil || len(found) == 0 {
		return nil, err
	}
	may, err := x.s.agreed(tx, x.scope, r.SessionID, func(t Terms) bool { return t.Watch || !x.contact })
	if err != nil || !may {
		return nil, err
	}
	return found[:min(len(found), maxMatches)], nil
}

// has reports whether a command has all words.
func (x search) has(line []byte) bool {
	text := bytes.ToLower(line[lastTab(line)+1:])
	for _, w := range x.words {
		if !bytes.Contains(text, w) {
			return false
		}
	}
	return true
}

func lastTab(line []byte) int { return bytes.LastIndexByte(line, '\t') }

// hits are the sessions that were found, in their order.
func (x search) hits(tx *db.Tx, ids []string, moments map[string][]Moment) ([]CommandHit, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := inOrder(tx, ids)
	if err != nil {
		return nil, err
	}
	list, err := x.s.filled(tx, x.scope, rows)
	if err != nil {
		return nil, err
	}
	out := make([]CommandHit, len(list))
	for i, v := range list {
		out[i] = CommandHit{Session: v, Moments: moments[v.ID]}
	}
	return out, nil
}

// noteSearch puts a search on record, for each customer with the sessions of
// theirs that were found.
func (s *Service) noteSearch(ctx context.Context, hits []CommandHit, query string) error {
	if len(hits) == 0 {
		return nil
	}
	var ids []string
	byCustomer := map[string][]any{}
	for _, h := range hits {
		ids = append(ids, h.Session.ID)
		customers := h.Session.Customers
		if len(customers) == 0 {
			customers = []string{""}
		}
		for _, c := range customers {
			byCustomer[c] = append(byCustomer[c], h.Session.ID)
		}
	}
	for c := range byCustomer {
		if err := s.ready(ctx, c); err != nil {
			return err
		}
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for c, found := range byCustomer {
			_, err := s.ledger.Append(tx, ledger.Entry{Customer: c, Kind: "session.searched", Data: map[string]any{"sessions": found}, Personal: map[string]string{"query": query}})
			if err != nil {
				return err
			}
		}
		if s.sight.searched == nil {
			return nil
		}
		return s.sight.searched(tx, ids, query)
	})
}
