package findings

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// row is one opening of a finding. rank orders by severity, worst first.
type row struct {
	ID       string `gorm:"column:id;primaryKey"`
	Key      string `gorm:"column:key"`
	Group    string `gorm:"column:grp"`
	Customer string `gorm:"column:customer_id"`
	Server   string `gorm:"column:server"`
	Subject  string `gorm:"column:subject"`
	Kind     string `gorm:"column:kind"`
	Severity string `gorm:"column:severity"`
	Rank     int    `gorm:"column:severity_rank"`
	Owner    string `gorm:"column:owner"`
	Args     []byte `gorm:"column:args"`
	Next     string `gorm:"column:next_step"`
	Link     string `gorm:"column:link"`
	OpenedAt int64  `gorm:"column:opened_at"`
	SeenAt   int64  `gorm:"column:seen_at"`
	ClosedAt int64  `gorm:"column:closed_at"`
	Cause    string `gorm:"column:cause"`
	Count    int    `gorm:"column:seen_count"`
	InGroup  int    `gorm:"-"` // of a list
}

func (row) TableName() string { return "findings" }

const columns = `id, "key", grp, customer_id, server, subject, kind, severity, severity_rank, owner, args, next_step, link, opened_at, seen_at, closed_at, cause, seen_count`

func ad(id string) secrets.AD { return secrets.AD{Table: "findings", Column: "args", Row: id} }

// Raise opens a finding or, where one of its Key is open, refreshes it: seen
// now, once more, with the newest severity and arguments. Opening is written
// to the ledger. An unknown kind, severity, owner or argument is an error.
// The customer's data key must exist (Keeper.EnsureKey).
func (f *Findings) Raise(tx *db.Tx, x Finding) error {
	if err := check(x); err != nil {
		return err
	}
	if x.Group == "" {
		x.Group = x.Key
	}
	open, err := openRow(tx, x.Key)
	if err != nil {
		return fmt.Errorf("findings: raise: %w", err)
	}
	id := open.ID
	if id == "" {
		id = controlplane.NewID(controlplane.PrefixFinding)
	} else if open.Customer != x.Customer {
		return fmt.Errorf("findings: raise: %s is open for another customer", x.Key)
	}
	args, err := f.seal(x.Customer, id, x.Args)
	if err != nil {
		return fmt.Errorf("findings: raise: %w", err)
	}
	r := row{
		ID: id, Key: x.Key, Group: x.Group, Customer: x.Customer, Server: x.Server, Subject: x.Subject, Kind: x.Kind,
		Severity: string(x.Severity), Rank: x.Severity.rank(), Owner: string(x.Owner), Args: args, Next: x.Next, Link: x.Link,
		OpenedAt: tx.NowMillis(), SeenAt: tx.NowMillis(), Count: 1,
	}
	if open.ID != "" {
		err = refreshRow(tx, r)
	} else {
		err = f.open(tx, r)
	}
	if err != nil {
		return fmt.Errorf("findings: raise: %w", err)
	}
	f.wake(tx, r)
	return nil
}

func (f *Findings) open(tx *db.Tx, r row) error {
	if err := tx.Create(&r).Error; err != nil {
		return err
	}
	return f.log(tx, r, "finding.opened", map[string]any{"key": r.Key, "kind": r.Kind, "severity": r.Severity, "owner": r.Owner})
}

// Close closes the open finding of a key, with why, and writes it to the
// ledger. Where none is open it does nothing.
func (f *Findings) Close(tx *db.Tx, key, cause string) error {
	r, err := openRow(tx, key)
	if err != nil {
		return fmt.Errorf("findings: close: %w", err)
	}
	if r.ID == "" {
		return nil
	}
	if err := closeRow(tx, r.ID, cause); err != nil {
		return fmt.Errorf("findings: close: %w", err)
	}
	if err := f.log(tx, r, "finding.closed", map[string]any{"key": r.Key, "kind": r.Kind, "cause": cause}); err != nil {
		return fmt.Errorf("findings: close: %w", err)
	}
	f.wake(tx, r)
	return nil
}

func (f *Findings) log(tx *db.Tx, r row, kind string, data map[string]any) error {
	_, err := f.ledger.Append(tx, ledger.Entry{Customer: r.Customer, Server: r.Server, Subject: r.ID, Kind: kind, Data: data})
	return err
}

