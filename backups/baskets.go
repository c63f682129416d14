package backups

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Pick is one file or folder of a snapshot. Path is absolute, raw bytes.
type Pick struct {
	Snapshot string
	Path     []byte
	// Type and Size are what the list showed that it was picked from ("" and -1
	// where that is unknown): used where our catalogue does not know better.
	Type wire.NodeType
	Size int64
	// Chosen is of Service.RestoreItems only: what was chosen, where that lies
	// above the customer's folders on the server and goes where it was. Path is
	// the part of it that is restored.
	Chosen []byte
}

// Item is a pick in a basket.
type Item struct {
	ID       string // itm_
	Snapshot Snapshot
	// Gone: the snapshot is no more; only its id is filled. Such an item is left
	// out of the sums, and refused in an Order.
	Gone  bool
	Path  []byte
	Type  wire.NodeType // "" where it is not known
	Files int64         // 1 for a file
	Bytes int64
	Known bool // Files and Bytes are
}

// Basket is what a person has chosen of one customer's snapshots and not asked
// for yet. It stays until it is cleared.
type Basket struct {
	Customer string
	Items    []Item // by server, then by path
	Servers  []string
	// Files and Bytes are sums over what is known; Known says that all is.
	Files, Bytes int64
	Known        bool
	// Seconds estimates how long it takes, by the customer's earlier restores;
	// 0 where nothing is known to tell by.
	Seconds int64

	moved, millis int64 // of the customer's earlier restores
}

// Picks are the basket's items as an Order takes them, without those that are gone.
func (b Basket) Picks() []Pick {
	var out []Pick
	for _, i := range b.Items {
		if !i.Gone {
			out = append(out, Pick{Snapshot: i.Snapshot.ID, Path: i.Path, Type: i.Type, Size: i.Bytes})
		}
	}
	return out
}

// maxPathBytes bounds the paths of an order together: the parameters of a job
// are signed, and may have 1 MiB, paths as base64 and repositories included.
const maxPathBytes = 384 << 10

// basketTopic is what is published when a person's basket changes.
func basketTopic(person string) string { return "basket:" + person }

// Basket returns what the actor has chosen of a customer ("" is the scope's
// only one). Permission: restore.run; staff by an open assist only. It changes
// with the topic "basket:<person>".
func (s *Service) Basket(ctx context.Context, scope policy.Scope, customer string) (Basket, error) {
	b, rows, snaps, err := s.basketRows(ctx, scope, customer)
	if err != nil {
		return b, err
	}
	if err := s.measureRows(ctx, rows, snaps); err != nil {
		return b, err
	}
	b.Known = true
	for _, r := range rows {
		p, err := s.keeper.Open(r.CustomerID, ad("restore_basket", "path", r.ID), r.Path)
		if err != nil {
			return b, fmt.Errorf("backups: basket: %w", err)
		}
		i := Item{ID: r.ID, Path: p, Type: wire.NodeType(r.NodeType), Files: r.Files, Bytes: r.Bytes, Known: r.Measured == measuredYes}
		snap, there := snaps[r.SnapshotID]
		i.Snapshot, i.Gone = snap.value(), !there
		if i.Gone {
			i.Snapshot.ID = r.SnapshotID
			b.Items = append(b.Items, i)
			continue
		}
		b.Known = b.Known && i.Known
		b.Files, b.Bytes = b.Files+i.Files, b.Bytes+i.Bytes
		if !slices.Contains(b.Servers, snap.ServerID) {
			b.Servers = append(b.Servers, snap.ServerID)
		}
		b.Items = append(b.Items, i)
	}
	slices.Sort(b.Servers)
	slices.SortFunc(b.Items, func(x, y Item) int {
		return cmp.Or(cmp.Compare(x.Snapshot.Server, y.Snapshot.Server), bytes.Compare(x.Path, y.Path), x.Snapshot.ArrivedAt.Compare(y.Snapshot.ArrivedAt), cmp.Compare(x.ID, y.ID))
	})
	if b.Bytes > 0 && b.Known {
		b.Seconds = b.rate(b.Bytes)
	}
	return b, nil
}

