package backups

import (
	"context"

	"ostler/backups/catalogue"
	"ostler/controlplane"
	"ostler/controlplane/policy"
)

// History returns the versions of one path of a plan, newest first, as far as
// the plan's catalogue knows: Behind and Why say what it does not. Permission:
// file.read. Errors: not_found where it knows every snapshot, and none has the
// path.
func (s *Service) History(ctx context.Context, scope policy.Scope, plan string, path []byte) (FileHistory, error) {
	r, _, err := s.readPlan(ctx, scope, plan)
	if err != nil {
		return FileHistory{}, err
	}
	h := FileHistory{Customer: r.plan.CustomerID, Server: r.plan.ServerID, Plan: r.plan.ID, Path: cleanPath(path), Source: SourceCatalogue}
	h.Behind, h.Why, _ = r.why()
	if len(r.merged) == 0 {
		return h, nothingKnown(h)
	}
	var versions []catalogue.Version
	if err = r.stale; err == nil {
		versions, err = r.cat.History(ctx, h.Path, aliveOf(r.merged))
	}
	if err != nil {
		if s.ofDamage(ctx, r.row, err) {
			h.Behind, h.Why = h.Behind+len(r.merged), WhyDamaged
			return h, nothingKnown(h)
		}
		return h, err
	}
	newest := -1
	for _, v := range versions {
		from, to, ok := r.span(v.First, v.Last)
		if !ok {
			continue
		}
		newest = max(newest, to)
		h.Versions = append(h.Versions, FileVersion{Type: v.Type, Size: v.Size, MTime: controlplane.FromMillis(v.MTime), Mode: v.Mode, UID: v.UID, GID: v.GID,
			Link: v.Link, FirstSeen: r.merged[from].snap.value(), LastSeen: r.merged[to].snap.value(), Copies: v.Copies})
	}
	if len(h.Versions) == 0 {
		return h, nothingKnown(h)
	}
	h.Present = newest == len(r.merged)-1
	h.MissingFrom, h.Unread, err = r.missing(newest, h.Path, &unreadLists{s: s, ctx: ctx, runs: map[string][]Unread{}})
	return h, err
}

// nothingKnown is what there is to say of a path without versions: the page
// offers the folders of the backups that the catalogue does not know.
func nothingKnown(h FileHistory) error {
	if h.Behind == 0 {
		return controlplane.NotFound("file")
	}
	return nil
}