func (f *Findings) wake(tx *db.Tx, r row) {
	if f.bus == nil {
		return
	}
	topics := []string{bus.TopicFindings}
	if r.Customer != "" {
		topics = append(topics, bus.TopicCustomer(r.Customer))
	}
	if r.Server != "" {
		topics = append(topics, bus.TopicServer(r.Server))
	}
	tx.AfterCommit(func() { f.bus.Publish(topics...) })
}

func openRow(tx *db.Tx, key string) (row, error) {
	var rows []row
	err := tx.Where(`"key" = ? AND closed_at = 0`, key).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return row{}, err
	}
	return rows[0], nil
}

func refreshRow(tx *db.Tx, r row) error {
	return tx.Exec(`UPDATE findings SET grp = ?, server = ?, subject = ?, kind = ?, severity = ?, severity_rank = ?, owner = ?, args = ?,
		next_step = ?, link = ?, seen_at = ?, seen_count = seen_count + 1 WHERE id = ? AND closed_at = 0`,
		r.Group, r.Server, r.Subject, r.Kind, r.Severity, r.Rank, r.Owner, r.Args, r.Next, r.Link, r.SeenAt, r.ID).Error
}

func closeRow(tx *db.Tx, id, cause string) error {
	return tx.Exec(`UPDATE findings SET closed_at = ?, cause = ? WHERE id = ? AND closed_at = 0`, tx.NowMillis(), cause, id).Error
}

// Filter narrows List; zero fields do not.
type Filter struct {
	Customer, Server, Subject string
	Key, Group                string
	Kinds                     []string
	Owner                     Owner
	Closed                    bool // closed ones, newest first, instead of open ones
	Grouped                   bool // one line for each Group, with InGroup; its worst stands for it
	Limit                     int  // 0 is 50, at most 200
	PageToken                 string
}