// basketRows reads the items of the actor's basket with their snapshots; one
// that is no more is absent.
func (s *Service) basketRows(ctx context.Context, scope policy.Scope, customer string) (b Basket, rows []basketRow, snaps map[string]snapshotRow, err error) {
	a, _ := controlplane.ActorFrom(ctx)
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if b.Customer, err = s.owned(tx, scope, customer); err != nil {
			return err
		}
		if rows, err = basketOf(tx, a.ID, b.Customer); err != nil {
			return err
		}
		snaps = map[string]snapshotRow{}
		for _, r := range rows {
			if _, known := snaps[r.SnapshotID]; known {
				continue
			}
			snap, err := db.One[snapshotRow](tx, policy.OneCustomer(b.Customer), "snapshot", r.SnapshotID)
			switch {
			case controlplane.ErrorCode(err) == controlplane.CodeNotFound, err == nil && snap.GoneAt != 0:
				continue
			case err != nil:
				return err
			}
			snaps[r.SnapshotID] = snap
		}
		b.moved, b.millis, err = pace(tx, policy.OneCustomer(b.Customer), b.Customer)
		return err
	})
	return b, rows, snaps, err
}

// rate estimates the seconds for some bytes by the customer's earlier restores;
// 0 where there are none.
func (b Basket) rate(bytes int64) int64 {
	if b.moved <= 0 || b.millis <= 0 {
		return 0
	}
	seconds := float64(bytes) / float64(b.moved) * float64(b.millis) / 1000
	return max(1, int64(math.Ceil(seconds)))
}

// owned is the customer that is meant, of whose files the actor may have a
// basket.
func (s *Service) owned(tx *db.Tx, scope policy.Scope, ref string) (string, error) {
	customer, err := s.customerOf(tx, scope, ref)
	if err != nil {
		return "", err
	}
	_, err = s.restorer(tx, scope, customer)
	return customer, err
}

// BasketAdd puts picks into the actor's basket and returns it. What is there
// already, and what lies beneath a chosen folder of the same snapshot, is
// folded into that. Permission: restore.run; staff by an open assist only.
// Errors: not_found for a snapshot outside the scope, invalid for a path that
// cannot be chosen or where the basket is full (wire.MaxSelected).
func (s *Service) BasketAdd(ctx context.Context, scope policy.Scope, customer string, picks []Pick) (Basket, error) {
	if len(picks) == 0 {
		return Basket{}, controlplane.Invalid(controlplane.Field{Pointer: "/picks", Message: "Nothing is chosen. Tick files or folders first."})
	}
	a, _ := controlplane.ActorFrom(ctx)
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		customer, err := s.owned(tx, scope, customer)
		if err != nil {
			return err
		}
		rows, err := basketOf(tx, a.ID, customer)
		if err != nil {
			return err
		}
		var groups [][]part
		if groups, err = s.sorted(tx, scope, customer, picks); err != nil {
			return err
		}
		n := len(rows)
		for _, g := range groups {
			for _, p := range g {
				added, err := s.putIn(tx, a.ID, customer, rows, p, picks)
				if err != nil {
					return err
				}
				n += added
			}
		}
		if n > wire.MaxSelected {
			return controlplane.Invalid(controlplane.Field{Pointer: "/picks", Message: fmt.Sprintf("A basket holds %d files and folders. Choose whole folders instead, or restore what is in it first.", wire.MaxSelected)})
		}
		tx.AfterCommit(func() { s.opts.Bus.Publish(basketTopic(a.ID)) })
		return nil
	})
	if err != nil {
		return Basket{}, err
	}
	return s.Basket(ctx, scope, customer)
}

