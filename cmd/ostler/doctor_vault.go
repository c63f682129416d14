package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/secrets/vault"
)

// checkVault tries the Vault that a configuration names, and changes nothing
// there; nothing is said where none is named. A secret id that is still wrapped
// is left alone: it opens once, and ostler serve is to be the one.
func checkVault(ctx context.Context, path string, patience time.Duration) []checkup {
	if path == "" {
		if _, err := os.Stat(defaultConfigFile); err != nil {
			return nil
		}
	}
	c, err := loadConfig(path)
	if err != nil || c.Vault.RoleID == "" {
		return nil // what is wrong with the file, the check of mail says
	}
	o := c.vaultOptions(nil)
	o.Timeout = patience
	v, err := vault.New(o)
	if err != nil {
		return []checkup{vaultTrouble("vault", err)}
	}
	if err := v.Health(ctx).Err; err != nil {
		return []checkup{vaultTrouble("vault", err)}
	}
	out := []checkup{{Check: "vault", State: "ok", Detail: v.Addr() + " answers and is open"}}
	if !v.CanSignIn() {
		return append(out, checkup{"  sign-in", "unknown", "the secret id is still wrapped, and opens once", "Start ostler serve: it opens it and keeps it."})
	}
	denied, err := v.Denials(ctx, vault.PartPlane)
	if err != nil {
		return append(out, vaultTrouble("  sign-in", err))
	}
	out = append(out, checkup{Check: "  sign-in", State: "ok", Detail: "our role gets a token"})
	if len(denied) > 0 {
		return append(out, checkup{"  rights", "bad", controlplane.Line("our policy lacks "+strings.Join(denied, "; "), 300), "Give our role the policy that “ostler secrets policy” prints."})
	}
	return append(out, checkup{Check: "  rights", State: "ok", Detail: "all that is needed is allowed"})
}

func vaultTrouble(check string, err error) checkup {
	sentence, next := troubleWords(err)
	return checkup{check, "bad", sentence, next}
}

// troubleWords are what people read of an error about Vault.
func troubleWords(err error) (sentence, next string) {
	var e *controlplane.Error
	if errors.As(err, &e) {
		return e.Message, e.Next
	}
	return "it cannot be used", "See the control plane's log."
}
