package sessions

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/secrets"
)

// prefixBatch begins the id of a batch of events.
const prefixBatch = "evb_"

// belong says whose each event of a page is: of the customers of its session or,
// where that is not known yet, of those who lived on its host then. What is of no
// session is nobody's.
func (s *Service) belong(ctx context.Context, p *page) error {
	return s.db.Read(ctx, func(tx *db.Tx) error {
		var marks []string
		for _, c := range p.events {
			marks = append(marks, c.said.mark(c.ID))
		}
		known, err := customersByMark(tx, p.cluster, distinct(marks))
		if err != nil {
			return err
		}
		of := map[string]string{}
		for mark, ids := range known {
			of[mark] = strings.Join(slices.DeleteFunc(ids, s.erased), ",")
		}
		m := s.newMatcher(tx)
		for i := range p.events {
			c := &p.events[i]
			mark := c.said.mark(c.ID)
			if _, here := of[mark]; here || mark == "" || c.said.Host == "" {
				continue
			}
			server, err := m.server(c.said.Host)
			if err != nil {
				return err
			}
			on, err := m.customersAt(server, controlplane.Millis(c.At))
			if err != nil {
				return err
			}
			of[mark] = strings.Join(on, ",")
		}
		for i := range p.events {
			c := &p.events[i]
			c.of = of[c.said.mark(c.ID)]
		}
		return nil
	})
}

// sealBatches compresses and seals the events of a page, those of the same
// customers together, and says where each of them stands: so a customer's events
// are sealed with the customer's key, and are let go of by the customer's term.
func (s *Service) sealBatches(p *page) error {
	of := map[string][]*coming{}
	var order []string
	for i := range p.events {
		c := &p.events[i]
		if of[c.of] == nil {
			order = append(order, c.of)
		}
		of[c.of] = append(of[c.of], c)
	}
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		return err
	}
	for _, customers := range order {
		row, err := s.sealBatch(w, p.cluster, customers, of[customers])
		if err != nil {
			return err
		}
		p.batches = append(p.batches, row)
	}
	return nil
}

func (s *Service) sealBatch(w *flate.Writer, cluster, customers string, events []*coming) (row batchRow, err error) {
	row = batchRow{ID: controlplane.NewID(prefixBatch), Cluster: cluster, Events: int64(len(events)), Customers: customers, SealOwner: sealOwner(split(customers))}
	var packed bytes.Buffer
	w.Reset(&packed)
	sum := sha256.New()
	into := io.MultiWriter(w, sum)
	var pos int64
	for _, c := range events {
		at := controlplane.Millis(c.At)
		c.row = eventRow{Cluster: cluster, EventID: c.ID, Mark: c.said.mark(c.ID), Type: c.Type, At: at, BatchID: row.ID, Pos: pos, Len: int64(len(c.Raw))}
		row.LastAt = max(row.LastAt, at)
		for _, part := range [][]byte{c.Raw, {'\n'}} {
			if _, err := into.Write(part); err != nil {
				return row, err
			}
			pos += int64(len(part))
		}
	}
	if err := w.Close(); err != nil {
		return row, err
	}
	row.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if row.Data, err = s.keeper.Seal(row.SealOwner, secrets.AD{Table: "session_batches", Column: "data", Row: row.ID}, packed.Bytes()); err != nil {
		return row, fmt.Errorf("seal events: %w", err)
	}
	return row, nil
}

// openBatch is what sealBatch sealed. Errors: secrets.ErrErased.
func (s *Service) openBatch(row batchRow) ([]byte, error) {
	packed, err := s.keeper.Open(row.SealOwner, secrets.AD{Table: "session_batches", Column: "data", Row: row.ID}, row.Data)
	if err != nil {
		return nil, fmt.Errorf("batch %s: %w", row.ID, err)
	}
	raw, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil {
		return nil, fmt.Errorf("batch %s: %w", row.ID, err)
	}
	return raw, nil
}

// flag is a boolean as both databases keep it.
func flag(on bool) int64 {
	if on {
		return 1
	}
	return 0
}
