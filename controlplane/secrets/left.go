package secrets

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/secrets/vault"
)

// Left is a value that could not be moved, wrapped anew or removed, while the
// others were. It is whole where it was.
type Left struct {
	What     string // "data key 1", "credential cert_providers.dns_..."
	Customer string // "" is the company
	Err      error
}

// String says what it is and whose.
func (l Left) String() string {
	if l.Customer == "" {
		return l.What + " of the company"
	}
	return l.What + " of " + l.Customer
}

// whole reports whether err stands in the way of every value, so that going on
// is of no use: the network, the database, the hold, or ourselves.
func whole(ctx context.Context, err error) bool {
	if ctx.Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, errLost) {
		return true
	}
	if t, _ := vault.TroubleOf(err); t != "" {
		return t.Whole()
	}
	// A value that does not open, a key file that is missing, a credential that
	// is not there: of one value. Anything else is a fault nobody has thought of.
	var e *controlplane.Error
	return !errors.Is(err, ErrOpen) && !errors.As(err, &e)
}

// holding carries out what uses the network, and extends a hold meanwhile: calls
// may take longer together than a hold lasts. It ends with errLost where another
// process has the keys.
func (k *Keeper) holding(ctx context.Context, epoch int64, every time.Duration, do func(context.Context) error) error {
	if every == 0 {
		every = holdFor / 3
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for t := time.NewTicker(every); ; {
			select {
			case <-stop:
				t.Stop()
				return
			case <-t.C:
			}
			err := k.d.Write(ctx, func(tx *db.Tx) error { return stillHeld(tx, epoch) })
			if errors.Is(err, errLost) {
				cancel(errLost)
			} // any other fault shows in the transaction that relies on the hold
		}
	}()
	err := do(ctx)
	close(stop)
	<-done
	if err != nil && errors.Is(context.Cause(ctx), errLost) {
		return fmt.Errorf("%w (%v)", errLost, err)
	}
	return err
}
