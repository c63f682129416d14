package access

import (
	"context"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

const spansAtOnce = 200

// spansDue writes down what ended by itself, with the instant at which it did,
// and tells of what began. Nobody reads the list wrongly meanwhile: an end stands
// in the span from the beginning.
func (s *Service) spansDue(ctx context.Context) error {
	ctx = controlplane.System(ctx, "access")
	for {
		var n int
		err := s.db.Write(ctx, func(tx *db.Tx) error {
			ended, begun, err := dueSpans(tx, spansAtOnce)
			if n = max(len(ended), len(begun)); err != nil || n == 0 {
				return err
			}
			if err := s.spansEnded(tx, ended); err != nil {
				return err
			}
			return s.spansBegun(tx, begun)
		})
		if err != nil || n < spansAtOnce {
			return wrap("due spans", err)
		}
	}
}

func (s *Service) spansEnded(tx *db.Tx, ended []spanRow) error {
	var changes []Change
	var servers, persons []string
	for _, column := range []Column{Listed, Enforced, Could} {
		d := diff{now: tx.NowMillis(), at: tx.NowMillis()}
		for _, row := range ended {
			if Column(row.Col) != column {
				continue
			}
			d.end(row, row.UntilAt, WhyExpired)
			if row.Source == sourceGrant && row.ServerID != "" {
				servers, persons = append(servers, row.ServerID), append(persons, row.PersonID)
			}
		}
		if len(d.events) == 0 {
			continue
		}
		sortEvents(d.events)
		wrote, err := s.record(tx, d)
		if err != nil {
			return err
		}
		changes = append(changes, wrote...)
	}
	// After a gap another grant may reach a shared server.
	more, err := s.settleShared(tx, unique(servers), unique(persons), WhyExpired)
	if err != nil {
		return err
	}
	return s.tell(tx, append(changes, more...))
}

func (s *Service) spansBegun(tx *db.Tx, begun []spanRow) error {
	if len(begun) == 0 {
		return nil
	}
	persons := make([]string, 0, len(begun))
	for i := range begun {
		begun[i].Begun = 1
		persons = append(persons, begun[i].PersonID)
	}
	if err := updateSpans(tx, begun); err != nil {
		return err
	}
	if err := tx.Flush(); err != nil {
		return err
	}
	names, err := s.namesIn(tx, slices.DeleteFunc(unique(persons), func(p string) bool { return p == "" }))
	if err != nil {
		return err
	}
	changes := make([]Change, 0, len(begun))
	for _, r := range begun {
		changes = append(changes, Change{Customer: r.CustomerID, Column: Column(r.Col), Kind: Added, Added: true, Source: r.Source, Ground: r.Ground, Span: r.ID, Person: r.PersonID,
			Name: names[r.PersonID], Way: Way(r.Way), Role: r.Role, Server: r.ServerID, At: controlplane.FromMillis(r.FromAt), Until: controlplane.FromMillis(r.UntilAt), KnownAt: controlplane.FromMillis(r.KnownFrom)})
	}
	for _, f := range s.onBegun {
		if err := f(tx, changes); err != nil {
			return err
		}
	}
	tx.AfterCommit(func() { s.opts.Bus.Publish(TopicLists) })
	return nil
}
