package findings

import "maps"

// Kinds of finding about Vault, where it is a home of keys.
const (
	VaultSealed      = "vault.sealed"
	VaultUnreachable = "vault.unreachable"
	VaultRefuses     = "vault.refuses"
	VaultToken       = "vault.token_ending"
	VaultBehind      = "vault.left_behind"
	VaultUnremoved   = "vault.not_removed"
)

// vaultKinds are the kinds of Vault. replica is the process that met it; until
// is a time of day; detail is a sentence without its stop; home is where new keys
// go, to how the command line calls it.
var vaultKinds = map[string]kind{
	VaultSealed: {
		Args: []string{"replica", "detail"},
		Ops: text{
			Title: []string{"Vault is sealed"},
			Cause: []string{"{detail}. What needs a key that is not in memory waits; sign-in and everything else goes on. Do not restart the control plane before it is open.", "What needs a key that is not in memory waits; sign-in and everything else goes on. Do not restart the control plane before it is open."},
			Step:  "step.unseal_vault",
		},
	},
	VaultUnreachable: {
		Args: []string{"replica", "detail"},
		Ops: text{
			Title: []string{"Vault cannot be reached from {replica}", "Vault cannot be reached"},
			Cause: []string{"{detail}. What needs a key that is not in memory waits; sign-in and everything else goes on.", "What needs a key that is not in memory waits; sign-in and everything else goes on."},
			Step:  "step.check_vault",
		},
	},
	VaultRefuses: {
		Args: []string{"replica", "detail"},
		Ops: text{
			Title: []string{"Vault does not give {replica} what it needs", "Vault does not give us what we need"},
			Cause: []string{"{detail}.", "Our role, its policy or a key of ours in Vault was changed."},
			Step:  "step.check_vault_role",
		},
	},
	VaultToken: {
		Args: []string{"replica", "until"},
		Ops: text{
			Title: []string{"The token of {replica} at Vault ends at {until}", "Our token at Vault ends soon"},
			Cause: []string{"It has not been renewed, and no new one was given. After that, what needs a key that is not in memory waits."},
			Step:  "step.new_secret_id",
		},
	},
	VaultBehind: {
		Args: []string{"count", "home", "to"},
		Ops: text{
			Title: []string{"{count} keys or credentials are not in {home}, where new ones go", "Not all keys are where new ones go"},
			Cause: []string{"They open where they are. A move was stopped or could not take them along: ostler secrets move --to {to} goes on, and names what it leaves.", "They open where they are. A move was stopped or could not take them along."},
			Step:  "step.move_keys",
		},
	},
	VaultUnremoved: {
		Args: []string{"count", "detail"},
		Ops: text{
			Title: []string{"{count} things that were erased here are still in Vault", "Something that was erased here is still in Vault"},
			Cause: []string{"{detail}. It is tried again every five minutes, and everything else that was erased is gone.", "It is tried again every five minutes."},
			Step:  "step.check_vault_role",
		},
	},
}

var vaultSteps = map[string]string{
	"step.unseal_vault":     "Unseal Vault",
	"step.check_vault":      "See whether Vault runs",
	"step.check_vault_role": "Check our role in Vault",
	"step.new_secret_id":    "Give us a new secret id",
	"step.move_keys":        "Move the rest",
}

// withVault adds the kinds of Vault to the others.
func withVault(base map[string]kind) map[string]kind {
	maps.Copy(base, vaultKinds)
	return base
}

// withVaultSteps adds their steps to the others.
func withVaultSteps(base map[string]string) map[string]string {
	maps.Copy(base, vaultSteps)
	return base
}
