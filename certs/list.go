package certs

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// Get returns a certificate by its id, or by one of its names where that is
// unique in the scope. Permission: cert.read.
func (s *Service) Get(ctx context.Context, scope policy.Scope, ref string) (Certificate, error) {
	var out Certificate
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := certByRef(tx, scope, ref)
		if err != nil {
			return err
		}
		out, err = s.value(row)
		return err
	})
	return out, err
}

func certByRef(tx *db.Tx, scope policy.Scope, ref string) (certRow, error) {
	if controlplane.ValidID(controlplane.PrefixCertificate, ref) {
		return db.One[certRow](tx, scope, "certificate", ref)
	}
	names, err := db.Where[nameRow](tx, scope, "certificate_id", 50, "name = ?", strings.ToLower(ref))
	if err != nil {
		return certRow{}, err
	}
	var found []certRow
	for _, n := range names {
		row, err := db.One[certRow](tx, scope, "certificate", n.CertificateID)
		if err != nil {
			return certRow{}, err
		}
		if row.EndedAt == 0 {
			found = append(found, row)
		}
	}
	switch len(found) {
	case 0:
		return certRow{}, controlplane.NotFound("certificate")
	case 1:
		return found[0], nil
	}
	return certRow{}, controlplane.Errorf(controlplane.CodeConflict, "Use the id of one of them.", "%d certificates have this name", len(found))
}

// value is a row as others see it.
func (s *Service) value(row certRow) (Certificate, error) {
	c, err := row.value()
	if err != nil {
		return c, err
	}
	if len(row.PauseReason) > 0 {
		reason, err := s.keeper.Open(row.CustomerID, ad("certificates", "pause_reason", row.ID), row.PauseReason)
		if err != nil {
			return c, fmt.Errorf("certs: pause reason: %w", err)
		}
		c.PauseReason = string(reason)
	}
	return c, nil
}

const (
	defaultPage = 50
	maxPage     = 200
)

func pageSize(n int) int {
	if n <= 0 {
		return defaultPage
	}
	return min(n, maxPage)
}

// List returns certificates, those with the fewest days left first (never
// issued ones before all), and the token of the next page. Permission: cert.read.
func (s *Service) List(ctx context.Context, scope policy.Scope, f Filter) (items []Certificate, next string, err error) {
	if f.State != "" && !f.State.Valid() {
		return nil, "", controlplane.Invalid(controlplane.Field{Pointer: "/state", Message: "There is no such state."})
	}
	f.PageSize = pageSize(f.PageSize)
	f.Ended = f.Ended || f.State == StateEnded
	after, afterID, err := readToken(f.PageToken)
	if err != nil {
		return nil, "", err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		items, next = nil, ""
		rows, err := listCerts(tx, scope, f, after, afterID)
		if err != nil {
			return err
		}
		rows, next = cut(rows, f.PageSize, func(r certRow) (int64, string) { return r.NotAfter, r.ID })
		for _, r := range rows {
			c, err := s.value(r)
			if err != nil {
				return err
			}
			items = append(items, c)
		}
		return nil
	})
	return items, next, err
}

// cut makes a page of rows that were read with one more than it may have, and
// the token of the next one: the place of its last row in their order.
func cut[T any](rows []T, size int, place func(T) (int64, string)) (page []T, next string) {
	if len(rows) <= size {
		return rows, ""
	}
	at, id := place(rows[size-1])
	return rows[:size], strconv.FormatInt(at, 10) + "." + id
}

func readToken(token string) (at int64, id string, err error) {
	if token == "" {
		return 0, "", nil
	}
	first, id, ok := strings.Cut(token, ".")
	at, err = strconv.ParseInt(first, 10, 64)
	if !ok || err != nil || id == "" || len(id) > 40 {
		return 0, "", controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "This token is not one of ours: begin at the first page."})
	}
	return at, id, nil
}

// Issues returns the attempts at a certificate, newest first. Permission: cert.read.
func (s *Service) Issues(ctx context.Context, scope policy.Scope, certificate string, p Page) (items []Issue, next string, err error) {
	at, id, err := readToken(p.Token)
	if err != nil {
		return nil, "", err
	}
	size := pageSize(p.Size)
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		items, next = nil, ""
		if _, err := db.One[certRow](tx, scope, "certificate", certificate); err != nil {
			return err
		}
		rows, err := db.Where[issueRow](tx, scope, "started_at DESC, id DESC", size+1,
			"certificate_id = ? AND (? = '' OR started_at < ? OR started_at = ? AND id < ?)", certificate, id, at, at, id)
		if err != nil {
			return err
		}
		rows, next = cut(rows, size, func(r issueRow) (int64, string) { return r.StartedAt, r.ID })
		for _, r := range rows {
			i, err := r.value()
			if err != nil {
				return err
			}
			items = append(items, i)
		}
		return nil
	})
	return items, next, err
}

// GetIssue returns one attempt. Permission: cert.read.
func (s *Service) GetIssue(ctx context.Context, scope policy.Scope, id string) (out Issue, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := db.One[issueRow](tx, scope, "attempt", id)
		if err != nil {
			return err
		}
		out, err = row.value()
		return err
	})
	return out, err
}
