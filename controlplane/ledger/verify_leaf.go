package ledger

import (
	"bytes"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"ostler/controlplane"
	"ostler/controlplane/secrets"
)

// leaf checks the leaf at its place; the walk goes on from what the tree says,
// so that a change is told where it is and not again after it.
func (w *walk) leaf(row leafRow, pg page) error {
	n := row.LeafIndex
	hash := tlog.RecordHash(row.Leaf)
	p := Problem{Generation: w.lg.Generation, Entry: row.EntryID, Leaf: n}
	parsed, parseErr := parseLeaf(row.Leaf)
	if parseErr == nil {
		p.At = controlplane.FromMillis(parsed.At)
	} else if e, ok := pg.entries[row.EntryID]; ok {
		p.At = controlplane.FromMillis(e.At)
	}
	w.report.Leaves++
	w.last, w.next = p, n+1
	stored := pg.hashes[tlog.StoredHashIndex(0, n)]
	same := bytes.Equal(stored, hash[:])
	if !same {
		w.broken = true
		w.problem(p.with("its stored content does not match the tree"))
		if len(stored) == tlog.HashSize {
			hash = tlog.Hash(stored)
		}
	}
	if err := w.grow(hash, p, pg); err != nil {
		return err
	}
	switch {
	case parseErr != nil && same:
		w.problem(p.with("%v", parseErr))
	case parseErr == nil:
		c := w.chains[parsed.Customer]
		if err := w.chains.check(parsed, hash); err != nil && same {
			w.problem(p.with("%v", err))
		}
		if same {
			w.rows(row, parsed, c, p, pg)
			w.forget(parsed)
			if err := w.personal(p, parsed, pg.personal[parsed.ID]); err != nil {
				return err
			}
		}
	}
	return w.checkpoints(n+1, p, pg)
}

// grow adds a leaf's hash to the computed tree and compares the nodes that it
// completes.
func (w *walk) grow(hash tlog.Hash, p Problem, pg page) error {
	if w.lost {
		return nil
	}
	nodes, err := w.tree.add(hash)
	if err != nil {
		return err
	}
	first := tlog.StoredHashIndex(0, p.Leaf)
	for i := 1; i < len(nodes); i++ {
		if got := pg.hashes[first+int64(i)]; !bytes.Equal(got, nodes[i][:]) && !w.broken {
			w.broken = true
			w.problem(p.with("the stored tree over leaves %d to %d does not match their contents", p.Leaf+1-1<<i, p.Leaf))
		}
	}
	return nil
}

// rows compares the columns with what the leaf says.
func (w *walk) rows(row leafRow, l leaf, c chain, p Problem, pg page) {
	if row.EntryID != l.ID || row.CustomerID != l.Customer || row.Seq != l.Seq {
		w.problem(p.with("the place it stands in belongs to entry %s (number %d of its customer's chain)", l.ID, l.Seq))
		return
	}
	e, ok := pg.entries[row.EntryID]
	if !ok {
		w.problem(p.with("its row is missing"))
		return
	}
	var diff []string
	for _, column := range []struct {
		name string
		same bool
	}{
		{"customer", e.CustomerID == l.Customer}, {"server", e.ServerID == l.Server}, {"subject", e.Subject == l.Subject},
		{"kind", e.Kind == l.Kind}, {"actor", e.ActorKind == l.Actor.Kind && e.ActorID == l.Actor.ID}, {"time", e.At == l.At},
		{"data", bytes.Equal(e.Data, l.Data)}, {"commitments", bytes.Equal(e.Commitments, l.Commitments)},
		{"place", e.Generation == w.lg.Generation && e.LeafIndex == row.LeafIndex && e.Seq == l.Seq},
	} {
		if !column.same {
			diff = append(diff, column.name)
		}
	}
	if len(diff) > 0 {
		w.problem(p.with("its row differs from its leaf: %s", strings.Join(diff, ", ")))
	}
}

// personal compares an entry's personal values with its commitments. A value
// that is not there must have been forgotten, which is known at the end only.
func (v *verifier) personal(p Problem, l leaf, rows []personalRow) error {
	commitments, err := l.commitments()
	if err != nil {
		v.report.add(p.with("%v", err))
		return nil
	}
	for _, row := range rows {
		want, ok := commitments[row.Name]
		delete(commitments, row.Name)
		if !ok || row.CustomerID != l.Customer {
			v.report.add(p.with("it has a personal value %s that it does not commit to", row.Name))
			continue
		}
		salt, value, err := v.l.openPersonal(row)
		switch {
		case erased(err):
			v.report.Forgotten++
		case errors.Is(err, secrets.ErrOpen) || errors.Is(err, secrets.ErrNoKey):
			v.report.add(p.with("its personal value %s does not open: it was changed, or sealed elsewhere", row.Name))
		case err != nil:
			return err
		case !hmac.Equal(commit(salt, value), want):
			v.report.add(p.with("its personal value %s is not the one it commits to", row.Name))
		default:
			v.report.Personal++
		}
	}
	for name := range commitments {
		v.gone = append(v.gone, p.with("its personal value %s is missing, and no entry says that it was forgotten", name))
		v.goneKeys = append(v.goneKeys, l.Customer+"/"+l.ID)
	}
	return nil
}

// forget notes which entries the log says were forgotten.
func (v *verifier) forget(l leaf) {
	if l.Kind != KindForgotten {
		return
	}
	var data struct {
		Entries []string `json:"entries"`
	}
	if json.Unmarshal(l.Data, &data) != nil {
		return // told as a row or leaf that differs
	}
	for _, id := range data.Entries {
		v.forgotten[l.Customer+"/"+id] = true
	}
}

func (p Problem) with(format string, args ...any) Problem {
	p.What = fmt.Sprintf(format, args...)
	return p
}

// sameHead compares a stored chain with the computed one.
func (c chain) same(r chainRow) bool {
	return r.Size == c.size && hex.EncodeToString(r.Head) == hex.EncodeToString(c.head[:])
}
