package backups

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"ostler/agents/wire"
	"ostler/backups/catalogue"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// mergedSnapshot is a living snapshot that is in its plan's catalogue.
type mergedSnapshot struct {
	ordinal catalogue.Ordinal
	snap    snapshotRow
}

// aliveOf tells the ordinals of the snapshots, which are sorted by them.
func aliveOf(in []mergedSnapshot) catalogue.Alive {
	return func(ord catalogue.Ordinal) bool {
		_, ok := findOrdinal(in, ord)
		return ok
	}
}

// findOrdinal is slices.BinarySearch over ordinals.
func findOrdinal(in []mergedSnapshot, ord catalogue.Ordinal) (int, bool) {
	return slices.BinarySearchFunc(in, ord, func(m mergedSnapshot, o catalogue.Ordinal) int { return int(m.ordinal) - int(o) })
}

// reading is one plan's catalogue as it was at one instant. Others may merge
// meanwhile: what it reads stays for a while.
type reading struct {
	plan   planRow
	row    catalogueRow
	exists bool             // whether there is a row
	merged []mergedSnapshot // oldest first
	behind []behindRow
	cat    *catalogue.Catalogue
	stale  error // damage: the manifest does not have what our rows say
	at     int   // index into merged of the only snapshot that is read, -1 for all
}

// openReading reads what there is of a plan's catalogue.
func (s *Service) openReading(tx *db.Tx, p planRow, custody Custody) (r reading, err error) {
	r.plan, r.at = p, -1
	if r.row, r.exists, err = findCatalogue(tx, policy.OneCustomer(p.CustomerID), p.ID); err != nil {
		return r, err
	}
	if !r.exists {
		r.row = catalogueRow{PlanID: p.ID, CustomerID: p.CustomerID, ServerID: p.ServerID, State: string(CatalogueDeclined), Manifest: []byte("{}")}
		if custody == CustodyEscrow {
			r.row.State = string(CatalogueBuilding)
		}
	}
	if r.behind, err = behindOf(tx, p.ID, r.row.LastArrived, 0, math.MaxInt64); err != nil {
		return r, err
	}
	if r.row.on() {
		if r.merged, err = mergedSnapshots(tx, p.ID); err != nil {
			return r, err
		}
	}
	manifest, err := r.row.manifest()
	if err != nil {
		return r, err
	}
	for _, m := range r.merged {
		if !manifest.Has(m.ordinal) {
			r.stale = fmt.Errorf("backups: the catalogue has no snapshot %d: %w", m.ordinal, catalogue.ErrUnknown)
		}
	}
	r.cat = catalogue.Open(s.blocksOf(p.CustomerID, p.ServerID, p.ID), manifest, s.index)
	return r, nil
}

// why sums up what a catalogue has not: how many snapshots, the text key of what
// stands in their way that is worst, and its cause.
func (r reading) why() (n int, key, cause string) {
	rank := map[string]int{"": 0, WhySkipped: 1, WhyFailed: 2, WhyBuilding: 3, WhyWaiting: 4}
	for _, b := range r.behind {
		n += b.N
		if k := whyIndex(indexState(b.State), b.Retry); rank[k] > rank[key] {
			key, cause = k, b.Cause
		}
	}
	switch {
	case r.row.status() == CatalogueDeclined:
		return n, WhyNotChosen, ""
	case r.row.status() == CatalogueOff:
		return n, WhyOff, ""
	case r.row.status() == CatalogueDamaged && n > 0:
		return n, WhyDamaged, cause
	}
	return n, key, cause
}

// whyIndex is why a snapshot is not in the catalogue.
func whyIndex(state indexState, retry bool) string {
	switch state {
	case indexPending:
		if retry {
			return WhyWaiting
		}
	case indexFailed:
		return WhyFailed
	case indexSkipped:
		return WhySkipped
	case indexGone:
		return WhyGone
	}
	return WhyBuilding
}