// putIn adds the paths of one snapshot to the rows of a basket, folded, and
// returns by how many it grew.
func (s *Service) putIn(tx *db.Tx, person, customer string, rows []basketRow, p part, picks []Pick) (grew int, err error) {
	have := map[string]string{} // path: id of the row
	var all [][]byte
	for _, r := range rows {
		if r.SnapshotID != p.snap.ID {
			continue
		}
		there, err := s.keeper.Open(customer, ad("restore_basket", "path", r.ID), r.Path)
		if err != nil {
			return 0, fmt.Errorf("backups: basket: %w", err)
		}
		have[string(there)] = r.ID
		all = append(all, there)
	}
	before := len(all)
	folded := fold(append(all, p.paths...))
	stay := map[string]bool{}
	for _, f := range folded {
		stay[string(f)] = true
		if _, there := have[string(f)]; there {
			continue
		}
		if err := s.insertItem(tx, person, p.snap, f, picks); err != nil {
			return 0, err
		}
	}
	for there, id := range have {
		if stay[there] {
			continue
		}
		if err := dropItem(tx, person, customer, id); err != nil {
			return 0, err
		}
	}
	return len(folded) - before, nil
}

func (s *Service) insertItem(tx *db.Tx, person string, snap snapshotRow, p []byte, picks []Pick) error {
	row := basketRow{ID: controlplane.NewID(controlplane.PrefixItem), CustomerID: snap.CustomerID, PersonID: person, SnapshotID: snap.ID,
		PathHash: s.pathHash(p), AddedAt: tx.NowMillis()}
	for _, k := range picks {
		if k.Snapshot == snap.ID && knownType(k.Type) && bytes.Equal(cleanPath(k.Path), p) {
			row.NodeType = string(k.Type)
			if k.Type == wire.NodeFile && k.Size >= 0 {
				row.Files, row.Bytes, row.Measured = 1, figure(k.Size), measuredYes
			}
		}
	}
	var err error
	if row.Path, err = s.keeper.Seal(row.CustomerID, ad("restore_basket", "path", row.ID), p); err != nil {
		return fmt.Errorf("backups: basket: %w", err)
	}
	return db.Insert(tx, &row)
}

// knownType reports whether t is a type of node that lists show.
func knownType(t wire.NodeType) bool {
	switch t {
	case wire.NodeFile, wire.NodeDir, wire.NodeSymlink, wire.NodeDevice, wire.NodeCharDev, wire.NodeFIFO, wire.NodeSocket, wire.NodeIrregular:
		return true
	}
	return false
}

// BasketRemove takes items out by their ids and returns the basket; an id that
// is not in it changes nothing. Permission: restore.run; staff by an open
// assist only.
func (s *Service) BasketRemove(ctx context.Context, scope policy.Scope, customer string, ids []string) (Basket, error) {
	err := s.changeBasket(ctx, scope, customer, func(tx *db.Tx, person, customer string) error {
		for _, id := range ids {
			if err := dropItem(tx, person, customer, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Basket{}, err
	}
	return s.Basket(ctx, scope, customer)
}

// BasketClear empties the actor's basket. Permission: restore.run; staff by an
// open assist only.
func (s *Service) BasketClear(ctx context.Context, scope policy.Scope, customer string) error {
	return s.changeBasket(ctx, scope, customer, clearBasket)
}

func (s *Service) changeBasket(ctx context.Context, scope policy.Scope, customer string, change func(tx *db.Tx, person, customer string) error) error {
	a, _ := controlplane.ActorFrom(ctx)
	return s.db.Write(ctx, func(tx *db.Tx) error {
		customer, err := s.owned(tx, scope, customer)
		if err != nil {
			return err
		}
		tx.AfterCommit(func() { s.opts.Bus.Publish(basketTopic(a.ID)) })
		return change(tx, a.ID, customer)
	})
}

// BasketCount returns how many items the actor's basket holds. Permission:
// restore.run; staff by an open assist only.
func (s *Service) BasketCount(ctx context.Context, scope policy.Scope, customer string) (int, error) {
	a, _ := controlplane.ActorFrom(ctx)
	var n int64
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		customer, err := s.owned(tx, scope, customer)
		if err != nil {
			return err
		}
		n, err = basketSize(tx, a.ID, customer)
		return err
	})
	return int(n), err
}
