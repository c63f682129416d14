package secrets_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/secrets"
	"ostler/controlplane/secrets/vault"
	"ostler/controlplane/secrets/vaulttest"
	"ostler/controlplane/signer"
)

// home is a home of keys as the conformance test meets it.
type home struct {
	name   secrets.HomeName
	d      *db.DB
	try    func(t *testing.T) (*secrets.Keeper, error) // another process's
	lose   func(t *testing.T)                          // what opens the data keys of customer "cus_lost" is lost
	signer func(t *testing.T, key ed25519.PrivateKey) (signer.Key, error)
}

// TestConformance has every home give the same table: testdata/conformance.txt.
// The file keyring and the fake are asked always, a real Vault by "make
// test-vault".
func TestConformance(t *testing.T) {
	t.Run("file", func(t *testing.T) { conform(t, fileHome(t)) })
	t.Run("fake", func(t *testing.T) { s, _ := startFake(t); conform(t, vaultHome(t, s)) })
	t.Run("core", func(t *testing.T) { conform(t, vaultHome(t, startCore(t))) })
}

func fileHome(t *testing.T) home {
	d, _, dir := sqlite(t)
	return home{name: secrets.HomeFile, d: d,
		try: func(t *testing.T) (*secrets.Keeper, error) { return withTable(secrets.OpenFile(t.Context(), d, dir)) },
		lose: func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(dir, "kek-*.key"))
			try(t, err)
			for _, f := range files {
				try(t, os.Rename(f, f+".lost"))
			}
		},
		signer: func(_ *testing.T, key ed25519.PrivateKey) (signer.Key, error) { return signer.InFile(key), nil },
	}
}

func vaultHome(t *testing.T, s vaulttest.Server) home {
	d, _, dir := sqlite(t)
	o, err := s.Enter(t.Context(), t.TempDir(), vault.PartPlane, vaulttest.Role{})
	try(t, err)
	_ = inVault(t, d, dir, open(t, o))
	return home{name: secrets.HomeVault, d: d,
		try: func(t *testing.T) (*secrets.Keeper, error) {
			return withTable(secrets.Open(t.Context(), d, dir, secrets.Options{Vault: open(t, o)}))
		},
		lose: func(t *testing.T) {
			path := "transit/keys/ostler-data-cus_lost"
			try(t, s.Call(t.Context(), "POST", path+"/config", map[string]any{"deletion_allowed": true}, nil))
			try(t, s.Call(t.Context(), "DELETE", path, nil, nil))
		},
		signer: func(t *testing.T, key ed25519.PrivateKey) (signer.Key, error) {
			token, err := s.Token(t.Context(), vault.PartImport)
			try(t, err)
			person, err := vault.WithToken(vault.Options{Addr: s.Addr}, token)
			try(t, err)
			try(t, person.ImportSigner(t.Context(), key))
			so, err := s.Enter(t.Context(), t.TempDir(), vault.PartSigner, vaulttest.Role{})
			try(t, err)
			return open(t, so).SigningKey(t.Context(), key.Public().(ed25519.PublicKey))
		},
	}
}

func withTable(k *secrets.Keeper, err error) (*secrets.Keeper, error) {
	if err == nil {
		k.AddCredentials(table{})
	}
	return k, err
}

// conform asks a home everything, and compares what it said with the table.
func conform(t *testing.T, h home) {
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, "%-62s %s\n", row.what, row.ask(t, h))
	}
	got := b.String()
	t.Logf("the table of %s:\n%s", t.Name(), got)
	file := filepath.Join("testdata", "conformance.txt")
	want, err := os.ReadFile(file)
	try(t, err)
	if got != string(want) {
		t.Errorf("the table differs from %s:\n%s", file, want)
	}
}

