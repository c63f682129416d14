package acme

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
)

const (
	// settle is what a CA gets between its look and our question: it looks from
	// several places at about the same time, and then makes up its mind.
	settle = 8 * time.Millisecond
	// maxHits are the hits per name that bring a question forward; from then on
	// it is asked by the clock.
	maxHits = 4
	// cleanTime is what a Solver has to take its answer away after the context ended.
	cleanTime = 15 * time.Second
	// grace is how long the other names may take once one has failed. A CA gives
	// up after about ten seconds: a person is told all that is wrong at once, and
	// no answer is taken away that the CA is still to look at, which it would
	// count as a failure of that name.
	grace = 12 * time.Second
)

// authorize shows the CA that all names are ours, side by side.
func (o *order) authorize(ctx context.Context, urls []string) error {
	errs := o.each(ctx, urls, o.authorizeOne)
	return worst(errs)
}

// each runs fn for all URLs at once. After the first failure the others have a
// little time left.
func (o *order) each(ctx context.Context, urls []string, fn func(ctx context.Context, url string) error) []error {
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	errs := make([]error, len(urls))
	failed := make(chan struct{}, len(urls))
	var all sync.WaitGroup
	for i, url := range urls {
		all.Go(func() {
			if errs[i] = fn(within, url); errs[i] != nil {
				failed <- struct{}{}
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
		return errs
	case <-failed:
	}
	select {
	case <-done:
	case <-o.c.opts.After(grace):
		cancel(errOtherFailed)
		<-done
	}
	return errs
}

var errOtherFailed = errors.New("another name failed")

// worst is the failure to tell: the first that is about a name, with the others
// in its Sub.
func worst(errs []error) error {
	var told *Error
	var other error
	for _, err := range errs {
		e, ok := errors.AsType[*Error](err)
		switch {
		case err == nil || errors.Is(err, errOtherFailed):
		case !ok:
			other = err // an ended context, or the caller's own error
		case told == nil:
			told = e
		default:
			if weight(e) > weight(told) {
				told, e = e, told
			}
			told.Sub = append(told.Sub, flat(e)...)
		}
	}
	switch {
	case other != nil:
		return other
	case told != nil:
		if len(told.Sub) > 0 && told.Sub[0].Name != told.Name {
			first := *told
			first.Sub = nil
			told.Sub = append([]Error{first}, told.Sub...)
		}
		return told
	}
	return nil
}

// flat is an error and those of single names in it, as a list.
func flat(e *Error) []Error {
	if len(e.Sub) > 0 {
		return e.Sub
	}
	return []Error{*e}
}

func weight(e *Error) int {
	switch e.Kind {
	case KindValidation, KindRefused:
		return 2
	case KindOrderGone:
		return 1
	}
	return 0
}

// authorizeOne goes from state to state of one name (RFC 8555, 7.1.6).
func (o *order) authorizeOne(ctx context.Context, url string) error {
	v := &validation{o: o, url: url}
	defer v.clean(ctx)
	for {
		a, after, err := o.authorization(ctx, url)
		if err != nil {
			return err
		}
		switch a.Status {
		case acme.StatusValid:
			if v.shown.URL == "" {
				o.event(EventReused, "name", nameOf(a))
			} else {
				o.event(EventValidated, "name", nameOf(a))
			}
			v.leftBehind(a)
			return nil
		case acme.StatusPending, acme.StatusProcessing:
		default:
			v.leftBehind(a)
			return o.lostName(a)
		}
		if v.shown.URL == "" {
			if err := v.present(ctx, a); err != nil {
				return err
			}
		}
		if !v.told {
			if err := v.tell(ctx, a); err != nil {
				return err
			}
		}
		if err := v.wait(ctx, after); err != nil {
			return err
		}
	}
}

// authorization asks how a name stands.
func (o *order) authorization(ctx context.Context, url string) (acme.Authorization, time.Time, error) {
	var a acme.Authorization
	header, err := o.c.call(ctx, o.who, &o.n, opOrder, func(core *api.Core) (err error) {
		a, err = core.Authorizations.Get(url)
		return err
	})
	return a, o.c.retryAfter(header), err
}

func nameOf(a acme.Authorization) string {
	if a.Wildcard {
		return "*." + a.Identifier.Value
	}
	return a.Identifier.Value
}

// lostName tells why a name cannot be used (any more).
func (o *order) lostName(a acme.Authorization) error {
	if a.Status != acme.StatusInvalid {
		return &Error{Kind: KindOrderGone, Name: nameOf(a), Detail: "the authorization is " + a.Status}
	}
	for _, ch := range a.Challenges {
		if ch.Error == nil {
			continue
		}
		e := o.c.problem(ch.Error, 0, opOrder)
		e.Name, e.Status = nameOf(a), ch.Error.HTTPStatus
		if e.Kind != KindRefused && e.Kind != KindRateLimited || !known(e.Type) {
			e.Kind = KindValidation
		}
		return e
	}
	return &Error{Kind: KindValidation, Name: nameOf(a), Detail: "the CA does not say why"}
}

// known are the types of a refusal that no other answer to the challenge would change.
func known(typ string) bool {
	switch strings.TrimPrefix(typ, urn) {
	case "caa", "rejectedIdentifier", "unsupportedIdentifier", "rateLimited":
		return true
	}
	return false
}

// whichName looks for what is wrong with the names of an order that is lost.
func (o *order) whichName(ctx context.Context, urls []string) error {
	return worst(o.each(ctx, urls, func(ctx context.Context, url string) error {
		a, _, err := o.authorization(ctx, url)
		if err != nil {
			return err
		}
		if a.Status == acme.StatusValid || a.Status == acme.StatusPending || a.Status == acme.StatusProcessing {
			return nil
		}
		return o.lostName(a)
	}))
}

// A validation is one name being shown to be ours.
type validation struct {
	o      *order
	url    string
	solver Solver
	shown  Challenge // its URL is "" before
	told   bool      // the CA knows that it may look
	tries  int       // to tell it
	hit    <-chan struct{}
	hits   int
	polls  int
}

// present has a challenge answered.
func (v *validation) present(ctx context.Context, a acme.Authorization) error {
	o := v.o
	ch, solver, err := choose(a, o.hooks.Solvers)
	if err != nil {
		return err
	}
	if err := o.wellFormed(a); err != nil {
		return err
	}
	if !tokenForm.MatchString(ch.Token) {
		return badAnswer("a challenge's token is not one of RFC 8555", nil)
	}
	shown, err := v.challenge(a, ch)
	if err != nil {
		return err
	}
	hit, err := solver.Present(ctx, shown)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &Error{Kind: KindSolver, Name: nameOf(a), Err: err}
	}
	v.solver, v.shown, v.hit = solver, shown, hit
	o.event(EventPresented, "name", nameOf(a), "type", ch.Type)
	return nil
}

// tell has the CA look. Where the answer to that is lost, the CA may look at
// any moment: our own answer must stand, and the authorization shows whether it
// heard us.
func (v *validation) tell(ctx context.Context, a acme.Authorization) error {
	for _, ch := range a.Challenges {
		if ch.URL == v.shown.URL && ch.Status != acme.StatusPending {
			v.told = true // before the process was killed, or by a request whose answer was lost
			return nil
		}
	}
	_, err := v.o.c.call(ctx, v.o.who, &v.o.n, opOrder, func(core *api.Core) error {
		_, err := core.Challenges.New(v.shown.URL)
		return err
	})
	e, ok := errors.AsType[*Error](err)
	if ok && e.Kind == KindUnreachable && e.Status == 0 && v.tries == 0 {
		v.tries++
		return nil
	}
	v.told = true
	if ok && e.Status >= 400 && e.Status < 500 && e.Kind != KindRateLimited {
		return v.refused(ctx, e)
	}
	return err
}

// refused asks why the CA does not want to look: the name may be lost, or be
// shown already.
func (v *validation) refused(ctx context.Context, why *Error) error {
	a, _, err := v.o.authorization(ctx, v.url)
	if err != nil {
		return err
	}
	switch a.Status {
	case acme.StatusValid:
		return nil
	case acme.StatusPending, acme.StatusProcessing:
		for _, ch := range a.Challenges {
			if ch.URL == v.shown.URL && ch.Status == acme.StatusProcessing {
				return nil
			}
		}
		why.Name = nameOf(a)
		if v.o.expired(ctx) {
			why.Kind = KindOrderGone
		}
		return why
	}
	return v.o.lostName(a)
}

// expired asks whether the order's time is over.
func (o *order) expired(ctx context.Context) bool {
	seen, err := o.look(ctx)
	if err != nil {
		e, ok := errors.AsType[*Error](err)
		return ok && e.Kind == KindOrderGone
	}
	t, err := time.Parse(time.RFC3339, seen.Expires)
	return err == nil && !o.c.opts.Now().Before(t)
}

// wait ends a little after the CA looked, or when it wants to be asked.
func (v *validation) wait(ctx context.Context, after time.Time) error {
	var hit <-chan struct{}
	if v.hits < maxHits {
		hit = v.hit
	}
	if v.polls == 0 {
		after = time.Time{} // of before the challenge was answered
	}
	was, err := v.o.waitHit(ctx, after, backOff(firstNamePoll, v.polls), hit)
	if err != nil {
		return err
	}
	v.polls++
	if !was {
		return nil
	}
	v.hits++
	return v.o.wait(ctx, time.Time{}, settle<<(v.hits-1))
}

// clean takes the answer away, also where the context has ended.
func (v *validation) clean(ctx context.Context) {
	if v.solver == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	if err := v.solver.Clean(ctx, v.shown); err != nil {
		v.o.c.opts.Log.Warn("acme: the answer to a challenge was not taken away", "type", v.shown.Type, "error", err)
	}
}

// choose takes the challenge that we have a solver for, http-01 first.
func choose(a acme.Authorization, solvers map[string]Solver) (acme.Challenge, Solver, error) {
	var offered []string
	for _, typ := range []string{HTTP01, DNS01} {
		for _, ch := range a.Challenges {
			if ch.Type == typ && solvers[typ] != nil && ch.Token != "" {
				return ch, solvers[typ], nil
			}
		}
	}
	for _, ch := range a.Challenges {
		offered = append(offered, ch.Type)
	}
	return acme.Challenge{}, nil, &Error{
		Kind: KindUnsupported, Name: nameOf(a),
		Detail: fmt.Sprintf("the CA offers %s, and there is no solver for it", strings.Join(offered, ", ")),
	}
}
