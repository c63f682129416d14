package secrets_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/secrets"
	"ostler/controlplane/secrets/vault"
	"ostler/controlplane/secrets/vaulttest"
)

// deny is the plane's policy with one path taken away.
func deny(path string) string {
	return vault.Options{}.Policy(vault.PartPlane) + "\npath \"" + path + "\" {\n  capabilities = [\"deny\"]\n}\n"
}

// what names what was left, sorted.
func what(left []secrets.Left) (out []string) {
	for _, l := range left {
		out = append(out, l.String())
	}
	slices.Sort(out)
	return out
}

// One value that cannot be moved keeps back no other: it is named, stays whole
// where it is, and goes with the next move. What an erased customer left is
// nobody's to move.
func TestMoveGoesOn(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		k := h.keeper()
		ensure(t, k, "cus_erased")
		putCredential(t, d, k, "cus_erased", fields)
		try(t, k.Destroy(t.Context(), "cus_erased"))
		now := copyWrapped(t, d, "cus_0003", []byte("not a wrapped key"))
		try(t, h.server.SetPolicy(t.Context(), vault.PartPlane, deny("secret/data/ostler/"+customer+"/*")))

		got, err := k.Move(t.Context(), secrets.HomeVault, secrets.MoveOptions{Holder: "one"})
		want := []string{"credential " + tableName + "." + customer + " of " + customer, "data key 1 of cus_0003"}
		if err != nil || !slices.Equal(what(got.Left), want) || got.Keys != 3 || got.Credentials != 1 || got.Erased != 1 {
			t.Fatalf("got %+v (%q), %v, want three keys and a credential moved, and left %q", got, what(got.Left), err, want)
		}
		for _, l := range got.Left {
			if l.Customer == customer {
				wantTrouble(t, l.Err, vault.Denied, "secret/data/ostler/"+customer+"/", "ostler secrets policy")
			}
		}
		h.where("vault: keys 1/3, credentials 2/1")
		if h.count("secrets.moved") != 1 {
			t.Error("the end of the move is not in the ledger")
		}

		rotated, err := k.Rotate(t.Context())
		if err != nil || rotated.Keys != 3 || !slices.Equal(what(rotated.Left), want[1:]) {
			t.Errorf("Rotate: got %+v (%q), %v, want three and the one that does not open", rotated, what(rotated.Left), err)
		}

		copyWrapped(t, d, "cus_0003", now)
		try(t, h.server.SetPolicy(t.Context(), vault.PartPlane, vault.Options{}.Policy(vault.PartPlane)))
		got, err = k.Move(t.Context(), secrets.HomeVault, secrets.MoveOptions{Holder: "one"})
		if err != nil || len(got.Left) != 0 || got.Keys != 1 || got.Credentials != 1 {
			t.Errorf("again: got %+v, %v, want the rest moved", got, err)
		}
		h.whole(k)
	})
}

// A key that Vault does not let us destroy keeps back nobody else's, and is
// tried again.
func TestRemovalsGoOn(t *testing.T) {
	eachVault(t, func(t *testing.T, s vaulttest.Server) {
		client := enter(t, s, vaulttest.Role{})
		d, _, dir := sqlite(t)
		k := inVault(t, d, dir, client)
		for _, c := range []string{"cus_0001", "cus_0002", "cus_0003"} {
			ensure(t, k, c)
			try(t, k.Destroy(t.Context(), c))
		}
		try(t, s.SetPolicy(t.Context(), vault.PartPlane, deny("transit/keys/ostler-data-cus_0002")))
		done, left, err := k.FinishRemovals(t.Context(), "one")
		if err != nil || done != 2 || len(left) != 1 || left[0].Customer != "cus_0002" {
			t.Fatalf("got %d, %+v, %v, want two done and cus_0002 left", done, left, err)
		}
		wantTrouble(t, left[0].Err, vault.Denied, "transit/keys/ostler-data-cus_0002")
		try(t, s.SetPolicy(t.Context(), vault.PartPlane, vault.Options{}.Policy(vault.PartPlane)))
		if done, left, err := k.FinishRemovals(t.Context(), "one"); err != nil || done != 1 || len(left) != 0 {
			t.Errorf("again: got %d, %+v, %v, want the one that was left", done, left, err)
		}
	})
}

