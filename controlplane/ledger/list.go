package ledger

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// Limits of a page of entries.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// Filter narrows a list. Empty fields do not narrow.
type Filter struct {
	Customer  string
	Company   bool // the company's own entries only; Customer stays empty
	Server    string
	Subject   string
	Kinds     []string
	Actor     string    // id of whoever did it
	Since     time.Time // not before this instant
	Before    time.Time // before this instant
	Limit     int       // 0 means DefaultLimit; at most MaxLimit
	PageToken string
}

// Item is one entry as a reader sees it.
type Item struct {
	ID       string
	Customer string
	Server   string
	Subject  string
	Kind     string
	At       time.Time
	Actor    controlplane.Actor // kind and id
	Data     map[string]any     // numbers are int64
	// Personal are the personal values, opened.
	Personal map[string]string
	// Forgotten names the personal values that were deleted or whose key was
	// destroyed; the leaf still commits to them.
	Forgotten []string
	// Unreadable names the personal values that do not open: they were changed,
	// and Verify says so too.
	Unreadable []string
	// Seq is the place in the customer's chain, Leaf the one in the log's tree;
	// both are -1 until the entry is sequenced.
	Seq, Leaf int64
	// Generation is the log's, 0 until sequenced.
	Generation int64
}

// Sequenced reports whether the entry has its place in the tree.
func (i Item) Sequenced() bool { return i.Leaf >= 0 }

// List returns the entries that the scope reaches, newest first; those that
// have no place yet come first of all. next is "" on the last page. An auditor reads
// those of their period.
//
// Errors: invalid for a malformed page token.
func (l *Ledger) List(ctx context.Context, scope policy.Scope, f Filter) (items []Item, next string, err error) {
	from, err := parseToken(f.PageToken)
	if err != nil {
		return nil, "", err
	}
	if f.Limit <= 0 {
		f.Limit = DefaultLimit
	}
	f.Limit = min(f.Limit, MaxLimit)
	f = within(ctx, f)
	var rows []entryRow
	var personal map[string][]personalRow
	err = l.d.Read(ctx, func(tx *db.Tx) error {
		if rows, err = listEntries(tx, scope, f, from, f.Limit+1); err != nil {
			return err
		}
		if len(rows) > f.Limit {
			rows = rows[:f.Limit]
			next = tokenAfter(rows[f.Limit-1])
		}
		personal, err = personalOf(tx, rows)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("ledger: list: %w", err)
	}
	items = make([]Item, 0, len(rows))
	for _, r := range rows {
		i, err := l.item(r, personal[r.ID])
		if err != nil {
			return nil, "", fmt.Errorf("ledger: list: entry %s: %w", r.ID, err)
		}
		items = append(items, i)
	}
	return items, next, nil
}

// Get returns one entry.
//
// Errors: not_found, also where the scope does not reach it, and where it is
// outside of an auditor's period.
func (l *Ledger) Get(ctx context.Context, scope policy.Scope, id string) (i Item, err error) {
	var row entryRow
	var personal map[string][]personalRow
	err = l.d.Read(ctx, func(tx *db.Tx) error {
		if row, err = entryByID(tx, scope, id); err == nil {
			err = mayRead(ctx, row)
		}
		if err != nil {
			return err
		}
		personal, err = personalOf(tx, []entryRow{row})
		return err
	})
	if err == nil {
		i, err = l.item(row, personal[row.ID])
	}
	if err != nil {
		return Item{}, fmt.Errorf("ledger: get: %w", err)
	}
	return i, nil
}

// item opens a row.
func (l *Ledger) item(r entryRow, personal []personalRow) (Item, error) {
	i := Item{
		ID: r.ID, Customer: r.CustomerID, Server: r.ServerID, Subject: r.Subject, Kind: r.Kind, At: controlplane.FromMillis(r.At),
		Actor: controlplane.Actor{Kind: controlplane.ActorKind(r.ActorKind), ID: r.ActorID},
		Seq:   r.Seq, Leaf: r.LeafIndex, Generation: r.Generation,
	}
	var err error
	if i.Data, err = decodeData(r.Data); err != nil {
		return Item{}, err
	}
	committed := map[string][]byte{}
	if err := json.Unmarshal(r.Commitments, &committed); err != nil {
		return Item{}, fmt.Errorf("its commitments cannot be read")
	}
	i.Personal = make(map[string]string, len(personal))
	for _, p := range personal {
		_, value, err := l.openPersonal(p)
		switch {
		case err == nil:
			i.Personal[p.Name] = value
		case errors.Is(err, secrets.ErrOpen) || errors.Is(err, secrets.ErrNoKey):
			i.Unreadable = append(i.Unreadable, p.Name)
		case !erased(err):
			return Item{}, fmt.Errorf("personal value %s: %w", p.Name, err)
		}
	}
	for name := range committed {
		if _, ok := i.Personal[name]; !ok && !slices.Contains(i.Unreadable, name) {
			i.Forgotten = append(i.Forgotten, name)
		}
	}
	slices.Sort(i.Forgotten)
	return i, nil
}

// decodeData decodes canonical data; its numbers are int64.
func decodeData(raw []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var data map[string]any
	if err := dec.Decode(&data); err != nil {
		return nil, fmt.Errorf("its data cannot be read")
	}
	return whole(data).(map[string]any), nil
}

func whole(v any) any {
	switch v := v.(type) {
	case json.Number:
		n, _ := v.Int64()
		return n
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = whole(v[k])
		}
	}
	return v
}

// position is where a page begins: after the entry at (at, id), among the
// entries without a place or, later, among those with one.
type position struct {
	Start   bool   `json:"-"`
	Pending bool   `json:"p,omitempty"`
	At      int64  `json:"a"`
	ID      string `json:"i"`
}

func tokenAfter(r entryRow) string {
	b, _ := json.Marshal(position{Pending: r.LeafIndex < 0, At: r.At, ID: r.ID}) // plain fields always marshal
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseToken(token string) (position, error) {
	if token == "" {
		return position{Start: true, Pending: true}, nil
	}
	var p position
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil || !controlplane.ValidID(controlplane.PrefixEntry, p.ID) {
		return position{}, controlplane.Errorf(controlplane.CodeInvalid, "Go back to the first page.", "The page token cannot be used").Because(err)
	}
	return p, nil
}
