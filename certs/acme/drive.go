package acme

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
)

// The back-off where a CA does not say when to ask again: the first waits, and
// the longest one. A wait grows by half.
const (
	firstOrderPoll = 15 * time.Millisecond
	firstNamePoll  = 250 * time.Millisecond // no hit was seen
	longestPoll    = 3 * time.Second
	// readyAgain is how often a ready order is looked at after the signing
	// request went off before it is sent again.
	readyAgain = 3
	// statusDeactivated is an order's at CAs that have it: one of its names was.
	statusDeactivated = acme.StatusDeactivated
)

// drive takes the order from how it was seen to a certificate.
func (o *order) drive(ctx context.Context, seen sight) error {
	sent := false // the signing request, by us, and it was taken
	for polls := 0; ; polls++ {
		var err error
		switch seen.Status {
		case acme.StatusPending:
			if sent {
				return badAnswer("the order is pending again after it was finalized", nil)
			}
			if err = o.authorize(ctx, seen.Authorizations); err == nil {
				seen, sent, err = o.finalize(ctx)
			}
			polls = 0
		case acme.StatusReady:
			if !sent || polls > readyAgain {
				seen, sent, err = o.finalize(ctx)
				polls = 0
				break
			}
			seen, err = o.poll(ctx, seen, polls)
		case acme.StatusProcessing:
			seen, err = o.poll(ctx, seen, polls)
		case acme.StatusValid:
			if seen.Certificate == "" {
				seen, err = o.poll(ctx, seen, polls)
				break
			}
			return o.save(ctx, func(s *State) { s.Step, s.Certificate = StepIssued, seen.Certificate })
		case acme.StatusInvalid, statusDeactivated, acme.StatusExpired:
			return o.whyInvalid(ctx, seen)
		default:
			return badAnswer(fmt.Sprintf("the order is %q", seen.Status), nil)
		}
		if err != nil {
			return err
		}
	}
}

// finalize sends the signing request. One that the CA is not ready for (a name
// that was just shown to be ours does not count yet, or does not count any more)
// tells how the order stands instead.
func (o *order) finalize(ctx context.Context) (sight, bool, error) {
	o.event(EventFinalizing)
	if o.state.Step != StepFinalizing {
		if err := o.save(ctx, func(s *State) { s.Step = StepFinalizing }); err != nil {
			return sight{}, false, err
		}
	}
	var got sight
	header, err := o.c.call(ctx, o.who, &o.n, opOrder, func(core *api.Core) error {
		answer, err := core.Orders.UpdateForCSR(o.state.Finalize, o.req.CSR)
		got.Order = answer.Order
		return err
	})
	e, refused := errors.AsType[*Error](err)
	if refused && (strings.HasSuffix(e.Type, ":orderNotReady") || e.Kind == KindBadAnswer) {
		return o.notReady(ctx, e) // Core calls an order that is invalid right away an error, too
	}
	if err != nil {
		return sight{}, false, err
	}
	got.at, got.after = o.c.opts.Now(), o.c.retryAfter(header)
	return got, true, nil
}

// notReady asks why an order is not ready: it may be soon, or be done already.
func (o *order) notReady(ctx context.Context, why *Error) (sight, bool, error) {
	for polls := 0; ; polls++ {
		seen, err := o.look(ctx)
		if err != nil {
			return sight{}, false, err
		}
		switch seen.Status {
		case acme.StatusPending, acme.StatusReady:
			if polls > readyAgain {
				return sight{}, false, why
			}
			if seen.Status == acme.StatusReady {
				return seen, false, nil
			}
			if err := o.wait(ctx, seen.after, backOff(firstOrderPoll, polls)); err != nil {
				return sight{}, false, err
			}
		default:
			return seen, true, nil
		}
	}
}

// poll waits, as long as the CA wants to, and looks again.
func (o *order) poll(ctx context.Context, seen sight, polls int) (sight, error) {
	if err := o.wait(ctx, seen.after, backOff(firstOrderPoll, polls)); err != nil {
		return sight{}, err
	}
	return o.look(ctx)
}

// wait ends at the instant that the CA named, or else after d; what it names of
// less than a second is no reason to ask more often than that. Where the end is
// later than our patience, the caller should come again then.
func (o *order) wait(ctx context.Context, after time.Time, d time.Duration) error {
	_, err := o.waitHit(ctx, after, d, nil)
	return err
}

func (o *order) waitHit(ctx context.Context, after time.Time, d time.Duration, hit <-chan struct{}) (bool, error) {
	now := o.c.opts.Now()
	if named := after.Sub(now); named >= time.Second || named > d {
		d = named
	}
	if now.Add(d).After(o.until) {
		return false, &Error{Kind: KindUnreachable, Detail: "the CA has not decided yet", RetryAfter: now.Add(d)}
	}
	return o.c.pause(ctx, d, hit)
}

func backOff(first time.Duration, polls int) time.Duration {
	d := first
	for range polls {
		if d += d / 2; d >= longestPoll {
			return longestPoll
		}
	}
	return d
}

// whyInvalid tells why an order is lost: by its own problem, or by that of one
// of its names.
func (o *order) whyInvalid(ctx context.Context, seen sight) error {
	if seen.Error == nil || o.state.Step != StepFinalizing {
		if err := o.whichName(ctx, seen.Authorizations); err != nil {
			return err
		}
	}
	if seen.Error != nil {
		e := o.c.problem(seen.Error, seen.Error.HTTPStatus, opOrder)
		if e.Kind != KindRateLimited {
			e.Kind = KindOrderInvalid
		}
		if e.Name == "" {
			if m := quoted.FindStringSubmatch(e.Detail); m != nil {
				e.Name = m[1]
			}
		}
		return e
	}
	if o.state.Expires.IsZero() || o.c.opts.Now().Before(o.state.Expires) && seen.Status == acme.StatusInvalid {
		return &Error{Kind: KindOrderInvalid, Detail: "the order is invalid, the CA does not say why"}
	}
	return &Error{Kind: KindOrderGone, Detail: "the order is " + seen.Status}
}
