package sessions

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
)

const entryDrawCommitted = "session.draw_committed"

// shares are the percents of customers whose terms differ from what holds elsewhere.
type shares map[string]int64

// highest is the highest percent of customers; of none, what holds elsewhere.
func (t shares) highest(elsewhere int64, customers []string) int {
	if len(customers) == 0 {
		return int(elsewhere)
	}
	highest := int64(0)
	for _, c := range customers {
		percent, ok := t[c]
		if !ok {
			percent = elsewhere
		}
		highest = max(highest, percent)
	}
	return int(highest)
}

// table reads the percents that were committed to with a seed.
func (r drawRow) table() (shares, error) {
	out := shares{}
	if r.Percents == "" {
		return out, nil
	}
	if err := json.Unmarshal([]byte(r.Percents), &out); err != nil {
		return nil, fmt.Errorf("percents of %s: %w", r.Day, err)
	}
	return out, nil
}

// percentsNow is the table of the percents that differ from what holds elsewhere,
// as it is committed to: JSON, by customer, in order.
func percentsNow(tx *db.Tx, elsewhere int64) (string, error) {
	rows, err := percentRows(tx, elsewhere)
	if err != nil {
		return "", err
	}
	table := shares{}
	for _, r := range rows {
		table[r.CustomerID] = r.Percent
	}
	text, err := json.Marshal(table) // sorts its keys
	return string(text), err
}

// percentsOf says which percent holds where some customers live, by what was
// committed to with a seed; by the terms of today where that is from before
// percents were.
func (s *Service) percentsOf(tx *db.Tx, row drawRow) (func([]customerRow) (int, error), error) {
	table, err := row.table()
	if err != nil {
		return nil, err
	}
	elsewhere := row.Percent
	if row.Percents == "" {
		elsewhere = int64(s.opts.Percent)
		rows, err := percentRows(tx, elsewhere)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			table[r.CustomerID] = r.Percent
		}
	}
	return func(customers []customerRow) (int, error) {
		ids := make([]string, len(customers))
		for i, c := range customers {
			ids[i] = c.CustomerID
		}
		return table.highest(elsewhere, ids), nil
	}, nil
}

// committed is what the ledger has of a day's seed; nil for nothing.
func (s *Service) committed(ctx context.Context, day string) (map[string]any, error) {
	var row drawRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) { row, _, err = drawOf(tx, day); return err })
	if err != nil || row.ID == "" {
		return nil, err
	}
	items, _, err := s.ledger.List(ctx, everybody(), ledger.Filter{Subject: row.ID, Kinds: []string{entryDrawCommitted}, Company: true, Limit: ledger.MaxLimit})
	if err != nil || len(items) == 0 {
		return nil, err
	}
	return items[len(items)-1].Data, nil // the first that was made
}

// held holds what the database has of a day's sample against what the ledger has.
// why is a sentence without its full stop; "" is that they are the same.
func (s *Service) held(row drawRow, said map[string]any) (seed []byte, why string) {
	const changed = "What the database has of it is not what was committed in the ledger"
	seed, err := s.seed(row)
	switch {
	case said == nil:
		return nil, "The ledger knows of no seed that was committed"
	case err != nil, said["day"] != row.Day, said["commitment"] != row.Commitment:
		return nil, changed
	}
	if table, ok := said["percents_sha256"]; ok && (table != commitment([]byte(row.Percents)) || said["percent"] != row.Percent) {
		return nil, changed
	}
	return seed, ""
}

// drawMissed opens the finding that no sample of some days can be drawn.
func (s *Service) drawMissed(tx *db.Tx, which, from, until, because string) error {
	return s.findings.Raise(tx, findings.Finding{Key: findings.SessionDrawMissed + ":" + which, Kind: findings.SessionDrawMissed, Severity: findings.Warn, Owner: findings.Ops,
		Args: map[string]string{"from": from, "until": until, "because": because}, Link: "/sessions/draws"})
}

// closeMissed closes what was said of days without a seed before a day whose sample
// was drawn; what was changed stays.
func (s *Service) closeMissed(tx *db.Tx, day string) error {
	keys, err := s.findings.OpenKeys(tx, findings.SessionDrawMissed)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if which := strings.TrimPrefix(key, findings.SessionDrawMissed+":"); which < day {
			if err := s.findings.Close(tx, key, "a later day's sample was drawn"); err != nil {
				return err
			}
		}
	}
	return nil
}

// dayAfter is the day after a day; the day itself where it is none.
func dayAfter(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return t.AddDate(0, 0, 1).Format(time.DateOnly)
}

// waits reports whether sessions of a day may still come: one whose recording is
// awaited, or events that have not been read; at most a day long.
func (s *Service) waits(tx *db.Tx, begin, end time.Time) (bool, error) {
	if tx.Now.Before(end.Add(s.opts.Grace)) {
		return true, nil
	}
	if !tx.Now.Before(end.Add(patience)) {
		return false, nil
	}
	if s.cluster != nil {
		to, err := readTo(tx)
		if err != nil || to < end.UnixMilli() {
			return true, err
		}
	}
	return awaitedOfDay(tx, begin, end)
}
