package secrets_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/secrets"
)

const customer = "cus_0001"

var place = secrets.AD{Table: "plans", Column: "note", Row: "pln_1"}

func keeper(t testing.TB, d *db.DB, dir string) *secrets.Keeper {
	t.Helper()
	k, err := secrets.OpenFile(t.Context(), d, dir)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func fresh(t testing.TB) (*db.DB, string, *secrets.Keeper) {
	t.Helper()
	d := dbtest.SQLite(t, &dbtest.Clock{})
	dir := filepath.Join(t.TempDir(), "keyring")
	k := keeper(t, d, dir)
	for _, c := range []string{"", customer, "cus_0002"} {
		if err := k.EnsureKey(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	return d, dir, k
}

func TestSealedValueOpensAfterRestart(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir := filepath.Join(t.TempDir(), "keyring")
		k := keeper(t, d, dir)
		if err := k.EnsureKey(t.Context(), customer); err != nil {
			t.Fatal(err)
		}
		sealed, err := k.Seal(customer, place, []byte("Erika Mustermann"))
		if err != nil {
			t.Fatal(err)
		}
		again := keeper(t, d, dir)
		got, err := again.Open(customer, place, sealed)
		if err != nil || string(got) != "Erika Mustermann" {
			t.Errorf("Open: got %q, %v", got, err)
		}
		if got, want := again.Index("contacts.email", "A@b.example"), k.Index("contacts.email", "a@B.EXAMPLE"); !bytes.Equal(got, want) {
			t.Error("the blind index changed over a restart, or does not fold case")
		}
	})
}

func TestContactSeesOwnDataKeyOnly(t *testing.T) {
	if testing.Short() {
		t.Skip("row-level security needs PostgreSQL")
	}
	d := dbtest.Postgres(t, &dbtest.Clock{})
	k := keeper(t, d, filepath.Join(t.TempDir(), "keyring"))
	for _, c := range []string{"", customer, "cus_0002"} {
		if err := k.EnsureKey(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	ctx := controlplane.WithActor(t.Context(), controlplane.Actor{Kind: controlplane.ActorContact, ID: "con_1", Customer: customer})
	var got []string
	err := d.Read(ctx, func(tx *db.Tx) error {
		return tx.Raw("SELECT customer_id FROM data_keys").Scan(&got).Error
	})
	if err != nil || len(got) != 1 || got[0] != customer {
		t.Errorf("a contact sees the data keys of %q, %v; want their own", got, err)
	}
	if err := k.EnsureKey(ctx, "cus_0003"); err != nil {
		t.Errorf("EnsureKey in a contact's context: %v", err)
	}
}

func TestMovedValueDoesNotOpen(t *testing.T) {
	_, _, k := fresh(t)
	sealed, err := k.Seal(customer, place, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	local, err := k.SealLocal(place, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, customer string
		ad             secrets.AD
	}{
		{"other row", customer, secrets.AD{Table: "plans", Column: "note", Row: "pln_2"}},
		{"other column", customer, secrets.AD{Table: "plans", Column: "name", Row: "pln_1"}},
		{"other table", customer, secrets.AD{Table: "runs", Column: "note", Row: "pln_1"}},
		{"other customer", "cus_0002", place},
		{"the company", "", place},
		{"bytes moved between parts", customer, secrets.AD{Table: "plansn", Column: "ote", Row: "pln_1"}},
		{"parts joined", customer, secrets.AD{Table: "plansnotepln_1"}},
		{"row and customer moved", "1" + customer, secrets.AD{Table: "plans", Column: "note", Row: "pln_"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := k.Open(tt.customer, tt.ad, sealed); err == nil {
				t.Errorf("Open: got %q, want an error", got)
			}
			if tt.ad != place {
				if got, err := k.OpenLocal(tt.ad, local); err == nil {
					t.Errorf("OpenLocal: got %q, want an error", got)
				}
			}
		})
	}
	if _, err := k.OpenLocal(place, sealed); !errors.Is(err, secrets.ErrOpen) {
		t.Errorf("a customer's envelope as a local one: got %v", err)
	}
	if _, err := k.Open("", place, local); !errors.Is(err, secrets.ErrOpen) {
		t.Errorf("a local envelope as the company's: got %v", err)
	}
}

func TestEveryByteCounts(t *testing.T) {
	_, _, k := fresh(t)
	sealed, err := k.Seal(customer, place, []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	local, err := k.SealLocal(place, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := k.Open(customer, place, bad); !errors.Is(err, secrets.ErrOpen) {
			t.Errorf("byte %d changed: got %v, want ErrOpen", i, err)
		}
		if _, err := k.Open(customer, place, sealed[:i]); !errors.Is(err, secrets.ErrOpen) {
			t.Errorf("cut at %d: got %v, want ErrOpen", i, err)
		}
	}
	for i := range local {
		bad := bytes.Clone(local)
		bad[i] ^= 1
		if _, err := k.OpenLocal(place, bad); !errors.Is(err, secrets.ErrOpen) {
			t.Errorf("local, byte %d changed: got %v, want ErrOpen", i, err)
		}
	}
	if got, err := k.OpenLocal(place, local); err != nil || len(got) != 0 {
		t.Errorf("an empty value: got %q, %v", got, err)
	}
}

func TestIndex(t *testing.T) {
	_, _, k := fresh(t)
	tests := []struct {
		name, a, b string
		same       bool
	}{
		{"case", "Erika@Example.com", "erika@example.COM", true},
		{"composed and decomposed", "Jos\u00e9", "Jose\u0301", true},
		{"decomposed capitals", "JOSE\u0301", "jos\u00e9", true},
		{"different", "a", "b", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := bytes.Equal(k.Index("n", tt.a), k.Index("n", tt.b)); got != tt.same {
				t.Errorf("same: got %v, want %v", got, tt.same)
			}
		})
	}
	if bytes.Equal(k.Index("ab", "c"), k.Index("a", "bc")) {
		t.Error("name and value run together")
	}
	if bytes.Equal(k.Index("a", "x"), k.Index("b", "x")) {
		t.Error("two names share an index")
	}
}

func TestSealNeedsAKey(t *testing.T) {
	_, _, k := fresh(t)
	if _, err := k.Seal("cus_none", place, nil); !errors.Is(err, secrets.ErrNoKey) {
		t.Errorf("got %v, want ErrNoKey", err)
	}
}

func TestKeyOfAnotherReplicaIsFoundInsideATransaction(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir := filepath.Join(t.TempDir(), "keyring")
		one, two := keeper(t, d, dir), keeper(t, d, dir)
		if err := one.EnsureKey(t.Context(), customer); err != nil {
			t.Fatal(err)
		}
		sealed, err := one.Seal(customer, place, []byte("v"))
		if err != nil {
			t.Fatal(err)
		}
		err = d.Write(t.Context(), func(*db.Tx) error {
			got, err := two.Open(customer, place, sealed)
			if string(got) != "v" {
				t.Errorf("got %q, want v", got)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestDestroy(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir := filepath.Join(t.TempDir(), "keyring")
		k, other := keeper(t, d, dir), keeper(t, d, dir)
		for _, c := range []string{"", customer, "cus_0002"} {
			if err := errors.Join(k.EnsureKey(t.Context(), c), other.EnsureKey(t.Context(), c)); err != nil {
				t.Fatal(err)
			}
		}
		sealed, _ := k.Seal(customer, place, []byte("v"))
		kept, _ := k.Seal("cus_0002", place, []byte("kept"))
		if err := k.Destroy(t.Context(), customer); err != nil {
			t.Fatal(err)
		}
		if err := other.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := k.Destroy(t.Context(), "cus_unknown"); err != nil {
			t.Errorf("Destroy of a customer without a key: %v", err)
		}
		for name, k := range map[string]*secrets.Keeper{"same": k, "other replica": other, "restarted": keeper(t, d, dir)} {
			if _, err := k.Open(customer, place, sealed); !errors.Is(err, secrets.ErrErased) || !strings.Contains(err.Error(), "erased") {
				t.Errorf("%s: Open: got %v, want ErrErased", name, err)
			}
			if _, err := k.Seal(customer, place, nil); !errors.Is(err, secrets.ErrErased) {
				t.Errorf("%s: Seal: got %v, want ErrErased", name, err)
			}
			if err := k.EnsureKey(t.Context(), customer); !errors.Is(err, secrets.ErrErased) {
				t.Errorf("%s: EnsureKey: got %v, want ErrErased", name, err)
			}
			if err := k.EnsureKey(t.Context(), "cus_unknown"); !errors.Is(err, secrets.ErrErased) {
				t.Errorf("%s: EnsureKey of the unknown: got %v, want ErrErased", name, err)
			}
			if got, err := k.Open("cus_0002", place, kept); err != nil || string(got) != "kept" {
				t.Errorf("%s: another customer: got %q, %v", name, got, err)
			}
		}
		if err := k.Destroy(t.Context(), ""); err == nil {
			t.Error("the company's key was destroyed")
		}
	})
}

func TestRotate(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir := filepath.Join(t.TempDir(), "keyring")
		k := keeper(t, d, dir)
		if err := errors.Join(k.EnsureKey(t.Context(), customer), k.EnsureKey(t.Context(), "cus_gone"), k.Destroy(t.Context(), "cus_gone")); err != nil {
			t.Fatal(err)
		}
		sealed, _ := k.Seal(customer, place, []byte("v"))
		before := wrapped(t, d)
		for range 2 {
			if got, err := k.Rotate(t.Context()); err != nil || got.Keys != 1 || len(got.Left) > 0 {
				t.Fatalf("Rotate: got %+v, %v, want the one key that is left", got, err)
			}
		}
		if bytes.Equal(before, wrapped(t, d)) {
			t.Error("the data key is still wrapped as before")
		}
		again := keeper(t, d, dir)
		if got, err := again.Open(customer, place, sealed); err != nil || string(got) != "v" {
			t.Errorf("after Rotate: got %q, %v", got, err)
		}
		if err := again.EnsureKey(t.Context(), "cus_new"); err != nil {
			t.Errorf("a new key after Rotate: %v", err)
		}
		if _, err := os.Stat(filepath.Join(dir, "kek-1.key")); err != nil {
			t.Errorf("the old version is gone: %v", err)
		}
	})
}

func wrapped(t *testing.T, d *db.DB) (b []byte) {
	t.Helper()
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		return tx.Raw("SELECT wrapped FROM data_keys WHERE customer_id = ?", customer).Row().Scan(&b)
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestConcurrentUse(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		dir := filepath.Join(t.TempDir(), "keyring")
		ks := []*secrets.Keeper{keeper(t, d, dir), keeper(t, d, dir)}
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				k, c := ks[i%2], fmt.Sprintf("cus_%d", i%3)
				if err := k.EnsureKey(t.Context(), c); err != nil {
					t.Error(err)
					return
				}
				sealed, err := k.Seal(c, place, []byte(c))
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := ks[1-i%2].Open(c, place, sealed); err != nil || string(got) != c {
					t.Errorf("the other keeper: got %q, %v", got, err)
				}
				if _, err := k.Ed25519("shared"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		a, _ := ks[0].Ed25519("shared")
		b, _ := ks[1].Ed25519("shared")
		if !a.Equal(b) {
			t.Error("two keepers made two signing keys of one name")
		}
	})
}

func TestHPKE(t *testing.T) {
	_, dir, k := fresh(t)
	info := "ostler repository password v1 " + "rep_1"
	sealed, err := secrets.SealTo(k.EscrowPublic(), info, []byte("password"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.OpenEscrow("rep_1", sealed); err != nil || string(got) != "password" {
		t.Errorf("OpenEscrow: got %q, %v", got, err)
	}
	if _, err := k.OpenEscrow("rep_2", sealed); !errors.Is(err, secrets.ErrOpen) {
		t.Errorf("another repository: got %v, want ErrOpen", err)
	}
	public, private, err := k.NewRevealKey()
	if err != nil {
		t.Fatal(err)
	}
	if sealed, err = secrets.SealTo(public, info, []byte("once")); err != nil {
		t.Fatal(err)
	}
	if got, err := secrets.OpenReveal(private, "rep_1", sealed); err != nil || string(got) != "once" {
		t.Errorf("OpenReveal: got %q, %v", got, err)
	}
	if _, err := k.OpenEscrow("rep_1", sealed); !errors.Is(err, secrets.ErrOpen) {
		t.Errorf("the escrow key opened what was sealed to another: %v", err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 0x80
		if got, err := secrets.OpenReveal(private, "rep_1", bad); err == nil && i != 31 { // X25519 ignores that one bit
			t.Errorf("byte %d changed: got %q", i, got)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "escrow.key")); err != nil {
		t.Error(err)
	}
}

func TestNamedKeys(t *testing.T) {
	d, dir, k := fresh(t)
	key, err := k.Ed25519("ledger")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	makeKey := func() ([]byte, error) { calls++; return []byte("certificate and key"), nil }
	for _, k := range []*secrets.Keeper{k, k, keeper(t, d, dir)} {
		if got, err := k.KeyFile("agents-ca", makeKey); err != nil || string(got) != "certificate and key" {
			t.Errorf("KeyFile: got %q, %v", got, err)
		}
		if again, err := k.Ed25519("ledger"); err != nil || !again.Equal(key) {
			t.Errorf("Ed25519: another key, %v", err)
		}
	}
	if calls != 1 {
		t.Errorf("the key was made %d times, want once", calls)
	}
	if _, err := k.KeyFile("../escape", makeKey); err == nil {
		t.Error("a name with a path was taken")
	}
	if _, err := k.KeyFile("broken", func() ([]byte, error) { return nil, errors.New("no") }); err == nil {
		t.Error("a key that could not be made is no error")
	}
	if msg := []byte("m"); !ed25519.Verify(key.Public().(ed25519.PublicKey), msg, ed25519.Sign(key, msg)) {
		t.Error("the key does not sign")
	}
}

func TestKeyringFaults(t *testing.T) {
	tests := []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   string
	}{
		{"folder open to others", func(t *testing.T, dir string) { try(t, os.Chmod(dir, 0o750)) }, "mode 0750"},
		{"file open to others", func(t *testing.T, dir string) { try(t, os.Chmod(filepath.Join(dir, "index-1.key"), 0o644)) }, "mode 0644"},
		{"kek lost", func(t *testing.T, dir string) { try(t, os.Remove(filepath.Join(dir, "kek-1.key"))) }, "kek-1.key is missing"},
		{"index key lost", func(t *testing.T, dir string) { try(t, os.Remove(filepath.Join(dir, "index-1.key"))) }, "index-1.key is missing"},
		{"local key lost", func(t *testing.T, dir string) { try(t, os.Remove(filepath.Join(dir, "local-1.key"))) }, "local-1.key is missing"},
		{"escrow key lost", func(t *testing.T, dir string) { try(t, os.Remove(filepath.Join(dir, "escrow.key"))) }, "escrow.key is missing"},
		{"whole folder lost", func(t *testing.T, dir string) { try(t, os.RemoveAll(dir)) }, "is missing"},
		{"another key", func(t *testing.T, dir string) {
			try(t, os.WriteFile(filepath.Join(dir, "kek-1.key"), bytes.Repeat([]byte{7}, 32), 0o600))
		}, "is not the one that this database was used with"},
		{"cut key", func(t *testing.T, dir string) { try(t, os.Truncate(filepath.Join(dir, "local-1.key"), 31)) }, "is not the one"},
		{"empty key", func(t *testing.T, dir string) { try(t, os.Truncate(filepath.Join(dir, "local-1.key"), 0)) }, "is not the one"},
		{"no folder", func(t *testing.T, dir string) {
			try(t, os.RemoveAll(dir))
			try(t, os.WriteFile(dir, nil, 0o600))
		}, "not a directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, dir, _ := fresh(t)
			tt.damage(t, dir)
			_, err := secrets.OpenFile(t.Context(), d, dir)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error with %q", err, tt.want)
			}
			var said *controlplane.Error
			if errors.As(err, &said) && said.Next == "" {
				t.Error("the error names no next step")
			}
		})
	}
}

func TestModes(t *testing.T) {
	_, dir, k := fresh(t)
	if _, err := k.Ed25519("ledger"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: got %v, %v", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 5 {
		t.Fatalf("files: got %d, %v", len(files), err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: got %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

// TestNoErrorShowsAKey provokes an error from every method and looks for key
// material in it, in each form that Go prints bytes.
func TestNoErrorShowsAKey(t *testing.T) {
	d, dir, k := fresh(t)
	if _, err := k.KeyFile("x", func() ([]byte, error) { return []byte("the contents of a key file"), nil }); err != nil {
		t.Fatal(err)
	}
	public, private, _ := k.NewRevealKey()
	sealed, _ := k.Seal(customer, place, []byte("secret plaintext"))
	local, _ := k.SealLocal(place, []byte("secret plaintext"))
	escrowed, _ := secrets.SealTo(public, "i", []byte("secret plaintext"))
	_, e1 := k.Open("cus_0002", place, sealed)
	_, e2 := k.Open("cus_none", place, sealed)
	_, e3 := k.Seal("cus_none", place, []byte("secret plaintext"))
	_, e4 := k.OpenLocal(secrets.AD{}, local)
	_, e5 := k.OpenEscrow("r", escrowed)
	_, e6 := secrets.OpenReveal(private, "r", escrowed)
	_, e7 := secrets.OpenReveal(private[:31], "r", escrowed)
	_, e8 := secrets.SealTo(private[:31], "r", []byte("secret plaintext"))
	_, e9 := k.KeyFile("UPPER", func() ([]byte, error) { return nil, nil })
	e10 := k.Destroy(t.Context(), "")
	needles := [][]byte{private, []byte("secret plaintext"), []byte("the contents of a key file")}
	files, _ := filepath.Glob(filepath.Join(dir, "*.key"))
	for _, f := range files {
		b, err := os.ReadFile(f)
		try(t, err)
		needles = append(needles, b)
	}
	try(t, os.WriteFile(filepath.Join(dir, "kek-1.key"), needles[0], 0o600))
	_, e11 := secrets.OpenFile(t.Context(), d, dir)
	try(t, os.WriteFile(filepath.Join(dir, "ed25519-short.key"), []byte("short"), 0o600))
	_, e12 := k.Ed25519("short")
	try(t, d.Close())
	e13 := k.Refresh(t.Context())
	_, e14 := k.Rotate(t.Context())
	e15 := k.EnsureKey(t.Context(), "cus_none")
	e16 := k.Destroy(t.Context(), customer)
	_, e17 := k.KeyFile("later", func() ([]byte, error) { return needles[0], nil })
	for i, err := range []error{e1, e2, e3, e4, e5, e6, e7, e8, e9, e10, e11, e12, e13, e14, e15, e16, e17} {
		if err == nil {
			t.Errorf("call %d: want an error", i+1)
			continue
		}
		hides(t, needles, err.Error(), fmt.Sprintf("%+v %#v", err, err))
	}
	hides(t, needles, fmt.Sprintf("%v %+v %#v %s %x", k, k, k, k, k))
}

func hides(t *testing.T, needles [][]byte, texts ...string) {
	t.Helper()
	for _, text := range texts {
		for _, n := range needles {
			for _, form := range []string{string(n), hex.EncodeToString(n), base64.StdEncoding.EncodeToString(n), strings.Trim(fmt.Sprint(n), "[]"), fmt.Sprintf("%q", n)} {
				if strings.Contains(text, form) {
					t.Errorf("%q shows key material", text)
				}
			}
		}
	}
}

func try(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
