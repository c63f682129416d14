package backups

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// unreadLists are the files that runs could not read, each opened once.
type unreadLists struct {
	s    *Service
	ctx  context.Context //nolint:containedctx // one request's
	runs map[string][]Unread
}

// has reports whether the backup that made a snapshot could not read a path, or
// a folder above it.
func (u *unreadLists) has(snap snapshotRow, path []byte) (bool, error) {
	if snap.UnreadCount == 0 {
		return false, nil
	}
	list, ok := u.runs[snap.RunID]
	if !ok {
		var row runRow
		err := u.s.db.Read(u.ctx, func(tx *db.Tx) (err error) {
			row, err = db.One[runRow](tx, policy.OneCustomer(snap.CustomerID), "run", snap.RunID)
			return err
		})
		if err == nil {
			list, err = u.s.unreadOf(row)
		}
		if err != nil {
			return false, err
		}
		u.runs[snap.RunID] = list
	}
	return slices.ContainsFunc(list, func(x Unread) bool {
		rest, found := bytes.CutPrefix(path, []byte(x.Path))
		return found && (len(rest) == 0 || rest[0] == '/')
	}), nil
}

// unreadOf opens the files that a run could not read.
func (s *Service) unreadOf(row runRow) (list []Unread, err error) {
	if row.Unread == nil {
		return nil, nil
	}
	raw, err := s.keeper.Open(row.CustomerID, ad("backup_runs", "unread", row.ID), row.Unread)
	if err != nil {
		return nil, fmt.Errorf("backups: unread: %w", err)
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("backups: unread: %w", err)
	}
	return list, nil
}

// A page's token is the path at its end, sealed: it stands in addresses and in
// the logs of whoever stands between.

func pageAD() (table, column, row string) { return "catalogue", "page", "find" }

func (s *Service) sealPage(customer string, last []byte) (string, error) {
	sealed, err := s.keeper.Seal(customer, ad(pageAD()), last)
	if err != nil {
		return "", fmt.Errorf("backups: find: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

func (s *Service) openPage(customer, token string) ([]byte, error) {
	if token == "" {
		return nil, nil
	}
	bad := controlplane.Invalid(controlplane.Field{Pointer: "/page_token", Message: "Use the token of the page before."})
	sealed, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, bad
	}
	last, err := s.keeper.Open(customer, ad(pageAD()), sealed)
	if err != nil {
		return nil, bad
	}
	return last, nil
}
