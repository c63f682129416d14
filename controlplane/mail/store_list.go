package mail

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Filter narrows List; zero fields do not.
type Filter struct {
	Customer  string
	Subject   string // what the mails tell of
	Person    string
	Template  string
	States    []State
	Limit     int // 0 is 50, at most 200
	PageToken string
}

// visible is what a scope may see: a customer's people see the mails to their
// own, not those that tell our staff about them.
func visible(scope policy.Scope) (string, []any) {
	if scope.All() {
		return "1 = 1", nil
	}
	customers := scope.Customers()
	if len(customers) == 0 {
		return "1 = 0", nil
	}
	return "customer_id IN ? AND customer_id <> '' AND audience = ?", []any{customers, string(policy.Customers)}
}

// List returns mails with their latest try, the newest first.
//
// Errors: invalid for an unknown state or page token.
func (m *Mail) List(ctx context.Context, scope policy.Scope, f Filter) (items []Delivery, next string, err error) {
	limit := f.Limit
	if limit <= 0 {
		limit = 50
	}
	limit = min(limit, 200)
	where, args, err := f.conditions(scope)
	if err != nil {
		return nil, "", err
	}
	var rows []*row
	last := map[string]*attemptRow{}
	err = m.db.Read(ctx, func(tx *db.Tx) error {
		page := "SELECT * FROM mails WHERE " + where + " ORDER BY created_at DESC, id DESC LIMIT ?"
		args := append(args, limit+1)
		if err := tx.Raw(page, args...).Scan(&rows).Error; err != nil {
			return err
		}
		var tries []*attemptRow
		if err := tx.Raw("SELECT a.* FROM ("+page+") m JOIN mail_attempts a ON a.mail_id = m.id AND a.n = m.attempts", args...).Scan(&tries).Error; err != nil {
			return err
		}
		for _, a := range tries {
			last[a.Mail] = a
		}
		return nil
	})
	if err != nil {
		return nil, "", wrap("list", err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = strconv.FormatInt(rows[limit-1].CreatedAt, 10) + "." + rows[limit-1].ID
	}
	items = make([]Delivery, 0, len(rows))
	for _, r := range rows {
		d, err := m.delivery(r, last[r.ID])
		if err != nil {
			return nil, "", wrap("list", err)
		}
		items = append(items, d)
	}
	return items, next, nil
}

// conditions is the WHERE of a scope and a filter.
func (f Filter) conditions(scope policy.Scope) (string, []any, error) {
	base, args := visible(scope)
	where := []string{base}
	for _, c := range []struct{ column, value string }{
		{"customer_id", f.Customer}, {"subject", f.Subject}, {"person", f.Person}, {"template", f.Template},
	} {
		if c.value != "" {
			where, args = append(where, c.column+" = ?"), append(args, c.value)
		}
	}
	for _, s := range f.States {
		if !s.Valid() {
			return "", nil, controlplane.Invalid(controlplane.Field{Pointer: "/state", Message: "This is not a state of a mail."})
		}
	}
	if len(f.States) > 0 {
		where, args = append(where, "state IN ?"), append(args, f.States)
	}
	if f.PageToken != "" {
		at, id, _ := strings.Cut(f.PageToken, ".")
		ms, err := strconv.ParseInt(at, 10, 64)
		if err != nil || !controlplane.ValidID(controlplane.PrefixMail, id) {
			return "", nil, controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "This is not a page token of this list; leave it out to begin at the first page."})
		}
		where, args = append(where, "(created_at < ? OR (created_at = ? AND id < ?))"), append(args, ms, ms, id)
	}
	return strings.Join(where, " AND "), args, nil
}

// Get returns a mail with all its tries and what came back.
//
// Errors: not found, also for one outside the scope.
func (m *Mail) Get(ctx context.Context, scope policy.Scope, id string) (d Delivery, err error) {
	var r *row
	var tries []*attemptRow
	var reports []*reportRow
	err = m.db.Read(ctx, func(tx *db.Tx) error {
		if r, err = scoped(tx, scope, id); err != nil {
			return err
		}
		if err := tx.Where("mail_id = ?", id).Order("n").Find(&tries).Error; err != nil {
			return err
		}
		return tx.Where("mail_id = ?", id).Order("received_at, sha256").Find(&reports).Error
	})
	if err != nil {
		return d, wrap("get", err)
	}
	if d, err = m.delivery(r, nil); err != nil {
		return d, wrap("get", err)
	}
	for _, t := range tries {
		a, err := m.attempt(t)
		if err != nil {
			return d, wrap("get", err)
		}
		d.Attempts, d.Last = append(d.Attempts, a), a
	}
	for _, p := range reports {
		diagnostic, err := m.unseal(p.Customer, "mail_reports", "diagnostic", reportID(p.Mail, p.SHA256), p.Diagnostic)
		if err != nil {
			return d, wrap("get", err)
		}
		d.Reports = append(d.Reports, Report{ReceivedAt: controlplane.FromMillis(p.ReceivedAt), Action: p.Action, Status: p.Status, Reporter: p.Reporter,
			Diagnostic: diagnostic, SHA256: p.SHA256})
	}
	return d, nil
}

