package web

import (
	"encoding/base64"
	"path"
	"strconv"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane/policy"
)

// pickValue is a path of a snapshot as a form's value: a name may have any bytes.
func pickValue(p backups.Pick) string {
	return strings.Join([]string{p.Snapshot, rawValue(p.Path), string(p.Type), strconv.FormatInt(p.Size, 10)}, ":")
}

// rawValue is raw bytes as a form's value: browsers send text only.
func rawValue(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func readPick(s string) (p backups.Pick, ok bool) {
	parts := strings.Split(s, ":")
	if len(parts) != 4 {
		return p, false
	}
	full, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || len(full) == 0 {
		return p, false
	}
	p = backups.Pick{Snapshot: parts[0], Path: full, Type: wire.NodeType(parts[2])}
	p.Size, err = strconv.ParseInt(parts[3], 10, 64)
	if p.Type == wire.NodeDir {
		p.Size = -1
	}
	return p, err == nil
}

// pathParam is the path that an address is about: percent-encoded in "path",
// or from a form in "raw".
func (v *visit) pathParam() []byte {
	if s := v.c.QueryParam("path"); s != "" {
		return []byte(s)
	}
	b, err := base64.RawURLEncoding.DecodeString(v.c.QueryParam("raw"))
	if err != nil {
		return nil
	}
	return b
}

// back is where a form leads back to: a page of the portal, or the basket.
func (v *visit) back() string {
	if to := safeNext(v.c.FormValue("back")); to != "/" {
		return to
	}
	return "/basket"
}

// chosen is what is in the reader's basket; nil is nothing.
type chosen struct {
	items      []backups.Item
	bySnapshot map[string]map[string]bool
}

// chosen reads the reader's basket: nothing for those who may not restore.
func (v *visit) chosen() (*chosen, error) {
	if !v.canOf(v.customer(), policy.RestoreRun) {
		return nil, nil
	}
	scope, err := v.scope(policy.RestoreRun)
	if err != nil {
		return nil, err
	}
	if n, err := v.p.Backups.BasketCount(v.ctx, scope, v.customer()); err != nil || n == 0 {
		return nil, err
	}
	b, err := v.p.Backups.Basket(v.ctx, scope, v.customer())
	if err != nil {
		return nil, err
	}
	c := &chosen{items: b.Items, bySnapshot: map[string]map[string]bool{}}
	for _, i := range b.Items {
		if c.bySnapshot[i.Snapshot.ID] == nil {
			c.bySnapshot[i.Snapshot.ID] = map[string]bool{}
		}
		c.bySnapshot[i.Snapshot.ID][string(i.Path)] = true
	}
	return c, nil
}

// has reports whether a path of a snapshot is in the basket, by itself or with
// a folder around it.
func (c *chosen) has(snapshot string, full []byte) bool {
	if c == nil || c.bySnapshot[snapshot] == nil {
		return false
	}
	for p := string(full); ; p = path.Dir(p) {
		if c.bySnapshot[snapshot][p] {
			return true
		}
		if p == "/" || p == "." {
			return false
		}
	}
}

// version is the copy whose version of a path is in the basket, the newest
// where there are more.
func (c *chosen) version(plan string, full []byte) (at time.Time, in bool) {
	if c == nil {
		return at, false
	}
	for _, i := range c.items {
		if i.Snapshot.Plan == plan && string(i.Path) == string(full) && i.Snapshot.ArrivedAt.After(at) {
			at, in = i.Snapshot.ArrivedAt, true
		}
	}
	return at, in
}

// basketNote says what is in the reader's basket, and first of all where
// something was just put into it.
func (v *visit) basketNote(page *Page, c *chosen) BasketNote {
	if c == nil {
		return BasketNote{}
	}
	if v.c.QueryParam("done") == "basket" {
		page.Done, page.DoneNext = v.t("done.basket", "n", len(c.items)), Link{v.t("basket.go"), "/basket"}
	}
	return BasketNote{Items: len(c.items), Text: v.t("basket.note", "n", len(c.items)), Href: "/basket"}
}