// rows are what is asked, in order: later rows find what earlier ones left.
var rows = []struct {
	what string
	ask  func(t *testing.T, h home) string
}{
	{"new keys go to this home", func(t *testing.T, h home) string {
		s, err := h.open(t).Status(t.Context())
		return said(err, s.Active == h.name)
	}},
	{"all that it needs is there and allowed", func(t *testing.T, h home) string {
		return said(h.open(t).Check(t.Context(), h.name), true)
	}},
	{"a sealed value opens", func(t *testing.T, h home) string {
		k := h.open(t)
		ensure(t, k, customer, "cus_0002", "cus_gone", "cus_lost")
		return opens(k, seal(t, k, customer))
	}},
	{"it opens after a restart, and in another process", func(t *testing.T, h home) string {
		sealed := seal(t, h.open(t), customer)
		return opens(h.open(t), sealed)
	}},
	{"it does not open for another customer", func(t *testing.T, h home) string {
		k := h.open(t)
		_, err := k.Open("cus_0002", place, seal(t, k, customer))
		return word(err)
	}},
	{"a wrapped key in another customer's row does not open", func(t *testing.T, h home) string {
		was := copyWrapped(t, h.d, "cus_0002", wrappedOf(t, h.d, customer))
		defer copyWrapped(t, h.d, "cus_0002", was)
		k, err := h.try(t)
		if err == nil {
			err = k.EnsureKey(t.Context(), "cus_0002")
		}
		return refused(err)
	}},
	{"two processes that need a new key at once have one", func(t *testing.T, h home) string {
		one, two := h.open(t), h.open(t)
		var g sync.WaitGroup
		errs := make([]error, 2)
		for i, k := range []*secrets.Keeper{one, two} {
			g.Go(func() { errs[i] = k.EnsureKey(t.Context(), "cus_new") })
		}
		g.Wait()
		try(t, errors.Join(errs...))
		sealed, err := one.Seal("cus_new", place, []byte("v"))
		try(t, err)
		got, err := two.Open("cus_new", place, sealed)
		return said(err, string(got) == "v")
	}},
	{"rotated: every key is wrapped anew", func(t *testing.T, h home) string {
		before := wrappedOf(t, h.d, customer)
		got, err := h.open(t).Rotate(t.Context())
		return said(err, got.Keys == 5 && len(got.Left) == 0 && !bytes.Equal(before, wrappedOf(t, h.d, customer)))
	}},
	{"rotated: what was sealed opens, and so does the older wrapping", func(t *testing.T, h home) string {
		old := wrappedOf(t, h.d, customer)
		k := h.open(t)
		sealed := seal(t, k, customer)
		_, err := k.Rotate(t.Context())
		try(t, err)
		if got := opens(h.open(t), sealed); got != "yes" {
			return got
		}
		now := copyWrapped(t, h.d, customer, old)
		defer copyWrapped(t, h.d, customer, now)
		return opens(h.open(t), sealed)
	}},
	{"a credential reads as it was stored", func(t *testing.T, h home) string {
		want := map[string]string{"token": "secret of a provider", "zone": "acme.example"}
		putCredential(t, h.d, h.open(t), customer, want)
		putCredential(t, h.d, h.open(t), "cus_gone", want)
		got, stored, err := readCredential(t, h.d, h.open(t), customer)
		if bytes.Contains(stored, []byte("secret of a provider")) || secrets.InVault(stored) != (h.name == secrets.HomeVault) {
			return "stands in the wrong place"
		}
		return said(err, maps.Equal(got, want))
	}},
	{"stored once more, it is there once", func(t *testing.T, h home) string {
		k := h.open(t)
		want := map[string]string{"token": "secret of a provider", "zone": "acme.example"}
		again, err := k.StoreCredential(t.Context(), customer, credentialOf(customer), want)
		try(t, err)
		got, err := k.Credential(t.Context(), customer, credentialOf(customer), again)
		return said(err, maps.Equal(got, want))
	}},
	{"an erased customer's values are gone", func(t *testing.T, h home) string {
		k := h.open(t)
		sealed := seal(t, k, "cus_gone")
		try(t, k.Destroy(t.Context(), "cus_gone"))
		_, _, err := k.FinishRemovals(t.Context(), "a test")
		try(t, err)
		_, err = h.open(t).Open("cus_gone", place, sealed)
		return word(err)
	}},
	{"an erased customer's credentials are gone", func(t *testing.T, h home) string {
		_, _, err := readCredential(t, h.d, h.open(t), "cus_gone")
		return refused(err)
	}},
	{"an erased customer gets no new key", func(t *testing.T, h home) string {
		return word(h.open(t).EnsureKey(t.Context(), "cus_gone"))
	}},
	{"other customers' values still open", func(t *testing.T, h home) string {
		k := h.open(t)
		return opens(k, seal(t, k, customer))
	}},
	{"the company's own key is never destroyed", func(t *testing.T, h home) string {
		return refused(h.open(t).Destroy(t.Context(), ""))
	}},
	{"the signer's key signs, and its public half is the same", func(t *testing.T, h home) string {
		_, private, err := ed25519.GenerateKey(nil)
		try(t, err)
		k, err := h.signer(t, private)
		try(t, err)
		signature, err := k.Sign(t.Context(), []byte("message"))
		return said(errors.Join(err, k.Ready(t.Context())), k.Public().Equal(private.Public()) && ed25519.Verify(private.Public().(ed25519.PublicKey), []byte("message"), signature))
	}},
	{"what wraps a key is lost: it is named, and no new one is made", func(t *testing.T, h home) string {
		h.lose(t)
		k, err := h.try(t)
		if err == nil {
			err = k.EnsureKey(t.Context(), "cus_lost")
		}
		var e *controlplane.Error
		if !errors.As(err, &e) || e.Next == "" || !strings.Contains(e.Message, "kek-") && !strings.Contains(e.Message, "ostler-data-cus_lost") {
			return fmt.Sprintf("not said: %v", err)
		}
		again, err := h.try(t)
		if err == nil {
			err = again.EnsureKey(t.Context(), "cus_lost")
		}
		return refused(err)
	}},
}

