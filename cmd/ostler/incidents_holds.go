package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/incidents"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// incidentHolds keeps recordings and logs of a case. Snapshots of backups need
// none: nothing deletes them yet.
type incidentHolds struct{ a *App }

// holdMark is how a hold says of which case it is: holds have no other key.
func holdMark(incident string) string { return "(" + incident + ")" }

// Freeze implements incidents.Holds. A hold that reaches as far is not placed again.
func (h incidentHolds) Freeze(ctx context.Context, scope policy.Scope, incident string, _ []string, since, until time.Time, why string) ([]string, error) {
	c, err := h.a.Incidents.Get(ctx, scope, incident)
	if err != nil {
		return nil, err
	}
	n := 0
	var errs []error
	for _, x := range c.Affected {
		if x.State == incidents.Cleared {
			continue
		}
		if err := h.hold(ctx, scope, x.Customer, incident, since, until, why); err != nil {
			errs = append(errs, err) // one whose key is broken keeps nobody else's from being held
			continue
		}
		n++
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	held := []string{fmt.Sprintf("Recordings of our sessions on servers of %s, and the events of the cluster’s log that belong to them, since %s.", customersOf(n), since.UTC().Format("2 January 2006")),
		"Backups: no snapshot is deleted from any repository yet, so none has to be held."}
	if n == 0 {
		held = []string{"No customer is concerned yet: recordings and logs are held by customer, so none are.", held[1]}
	}
	return append(held, "Logs that only the hosts have are not in our hands: secure them there."), nil
}

func customersOf(n int) string {
	if n == 1 {
		return "1 customer"
	}
	return fmt.Sprintf("%d customers", n)
}

// hold holds what is a customer's, unless a hold of this case does already.
func (h incidentHolds) hold(ctx context.Context, scope policy.Scope, customer, incident string, since, until time.Time, why string) error {
	standing, err := h.a.Sessions.Holds(ctx, scope, customer, false)
	if err != nil {
		return err
	}
	for _, x := range standing {
		if x.Customer == customer && strings.Contains(x.Reason, holdMark(incident)) && !x.From.After(since) && !x.Until.Before(until) {
			return nil
		}
	}
	_, err = h.a.Sessions.Hold(ctx, scope, sessions.Hold{Customer: customer, From: since, Reason: "Kept because of an incident. " + why + " " + holdMark(incident), Until: until})
	return err
}

// Thaw implements incidents.Holds. Holds are let go of by two people: what one
// asks for here stays until another one grants it on the page of holds, or it ends.
// Why stands in the case only: what holds say is read by each customer.
func (h incidentHolds) Thaw(ctx context.Context, scope policy.Scope, incident, _ string) error {
	c, err := h.a.Incidents.Get(ctx, scope, incident)
	if err != nil {
		return err
	}
	for _, a := range c.Affected {
		standing, err := h.a.Sessions.Holds(ctx, scope, a.Customer, false)
		if err != nil {
			return err
		}
		for _, x := range standing {
			if x.Customer != a.Customer || !strings.Contains(x.Reason, holdMark(incident)) || x.Asked != "" {
				continue
			}
			if _, err := h.a.Sessions.Release(ctx, scope, x.ID, "Case "+c.Number+" keeps it no longer"); err != nil && controlplane.ErrorCode(err) != controlplane.CodeConflict {
				return err
			}
		}
	}
	return nil
}
