package backups

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// ChangeList names one of the complete lists of a restore on a server.
type ChangeList string

// The lists.
const (
	ListPreview ChangeList = "preview"
	ListResult  ChangeList = "result"
	ListUndo    ChangeList = "undo"
)

// Valid reports whether l is a known list.
func (l ChangeList) Valid() bool { return l == ListPreview || l == ListResult || l == ListUndo }

// maxChangeLine bounds one line of a list, in bytes: two paths as base64, and
// what stands around them.
const maxChangeLine = 32 << 10

// Changes reads a part of a complete list of changes, from offset on, at most
// limit of them (at most wire.MaxChanges; 0 is 100), and how many there are in
// all. What differs comes before what is the same. Permission: restore.run.
// Errors: not_found, expired (the list is no longer kept), conflict (the list
// is damaged).
func (s *Service) Changes(ctx context.Context, scope policy.Scope, id string, list ChangeList, offset, limit int) (items []wire.Change, total int64, err error) {
	var t *Tally
	var there []uploadRow
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := one[restoreRow](tx, scope, "restore", id)
		if err != nil {
			return err
		}
		text := map[ChangeList]string{ListPreview: row.Preview, ListResult: row.Result, ListUndo: row.Undo}[list]
		if t, err = tally(text); err != nil || t == nil {
			return err
		}
		there, err = where[uploadRow](tx, scope, "owner_id", 1, "owner_id = ?", t.Owner)
		return err
	})
	switch {
	case err != nil:
		return nil, 0, err
	case t == nil:
		return nil, 0, controlplane.NotFound("list")
	case len(there) == 0:
		return nil, t.Total(), controlplane.Errorf(controlplane.CodeExpired, "Its figures are still shown.", "This list of changes is no longer kept")
	}
	if limit <= 0 {
		limit = 100
	}
	u, err := s.readUpload(ctx, t.Owner)
	if err != nil {
		return nil, 0, err
	}
	if u.Size() != t.List.Size {
		return nil, 0, damagedList(errors.New("its size is another"))
	}
	items, err = readChanges(u, max(0, offset), min(limit, wire.MaxChanges))
	return items, t.Total(), err
}

func damagedList(err error) error {
	return controlplane.Errorf(controlplane.CodeConflict, "Its figures are still shown; ask us if you need the list.", "The list of changes is damaged").Because(err)
}

// readChanges reads JSON lines of wire.Change, gzipped, as far as they are asked
// for: memory holds one line and the answer.
func readChanges(r io.Reader, offset, limit int) ([]wire.Change, error) {
	z, err := gzip.NewReader(bufio.NewReader(r))
	if err != nil {
		return nil, damagedList(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(make([]byte, 0, 4<<10), maxChangeLine)
	items := []wire.Change{}
	for n := 0; len(items) < limit && lines.Scan(); n++ {
		if n < offset {
			continue
		}
		var c wire.Change
		if err := json.Unmarshal(bytes.TrimSpace(lines.Bytes()), &c); err != nil {
			return nil, damagedList(fmt.Errorf("line %d: %w", n, err))
		}
		items = append(items, c)
	}
	if err := lines.Err(); err != nil {
		return nil, damagedList(err)
	}
	return items, nil
}
