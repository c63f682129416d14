package sessions

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
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

// Found is what a search came to.
type Found struct {
	Hits []CommandHit
	Next string // "" where everything was looked through
	// Looked is how many recordings were looked through now, of Of that were left to
	// look through. Stopped says that the search ended there without having been
	// through them: Next goes on behind.
	Looked, Of int
	Stopped    bool
	// Skipped are recordings of customers whose key was destroyed: nobody reads them.
	Skipped int
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
// somebody searched, and for what, is on record, whatever was found, and for every
// customer whose sessions were. Contacts search those sessions that their terms
// let them watch. Permission: session.watch. Errors: invalid.
func (s *Service) SearchCommands(ctx context.Context, scope policy.Scope, q CommandQuery) (out Found, err error) {
	words, err := q.words()
	if err != nil {
		return Found{}, err
	}
	at, after, err := parsePage(q.PageToken)
	if err != nil {
		return Found{}, err
	}
	actor, _ := controlplane.ActorFrom(ctx)
	found := search{s: s, scope: scope, contact: actor.Kind == controlplane.ActorContact, words: words, limit: pageSize(q.Limit), most: cmp.Or(s.sight.most, maxSearched),
		filter: inPeriod(ctx, Filter{Customer: q.Customer, Person: q.Person, From: q.From, To: q.To})}
	// Whether a server is shared is known of all its customers: the plane reads it.
	if err := s.db.Read(controlplane.System(ctx, "sessions.search"), func(tx *db.Tx) (err error) {
		found.out = Found{}
		if found.out.Of, err = countSearchable(tx, scope, found.filter, at, after); err != nil {
			return err
		}
		return found.run(tx, at, after)
	}); err != nil {
		return Found{}, wrap("search commands", err)
	}
	if err := s.noteSearch(ctx, found.out, strings.TrimSpace(q.Text)); err != nil {
		return Found{}, wrap("search commands", err)
	}
	return found.out, nil
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
	most    int // sessions to look through
	out     Found
}

// run looks through sessions from behind a place on until there are enough hits.
func (x *search) run(tx *db.Tx, at int64, after string) (err error) {
	var ids []string
	moments := map[string][]Moment{}
	for more := true; more; {
		rows, err := searchable(tx, x.scope, x.filter, at, after, min(searchBatch, x.most-x.out.Looked))
		if err != nil {
			return err
		}
		more = len(rows) > 0
		for _, r := range rows {
			at, after = r.StartedAt, r.SessionID
			x.out.Looked++
			matches, err := x.match(tx, r)
			if errors.Is(err, secrets.ErrErased) {
				x.out.Skipped++
				continue
			}
			if err != nil {
				return err
			}
			if len(matches) > 0 {
				ids = append(ids, r.SessionID)
				moments[r.SessionID] = matches
			}
			if len(ids) == x.limit || x.out.Looked == x.most {
				more = false
				break
			}
		}
	}
	if x.out.Looked < x.out.Of {
		x.out.Next = pageToken(at, after)
		x.out.Stopped = x.out.Looked == x.most
	}
	x.out.Hits, err = x.hits(tx, ids, moments)
	return err
}

// match are the commands of a session that have all words, if whoever asks may
// see them.
func (x *search) match(tx *db.Tx, r commandsRow) ([]Moment, error) {
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
func (x *search) has(line []byte) bool {
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
func (x *search) hits(tx *db.Tx, ids []string, moments map[string][]Moment) ([]CommandHit, error) {
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
