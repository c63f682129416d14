package ledger

import (
	"context"
	"fmt"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// VerifyOptions says what a verification compares with besides the database.
type VerifyOptions struct {
	// Known are signed checkpoints that were handed out earlier: with one, even
	// a log whose end was cut off together with its checkpoints is found out.
	Known []string
}

// Verify reads the whole ledger in one snapshot and computes everything again:
// every leaf's hash and the tree above it against the stored ones and against
// every signed checkpoint, every customer's chain, every row against its leaf,
// and every personal value against its commitment. The report names the first
// entry that differs, and how. What it finds is no error.
//
// Errors: forbidden unless the scope reaches every customer.
func (l *Ledger) Verify(ctx context.Context, scope policy.Scope, o VerifyOptions) (Report, error) {
	if !scope.All() {
		return Report{}, controlplane.Errorf(controlplane.CodeForbidden, "Export your bundle and verify it: it needs nothing from us.", "The whole log is verified by the hosting company's staff")
	}
	r := Report{Origin: l.signer.name, Key: l.key}
	err := l.d.Read(ctx, func(tx *db.Tx) error {
		v := &verifier{l: l, tx: tx, report: &r, forgotten: map[string]bool{}}
		return v.all(o)
	})
	if err != nil {
		return Report{}, fmt.Errorf("ledger: verify: %w", err)
	}
	r.sort()
	return r, nil
}

// verifier is one verification of everything.
type verifier struct {
	l      *Ledger
	tx     *db.Tx
	report *Report
	// forgotten holds customer/entry of every entry whose personal values were
	// forgotten, as the log itself says; gone are values that are not there.
	forgotten map[string]bool
	gone      []Problem
	goneKeys  []string
}

func (v *verifier) all(o VerifyOptions) error {
	logs, err := allLogs(v.tx)
	if err != nil {
		return err
	}
	found := false
	for _, lg := range logs {
		found = found || lg.Generation == v.l.generation
		known, err := v.known(o, lg)
		if err != nil {
			return err
		}
		if err := v.log(lg, known); err != nil {
			return fmt.Errorf("log %s: %w", lg.Origin, err)
		}
	}
	if !found {
		v.report.add(Problem{Leaf: -1, What: fmt.Sprintf("the row of the log %s is missing", v.l.signer.name)})
	}
	if err := v.pending(); err != nil {
		return err
	}
	for i, p := range v.gone {
		if v.forgotten[v.goneKeys[i]] {
			v.report.Forgotten++
		} else {
			v.report.add(p)
		}
	}
	return v.strays()
}

// known opens the checkpoints of one log that were handed out earlier.
func (v *verifier) known(o VerifyOptions, lg logRow) ([]Checkpoint, error) {
	vkey, err := v.l.vkeyOf(lg.Generation)
	if err != nil {
		return nil, err
	}
	var cs []Checkpoint
	for _, signed := range o.Known {
		if c, err := OpenCheckpoint([]byte(signed), vkey); err == nil {
			cs = append(cs, c)
		}
	}
	return cs, nil
}

// log verifies one generation.
func (v *verifier) log(lg logRow, known []Checkpoint) error {
	vkey, err := v.l.vkeyOf(lg.Generation)
	if err != nil {
		return err
	}
	w := &walk{verifier: v, lg: lg, vkey: vkey, known: known, tree: newTree(), chains: chains{}}
	if want := originOf(v.l.base, lg.Generation); lg.Origin != want {
		w.problem(Problem{Leaf: -1, What: fmt.Sprintf("the log calls itself %q, and its name is %q", lg.Origin, want)})
	}
	for {
		rows, err := leavesFrom(v.tx, lg.Generation, w.next, maxLeaves, nil, batchSize/2)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			break
		}
		if err := w.page(rows); err != nil {
			return err
		}
	}
	if err := w.end(); err != nil {
		return err
	}
	if lg.Generation == v.l.generation {
		v.report.Size = w.next
	}
	return nil
}

// maxLeaves bounds the places that a leaf can have.
const maxLeaves = 1 << 50

// pending looks at the entries that have no place yet.
func (v *verifier) pending() error {
	after := ""
	for {
		rows, err := pendingAfter(v.tx, after, batchSize/2)
		if err != nil || len(rows) == 0 {
			return err
		}
		ids := make([]string, 0, len(rows))
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		personal, err := personalByEntry(v.tx, ids)
		if err != nil {
			return err
		}
		for _, r := range rows {
			v.report.Pending++
			p := Problem{Entry: r.ID, Leaf: -1, At: controlplane.FromMillis(r.At)}
			v.forget(leaf{Kind: r.Kind, Customer: r.CustomerID, Data: r.Data})
			if err := v.personal(p, leaf{Customer: r.CustomerID, ID: r.ID, Commitments: r.Commitments}, personal[r.ID]); err != nil {
				return err
			}
		}
		after = rows[len(rows)-1].ID
	}
}

// strays looks for rows that belong to nothing.
func (v *verifier) strays() error {
	entries, err := entriesWithoutLeaf(v.tx)
	if err != nil {
		return err
	}
	for _, r := range entries {
		v.report.add(Problem{Generation: r.Generation, Entry: r.ID, Leaf: max(-1, r.LeafIndex), At: controlplane.FromMillis(r.At),
			What: "its row says that it has a place in the tree, and the tree does not have it"})
	}
	if entries, err = pendingWithLeaf(v.tx); err != nil {
		return err
	}
	for _, r := range entries {
		v.report.add(Problem{Entry: r.ID, Leaf: -1, At: controlplane.FromMillis(r.At), What: "a row of it waits for a place in the tree, and it has one"})
	}
	personal, err := personalWithoutEntry(v.tx)
	if err != nil {
		return err
	}
	for _, r := range personal {
		v.report.add(Problem{Entry: r.EntryID, Leaf: -1, What: fmt.Sprintf("there is a personal value %s of it, and there is no such entry", r.Name)})
	}
	orphans, err := orphanRows(v.tx)
	if err != nil {
		return err
	}
	for _, table := range orphans {
		v.report.add(Problem{Leaf: -1, What: fmt.Sprintf("table %s has rows that belong to no log", table)})
	}
	return nil
}