func (h home) open(t *testing.T) *secrets.Keeper {
	t.Helper()
	k, err := h.try(t)
	try(t, err)
	return k
}

func ensure(t *testing.T, k *secrets.Keeper, customers ...string) {
	t.Helper()
	for _, c := range customers {
		try(t, k.EnsureKey(t.Context(), c))
	}
}

func seal(t *testing.T, k *secrets.Keeper, customer string) []byte {
	t.Helper()
	sealed, err := k.Seal(customer, place, []byte("v"))
	try(t, err)
	return sealed
}

func opens(k *secrets.Keeper, sealed []byte) string {
	got, err := k.Open(customer, place, sealed)
	return said(err, string(got) == "v")
}

func said(err error, ok bool) string {
	switch {
	case err != nil:
		return "error: " + err.Error()
	case !ok:
		return "no"
	}
	return "yes"
}

func refused(err error) string {
	if err == nil {
		return "taken"
	}
	return "refused"
}

// word is an error of the Keeper's own as one word.
func word(err error) string {
	switch {
	case err == nil:
		return "taken"
	case errors.Is(err, secrets.ErrErased):
		return "erased"
	case errors.Is(err, secrets.ErrOpen):
		return "does not open"
	}
	return "error: " + err.Error()
}

func wrappedOf(t *testing.T, d *db.DB, customer string) (b []byte) {
	t.Helper()
	try(t, d.Read(t.Context(), func(tx *db.Tx) error {
		return tx.Raw("SELECT wrapped FROM data_keys WHERE customer_id = ?", customer).Row().Scan(&b)
	}))
	return b
}

// copyWrapped writes the wrapped key of a row, and returns what it was.
func copyWrapped(t *testing.T, d *db.DB, customer string, wrapped []byte) []byte {
	t.Helper()
	was := wrappedOf(t, d, customer)
	try(t, d.Write(context.WithoutCancel(t.Context()), func(tx *db.Tx) error {
		return tx.Exec("UPDATE data_keys SET wrapped = ? WHERE customer_id = ?", wrapped, customer).Error
	}))
	return was
}
