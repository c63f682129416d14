package sessions

import (
	"context"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
)

const entrySearched = "session.searched"

// noteSearch puts a search on record, whatever it found: with us, and with each
// customer whose sessions were found. What was sought stands in a customer's chain
// where the server is theirs alone: on a shared one the words may be a neighbour's.
func (s *Service) noteSearch(ctx context.Context, found Found, query string) error {
	actor, _ := controlplane.ActorFrom(ctx)
	own := actor.Own()
	ids, by := map[string][]any{}, map[string]bool{} // sessions, and whether one is theirs alone
	var all []string
	for _, h := range found.Hits {
		all = append(all, h.Session.ID)
		for _, c := range ownersOf(h.Session.Customers) {
			ids[c] = append(ids[c], h.Session.ID)
			by[c] = by[c] || len(h.Session.Customers) == 1
		}
	}
	for _, c := range own { // whoever is not ours searches what is theirs
		if _, ok := ids[c]; !ok {
			ids[c] = []any{}
		}
		by[c] = by[c] || len(own) == 1
	}
	if err := s.ready(ctx, keys(ids)...); err != nil {
		return err
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		for _, c := range keys(ids) {
			e := ledger.Entry{Customer: c, Kind: entrySearched, Data: map[string]any{"sessions": ids[c]}}
			if by[c] {
				e.Personal = map[string]string{"query": query}
			}
			if c == "" || s.erased(c) {
				e.Personal = nil // ours has an entry of its own, below
			}
			if _, err := s.ledger.Append(tx, e); err != nil {
				return err
			}
		}
		if len(all) == 0 || s.sight.searched == nil {
			return nil
		}
		return s.sight.searched(tx, all, query)
	})
	if err != nil || len(own) == 1 { // their own chain has all of it
		return err
	}
	return s.noteSearchHere(ctx, actor, found, query)
}

// noteSearchHere puts a search into the company's chain, with what was sought.
func (s *Service) noteSearchHere(ctx context.Context, actor controlplane.Actor, found Found, query string) error {
	data := map[string]any{"found": len(found.Hits), "looked": found.Looked, "of": found.Of}
	if outside(actor) { // they write to their own customers' chains only
		data["by"] = actor.ID
		ctx = controlplane.System(ctx, "sessions.search")
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := s.ledger.Append(tx, ledger.Entry{Kind: entrySearched, Data: data, Personal: map[string]string{"query": query}})
		return err
	})
}

// keys are the keys of a map, in order.
func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// neighbours says which sessions others share with whoever reads as some
// customers: what was written about them is not for these.
func (s *Service) neighbours(ctx context.Context, own []string, ids []string) (map[string]bool, error) {
	out := map[string]bool{}
	if len(ids) == 0 {
		return out, nil
	}
	err := s.db.Read(asReviews(ctx), func(tx *db.Tx) error {
		lists, err := customersOf(tx, everybody(), distinct(ids))
		if err != nil {
			return err
		}
		for id, list := range lists {
			out[id] = slices.ContainsFunc(list, func(c customerRow) bool { return !slices.Contains(own, c.CustomerID) })
		}
		return nil
	})
	return out, err
}
