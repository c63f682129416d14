package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

const (
	batchSize     = 1000
	sweepEvery    = 500 * time.Millisecond // the longest wait of an entry whose wake-up was lost
	leaseDuration = 3 * time.Second
)

// missingHash says that a stored hash of the tree is gone.
type missingHash struct{ index int64 }

func (e *missingHash) Error() string {
	return fmt.Sprintf("stored hash %d of the tree is missing", e.index)
}

// Run sequences until ctx ends: when the bus wakes it, at most twice a second,
// and by a sweep. One replica at a time does it, by a lease.
func (l *Ledger) Run(ctx context.Context) error {
	ctx = controlplane.System(ctx, "ledger")
	var wake <-chan string
	if l.bus != nil {
		ch, cancel := l.bus.Subscribe(Topic)
		defer cancel()
		wake = ch
	}
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		if _, err := l.passes(ctx, false); err != nil && ctx.Err() == nil {
			l.log.ErrorContext(ctx, "ledger.sequence", "error", err)
		}
		if !rest(ctx, sweepEvery/2) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-sweep.C:
		}
	}
}

// rest waits, so that entries that come together share a checkpoint; it
// reports false where ctx ended.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Sequence gives every committed entry its place, now, whoever has the lease.
// It returns how many it placed.
func (l *Ledger) Sequence(ctx context.Context) (n int, err error) {
	return l.passes(controlplane.System(ctx, "ledger"), true)
}

func (l *Ledger) passes(ctx context.Context, force bool) (n int, err error) {
	for {
		placed, err := l.pass(ctx, force)
		n += placed
		if err != nil {
			return n, fmt.Errorf("ledger: sequence: %w", err)
		}
		if placed < batchSize {
			return n, nil
		}
	}
}

// pass places one batch in one transaction: leaves, hashes, chains, checkpoint
// and size commit together or not at all. The log's row is locked, and its size
// is compared once more when it is set, so two sequencers never both win. READ
// COMMITTED is enough under that lock, and keeps the sequencer out of the
// serialization conflicts of everybody who appends.
func (l *Ledger) pass(ctx context.Context, force bool) (n int, err error) {
	waiting := false
	err = l.d.Read(ctx, func(tx *db.Tx) error {
		rows, err := pendingAfter(tx, "", 1)
		waiting = len(rows) > 0
		return err
	})
	if err != nil || !waiting {
		return 0, err
	}
	err = l.d.Claim(ctx, func(tx *db.Tx) error {
		n = 0
		lg, ok, err := l.lockLog(tx, force)
		if err != nil || !ok {
			return err
		}
		rows, err := pendingAfter(tx, "", batchSize)
		if err != nil || len(rows) == 0 {
			return err
		}
		n = len(rows)
		slices.SortFunc(rows, func(a, b entryRow) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) })
		return l.sequence(tx, lg, rows)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// lockLog locks the log's row; ok is false where another sequencer is at work.
func (l *Ledger) lockLog(tx *db.Tx, force bool) (row logRow, ok bool, err error) {
	newest, ok, err := newestLog(tx)
	if err != nil {
		return row, false, err
	}
	if !ok || newest.Generation != l.generation {
		return row, false, controlplane.Errorf(controlplane.CodeConflict, "Start this control plane again, so that it writes to the newest log.",
			"The log %s is no longer the newest of this database", l.signer.name)
	}
	rows, err := lockedLog(tx, l.generation, force)
	if err != nil || len(rows) == 0 {
		return row, false, err
	}
	row = rows[0]
	if !force && row.LeaseHolder != l.holder && row.LeaseUntil > tx.NowMillis() {
		return row, false, nil
	}
	row.LeaseHolder, row.LeaseUntil = l.holder, tx.Now.Add(leaseDuration).UnixMilli()
	return row, true, nil
}

// batch is what one pass adds to a log.
type batch struct {
	log    logRow
	hashes *hashes
	chains map[string]chainRow

	leaves []leafRow
	stored []hashRow
}

// sequence places rows after the leaves of lg.
func (l *Ledger) sequence(tx *db.Tx, lg logRow, rows []entryRow) error {
	b := &batch{log: lg, hashes: newHashes(tx, lg.Generation)}
	if err := l.checkHead(tx, b); err != nil {
		return err
	}
	seen := map[string]bool{}
	var customers []string
	for _, r := range rows {
		if !seen[r.CustomerID] {
			seen[r.CustomerID] = true
			customers = append(customers, r.CustomerID)
		}
	}
	var err error
	if b.chains, err = chainsOf(tx, lg.Generation, customers); err != nil {
		return err
	}
	for _, r := range rows {
		if err := b.add(r); err != nil {
			return fmt.Errorf("entry %s: %w", r.ID, err)
		}
	}
	size := lg.Size + int64(len(rows))
	root, err := tlog.TreeHash(size, b.hashes)
	if err != nil {
		return err
	}
	signed, err := l.signer.sign(Checkpoint{Origin: lg.Origin, Size: size, Root: root})
	if err != nil {
		return err
	}
	return b.store(tx, customers, checkpointRow{Generation: lg.Generation, Size: size, Note: signed})
}

// checkHead refuses to sign anything on top of a tree that no longer matches
// its newest checkpoint.
func (l *Ledger) checkHead(tx *db.Tx, b *batch) error {
	if b.log.Size == 0 {
		return nil
	}
	root, err := tlog.TreeHash(b.log.Size, b.hashes)
	if err != nil {
		return err
	}
	row, ok, err := newestCheckpoint(tx, b.log.Generation)
	if err != nil {
		return err
	}
	c, err := OpenCheckpoint(row.Note, l.key)
	if !ok || err != nil || c.Size != b.log.Size || c.Root != root {
		return controlplane.Errorf(controlplane.CodeConflict, "Run ostler ledger verify: it names the first entry that was changed.",
			"The log no longer matches its newest checkpoint, and nothing is added to it").Because(err)
	}
	return nil
}

// add gives one row its leaf.
func (b *batch) add(r entryRow) error {
	index := b.log.Size + int64(len(b.leaves))
	chain := b.chains[r.CustomerID]
	var prev tlog.Hash
	copy(prev[:], chain.Head)
	raw := leafOf(r, chain.Size, prev).bytes()
	hash := tlog.RecordHash(raw)
	stored, err := tlog.StoredHashesForRecordHash(index, hash, b.hashes)
	if err != nil {
		return err
	}
	first := tlog.StoredHashIndex(0, index)
	for i, h := range stored {
		b.hashes.known[first+int64(i)] = h
		b.stored = append(b.stored, hashRow{Generation: b.log.Generation, Idx: first + int64(i), Hash: append([]byte(nil), h[:]...)})
	}
	b.leaves = append(b.leaves, leafRow{Generation: b.log.Generation, LeafIndex: index, EntryID: r.ID, CustomerID: r.CustomerID, Seq: chain.Size, Leaf: raw})
	b.chains[r.CustomerID] = chainRow{Generation: b.log.Generation, CustomerID: r.CustomerID, Size: chain.Size + 1, Head: hash[:]}
	return nil
}
