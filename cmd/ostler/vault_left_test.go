package main

import (
	"bytes"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/findings"
	"ostler/controlplane/secrets"
	"ostler/controlplane/secrets/vault"
)

// What a move leaves is named on the command line, ends it with a code of its
// own, and is a finding until the rest has moved; so is what Vault does not let
// us destroy. Then the key files can go.
func TestVaultLeaves(t *testing.T) {
	c, fake := vaultPlane(t)
	a := vaultApp(t, c)
	ctx := controlplane.System(t.Context(), "test")
	for _, id := range []string{"cus_one", "cus_two", "cus_gone"} {
		must(t, a.Keeper.EnsureKey(ctx, id))
	}
	h := &house{config: c, db: a.DB, keeper: a.Keeper, ledger: a.Ledger}
	all := vault.Options{}.Policy(vault.PartPlane)
	deny := func(path string) {
		must(t, fake.Server().SetPolicy(ctx, vault.PartPlane, all+"\npath \""+path+"\" {\n  capabilities = [\"deny\"]\n}\n"))
	}
	seen := vaultSeen{}
	open := func(want ...string) {
		t.Helper()
		must(t, a.lookAtVault(ctx, a.Keeper.Vault(), &seen, time.Now()))
		list, _, err := a.Findings.List(ctx, everyone, findings.Filter{})
		must(t, err)
		var got []string
		for _, f := range list {
			title, cause, next := findings.Sentence("en", f)
			if title == "" || cause == "" || next == "" {
				t.Errorf("%s: got %q, %q, %q", f.Kind, title, cause, next)
			}
			got = append(got, f.Kind)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("findings: got %q, want %q", got, want)
		}
	}
	var out, progress bytes.Buffer
	said := func(name string, b *bytes.Buffer, parts ...string) {
		t.Helper()
		for _, p := range parts {
			if !strings.Contains(b.String(), p) {
				t.Errorf("%s: got %q, want %q in it", name, b.String(), p)
			}
		}
		b.Reset()
	}

	deny("transit/encrypt/ostler-data-cus_two")
	err := h.move(ctx, secrets.HomeVault, &out, &progress)
	if exitCode(err) != exitPartial || !strings.Contains(err.Error(), "1 left where they were") {
		t.Errorf("got %v, exit code %d, want that one is left", err, exitCode(err))
	}
	said("what moved", &out, "Moved to Vault: 3 data keys")
	said("what is left", &progress, "Left: data key 1 of cus_two. Vault's policy denies us transit/encrypt/ostler-data-cus_two.", "ostler secrets policy")
	open(findings.VaultBehind)
	must(t, h.retire(ctx, false, &out, &progress))
	said("retired too early", &out, "Nothing was done. The key files are still needed: in the keyring, 1 data key", "Next: ostler secrets move --to vault")
	if err := h.retire(ctx, true, &out, &progress); controlplane.ErrorCode(err) != controlplane.CodeConflict {
		t.Errorf("destroyed too early: got %v, want a conflict", err)
	}
	must(t, fake.Server().SetPolicy(ctx, vault.PartPlane, all))
	must(t, h.move(ctx, secrets.HomeVault, &out, &progress))
	said("the rest", &out, "Moved to Vault: 1 data key,", "ostler secrets retire-file")
	open()

	must(t, h.retire(ctx, false, &out, &progress))
	said("asked", &out, "Nothing was done. No key needs the kek files")
	must(t, h.retire(ctx, true, &out, &progress))
	said("retired", &out, "Destroyed: kek-1.key", "do not open any more, unless somebody has a copy of these files")
	must(t, h.retire(ctx, true, &out, &progress))
	said("again", &out, "There were no such files here")
	if left, err := filepath.Glob(filepath.Join(c.DataDir, "keyring", "kek-*")); err != nil || len(left) > 0 {
		t.Errorf("key files: got %q, %v", left, err)
	}
	if s := progress.String(); s != "" {
		t.Errorf("said beside: %q", s)
	}

	must(t, a.Keeper.Destroy(ctx, "cus_gone"))
	must(t, a.Keeper.Destroy(ctx, "cus_one"))
	deny("transit/keys/ostler-data-cus_gone")
	done, left, err := a.Keeper.FinishRemovals(ctx, "test")
	must(t, err)
	if done != 1 || len(left) != 1 {
		t.Errorf("removed: got %d, left %v", done, left)
	}
	must(t, a.tellUnremoved(ctx, left))
	open(findings.VaultUnremoved)
	must(t, fake.Server().SetPolicy(ctx, vault.PartPlane, all))
	_, left, err = a.Keeper.FinishRemovals(ctx, "test")
	must(t, err)
	must(t, a.tellUnremoved(ctx, left))
	open()
	if err := fake.Server().Call(ctx, http.MethodGet, "transit/keys/ostler-data-cus_gone", nil, nil); err == nil {
		t.Error("the key is still in Vault")
	}
}
