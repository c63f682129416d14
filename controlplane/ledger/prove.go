package ledger

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Proof shows that an entry is in the log: its leaf, its place, and the way
// from there to the root that the checkpoint signs. Verify checks it without
// any database.
type Proof struct {
	Entry      string   `json:"entry"`
	Leaf       string   `json:"leaf"` // canonical JSON
	Index      int64    `json:"index"`
	Hashes     [][]byte `json:"hashes"`
	Checkpoint string   `json:"checkpoint"` // signed note
	Key        string   `json:"key"`        // verifier key; compare it with one from elsewhere
}

// Prove returns the inclusion proof of an entry under the newest checkpoint.
//
// Errors: not_found, also outside the scope; conflict while the entry has no
// place yet.
func (l *Ledger) Prove(ctx context.Context, scope policy.Scope, id string) (p Proof, err error) {
	err = l.d.Read(ctx, func(tx *db.Tx) error {
		row, err := entryByID(tx, scope, id)
		if err == nil {
			err = mayRead(ctx, row)
		}
		if err != nil {
			return err
		}
		if row.LeafIndex < 0 {
			return controlplane.Errorf(controlplane.CodeConflict, "Try again in a second.", "The entry has no place in the log yet")
		}
		c, signed, err := l.newestOf(tx, row.Generation)
		if err != nil {
			return err
		}
		leaf, err := leafOfEntry(tx, id)
		if err != nil {
			return err
		}
		p = Proof{Entry: id, Leaf: string(leaf.Leaf), Index: leaf.LeafIndex, Checkpoint: string(signed)}
		if p.Key, err = l.vkeyOf(row.Generation); err != nil {
			return err
		}
		p.Hashes, err = inclusion(tx, row.Generation, c.Size, leaf.LeafIndex)
		return err
	})
	if err != nil {
		return Proof{}, fmt.Errorf("ledger: prove: %w", err)
	}
	return p, nil
}

// newestOf returns the newest checkpoint of a generation, checked.
func (l *Ledger) newestOf(tx *db.Tx, generation int64) (Checkpoint, []byte, error) {
	row, ok, err := newestCheckpoint(tx, generation)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	if !ok {
		return Checkpoint{}, nil, controlplane.NotFound("checkpoint")
	}
	vkey, err := l.vkeyOf(generation)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	c, err := OpenCheckpoint(row.Note, vkey)
	return c, row.Note, err
}

func inclusion(tx *db.Tx, generation, size, index int64) ([][]byte, error) {
	proof, err := tlog.ProveRecord(size, index, newHashes(tx, generation))
	return flat(proof), err
}

// LeafHash returns the leaf's hash (RFC 6962): what the tree is made of.
func (p Proof) LeafHash() tlog.Hash { return tlog.RecordHash([]byte(p.Leaf)) }

// Verify checks the proof against a verifier key that the reader trusts.
func (p Proof) Verify(vkey string) error {
	c, err := OpenCheckpoint([]byte(p.Checkpoint), vkey)
	if err != nil {
		return err
	}
	return p.check(c)
}