// Vault is sealed in the middle of a move: it ends with the cause, every value is
// whole, and the next move goes on. On a real core too.
func TestSealedWhileMoving(t *testing.T) {
	eachVault(t, func(t *testing.T, s vaulttest.Server) {
		d, _, dir := sqlite(t)
		client := enter(t, s, vaulttest.Role{Plain: true})
		k, err := secrets.Open(t.Context(), d, dir, secrets.Options{Vault: client})
		try(t, err)
		k.AddCredentials(table{})
		ensure(t, k, "", customer, "cus_0002", "cus_0003")
		sealed := seal(t, k, customer)
		putCredential(t, d, k, customer, fields)
		for _, step := range []struct {
			to secrets.HomeName
			at string
		}{{secrets.HomeVault, "wrapped"}, {secrets.HomeVault, "key"}, {secrets.HomeVault, "stored"}, {secrets.HomeFile, "key"}} {
			n := 0
			_, err := k.Move(t.Context(), step.to, secrets.MoveOptions{Holder: "one", Step: func(what string) {
				if what == step.at {
					if n++; n == 1 {
						try(t, s.Seal(t.Context(), true))
					}
				}
			}})
			if trouble(err) != vault.Sealed {
				t.Fatalf("%s, at %s (%d times): got %v, want sealed", step.to, step.at, n, err)
			}
			if got := opens(k, sealed); got != "yes" {
				t.Errorf("%s, at %s: what is cached: got %s", step.to, step.at, got)
			}
			try(t, s.Seal(t.Context(), false))
			again, err := withTable(secrets.Open(t.Context(), d, dir, secrets.Options{Vault: client}))
			try(t, err)
			if got := opens(again, sealed); got != "yes" {
				t.Errorf("%s, at %s: a new process: got %s", step.to, step.at, got)
			}
			if got, _, err := readCredential(t, d, again, customer); err != nil || got["token"] != fields["token"] {
				t.Errorf("%s, at %s: the credential: got %v, %v", step.to, step.at, got, err)
			}
		}
		for _, to := range []secrets.HomeName{secrets.HomeVault, secrets.HomeFile} {
			if got, err := k.Move(t.Context(), to, secrets.MoveOptions{Holder: "one"}); err != nil || len(got.Left) > 0 {
				t.Errorf("to %s: got %+v, %v", to, got, err)
			}
		}
	})
}

// A call of Vault may be longer than a hold: nobody else gets the keys meanwhile.
func TestHoldIsExtended(t *testing.T) {
	d, clock, _ := sqlite(t)
	h := newHouse(t, d, clock)
	one, two := h.keeper(), h.keeper()
	until := func() time.Time {
		s, err := two.Status(t.Context())
		try(t, err)
		return s.HeldUntil
	}
	slow := false
	h.fake.OnCall(func(_, path string) {
		if slow || !strings.HasPrefix(path, "transit/encrypt/ostler-data-"+customer) {
			return
		}
		slow = true
		for range 4 { // 40 s of a hold of 15
			held := until()
			clock.Advance(10 * time.Second)
			for deadline := time.Now().Add(time.Minute); !until().After(held) && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
		}
		if _, err := two.Move(t.Context(), secrets.HomeFile, secrets.MoveOptions{Holder: "two"}); controlplane.ErrorCode(err) != controlplane.CodeConflict {
			t.Errorf("the second, meanwhile: got %v, want a conflict", err)
		}
	})
	got, err := one.Move(t.Context(), secrets.HomeVault, secrets.MoveOptions{Holder: "one", Renew: time.Millisecond})
	if err != nil || got.Keys != 4 || !slow {
		t.Errorf("got %+v, %v, want all of them", got, err)
	}
	h.whole()
}

// A hold that was lost while Vault was asked ends the call.
func TestHoldIsLost(t *testing.T) {
	d, clock, _ := sqlite(t)
	h := newHouse(t, d, clock)
	one, two := h.keeper(), h.keeper()
	took := false
	h.fake.OnCall(func(_, path string) {
		if !took && strings.HasPrefix(path, "transit/encrypt/ostler-data-"+customer) {
			took = true
			clock.Advance(time.Minute)
			_, _, err := two.FinishRemovals(t.Context(), "two")
			try(t, err)
		}
	})
	_, err := one.Move(t.Context(), secrets.HomeVault, secrets.MoveOptions{Holder: "one", Renew: time.Hour})
	if controlplane.ErrorCode(err) != controlplane.CodeConflict || !strings.Contains(err.Error(), "Another process holds the keys now") {
		t.Errorf("got %v, want that another process holds the keys", err)
	}
	h.whole()
}

