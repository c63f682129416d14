package access

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"ostler/controlplane"
)

// grounds fills in why somebody stands there, by what ticket and by whom: of the
// customer's own grants and entries, the latest first.
func (b *listing) grounds() error {
	var grants, entries []string
	for _, e := range b.lines {
		for _, r := range e.spans {
			switch {
			case Column(r.Col) != Listed:
			case strings.HasPrefix(r.Ground, controlplane.PrefixGrant):
				grants = append(grants, r.Ground)
			case strings.HasPrefix(r.Ground, controlplane.PrefixAccessEntry):
				entries = append(entries, r.Ground)
			}
		}
	}
	infos := map[string]groundInfo{}
	if err := b.s.grantGrounds(b.tx, unique(grants), b.list.KnownAt.UnixMilli(), infos); err != nil {
		return err
	}
	if err := b.s.entryGrounds(b.tx, b.list.Customer, unique(entries), infos); err != nil {
		return err
	}
	for _, e := range b.lines {
		var all []groundInfo
		for _, r := range e.spans {
			if i, known := infos[r.Ground]; known && Column(r.Col) == Listed {
				all = append(all, i)
			}
		}
		slices.SortFunc(all, func(x, y groundInfo) int { return cmp.Or(cmp.Compare(y.at, x.at), strings.Compare(y.id, x.id)) })
		for i, g := range all {
			if i == 0 {
				e.line.Reason, e.line.Ticket, e.by = g.reason, g.ticket, g.by
			}
			e.line.Grants = append(e.line.Grants, g.id)
		}
	}
	return b.words()
}

// words fills in why where the ground itself is not the reader's: what was told
// of it when it came.
func (b *listing) words() error {
	bySpan := map[string]*Line{}
	for _, e := range b.lines {
		for _, r := range e.spans {
			if Column(r.Col) == Listed && r.Source != sourceGrant && e.line.Reason == "" {
				bySpan[r.ID] = &e.line
			}
		}
	}
	return b.s.toldOf(b.tx, slices.Sorted(maps.Keys(bySpan)), func(span, why string) { bySpan[span].Reason = why })
}

// groundInfo is what a list says of a ground.
type groundInfo struct {
	id, reason, ticket, by string
	at                     int64
}
