package acme

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
)

const (
	lostPages = 20 // of the account's list of orders
	lostLooks = 10 // at orders in it, the newest first
)

// findLost looks for the order whose newOrder was sent, but whose answer we
// never kept: in the account's list, where the CA has one (RFC 8555, 7.1.2.1).
// A CA without it, as Let's Encrypt, gives the same order again for the same
// names. The zero sight: there is none.
func (o *order) findLost(ctx context.Context) (sight, error) {
	urls, err := o.listed(ctx)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok && (e.Kind == KindOrderGone || e.Kind == KindRefused || e.Kind == KindBadAnswer) {
			return sight{}, nil // no list to be had
		}
		return sight{}, err
	}
	slices.Reverse(urls)
	for _, url := range urls[:min(len(urls), lostLooks)] {
		seen, ok, err := o.mine(ctx, url)
		if err != nil {
			return sight{}, err
		}
		if !ok {
			continue
		}
		if err := o.save(ctx, func(s *State) { s.adopt(url, seen.Order) }); err != nil {
			return sight{}, err
		}
		o.event(EventResumed)
		return seen, nil
	}
	return sight{}, nil
}

// mine takes an order that nobody works on, where it is the one we look for.
func (o *order) mine(ctx context.Context, url string) (sight, bool, error) {
	if !o.open(url) {
		return sight{}, false, nil
	}
	seen, err := o.lookAt(ctx, url)
	fits := err == nil && (seen.Status == acme.StatusPending || seen.Status == acme.StatusReady) &&
		slices.Equal(identifiersOf(seen.Identifiers), o.sorted) &&
		(o.req.Profile == "" || seen.Profile == "" || seen.Profile == o.req.Profile)
	if !fits {
		o.c.mu.Lock()
		delete(o.c.open, url)
		o.c.mu.Unlock()
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == KindOrderGone {
		err = nil
	}
	return seen, fits, err
}

// listed are the URLs of the account's orders, in the CA's order.
func (o *order) listed(ctx context.Context) ([]string, error) {
	var acct acme.Account
	_, err := o.c.call(ctx, o.who, &o.n, opOrder, func(core *api.Core) (err error) {
		acct, err = core.Accounts.Get(o.who.url)
		return err
	})
	if err != nil {
		return nil, err
	}
	var urls []string
	next := acct.Orders
	for page := 0; next != "" && page < lostPages; page++ {
		a, err := o.c.post(ctx, o.who, next, nil, &o.n, opOrder)
		if err != nil {
			return nil, err
		}
		var doc struct {
			Orders []string `json:"orders"`
		}
		if err := json.Unmarshal(a.body, &doc); err != nil {
			return nil, badAnswer("the list of orders is no JSON", err)
		}
		urls = append(urls, doc.Orders...)
		next = ""
		if l := links(a.header, "next"); len(l) > 0 {
			next = l[0]
		}
	}
	return urls, nil
}