// readPlan opens the catalogue of one plan of the scope.
func (s *Service) readPlan(ctx context.Context, scope policy.Scope, plan string) (r reading, repo repositoryRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		p, rp, err := s.planAndRepository(tx, scope, plan)
		if err != nil {
			return err
		}
		repo = rp
		r, err = s.openReading(tx, p, Custody(rp.Custody))
		return err
	})
	return r, repo, err
}

// CatalogueOf says how a plan's catalogue stands. Permission: plan.read.
func (s *Service) CatalogueOf(ctx context.Context, scope policy.Scope, plan string) (CatalogueState, error) {
	r, repo, err := s.readPlan(ctx, scope, plan)
	if err != nil {
		return CatalogueState{}, err
	}
	out := CatalogueState{Plan: r.plan.ID, Customer: r.plan.CustomerID, Server: r.plan.ServerID, Status: r.row.status(), Generation: r.row.Generation,
		Snapshots: len(r.merged), Entries: r.row.Entries, Bytes: r.row.Bytes, UpdatedAt: controlplane.FromMillis(r.row.UpdatedAt),
		Choosable: Custody(repo.Custody) != CustodyEscrow}
	out.Behind, out.Why, out.Cause = r.why()
	return out, nil
}

// isDamage reports whether an error says that a catalogue is not to be trusted:
// its blocks are damaged, or it does not know what our rows say it has.
func isDamage(err error) bool {
	return errors.Is(err, catalogue.ErrDamaged) || errors.Is(err, catalogue.ErrUnknown)
}

// ofDamage has a damaged catalogue made anew and reports whether err was damage.
// Whoever reads goes on without it.
func (s *Service) ofDamage(ctx context.Context, row catalogueRow, err error) bool {
	if !isDamage(err) {
		return false
	}
	s.opts.Log.WarnContext(ctx, "backups.catalogue.damaged", "plan", row.PlanID, "error", err)
	if err := s.catalogueDamaged(ctx, row); err != nil {
		s.opts.Log.ErrorContext(ctx, "backups.catalogue.rebuild", "plan", row.PlanID, "error", err)
	}
	return true
}

// indexed is one snapshot in its plan's catalogue.
type indexed struct {
	snap snapshotRow
	row  catalogueRow
	ord  catalogue.Ordinal
	cat  *catalogue.Catalogue // nil where the catalogue does not have it
	why  string               // text key of that
}

// openIndexed finds a snapshot of the scope in its plan's catalogue.
func (s *Service) openIndexed(tx *db.Tx, scope policy.Scope, snapshot string) (x indexed, err error) {
	if x.snap, err = db.One[snapshotRow](tx, scope, "snapshot", snapshot); err != nil {
		return x, err
	}
	repo, err := db.One[repositoryRow](tx, scope, "repository", x.snap.RepositoryID)
	if err != nil {
		return x, err
	}
	var ok bool
	if x.row, ok, err = findCatalogue(tx, scope, x.snap.PlanID); err != nil {
		return x, err
	}
	if !ok || !x.row.on() {
		x.why = WhyBuilding
		if x.row.status() == CatalogueOff {
			x.why = WhyOff
		} else if x.row.status() == CatalogueDeclined || Custody(repo.Custody) != CustodyEscrow {
			x.why = WhyNotChosen
		}
		return x, nil
	}
	i, ok, err := findIndexed(tx, x.snap.ID)
	switch {
	case err != nil:
		return x, err
	case !ok && x.row.before(x.snap):
		x.why = WhySkipped
	case x.row.status() == CatalogueDamaged && indexState(i.State) != indexMerged:
		x.why = WhyDamaged
	case !ok || indexState(i.State) != indexMerged:
		x.why = whyIndex(indexState(i.State), i.RetryAt > 0)
	default:
		manifest, err := x.row.manifest()
		if err != nil {
			return x, err
		}
		x.ord, x.cat = catalogue.Ordinal(i.Ordinal), catalogue.Open(s.blocksOf(x.row.CustomerID, x.row.ServerID, x.row.PlanID), manifest, s.index)
	}
	return x, nil
}

