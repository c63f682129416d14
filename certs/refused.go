package certs

import (
	"context"
	"errors"
	"time"

	"ostler/certs/acme"
	"ostler/controlplane"
	"ostler/controlplane/db"
)

// kindCodes are the engine's words in ours.
var kindCodes = map[acme.Kind]string{
	acme.KindUnreachable:  WhyUnreachable,
	acme.KindRateLimited:  WhyRateLimited,
	acme.KindPaused:       WhyCAPaused,
	acme.KindRefused:      WhyCARefused,
	acme.KindValidation:   WhyValidation,
	acme.KindOrderInvalid: WhyOrderBad,
	acme.KindOrderGone:    WhyOrderLost,
	acme.KindAccount:      WhyCAAccount,
	acme.KindProfile:      WhyProfile,
	acme.KindRevoked:      WhyRevokedCert,
	acme.KindUnsupported:  WhyUnsupported,
	acme.KindSolver:       WhyProvider,
	acme.KindBadAnswer:    WhyBadAnswer,
}

// whyOf is an engine's error in our words.
func whyOf(e *acme.Error, ca authorityRow) Why {
	code, ok := kindCodes[e.Kind]
	if !ok {
		code = WhyInternal
	}
	w := Why{Code: code, Name: e.Name, Args: map[string]string{"authority": ca.Name}, Detail: controlplane.Line(e.Detail, maxDetail)}
	if w.Detail == "" {
		w.Detail = controlplane.Line(e.Error(), maxDetail)
	}
	if e.Link != "" {
		w.Args["link"] = e.Link
	}
	for _, sub := range e.Sub { // the culprit among many names
		if w.Name == "" && sub.Name != "" {
			w.Name, w.Detail = sub.Name, controlplane.Line(sub.Detail, maxDetail)
		}
	}
	return w
}

// refused is what an error of the engine means for the attempt. Errors that are
// none of the CA's come back: the job is tried again.
func (a *attempt) refused(ctx context.Context, err error) (ordered, error) {
	var own *ownRefusal
	if errors.As(err, &own) {
		return ordered{Why: &own.why}, a.giveBack(ctx)
	}
	var e *acme.Error
	if !errors.As(err, &e) {
		return ordered{}, err
	}
	why := whyOf(e, a.ca)
	now, err := a.s.db.Now(ctx)
	if err != nil {
		return ordered{}, err
	}
	until, err := a.heard(ctx, e)
	if err != nil {
		return ordered{}, err
	}
	switch {
	case e.Kind == acme.KindRateLimited && !until.IsZero():
		return ordered{Why: &why, Wait: until}, a.giveBack(ctx)
	case e.Kind == acme.KindUnreachable && a.row.Tries < maxTries:
		if least := now.Add(retryAfter(int(a.row.Tries))); until.Before(least) {
			until = least
		}
		return ordered{Why: &why, Wait: until}, nil
	}
	if why.Until = until; !until.Before(Forever) {
		why.Until = time.Time{} // until a person lifts it: the next try is by our own steps
	}
	if e.Kind == acme.KindValidation && why.Name != "" {
		return ordered{Why: &why}, a.giveBack(ctx, culprits(e)...)
	}
	return ordered{Why: &why}, a.giveBack(ctx)
}

// ownRefusal is a reason of our own to stop in the middle of an order.
type ownRefusal struct{ why Why }

func (e *ownRefusal) Error() string { return "certs: " + e.why.Code }

// culprits are the names that a CA could not see to be ours.
func culprits(e *acme.Error) []string {
	var names []string
	if e.Name != "" {
		names = append(names, e.Name)
	}
	for _, sub := range e.Sub {
		if sub.Name != "" && sub.Name != e.Name {
			names = append(names, sub.Name)
		}
	}
	return names
}

// heard keeps what a CA said of waiting, for its scope alone, and returns until
// when: nothing of that scope is asked before.
func (a *attempt) heard(ctx context.Context, e *acme.Error) (until time.Time, err error) {
	err = a.s.db.Write(ctx, func(tx *db.Tx) error {
		until, err = Budget{}.Refused(tx, a.ca.ID, a.names, e)
		return err
	})
	if until.IsZero() && !e.RetryAfter.IsZero() {
		until = e.RetryAfter
	}
	if !until.IsZero() && until.Before(Forever) {
		until = until.Truncate(time.Millisecond).Add(time.Millisecond) // never before, not by a fraction
	}
	return until, err
}
