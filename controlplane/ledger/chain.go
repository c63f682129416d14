package ledger

import (
	"encoding/hex"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// chain is the state of one customer's chain while it is checked.
type chain struct {
	size int64
	head tlog.Hash
}

// chains follows every customer's chain of one log.
type chains map[string]chain

// check compares a leaf with the end of its customer's chain and goes on from
// the leaf, so that one break is told once.
func (cs chains) check(l leaf, hash tlog.Hash) error {
	c := cs[l.Customer]
	cs[l.Customer] = chain{size: l.Seq + 1, head: hash}
	if l.Seq != c.size {
		return fmt.Errorf("its number in the customer's chain is %d, and %d comes next: an entry was left out or moved", l.Seq, c.size)
	}
	if l.Prev != hex.EncodeToString(c.head[:]) {
		return fmt.Errorf("it does not follow the entry before it in the customer's chain: that one was changed or exchanged")
	}
	return nil
}

// tree computes a log's tree from its leaves alone, keeping only what the next
// leaf needs.
type tree struct {
	size  int64
	known *hashes
}

func newTree() *tree { return &tree{known: newHashes(nil, 0)} }

// add adds a leaf hash and returns the stored hashes it gives, from index
// tlog.StoredHashIndex(0, n) on.
func (t *tree) add(hash tlog.Hash) ([]tlog.Hash, error) {
	stored, err := tlog.StoredHashesForRecordHash(t.size, hash, t.known)
	if err != nil {
		return nil, err
	}
	first := tlog.StoredHashIndex(0, t.size)
	for i, h := range stored {
		t.known.known[first+int64(i)] = h
	}
	t.size++
	if t.size%1024 == 0 {
		return stored, t.prune()
	}
	return stored, nil
}

// prune forgets every hash but the roots of the complete subtrees.
func (t *tree) prune() error {
	keep := map[int64]tlog.Hash{}
	_, err := tlog.TreeHash(t.size, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hs, err := t.known.ReadHashes(indexes)
		for i, h := range hs {
			keep[indexes[i]] = h
		}
		return hs, err
	}))
	t.known.known = keep
	return err
}

func (t *tree) root() (tlog.Hash, error) { return tlog.TreeHash(t.size, t.known) }