// Look shows one folder of a snapshot: from the catalogue at once, else as
// Browse does it, and says why. Permission: file.read. Errors: not_found,
// conflict where the store has the snapshot no more, too many.
func (s *Service) Look(ctx context.Context, scope policy.Scope, snapshot string, dir []byte, wait time.Duration) (Folder, error) {
	return s.LookAfter(ctx, scope, snapshot, dir, nil, listLimit, wait)
}

// LookAfter is Look at the names after one, at most limit of them (0: as many
// as Look shows): the next page where a Listing is truncated. A server that is
// asked begins at the first name.
func (s *Service) LookAfter(ctx context.Context, scope policy.Scope, snapshot string, dir, after []byte, limit int, wait time.Duration) (Folder, error) {
	f := Folder{Path: cleanPath(dir), Source: SourceCatalogue}
	var x indexed
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		x, err = s.openIndexed(tx, scope, snapshot)
		return err
	})
	if err != nil {
		return f, err
	}
	if x.snap.GoneAt > 0 {
		return f, snapshotIsGone()
	}
	f.Snapshot = x.snap.value()
	if x.cat != nil {
		if limit <= 0 || limit > listLimit {
			limit = listLimit
		}
		entries, found, truncated, err := x.cat.FolderAfter(ctx, x.ord, f.Path, after, limit)
		switch {
		case err == nil:
			f.Listing = listingOf(entries, found, truncated)
			return f, nil
		case ctx.Err() != nil:
			return f, err
		case s.ofDamage(ctx, x.row, err):
			x.why = WhyDamaged
		default:
			s.opts.Log.ErrorContext(ctx, "backups.catalogue.unreadable", "plan", x.row.PlanID, "error", err)
			x.why = WhyUnread
		}
	}
	f, err = s.Browse(ctx, scope, snapshot, dir, wait)
	f.Source, f.Why = SourceLive, x.why
	return f, err
}

func snapshotIsGone() error {
	return controlplane.Errorf(controlplane.CodeConflict, "Choose another backup. We know of it and look into it.", "This backup is no longer in the store")
}

func listingOf(entries []catalogue.Entry, found, truncated bool) *wire.Listing {
	l := &wire.Listing{Found: found, Truncated: truncated, Nodes: make([]wire.Node, len(entries))}
	for i, e := range entries {
		l.Nodes[i] = wire.Node{Name: []byte(baseName(e.Path)), Type: e.Type, Size: e.Size, Mode: e.Mode, MTime: e.MTime, UID: e.UID, GID: e.GID, LinkTarget: e.Link}
	}
	return l
}

// baseName is what follows the last slash.
func baseName(path []byte) []byte {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}

func (s *Service) indexedOf(ctx context.Context, snap snapshotRow) (x indexed, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		x, err = s.openIndexed(tx, policy.OneCustomer(snap.CustomerID), snap.ID)
		return err
	})
	return x, err
}

const (
	measureMost = 2_000_000
	measureFor  = time.Second // less than measureTime: what takes longer is not begun again with each look
)

// errMeasured ends a walk that has become too long.
var errMeasured = errors.New("backups: too many to count")

// measure counts the files and their bytes at and beneath a path of a snapshot;
// known is false where the catalogue cannot tell, or not soon.
func (s *Service) measure(ctx context.Context, snap snapshotRow, path []byte) (files, bytes int64, known bool, err error) {
	x, err := s.indexedOf(ctx, snap)
	if err != nil || x.cat == nil {
		return 0, 0, false, err
	}
	bounded, cancel := context.WithTimeout(ctx, measureFor)
	defer cancel()
	seen := 0
	err = x.cat.Walk(bounded, x.ord, cleanPath(path), func(e catalogue.Entry) error {
		if seen++; seen > measureMost {
			return errMeasured
		}
		if e.Type == wire.NodeFile {
			files++
			bytes = figure(bytes + figure(e.Size))
		}
		return nil
	})
	switch {
	case err == nil:
		return files, bytes, seen > 0, nil
	case s.ofDamage(ctx, x.row, err), errors.Is(err, errMeasured), errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return 0, 0, false, nil
	}
	return 0, 0, false, err
}
