package acmetest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"sync"

	"ostler/certs/acme"
)

// digest is what a TXT record of dns-01 holds (RFC 8555, 8.4).
func digest(keyAuth string) string {
	sum := sha256.Sum256([]byte(keyAuth))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ErrKilled is what a Keeper's Save says at the kill.
var ErrKilled = errors.New("acmetest: killed")

// Keeper keeps an order's State as a database would, as JSON, and dies at one
// of its saves where it is told to.
type Keeper struct {
	mu    sync.Mutex
	kept  []byte
	saves int
	// KillAt is the save (1 is the first) that does not happen: the process
	// died before it. Negative: the process died right after it.
	KillAt int
	// Events are those that were told.
	Events []acme.Event
	Args   []map[string]string
}

// Saves is how often a State was to be saved.
func (k *Keeper) Saves() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.saves
}

// State is what was kept.
func (k *Keeper) State() acme.State {
	k.mu.Lock()
	defer k.mu.Unlock()
	var s acme.State
	if k.kept != nil {
		_ = json.Unmarshal(k.kept, &s) // written below
	}
	return s
}

// Hooks are those of an Issue with these solvers.
func (k *Keeper) Hooks(solvers map[string]acme.Solver) acme.Hooks {
	return acme.Hooks{Save: k.save, Solvers: solvers, Event: func(e acme.Event, args map[string]string) {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.Events, k.Args = append(k.Events, e), append(k.Args, args)
	}}
}

func (k *Keeper) save(_ context.Context, s acme.State) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.saves++
	if k.saves == k.KillAt {
		return ErrKilled
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	k.kept = raw
	if k.saves == -k.KillAt {
		return ErrKilled
	}
	return nil
}

// HTTP01 is the solvers of an authority's own Solver.
func (c *CA) HTTP01() map[string]acme.Solver { return map[string]acme.Solver{acme.HTTP01: c.Solver} }