// Bytes returns a mail exactly as it goes out, headers and all: Delivery.SHA256
// is the hash of them. What went out in its place, where that was a notice, is
// hashed in its Attempt.
//
// Errors: not found, also for one outside the scope.
func (m *Mail) Bytes(ctx context.Context, scope policy.Scope, id string) ([]byte, error) {
	var r *row
	err := m.db.Read(ctx, func(tx *db.Tx) (err error) { r, err = scoped(tx, scope, id); return err })
	if err != nil {
		return nil, wrap("bytes", err)
	}
	raw, err := m.unseal(r.Customer, "mails", "raw", r.ID, r.Raw)
	if err == nil && digest([]byte(raw)) != r.SHA256 {
		err = fmt.Errorf("the bytes of %s are not those that were stored", r.ID)
	}
	return []byte(raw), wrap("bytes", err)
}

// delivery opens a row; last may be nil.
func (m *Mail) delivery(r *row, last *attemptRow) (Delivery, error) {
	key := r.Key
	if key == r.ID {
		key = ""
	}
	d := Delivery{
		ID: r.ID, Key: key, Customer: r.Customer, Person: r.Person, Template: r.Template, Lang: r.Lang, Path: r.Path, Subject: r.Subject,
		MessageID: "<" + r.MessageID + ">", SHA256: r.SHA256, Size: r.Size, State: r.State, Cause: r.Cause, InDoubt: r.InDoubt == 1, Content: Content(r.Content),
		CreatedAt: controlplane.FromMillis(r.CreatedAt), AcceptedAt: controlplane.FromMillis(r.AcceptedAt), EndedAt: controlplane.FromMillis(r.EndedAt),
		OpenedAt: controlplane.FromMillis(r.OpenedAt), AcknowledgedAt: controlplane.FromMillis(r.AcknowledgedAt), CalledAt: controlplane.FromMillis(r.CalledAt),
	}
	if !d.State.Valid() || !d.Cause.Valid() || !d.Content.Valid() {
		return d, fmt.Errorf("mail %s: unknown state %q, cause %q or content %q", r.ID, r.State, r.Cause, r.Content)
	}
	var err1, err2, err3, err4 error
	d.To, err1 = m.unseal(r.Customer, "mails", "address", r.ID, r.Address)
	d.Title, err2 = m.unseal(r.Customer, "mails", "title", r.ID, r.Title)
	d.CallNote, err3 = m.unseal(r.Customer, "mails", "call_note", r.ID, r.CallNote)
	if last != nil {
		d.Last, err4 = m.attempt(last)
	}
	return d, errors.Join(err1, err2, err3, err4)
}

func (m *Mail) attempt(a *attemptRow) (Attempt, error) {
	t := Attempt{N: a.N, Tries: a.Tries, Start: controlplane.FromMillis(a.StartedAt), End: controlplane.FromMillis(a.EndedAt), Outcome: a.Outcome, Cause: a.Cause,
		Content: Content(a.Content), SHA256: a.SHA256, Code: a.Code, QueueID: a.QueueID, Server: a.Server, TLS: a.TLS, Peer: a.Peer, DSN: a.DSN == 1}
	if !t.Outcome.Valid() || !t.Cause.Valid() || !t.Content.Valid() {
		return t, fmt.Errorf("try %d of mail %s: unknown outcome %q, cause %q or content %q", a.N, a.Mail, a.Outcome, a.Cause, a.Content)
	}
	var err error
	t.Reply, err = m.unseal(a.Customer, "mail_attempts", "reply", tryID(a.Mail, a.N), a.Reply)
	return t, err
}

// downServers are the mail servers that took nothing when they were last tried.
func downServers(tx *db.Tx) (rows []serverRow, err error) {
	err = tx.Where("down_since > 0").Find(&rows).Error
	return rows, err
}