// List returns findings, open ones worst first and then longest open first.
// A scope that is not over all customers sees those of its customers that are
// theirs to act on or have a sentence for customers.
func (f *Findings) List(ctx context.Context, scope policy.Scope, o Filter) (items []Finding, next string, err error) {
	limit := o.Limit
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 200)
	after, err := parsePage(o.PageToken)
	if err != nil {
		return nil, "", err
	}
	where, args := conditions(scope, o)
	var rows []row
	err = f.db.Read(ctx, func(tx *db.Tx) (err error) {
		q, a := listQuery(o, where, args, after, limit+1)
		rows, err = scan(tx, q, a)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("findings: list: %w", err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = page{Rank: rows[limit-1].Rank, At: pageAt(o, rows[limit-1]), ID: rows[limit-1].ID}.String()
	}
	items = make([]Finding, 0, len(rows))
	for _, r := range rows {
		x, err := f.finding(r)
		if err != nil {
			return nil, "", fmt.Errorf("findings: list: %w", err)
		}
		items = append(items, x)
	}
	return items, next, nil
}

// conditions is the WHERE of a scope and a filter.
func conditions(scope policy.Scope, o Filter) (string, []any) {
	where, args := visible(scope)
	add := func(cond string, arg any) { where, args = append(where, cond), append(args, arg) }
	if o.Closed {
		where = append(where, "closed_at > 0")
	} else {
		where = append(where, "closed_at = 0")
	}
	for _, c := range []struct{ column, value string }{
		{"customer_id", o.Customer}, {"server", o.Server}, {"subject", o.Subject}, {`"key"`, o.Key}, {"grp", o.Group}, {"owner", string(o.Owner)},
	} {
		if c.value != "" {
			add(c.column+" = ?", c.value)
		}
	}
	if len(o.Kinds) > 0 {
		add("kind IN ?", o.Kinds)
	}
	return strings.Join(where, " AND "), args
}

// visible is what a scope may see of findings.
func visible(scope policy.Scope) (where []string, args []any) {
	if scope.All() {
		return []string{"1 = 1"}, nil
	}
	customers := scope.Customers()
	if len(customers) == 0 {
		return []string{"1 = 0"}, nil
	}
	return []string{"customer_id IN ?", "customer_id <> ''", "(owner = ? OR kind IN ?)"}, []any{customers, string(OfCustomer), customerKinds()}
}

// Get returns one finding; not found outside the scope.
func (f *Findings) Get(ctx context.Context, scope policy.Scope, id string) (Finding, error) {
	where, args := visible(scope)
	var rows []row
	err := f.db.Read(ctx, func(tx *db.Tx) error {
		return tx.Where(strings.Join(append(where, "id = ?"), " AND "), append(args, id)...).Limit(1).Find(&rows).Error
	})
	if err != nil {
		return Finding{}, fmt.Errorf("findings: get: %w", err)
	}
	if len(rows) == 0 {
		return Finding{}, controlplane.NotFound("finding")
	}
	x, err := f.finding(rows[0])
	if err != nil {
		return Finding{}, fmt.Errorf("findings: get: %w", err)
	}
	return x, nil
}

// Worst returns the worst severity among the open findings that the scope
// sees, "" where there is none, and how many are open. No headline is better.
func (f *Findings) Worst(ctx context.Context, scope policy.Scope) (worst Severity, open int, err error) {
	where, args := visible(scope)
	var counts []struct {
		Severity string
		N        int
	}
	err = f.db.Read(ctx, func(tx *db.Tx) error {
		return tx.Raw("SELECT severity, COUNT(*) AS n FROM findings WHERE closed_at = 0 AND "+strings.Join(where, " AND ")+" GROUP BY severity", args...).
			Scan(&counts).Error
	})
	if err != nil {
		return "", 0, fmt.Errorf("findings: worst: %w", err)
	}
	for _, c := range counts {
		open += c.N
		if s := Severity(c.Severity); s.Worse(worst) {
			worst = s
		}
	}
	return worst, open, nil
}

func (f *Findings) seal(customer, id string, args map[string]string) ([]byte, error) {
	text, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	return f.keys.Seal(customer, ad(id), text)
}

func (f *Findings) finding(r row) (Finding, error) {
	x := Finding{
		ID: r.ID, Key: r.Key, Group: r.Group, Customer: r.Customer, Server: r.Server, Subject: r.Subject, Kind: r.Kind,
		Severity: Severity(r.Severity), Owner: Owner(r.Owner), Next: r.Next, Link: r.Link, OpenedAt: controlplane.FromMillis(r.OpenedAt),
		SeenAt: controlplane.FromMillis(r.SeenAt), ClosedAt: controlplane.FromMillis(r.ClosedAt), Cause: r.Cause, Count: r.Count, InGroup: max(1, r.InGroup),
	}
	text, err := f.keys.Open(r.Customer, ad(r.ID), r.Args)
	if err != nil {
		return x, err
	}
	return x, json.Unmarshal(text, &x.Args)
}

// page is a keyset position; "rank.at.id" as text.
type page struct {
	Rank int
	At   int64
	ID   string
}

func pageAt(o Filter, r row) int64 {
	if o.Closed {
		return r.ClosedAt
	}
	return r.OpenedAt
}

func (p page) String() string {
	return strconv.Itoa(p.Rank) + "." + strconv.FormatInt(p.At, 10) + "." + p.ID
}

func parsePage(token string) (page, error) {
	if token == "" {
		return page{}, nil
	}
	parts := strings.Split(token, ".")
	if len(parts) == 3 && controlplane.ValidID(controlplane.PrefixFinding, parts[2]) {
		rank, err1 := strconv.Atoi(parts[0])
		at, err2 := strconv.ParseInt(parts[1], 10, 64)
		if err1 == nil && err2 == nil {
			return page{rank, at, parts[2]}, nil
		}
	}
	return page{}, controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "This is not a page token of this list; leave it out to begin at the first page."})
}

// check refuses what would not read as a sentence.
func check(x Finding) error {
	k, ok := kinds[x.Kind]
	switch {
	case x.Key == "":
		return fmt.Errorf("findings: raise %s: no key", x.Kind)
	case !ok:
		return fmt.Errorf("findings: raise: unknown kind %q", x.Kind)
	case !x.Severity.Valid():
		return fmt.Errorf("findings: raise %s: unknown severity %q", x.Kind, x.Severity)
	case !x.Owner.Valid():
		return fmt.Errorf("findings: raise %s: unknown owner %q", x.Kind, x.Owner)
	case x.Next != "" && steps[x.Next] == "":
		return fmt.Errorf("findings: raise %s: unknown step %q", x.Kind, x.Next)
	}
	for name := range x.Args {
		if !slices.Contains(k.Args, name) {
			return fmt.Errorf("findings: raise %s: unknown argument %q", x.Kind, name)
		}
	}
	return nil
}
