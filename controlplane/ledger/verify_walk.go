package ledger

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// walk goes over the leaves of one log in their order.
type walk struct {
	*verifier
	lg     logRow
	vkey   string
	known  []Checkpoint
	tree   *tree
	chains chains

	next   int64   // the place that comes next
	last   Problem // names the leaf before it
	good   int64   // the tree of this size matched a signed checkpoint
	first  Problem // names the first leaf after good
	broken bool    // a change of the tree was told; roots would only repeat it
	lost   bool    // a leaf and its hash are gone: the tree cannot be computed
}

// page is what the database holds about some leaves.
type page struct {
	entries     map[string]entryRow
	personal    map[string][]personalRow
	hashes      map[int64][]byte
	checkpoints map[int64]checkpointRow
}

func (w *walk) problem(p Problem) {
	p.Generation = w.lg.Generation
	w.report.add(p)
}

func (w *walk) page(rows []leafRow) error {
	end := rows[len(rows)-1].LeafIndex + 1
	var pg page
	var err error
	if pg.entries, err = entriesByID(w.tx, rows); err != nil {
		return err
	}
	ids := make([]string, 0, len(rows))
	for _, r := range rows {
		ids = append(ids, r.EntryID)
	}
	if pg.personal, err = personalByEntry(w.tx, ids); err != nil {
		return err
	}
	if pg.hashes, err = hashRange(w.tx, w.lg.Generation, tlog.StoredHashIndex(0, w.next), tlog.StoredHashIndex(0, end)); err != nil {
		return err
	}
	signed, err := checkpointRange(w.tx, w.lg.Generation, w.next, end)
	if err != nil {
		return err
	}
	pg.checkpoints = make(map[int64]checkpointRow, len(signed))
	for _, c := range signed {
		pg.checkpoints[c.Size] = c
	}
	for _, row := range rows {
		if err := w.gap(row.LeafIndex, pg); err != nil {
			return err
		}
		if w.next == w.good {
			w.first = Problem{Entry: row.EntryID, Leaf: row.LeafIndex}
		}
		if err := w.leaf(row, pg); err != nil {
			return err
		}
	}
	return nil
}

// gap tells of leaves that are missing before the place until. Where their
// hashes are still there, the tree goes on with those.
func (w *walk) gap(until int64, pg page) error {
	for told := 0; w.next < until; w.next++ {
		p := Problem{Leaf: w.next}
		if told++; told <= maxProblems {
			var err error
			if p, err = w.missing(w.next); err != nil {
				return err
			}
			w.problem(p.with("it is missing from the tree's leaves"))
		}
		stored := pg.hashes[tlog.StoredHashIndex(0, w.next)]
		if len(stored) != tlog.HashSize {
			w.lost, w.next = true, until
			return nil
		}
		if err := w.grow(tlog.Hash(stored), p, pg); err != nil {
			return err
		}
		if err := w.checkpoints(w.next+1, p, pg); err != nil {
			return err
		}
	}
	return nil
}

// missing names the entry that stood at a place, if its row is there.
func (w *walk) missing(n int64) (Problem, error) {
	row, ok, err := entryAt(w.tx, w.lg.Generation, n)
	p := Problem{Leaf: n}
	if ok {
		p = problemOf(row, n)
	}
	return p, err
}

// checkpoints compares the tree of a size with the checkpoint signed at that
// size and with those that were handed out earlier.
func (w *walk) checkpoints(size int64, p Problem, pg page) error {
	for _, c := range w.known {
		if c.Size == size {
			if err := w.compare(c, p); err != nil {
				return err
			}
		}
	}
	row, ok := pg.checkpoints[size]
	if !ok {
		return nil
	}
	w.report.Checkpoints++
	c, err := OpenCheckpoint(row.Note, w.vkey)
	switch {
	case err != nil:
		w.problem(p.with("the checkpoint of size %d that ends with it is forged or damaged: %v", size, err))
		return nil
	case c.Size != size:
		w.problem(p.with("the checkpoint that ends with it is of size %d, and stands at size %d", c.Size, size))
		return nil
	}
	return w.compare(c, p)
}

func (w *walk) compare(c Checkpoint, p Problem) error {
	if w.lost || w.broken {
		return nil // told already
	}
	root, err := w.tree.root()
	if err != nil {
		return err
	}
	if root == c.Root {
		w.good = c.Size
		return nil
	}
	w.broken = true
	first := w.first
	if first.Entry == "" {
		first = p
	}
	w.problem(first.with("it or another of the leaves %d to %d was changed together with the tree: the root is not the one signed at size %d", w.good, c.Size-1, c.Size))
	return nil
}

// end compares what lies beyond the last leaf, and the log's other rows.
func (w *walk) end() error {
	if err := w.tail(); err != nil {
		return err
	}
	if w.lg.Size != w.next {
		w.problem(Problem{Leaf: -1, What: fmt.Sprintf("the log's row says %d leaves, and there are %d", w.lg.Size, w.next)})
	}
	rows, err := allChains(w.tx, w.lg.Generation)
	if err != nil {
		return err
	}
	w.report.Chains += int64(len(w.chains))
	seen := 0
	for _, r := range rows {
		c, ok := w.chains[r.CustomerID]
		if ok {
			seen++
		}
		if !ok || !c.same(r) {
			w.problem(Problem{Leaf: -1, What: fmt.Sprintf("the stored head of the chain of customer %q does not match its entries", r.CustomerID)})
		}
	}
	if seen != len(w.chains) {
		w.problem(Problem{Leaf: -1, What: fmt.Sprintf("the stored heads of %d customers' chains are missing", len(w.chains)-seen)})
	}
	extra, err := hashesOutside(w.tx, w.lg.Generation, tlog.StoredHashCount(w.next))
	if err != nil {
		return err
	}
	if extra > 0 {
		w.problem(Problem{Leaf: -1, What: fmt.Sprintf("%d stored hashes belong to no leaf", extra)})
	}
	return nil
}

// tail looks for leaves that a checkpoint covers and that are gone, and for
// leaves that no checkpoint covers.
func (w *walk) tail() error {
	p, err := w.missing(w.next)
	if err != nil {
		return err
	}
	for _, c := range w.known {
		if c.Size > w.next {
			w.problem(p.with("it and everything after it is missing: a checkpoint that was handed out covers %d leaves", c.Size))
			break
		}
	}
	beyond, err := checkpointsOutside(w.tx, w.lg.Generation, w.next)
	if err != nil {
		return err
	}
	for _, row := range beyond {
		c, err := OpenCheckpoint(row.Note, w.vkey)
		switch {
		case err != nil:
			w.problem(w.last.with("the checkpoint of size %d is forged or damaged: %v", row.Size, err))
		case c.Size != row.Size:
			w.problem(w.last.with("a checkpoint of size %d stands at size %d", c.Size, row.Size))
		default:
			w.problem(p.with("it and everything after it is missing: the signed checkpoint covers %d leaves", c.Size))
		}
	}
	newest, ok, err := newestCheckpoint(w.tx, w.lg.Generation)
	if err != nil {
		return err
	}
	if (!ok || newest.Size < w.next) && w.next > 0 {
		w.problem(w.last.with("no signed checkpoint covers it"))
	}
	return nil
}
