package acme

import (
	"context"
	"regexp"
	"slices"

	"github.com/go-acme/lego/v4/acme"
)

func (v *validation) challenge(a acme.Authorization, ch acme.Challenge) (Challenge, error) {
	thumb, err := Thumbprint(&v.o.who.key.PublicKey)
	return Challenge{Name: a.Identifier.Value, Type: ch.Type, Token: ch.Token, KeyAuth: ch.Token + "." + thumb, URL: ch.URL}, err
}

// tokenForm is what a token looks like (RFC 8555, 8.3); bounded, as it becomes
// part of a path.
var tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// wellFormed holds a name that is to be shown to those that were asked for: a CA
// that names another would have us write into the zone of somebody else.
func (o *order) wellFormed(a acme.Authorization) error {
	for _, n := range []string{a.Identifier.Value, "*." + a.Identifier.Value} {
		if slices.Contains(o.sorted, canonical(n)) {
			return nil
		}
	}
	return badAnswer("the CA wants a name shown that was not asked for", nil)
}

// leftBehind has clean take away what a process that was killed has shown, where
// that outlives it: records in the DNS.
func (v *validation) leftBehind(a acme.Authorization) {
	solver := v.o.hooks.Solvers[DNS01]
	if !v.o.left || v.solver != nil || solver == nil || v.o.wellFormed(a) != nil {
		return
	}
	for _, ch := range a.Challenges {
		if ch.Type != DNS01 || !tokenForm.MatchString(ch.Token) {
			continue
		}
		if shown, err := v.challenge(a, ch); err == nil {
			v.solver, v.shown = solver, shown
		}
		return
	}
}

// tidy takes away what was left behind at all names of an order that has gone
// on meanwhile. What cannot be seen any more stays: a record harms nobody.
func (o *order) tidy(ctx context.Context, urls []string) {
	if o.hooks.Solvers[DNS01] == nil {
		return
	}
	o.each(ctx, urls, func(ctx context.Context, url string) error {
		a, _, err := o.authorization(ctx, url)
		if err == nil {
			v := &validation{o: o, url: url}
			v.leftBehind(a)
			v.clean(ctx)
		}
		return nil
	})
}