func (p Proof) check(c Checkpoint) error {
	hashes, err := unflat(p.Hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(tlog.RecordProof(hashes), c.Size, c.Root, p.Index, tlog.RecordHash([]byte(p.Leaf))); err != nil {
		return fmt.Errorf("ledger: entry %s (leaf %d) is not under this checkpoint of %d leaves", p.Entry, p.Index, c.Size)
	}
	parsed, err := parseLeaf([]byte(p.Leaf))
	if err != nil {
		return fmt.Errorf("ledger: leaf %d: %w", p.Index, err)
	}
	if parsed.ID != p.Entry {
		return fmt.Errorf("ledger: the leaf is of entry %s, and the proof says %s", parsed.ID, p.Entry)
	}
	return nil
}

// ConsistencyProof shows that the log at one size begins with the log at an
// older size: nothing before was changed or removed.
type ConsistencyProof struct {
	Old        int64    `json:"old"`
	New        int64    `json:"new"`
	Hashes     [][]byte `json:"hashes"`
	Checkpoint string   `json:"checkpoint"` // signed note of the new size
}

// Consistency returns the proof between two sizes of the newest log; size 0 for
// newSize is the newest checkpoint.
//
// Errors: invalid for sizes that make no sense, not_found where no checkpoint
// has the new size.
func (l *Ledger) Consistency(ctx context.Context, oldSize, newSize int64) (p ConsistencyProof, err error) {
	err = l.d.Read(ctx, func(tx *db.Tx) error {
		row, ok, err := checkpointOfSize(tx, l.generation, newSize)
		if newSize == 0 {
			row, ok, err = newestCheckpoint(tx, l.generation)
		}
		if err != nil {
			return err
		}
		if !ok {
			return controlplane.NotFound("checkpoint")
		}
		if oldSize < 1 || oldSize > row.Size {
			return controlplane.Errorf(controlplane.CodeInvalid, "Give the size of a checkpoint that is not newer.", "A log of %d leaves has no older state of %d", row.Size, oldSize)
		}
		proof, err := tlog.ProveTree(row.Size, oldSize, newHashes(tx, l.generation))
		p = ConsistencyProof{Old: oldSize, New: row.Size, Hashes: flat(proof), Checkpoint: string(row.Note)}
		return err
	})
	if err != nil {
		return ConsistencyProof{}, fmt.Errorf("ledger: consistency: %w", err)
	}
	return p, nil
}

// Verify checks the proof from an older signed checkpoint to the new one.
func (p ConsistencyProof) Verify(oldCheckpoint []byte, vkey string) error {
	before, err := OpenCheckpoint(oldCheckpoint, vkey)
	if err != nil {
		return err
	}
	after, err := OpenCheckpoint([]byte(p.Checkpoint), vkey)
	if err != nil {
		return err
	}
	hashes, err := unflat(p.Hashes)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(tlog.TreeProof(hashes), after.Size, after.Root, before.Size, before.Root); err != nil {
		return fmt.Errorf("ledger: the log of %d leaves does not begin with the log of %d leaves", after.Size, before.Size)
	}
	return nil
}

// DailyHead is the last entry of a customer's chain on one day (UTC, by the
// entries' own times). Who holds it can tell that nothing before was left out.
type DailyHead struct {
	Day        string // "2026-11-20"
	Generation int64
	Seq        int64 // entries of the chain up to here, less one
	Leaf       int64
	Head       tlog.Hash // the leaf's hash
}

// DailyHeads returns a customer's daily heads since an instant, oldest first.
// Customer "" is the company's own chain, for scopes over every customer.
func (l *Ledger) DailyHeads(ctx context.Context, scope policy.Scope, customer string, since time.Time) (heads []DailyHead, err error) {
	if !scope.Allows(customer) {
		return nil, controlplane.NotFound("customer")
	}
	since = within(ctx, Filter{Since: since}).Since
	err = l.d.Read(ctx, func(tx *db.Tx) error {
		heads = nil
		rows, err := dailyHeads(tx, customer, controlplane.Millis(since))
		for _, r := range rows {
			heads = append(heads, DailyHead{
				Day:        time.UnixMilli(r.Day * dayMillis).UTC().Format(time.DateOnly),
				Generation: r.Generation, Seq: r.Seq, Leaf: r.LeafIndex, Head: tlog.RecordHash(r.Leaf),
			})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: daily heads: %w", err)
	}
	return headsWithin(ctx, heads), nil
}

func flat(hashes []tlog.Hash) [][]byte {
	out := make([][]byte, 0, len(hashes))
	for _, h := range hashes {
		out = append(out, append([]byte(nil), h[:]...))
	}
	return out
}

func unflat(hashes [][]byte) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, 0, len(hashes))
	for _, h := range hashes {
		if len(h) != tlog.HashSize {
			return nil, fmt.Errorf("ledger: a hash of the proof has %d bytes, want %d", len(h), tlog.HashSize)
		}
		out = append(out, tlog.Hash(h))
	}
	return out, nil
}
