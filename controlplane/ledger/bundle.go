package ledger

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// BundleOptions says what goes into a bundle.
type BundleOptions struct {
	// Customer is whose chain goes in, each leaf with its inclusion proof. ""
	// is the whole log, every leaf of every chain with every checkpoint, which
	// needs a scope over every customer.
	Customer string
	// Personal adds salts and values, so that the reader can compare them with
	// the commitments. The file then holds personal data.
	Personal bool
}

// bundleVersion is the version of the bundle's form.
const bundleVersion = 1

// A bundle is lines of JSON: a header, then for each leaf a leaf line, its
// personal lines, and in whole bundles the checkpoint lines that end with it.
// It verifies without any database.
type bundleLine struct {
	Type string `json:"type"` // bundle, leaf, personal, checkpoint

	// bundle
	Version    int    `json:"version,omitempty"`
	Origin     string `json:"origin,omitempty"`
	Key        string `json:"key,omitempty"`
	Scope      string `json:"scope,omitempty"` // log, customer
	Customer   string `json:"customer,omitempty"`
	Count      int64  `json:"count,omitempty"`      // leaves that follow
	Checkpoint string `json:"checkpoint,omitempty"` // signed note; also of checkpoint lines

	// leaf
	Index int64    `json:"index,omitempty"`
	Leaf  string   `json:"leaf,omitempty"`  // canonical JSON
	Hash  []byte   `json:"hash,omitempty"`  // in whole bundles: tells which leaf was changed
	Proof [][]byte `json:"proof,omitempty"` // in customers' bundles

	// personal
	Entry string `json:"entry,omitempty"`
	Name  string `json:"name,omitempty"`
	Salt  []byte `json:"salt,omitempty"`
	Value string `json:"value,omitempty"`
}

// The types of lines and the scopes of bundles.
const (
	lineBundle     = "bundle"
	lineLeaf       = "leaf"
	linePersonal   = "personal"
	lineCheckpoint = "checkpoint"

	bundleOfLog      = "log"
	bundleOfCustomer = "customer"
)

// ExportBundle writes a bundle of the newest log as it is at its newest
// checkpoint. `ostler ledger verify --bundle FILE` verifies it.
//
// Errors: not_found for a customer outside the scope; forbidden for the whole
// log with a narrower scope, and for who may read a part of its time only.
func (l *Ledger) ExportBundle(ctx context.Context, scope policy.Scope, w io.Writer, o BundleOptions) error {
	if o.Customer == "" && !scope.All() {
		return controlplane.Errorf(controlplane.CodeForbidden, "Export the bundle of your own chain.", "The whole log is for the hosting company's staff")
	}
	if o.Customer != "" && !scope.Allows(o.Customer) {
		return controlplane.NotFound("customer")
	}
	if ofPeriod(ctx) {
		return controlplane.Errorf(controlplane.CodeForbidden, "Ask the customer or us for the bundle. Each entry that you see can be proven by itself.", "A bundle has all of a customer's record, and your sign-in is for a part of its time")
	}
	buffered := bufio.NewWriter(w)
	x := &export{l: l, o: o, out: json.NewEncoder(buffered)}
	if err := x.all(ctx); err != nil {
		return fmt.Errorf("ledger: export: %w", err)
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("ledger: export: %w", err)
	}
	return nil
}

// export writes one bundle.
type export struct {
	l        *Ledger
	o        BundleOptions
	out      *json.Encoder
	c        Checkpoint
	customer *string
}

// all reads page by page, each in a transaction of its own: leaves under a
// checkpoint never change, and a slow reader holds nothing.
func (x *export) all(ctx context.Context) error {
	head := bundleLine{Type: lineBundle, Version: bundleVersion, Origin: x.l.signer.name, Key: x.l.key, Scope: bundleOfLog}
	if x.o.Customer != "" {
		head.Scope, head.Customer, x.customer = bundleOfCustomer, x.o.Customer, &x.o.Customer
	}
	err := x.l.d.Read(ctx, func(tx *db.Tx) (err error) {
		var signed []byte
		if x.c, signed, err = x.l.newestOf(tx, x.l.generation); err != nil {
			return err
		}
		head.Checkpoint = string(signed)
		head.Count, err = countLeaves(tx, x.l.generation, x.c.Size, x.customer)
		return err
	})
	if err != nil {
		return err
	}
	if err := x.out.Encode(head); err != nil {
		return err
	}
	for next := int64(0); ; {
		var lines []bundleLine
		err := x.l.d.Read(ctx, func(tx *db.Tx) (err error) {
			lines, next, err = x.page(tx, next)
			return err
		})
		if err != nil {
			return err
		}
		for _, line := range lines {
			if err := x.out.Encode(line); err != nil {
				return err
			}
		}
		if len(lines) == 0 {
			return nil
		}
	}
}

// page returns the lines of the next leaves, and where the page after begins.
func (x *export) page(tx *db.Tx, from int64) (lines []bundleLine, next int64, err error) {
	rows, err := leavesFrom(tx, x.l.generation, from, x.c.Size, x.customer, batchSize/4)
	if err != nil || len(rows) == 0 {
		return nil, from, err
	}
	next = rows[len(rows)-1].LeafIndex + 1
	ids := make([]string, 0, len(rows))
	for _, r := range rows {
		ids = append(ids, r.EntryID)
	}
	personal := map[string][]personalRow{}
	if x.o.Personal {
		if personal, err = personalByEntry(tx, ids); err != nil {
			return nil, 0, err
		}
	}
	signed := map[int64][]byte{}
	if x.customer == nil {
		cs, err := checkpointRange(tx, x.l.generation, from, next)
		if err != nil {
			return nil, 0, err
		}
		for _, c := range cs {
			signed[c.Size] = c.Note
		}
	}
	for _, r := range rows {
		line := bundleLine{Type: lineLeaf, Index: r.LeafIndex, Leaf: string(r.Leaf)}
		if x.customer == nil {
			hash := tlog.RecordHash(r.Leaf)
			line.Hash = hash[:]
		} else if line.Proof, err = inclusion(tx, x.l.generation, x.c.Size, r.LeafIndex); err != nil {
			return nil, 0, err
		}
		lines = append(lines, line)
		if lines, err = x.personal(lines, personal[r.EntryID]); err != nil {
			return nil, 0, err
		}
		if c, ok := signed[r.LeafIndex+1]; ok {
			lines = append(lines, bundleLine{Type: lineCheckpoint, Checkpoint: string(c)})
		}
	}
	return lines, next, nil
}

func (x *export) personal(lines []bundleLine, rows []personalRow) ([]bundleLine, error) {
	for _, r := range rows {
		salt, value, err := x.l.openPersonal(r)
		if erased(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("entry %s: personal value %s: %w", r.EntryID, r.Name, err)
		}
		lines = append(lines, bundleLine{Type: linePersonal, Entry: r.EntryID, Name: r.Name, Salt: salt, Value: value})
	}
	return lines, nil
}
