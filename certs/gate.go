package certs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ostler/certs/limits"
	"ostler/controlplane"
	"ostler/controlplane/db"
)

// ask is the attempt's order, as limits see it.
func (a *attempt) ask(now time.Time) Ask {
	return Ask{Issue: a.row.ID, Authority: a.ca.ID, Names: a.names, Renewal: renews(a.cert, a.row.Names, a.ca.ID, now)}
}

// renews says what an order renews: within its window, at the CA that it is of,
// it is spared.
func renews(cert certRow, names, authority string, now time.Time) limits.Renewal {
	if cert.IssuedBy != authority || cert.IssuedRound == 0 || cert.IssuedNames != names {
		return limits.RenewalNone
	}
	if ms := now.UnixMilli(); cert.RenewFrom == string(FromARI) && cert.WindowStart > 0 && cert.WindowStart <= ms && ms < cert.WindowEnd {
		return limits.RenewalARI
	}
	return limits.RenewalSameSet
}

// mayOrder says what of a CA's limits is in the way of an attempt, and reserves
// its place where nothing is. An order that is there goes on whatever the
// limits of new ones say.
func (a *attempt) mayOrder(ctx context.Context, fresh bool) (why *Why, err error) {
	err = a.s.db.Write(ctx, func(tx *db.Tx) error {
		why = nil
		if !fresh {
			u, err := usage(tx, a.ca.ID, []limits.Key{{Limit: limits.All}}, false)
			if err != nil {
				return err
			}
			if st := u[limits.Key{Limit: limits.All}]; st.BlockedUntil.After(tx.Now) {
				why = ofVerdict(limits.Verdict{NotBefore: st.BlockedUntil, Limit: limits.All, ByCA: true, Said: st.Said}, a.ca)
			}
			return nil
		}
		v, err := Budget{}.Reserve(tx, a.ask(tx.Now))
		if err == nil && !v.Allowed {
			why = ofVerdict(v, a.ca)
		}
		return err
	})
	return why, err
}

// ofVerdict is a limit in the way, in our words.
func ofVerdict(v limits.Verdict, ca authorityRow) *Why {
	w := &Why{Code: WhyLimit, Until: v.NotBefore, Detail: controlplane.Line(v.Said, maxDetail), Args: map[string]string{"authority": ca.Name, "limit": limitWords[v.Limit],
		"count": fmt.Sprint(v.Used), "max": fmt.Sprint(v.Max)}}
	switch {
	case v.Limit == limits.FailedInRow:
		w.Code, w.Name = WhyCAPaused, v.Scope
		if words := strings.Fields(v.Said); len(words) > 0 && strings.HasPrefix(words[len(words)-1], "https://") {
			w.Args["link"] = words[len(words)-1]
		}
	case v.ByCA:
		w.Code = WhyRateLimited
	}
	return w
}

// limitWords are the limits as sentences have them.
var limitWords = map[limits.Limit]string{
	limits.All: "all requests", limits.NewOrders: "new orders of the account", limits.PerDomain: "certificates under one registered domain",
	limits.PerSet: "certificates for the same names", limits.FailedNames: "failed checks of one name", limits.FailedInRow: "failures in a row",
}

// again reserves a place for another order of the same attempt.
func (a *attempt) again(ctx context.Context) (ordered, bool, error) {
	if err := a.giveBack(ctx); err != nil {
		return ordered{}, true, err
	}
	why, err := a.mayOrder(ctx, true)
	if err != nil || why == nil {
		return ordered{}, err != nil, err
	}
	return held(why), true, nil
}

// giveBack returns a place that brought no certificate; failed are the names
// that the CA could not see to be ours.
func (a *attempt) giveBack(ctx context.Context, failed ...string) error {
	return a.s.db.Write(ctx, func(tx *db.Tx) error { return Budget{}.GiveBack(tx, a.row.ID, a.ca.ID, failed...) })
}

// ordered counts an order that the CA has made, or may have.
func (a *attempt) ordered(tx *db.Tx) error { return Budget{}.Ordered(tx, a.row.ID) }

// inTheWay are the limits of a CA that names meet now.
func (s *Service) inTheWay(tx *db.Tx, cert certRow, ca authorityRow) (out []Why, err error) {
	names, err := cert.names()
	if err != nil {
		return nil, err
	}
	verdicts, err := Budget{}.Refusals(tx, Ask{Authority: ca.ID, Names: names, Renewal: renews(cert, cert.Names, ca.ID, tx.Now)})
	for _, v := range verdicts {
		out = append(out, *ofVerdict(v, ca))
	}
	return out, err
}