// Once all keys are in Vault the key files can be destroyed: what is here opens,
// and older copies of the database do not, wherever they are.
func TestRetireFile(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		k := h.keeper()
		older := wrappedOf(t, d, customer)
		if _, err := k.RetireFile(t.Context(), "one"); controlplane.ErrorCode(err) != controlplane.CodeConflict || !strings.Contains(err.Error(), "still needed") {
			t.Fatalf("before the move: got %v, want a conflict", err)
		}
		_, err := k.Rotate(t.Context())
		try(t, err)
		move := func(k *secrets.Keeper, to secrets.HomeName) {
			t.Helper()
			if got, err := k.Move(t.Context(), to, secrets.MoveOptions{Holder: "one"}); err != nil || len(got.Left) > 0 {
				t.Fatalf("to %s: got %+v, %v", to, got, err)
			}
		}
		move(k, secrets.HomeVault)
		other := h.keeper()
		retire := func(k *secrets.Keeper, want ...string) {
			t.Helper()
			got, err := k.RetireFile(t.Context(), "one")
			if err != nil || !slices.Equal(got, want) {
				t.Fatalf("retire: got %q, %v, want %q", got, err, want)
			}
		}
		retire(k, "kek-1.key", "kek-2.key")
		if left, err := filepath.Glob(filepath.Join(h.dir, "kek-*")); err != nil || len(left) > 0 {
			t.Errorf("left in the keyring: %q, %v", left, err)
		}
		retire(k) // again: nothing is left to do
		if n := h.count("secrets.file_retired"); n != 1 {
			t.Errorf("in the ledger: got %d, want one", n)
		}
		try(t, os.WriteFile(filepath.Join(h.dir, "kek-1.key"), []byte("a copy of the keyring, from elsewhere"), 0o600))
		retire(h.keeper(), "kek-1.key")
		h.whole(k, other)
		ensure(t, h.keeper(), "cus_later")

		// A copy of the database from before the move.
		now := copyWrapped(t, d, customer, older)
		home := func(to string) {
			try(t, d.Write(t.Context(), func(tx *db.Tx) error {
				return tx.Exec("UPDATE data_keys SET home = ? WHERE customer_id = ?", to, customer).Error
			}))
		}
		home("file")
		_, err = secrets.Open(t.Context(), d, h.dir, secrets.Options{Vault: h.vault})
		var e *controlplane.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, "kek-1.key is missing") {
			t.Errorf("an older copy: got %v, want that the key file is missing", err)
		}
		home("vault")
		copyWrapped(t, d, customer, now)

		// And back: a new key file is made, and retired with the next move.
		back := h.keeper()
		move(back, secrets.HomeFile)
		h.whole(back)
		move(h.keeper(), secrets.HomeVault)
		retire(h.keeper(), "kek-3.key")
		h.whole()
	})
}

// The plane's role may set nothing of a key but that it may be deleted: not that
// it can be exported, nor that what older copies hold opens no more.
func TestPolicyOfKeys(t *testing.T) {
	eachVault(t, func(t *testing.T, s vaulttest.Server) {
		k := inVaultOf(t, s)
		ensure(t, k, customer)
		token, err := s.Token(t.Context(), vault.PartPlane)
		try(t, err)
		plane := vaulttest.Server{Addr: s.Addr, RootToken: token}
		key := "transit/keys/ostler-data-" + customer
		for name, c := range map[string]struct {
			path string
			in   map[string]any
		}{
			"made to be exported": {"transit/keys/ostler-data-new", map[string]any{"type": "aes256-gcm96", "exportable": true}},
			"of another type":     {"transit/keys/ostler-data-new", map[string]any{"type": "chacha20-poly1305"}},
			"exportable":          {key + "/config", map[string]any{"exportable": true}},
			"backups in clear":    {key + "/config", map[string]any{"allow_plaintext_backup": true}},
			"old versions":        {key + "/config", map[string]any{"min_decryption_version": 1}},
			"rotated by itself":   {key + "/config", map[string]any{"auto_rotate_period": "1h", "deletion_allowed": true}},
			"trimmed":             {key + "/trim", map[string]any{"min_available_version": 1}},
		} {
			if err := plane.Call(t.Context(), http.MethodPost, c.path, c.in, nil); err == nil || !strings.Contains(err.Error(), "403") {
				t.Errorf("%s: got %v, want that the policy denies it", name, err)
			}
		}
		if err := plane.Call(t.Context(), http.MethodGet, "transit/export/encryption-key/ostler-data-"+customer, nil, nil); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("exported: got %v, want that the policy denies it", err)
		}
	})
}

// KV denies one credential: it is named, and another one reads.
func TestCredentialDenied(t *testing.T) {
	eachVault(t, func(t *testing.T, s vaulttest.Server) {
		client := enter(t, s, vaulttest.Role{})
		d, _, dir := sqlite(t)
		k := inVault(t, d, dir, client)
		k.AddCredentials(table{})
		ensure(t, k, "", customer, "cus_0002")
		stored := putCredential(t, d, k, customer, fields)
		putCredential(t, d, k, "cus_0002", fields)
		path := "secret/data/ostler/" + customer + "/" + tableName + "." + customer
		try(t, s.SetPolicy(t.Context(), vault.PartPlane, deny(path)))
		_, err := k.Credential(t.Context(), customer, credentialOf(customer), stored)
		wantTrouble(t, err, vault.Denied, path, "ostler secrets policy")
		_, err = k.StoreCredential(t.Context(), customer, credentialOf(customer), map[string]string{"token": "newer"})
		wantTrouble(t, err, vault.Denied, path)
		if got, _, err := readCredential(t, d, k, "cus_0002"); err != nil || got["token"] != fields["token"] {
			t.Errorf("another customer's: got %v, %v", got, err)
		}
	})
}

func inVaultOf(t *testing.T, s vaulttest.Server) *secrets.Keeper {
	t.Helper()
	d, _, dir := sqlite(t)
	return inVault(t, d, dir, enter(t, s, vaulttest.Role{}))
}
