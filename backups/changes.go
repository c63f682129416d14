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
	"time"

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

// One look at a list reads at most so much of it, unpacked, and for so long: it
// comes from a host, and few bytes can stand for very many.
const (
	maxChangesRead = 8 << 30
	changesTime    = 20 * time.Second
)

// Changes reads a part of a complete list of changes, from offset on, at most
// limit of them (at most wire.MaxChanges; 0 is 100), and how many there are in
// all. What differs comes before what is the same. Permission: restore.run.
// Errors: not_found, expired (the list is no longer kept), conflict (the list
// is damaged).
func (s *Service) Changes(ctx context.Context, scope policy.Scope, id string, list ChangeList, offset, limit int) (items []wire.Change, total int64, err error) {
	var t *Tally
	var there []uploadRow
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := db.One[restoreRow](tx, scope, "restore", id)
		if err != nil {
			return err
		}
		text := map[ChangeList]string{ListPreview: row.Preview, ListResult: row.Result, ListUndo: row.Undo}[list]
		if t, err = tally(text); err != nil || t == nil {
			return err
		}
		there, err = db.Where[uploadRow](tx, scope, "owner_id", 1, "owner_id = ?", t.Owner)
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
	if int64(offset) >= t.Total() && offset > 0 {
		return []wire.Change{}, t.Total(), nil
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
	bounded, cancel := context.WithTimeout(ctx, changesTime)
	defer cancel()
	items, err = readChanges(bounded, u, max(0, offset), min(limit, wire.MaxChanges))
	return items, t.Total(), err
}

func damagedList(err error) error {
	return controlplane.Errorf(controlplane.CodeConflict, "Its figures are still shown; ask us if you need the list.", "The list of changes is damaged").Because(err)
}

// readChanges reads JSON lines of wire.Change, gzipped, as far as they are asked
// for: first those that differ, then those that are the same. Memory holds one
// line and the answer.
func readChanges(ctx context.Context, r io.ReadSeeker, offset, limit int) ([]wire.Change, error) {
	items, differ, err := changesThat(ctx, r, false, offset, limit)
	if err != nil || len(items) == limit {
		return items, err
	}
	same, _, err := changesThat(ctx, r, true, max(0, offset-differ), limit-len(items))
	return append(items, same...), err
}

// asSame is in the line of a change that is wire.ActSame, and in no other: its
// paths are base64, and quotes within texts are escaped.
var asSame = []byte(`"act":"` + string(wire.ActSame) + `"`)

// changesThat reads those of a list that are the same, or those that are not,
// and how many of them came by.
func changesThat(ctx context.Context, r io.ReadSeeker, same bool, offset, limit int) (items []wire.Change, n int, err error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, 0, fmt.Errorf("backups: changes: %w", err)
	}
	z, err := gzip.NewReader(bufio.NewReader(r))
	if err != nil {
		return nil, 0, damagedList(err)
	}
	plain := &io.LimitedReader{R: z, N: maxChangesRead}
	lines := bufio.NewScanner(plain)
	lines.Buffer(make([]byte, 0, 4<<10), maxChangeLine)
	items = []wire.Change{}
	for at := 0; len(items) < limit && lines.Scan(); at++ {
		if at%1024 == 0 && ctx.Err() != nil {
			return nil, n, controlplane.Errorf(controlplane.CodeUnavailable, "Look at an earlier part of it.", "The list of changes is too long to read that far").Because(ctx.Err())
		}
		if bytes.Contains(lines.Bytes(), asSame) != same {
			continue
		}
		if n++; n <= offset {
			continue
		}
		var c wire.Change
		if err := json.Unmarshal(bytes.TrimSpace(lines.Bytes()), &c); err != nil {
			return nil, n, damagedList(fmt.Errorf("line %d: %w", at, err))
		}
		items = append(items, c)
	}
	if err := lines.Err(); err != nil {
		return nil, n, damagedList(err)
	}
	if plain.N <= 0 {
		return nil, n, damagedList(errors.New("it is larger than any"))
	}
	return items, n, nil
}
