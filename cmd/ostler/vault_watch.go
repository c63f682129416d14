package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/secrets"
	"ostler/controlplane/secrets/vault"
)

// removeKeys is the kind of the job and schedule that destroy in Vault what was
// erased here.
const removeKeys = "secrets.remove"

// vaultEvery is how often Vault and our token are looked at.
const vaultEvery = 10 * time.Second

// keyJobs has what is erased here destroyed in Vault, as soon as Vault takes it.
func (a *App) keyJobs(ctx context.Context) error {
	a.Jobs.Handle(removeKeys, jobs.Handler{Run: func(ctx context.Context, _ jobs.Job) (any, error) {
		n, left, err := a.Keeper.FinishRemovals(ctx, holder(a.Config.Replica)+", removing")
		if err == nil {
			err = a.tellUnremoved(ctx, left)
		}
		return map[string]int{"removed": n, "left": len(left)}, err
	}})
	a.Jobs.HandleSchedule(removeKeys, func(tx *db.Tx, _ jobs.Schedule, at time.Time) error {
		due, err := a.Keeper.Removals(tx)
		if err != nil || !due {
			return err
		}
		_, err = a.Jobs.Enqueue(tx, jobs.Spec{Kind: removeKeys, Executor: jobs.Plane, Resource: removeKeys, Key: fmt.Sprintf("%s:%d", removeKeys, at.Unix()),
			Subject: removeKeys, Timeout: 10 * time.Minute, MaxAttempts: 3, Title: "job.keys_remove"})
		return err
	})
	return a.DB.Write(ctx, func(tx *db.Tx) error {
		_, err := a.Jobs.PutSchedule(tx, jobs.Schedule{Key: removeKeys, Kind: removeKeys, Cron: "*/5 * * * *", Zone: "UTC", Enabled: a.Keeper.Vault() != nil})
		return err
	})
}

// tellUnremoved makes it a finding that Vault did not destroy what was erased
// here, and closes it when it has.
func (a *App) tellUnremoved(ctx context.Context, left []secrets.Left) error {
	return a.DB.Write(controlplane.System(ctx, "vault"), func(tx *db.Tx) error {
		if len(left) == 0 {
			return a.Findings.Close(tx, findings.VaultUnremoved, "all of it is destroyed in Vault")
		}
		detail, _ := troubleWords(left[0].Err)
		return a.Findings.Raise(tx, findings.Finding{Key: findings.VaultUnremoved, Kind: findings.VaultUnremoved, Severity: findings.Bad, Owner: findings.Ops,
			Args: map[string]string{"count": strconv.Itoa(len(left)), "detail": detail}})
	})
}

// leftBehind says how many keys and credentials are not in the home that new
// ones go to, where nobody moves them; 0 while somebody does.
func (a *App) leftBehind(ctx context.Context) (n int, home secrets.HomeName, err error) {
	s, err := a.Keeper.Status(ctx)
	if err != nil || s.Holder != "" {
		return 0, s.Active, err
	}
	for name, keys := range s.Keys {
		if name != s.Active {
			n += keys
		}
	}
	return n + s.Behind, s.Active, nil
}

// watchVault makes it a finding that Vault is away or refuses us, or that our
// token ends, and closes it when that is over.
func (a *App) watchVault(ctx context.Context) error {
	v := a.Keeper.Vault()
	if v == nil {
		<-ctx.Done()
		return nil
	}
	seen := vaultSeen{}
	for t := time.NewTicker(vaultEvery); ; {
		if err := a.lookAtVault(ctx, v, &seen, time.Now()); err != nil && ctx.Err() == nil {
			a.log.ErrorContext(ctx, "vault.finding", "error", err)
		}
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}

// vaultSeen is what the last look found and wrote; "" is nothing yet.
type vaultSeen struct{ away, ending, behind string }

// lookAtVault looks once; only a change writes.
func (a *App) lookAtVault(ctx context.Context, v *vault.Client, seen *vaultSeen, now time.Time) error {
	look, cancel := context.WithTimeout(ctx, vaultEvery)
	defer cancel()
	h := v.Health(look)
	if ctx.Err() != nil {
		return nil
	}
	trouble := h.Err
	if trouble == nil && h.SignIn != nil {
		trouble = h.SignIn
	}
	if trouble == nil {
		_, trouble = a.Keeper.Broken()
	}
	away, ending := "fine", "fine"
	if trouble != nil {
		t, _ := vault.TroubleOf(trouble)
		away = "vault." + string(t)
	}
	if h.Ending(now) {
		ending = "ends"
	}
	behind, home, err := a.leftBehind(ctx)
	if err != nil {
		return err
	}
	found := vaultSeen{away, ending, strconv.Itoa(behind) + " " + string(home)}
	if *seen == found {
		return nil
	}
	err = a.DB.Write(controlplane.System(ctx, "vault"), func(tx *db.Tx) error {
		if err := a.settleVault(tx, away, trouble); err != nil {
			return err
		}
		if err := a.settleBehind(tx, behind, home); err != nil {
			return err
		}
		if ending == "fine" {
			return a.Findings.Close(tx, a.vaultKey(findings.VaultToken), "the token was renewed")
		}
		return a.Findings.Raise(tx, findings.Finding{Key: a.vaultKey(findings.VaultToken), Kind: findings.VaultToken, Severity: findings.Warn, Owner: findings.Ops,
			Args: map[string]string{"replica": a.Config.Replica, "until": h.Ends.UTC().Format("15:04") + " UTC"}})
	})
	if err == nil {
		*seen = found
	}
	return err
}

// settleBehind makes it a finding that a move left something behind.
func (a *App) settleBehind(tx *db.Tx, n int, home secrets.HomeName) error {
	if n == 0 {
		return a.Findings.Close(tx, findings.VaultBehind, "all keys are in one place")
	}
	return a.Findings.Raise(tx, findings.Finding{Key: findings.VaultBehind, Kind: findings.VaultBehind, Severity: findings.Warn, Owner: findings.Ops,
		Args: map[string]string{"count": strconv.Itoa(n), "home": placeOf(home), "to": string(home)}})
}

// settleVault has one finding about Vault open for this replica, the one that
// fits, or none.
func (a *App) settleVault(tx *db.Tx, away string, trouble error) error {
	kind := vaultKinds[away]
	if kind == "" && trouble != nil {
		kind = findings.VaultRefuses
	}
	for _, other := range []string{findings.VaultSealed, findings.VaultUnreachable, findings.VaultRefuses} {
		if other == kind {
			continue
		}
		if err := a.Findings.Close(tx, a.vaultKey(other), "it is not so any more"); err != nil {
			return err
		}
	}
	if kind == "" {
		return nil
	}
	detail, _ := troubleWords(trouble)
	return a.Findings.Raise(tx, findings.Finding{Key: a.vaultKey(kind), Kind: kind, Severity: findings.Bad, Owner: findings.Ops,
		Args: map[string]string{"replica": a.Config.Replica, "detail": detail}})
}

var vaultKinds = map[string]string{
	"vault." + string(vault.Sealed): findings.VaultSealed, "vault." + string(vault.Unreachable): findings.VaultUnreachable,
}

// vaultKey names a finding of this replica: each has a way to Vault of its own.
func (a *App) vaultKey(kind string) string { return kind + ":" + a.Config.Replica }
