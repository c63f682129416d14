package secrets_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ostler/controlplane"
	"ostler/controlplane/secrets"
	"ostler/controlplane/secrets/vault"
	"ostler/controlplane/secrets/vaulttest"
)

// wantTrouble checks that an error names its trouble, its cause and a next step.
func wantTrouble(t *testing.T, err error, want vault.Trouble, parts ...string) {
	t.Helper()
	var e *controlplane.Error
	if got := trouble(err); got != want || !errors.As(err, &e) || e.Message == "" || e.Next == "" {
		t.Fatalf("got %q of %v, want %q with a cause and a next step", got, err, want)
	}
	for _, p := range parts {
		if !strings.Contains(e.Message+" "+e.Next, p) {
			t.Errorf("got %q, %q, want %q in it", e.Message, e.Next, p)
		}
	}
}

func TestSignInFaults(t *testing.T) {
	eachVault(t, func(t *testing.T, s vaulttest.Server) {
		for _, c := range []struct {
			name  string
			role  vaulttest.Role
			spoil func(t *testing.T, o *vault.Options)
			want  vault.Trouble
			says  string
		}{
			{"wrong role id", vaulttest.Role{}, func(_ *testing.T, o *vault.Options) { o.RoleID = "11111111-2222-3333-4444-555555555555" }, vault.Refused, "vault.role_id"},
			{"wrong secret id", vaulttest.Role{Plain: true}, func(t *testing.T, o *vault.Options) {
				try(t, os.WriteFile(o.SecretIDFile, []byte("11111111-2222-3333-4444-555555555555"), 0o600))
			}, vault.Refused, "wrapped secret id"},
			{"wrapping token opened before", vaulttest.Role{}, func(t *testing.T, o *vault.Options) {
				other := *o
				other.KeptFile = ""
				_ = open(t, other)
			}, vault.Unwrapped, "audit log"},
			{"a token around something else", vaulttest.Role{}, func(t *testing.T, o *vault.Options) {
				var got struct {
					Wrap struct {
						Token string `json:"token"`
					} `json:"wrap_info"`
				}
				try(t, s.Call(t.Context(), http.MethodGet, "auth/approle/role/ostler-plane/role-id", nil, &got, "X-Vault-Wrap-TTL", "5m"))
				try(t, os.WriteFile(o.SecretIDFile, []byte(got.Wrap.Token), 0o600))
			}, vault.Settings, "who wrote the file"},
			{"no file", vaulttest.Role{}, func(t *testing.T, o *vault.Options) { try(t, os.Remove(o.SecretIDFile)) }, vault.Settings, "wrap-ttl"},
			{"file open to others", vaulttest.Role{}, func(t *testing.T, o *vault.Options) { try(t, os.Chmod(o.SecretIDFile, 0o644)) }, vault.Settings, "mode 0600"},
			{"no such mount", vaulttest.Role{Plain: true}, func(_ *testing.T, o *vault.Options) { o.Auth = "nowhere" }, vault.Denied, "auth/nowhere/login"},
		} {
			t.Run(c.name, func(t *testing.T) {
				o, err := s.Enter(t.Context(), t.TempDir(), vault.PartPlane, c.role)
				try(t, err)
				c.spoil(t, &o)
				_, err = vault.Open(t.Context(), o)
				wantTrouble(t, err, c.want, c.says)
			})
		}
	})
}

// A wrapping token opens once; a restart uses what was kept, and a new token in
// the file goes before it.
func TestSecretIDIsKept(t *testing.T) {
	eachVault(t, func(t *testing.T, s vaulttest.Server) {
		o, err := s.Enter(t.Context(), t.TempDir(), vault.PartPlane, vaulttest.Role{})
		try(t, err)
		unsigned, err := vault.New(o)
		try(t, err)
		if unsigned.CanSignIn() {
			t.Error("a look would use the wrapping token up")
		}
		_ = open(t, o)
		if info, err := os.Stat(o.KeptFile); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the kept secret id: got %v, %v, want mode 0600", info, err)
		}
		if !unsigned.CanSignIn() {
			t.Error("the kept secret id is not known")
		}
		_ = open(t, o)
		try(t, os.Remove(o.SecretIDFile))
		_ = open(t, o)
		next, err := s.SecretID(t.Context(), vault.PartPlane, true)
		try(t, err)
		try(t, os.WriteFile(o.SecretIDFile, []byte(next), 0o600))
		before, err := os.ReadFile(o.KeptFile)
		try(t, err)
		_ = open(t, o)
		if after, err := os.ReadFile(o.KeptFile); err != nil || string(after) == string(before) {
			t.Errorf("the new secret id was not taken: %v", err)
		}
	})
}

// A process that is stopped between opening the wrapping token and keeping what
// was in it finds out, and says that it was itself; where nothing can be kept the
// token is not opened.
func TestSecretIDIsLost(t *testing.T) {
	s, fake := startFake(t)
	o, err := s.Enter(t.Context(), t.TempDir(), vault.PartPlane, vaulttest.Role{})
	try(t, err)
	file := filepath.Join(t.TempDir(), "file")
	try(t, os.WriteFile(file, nil, 0o600))
	nowhere := o
	nowhere.KeptFile = filepath.Join(file, "kept")
	_, err = vault.Open(t.Context(), nowhere)
	wantTrouble(t, err, vault.Settings, "was not opened", "still good")

	ctx, stop := context.WithCancel(t.Context())
	gone := make(chan struct{})
	fake.OnCall(func(_, path string) {
		if path == "sys/wrapping/unwrap" {
			stop() // the process ends, and Vault has its order
			<-gone
		}
	})
	if _, err := vault.Open(ctx, o); err == nil {
		t.Fatal("signed in with an answer that never came")
	}
	fake.OnCall(nil)
	close(gone)
	until(t, "the token is opened", func() bool { return fake.Calls("POST sys/wrapping/unwrap") == 1 })
	_, err = vault.Open(t.Context(), o)
	wantTrouble(t, err, vault.Unwrapped, "We opened the wrapping token", "put a new wrapped one into vault.secret_id_file")

	next, err := s.SecretID(t.Context(), vault.PartPlane, true)
	try(t, err)
	try(t, os.WriteFile(o.SecretIDFile, []byte(next), 0o600))
	_ = open(t, o)
	if left, err := filepath.Glob(o.KeptFile + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left beside the kept one: %q, %v", left, err)
	}
}

// Whoever waits for another's sign-in waits no longer than they may.
func TestSignInIsWaitedFor(t *testing.T) {
	s, fake := startFake(t)
	o, err := s.Enter(t.Context(), t.TempDir(), vault.PartPlane, vaulttest.Role{Plain: true})
	try(t, err)
	c, err := vault.New(o)
	try(t, err)
	reached, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	fake.OnCall(func(_, path string) {
		if path == "auth/approle/login" {
			once.Do(func() { close(reached) })
			<-goOn
		}
	})
	first := make(chan error, 1)
	go func() { first <- c.MakeKey(t.Context(), c.DataKey(customer)) }()
	<-reached
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := c.MakeKey(ctx, c.DataKey(customer)); !errors.Is(err, context.Canceled) {
		t.Errorf("while another signs in: got %v, want that it was cancelled", err)
	}
	close(goOn)
	try(t, <-first)
}

func TestTokenEndsInMidRun(t *testing.T) {
	eachVault(t, func(t *testing.T, s vaulttest.Server) {
		o, err := s.Enter(t.Context(), t.TempDir(), vault.PartPlane, vaulttest.Role{Plain: true})
		try(t, err)
		d, _, dir := sqlite(t)
		k := inVault(t, d, dir, open(t, o))
		ensure(t, k, customer)
		sealed := seal(t, k, customer)

		try(t, s.RevokeTokens(t.Context()))
		if err := k.EnsureKey(t.Context(), "cus_0002"); err != nil {
			t.Errorf("with a token that has ended: got %v, want a new sign-in", err)
		}

		id, err := os.ReadFile(o.SecretIDFile)
		try(t, err)
		try(t, s.EndSecretID(t.Context(), vault.PartPlane, strings.TrimSpace(string(id))))
		try(t, s.RevokeTokens(t.Context()))
		wantTrouble(t, k.EnsureKey(t.Context(), "cus_0003"), vault.Refused, "vault.secret_id_file")
		if got := opens(k, sealed); got != "yes" {
			t.Errorf("what is cached: got %s, want that it opens", got)
		}
		if h := k.Vault().Health(t.Context()); h.Err != nil || h.SignIn == nil {
			t.Errorf("health: got %+v, want an open Vault and a sign-in that failed", h)
		}

		next, err := s.SecretID(t.Context(), vault.PartPlane, true)
		try(t, err)
		try(t, os.WriteFile(o.SecretIDFile, []byte(next), 0o600))
		if err := k.EnsureKey(t.Context(), "cus_0003"); err != nil {
			t.Errorf("with a new secret id: got %v", err)
		}
		if h := k.Vault().Health(t.Context()); h.SignIn != nil || h.TTL == 0 {
			t.Errorf("health: got %+v, want signed in", h)
		}
	})
}

// TestPolicy holds the printed policies to least privilege: with them all works,
// each path that is taken away is named, and nothing beside is allowed.
func TestPolicy(t *testing.T) {
	eachVault(t, func(t *testing.T, s vaulttest.Server) {
		for _, part := range []vault.Part{vault.PartPlane, vault.PartSigner, vault.PartImport, vault.PartDrill} {
			token, err := s.Token(t.Context(), part)
			try(t, err)
			c, err := vault.WithToken(vault.Options{Addr: s.Addr}, token)
			try(t, err)
			if got, err := c.Denials(t.Context(), part); err != nil || len(got) > 0 {
				t.Errorf("%s with its own policy: got %q, %v, want nothing denied", part, got, err)
			}
		}
		token, err := s.Token(t.Context(), vault.PartSigner)
		try(t, err)
		c, err := vault.WithToken(vault.Options{Addr: s.Addr}, token)
		try(t, err)
		if got, err := c.Denials(t.Context(), vault.PartPlane); err != nil || len(got) != 5 {
			t.Errorf("the plane's paths with the signer's policy: got %q, %v, want all five denied", got, err)
		}

		client := enter(t, s, vaulttest.Role{Plain: true})
		d, _, dir := sqlite(t)
		k := inVault(t, d, dir, client)
		ensure(t, k, customer)
		for _, outside := range []error{client.MakeKey(t.Context(), "somebody-elses"), client.MakeKey(t.Context(), client.SignerKey()),
			client.RotateKey(t.Context(), client.SignerKey()), client.DestroyKey(t.Context(), client.SignerKey())} {
			wantTrouble(t, outside, vault.Denied)
		}
		all := vault.Options{}.Policy(vault.PartPlane)
		for _, c := range []struct{ name, without, path string }{
			{"encrypt", `path "transit/encrypt/`, "transit/encrypt/ostler-data-"},
			{"make keys", `path "transit/keys/`, "transit/keys/ostler-data-"},
		} {
			t.Run(c.name, func(t *testing.T) {
				try(t, s.SetPolicy(t.Context(), vault.PartPlane, strings.Replace(all, c.without, `path "nowhere/`, 1)))
				wantTrouble(t, k.EnsureKey(t.Context(), "cus_"+strings.ReplaceAll(c.name, " ", "_")), vault.Denied, c.path, "ostler secrets policy")
				wantTrouble(t, k.Check(t.Context(), secrets.HomeVault), vault.Denied, c.path)
			})
		}
		try(t, s.SetPolicy(t.Context(), vault.PartPlane, all))
		ensure(t, k, "cus_encrypt", "cus_make_keys")
	})
}

// One customer's path is denied, or their key deleted: that customer's values
// wait, and everybody else's open.
func TestOneKeyAway(t *testing.T) {
	deny := vault.Options{}.Policy(vault.PartPlane) + "\npath \"transit/decrypt/ostler-data-cus_0002\" {\n  capabilities = [\"deny\"]\n}\n"
	eachVault(t, func(t *testing.T, s vaulttest.Server) {
		client := enter(t, s, vaulttest.Role{})
		d, _, dir := sqlite(t)
		k := inVault(t, d, dir, client)
		ensure(t, k, "", customer, "cus_0002")
		theirs, err := k.Seal("cus_0002", place, []byte("v"))
		try(t, err)
		ours := seal(t, k, customer)
		again := func() *secrets.Keeper {
			k, err := secrets.Open(t.Context(), d, dir, secrets.Options{Vault: client})
			try(t, err)
			return k
		}

		try(t, s.SetPolicy(t.Context(), vault.PartPlane, deny))
		k = again()
		_, err = k.Open("cus_0002", place, theirs)
		wantTrouble(t, err, vault.Denied, "transit/decrypt/ostler-data-cus_0002")
		if got := opens(k, ours); got != "yes" {
			t.Errorf("another customer: got %s", got)
		}
		try(t, s.SetPolicy(t.Context(), vault.PartPlane, vault.Options{}.Policy(vault.PartPlane)))
		try(t, k.Refresh(t.Context()))
		if got, err := k.Open("cus_0002", place, theirs); err != nil || string(got) != "v" {
			t.Errorf("allowed again: got %q, %v", got, err)
		}

		key := "transit/keys/ostler-data-cus_0002"
		try(t, s.Call(t.Context(), http.MethodPost, key+"/config", map[string]any{"deletion_allowed": true}, nil))
		try(t, s.Call(t.Context(), http.MethodDelete, key, nil, nil))
		if got, err := k.Open("cus_0002", place, theirs); err != nil || string(got) != "v" {
			t.Errorf("cached: got %q, %v", got, err)
		}
		if got, err := k.Rotate(t.Context()); err != nil || got.Keys != 2 || len(got.Left) != 1 || got.Left[0].Customer != "cus_0002" || trouble(got.Left[0].Err) != vault.NoKey {
			t.Errorf("Rotate: got %+v, %v, want the others, and that this key is not there", got, err)
		}
		k = again()
		wantTrouble(t, k.EnsureKey(t.Context(), "cus_0002"), vault.NoKey, "ostler-data-cus_0002", "no new key is made")
		_, err = k.Open("cus_0002", place, theirs)
		wantTrouble(t, err, vault.NoKey)
		if got := opens(k, ours); got != "yes" {
			t.Errorf("another customer: got %s", got)
		}
	})
}

func TestSealedBetweenTwoCalls(t *testing.T) {
	eachVault(t, func(t *testing.T, s vaulttest.Server) {
		client := enter(t, s, vaulttest.Role{})
		d, _, dir := sqlite(t)
		k := inVault(t, d, dir, client)
		ensure(t, k, "", customer)
		sealed := seal(t, k, customer)
		local, err := k.SealLocal(place, []byte("second factor"))
		try(t, err)

		try(t, s.Seal(t.Context(), true))
		wantTrouble(t, k.EnsureKey(t.Context(), "cus_0002"), vault.Sealed, "is sealed", "Unseal it")
		if err := client.Health(t.Context()).Err; trouble(err) != vault.Sealed {
			t.Errorf("health: got %v, want sealed", err)
		}
		wantTrouble(t, k.Check(t.Context(), secrets.HomeVault), vault.Sealed)
		if got := opens(k, sealed); got != "yes" {
			t.Errorf("what is cached: got %s", got)
		}
		if got, err := k.OpenLocal(place, local); err != nil || string(got) != "second factor" {
			t.Errorf("sign-in: got %q, %v", got, err)
		}
		if err := k.Refresh(t.Context()); err != nil {
			t.Errorf("Refresh of what is cached: got %v, want no need of Vault", err)
		}
		_, err = secrets.Open(t.Context(), d, dir, secrets.Options{Vault: client})
		wantTrouble(t, err, vault.Sealed)
		_, err = k.Move(t.Context(), secrets.HomeVault, secrets.MoveOptions{Holder: "one"})
		wantTrouble(t, err, vault.Sealed)

		try(t, s.Seal(t.Context(), false))
		ensure(t, k, "cus_0002")
	})
}

// Sealed between the call that makes a transit key and the one that uses it:
// nothing stands in the database, and the next try goes on.
func TestSealedBetweenMakingAndWrapping(t *testing.T) {
	s, fake := startFake(t)
	d, _, dir := sqlite(t)
	k := inVault(t, d, dir, enter(t, s, vaulttest.Role{}))
	fake.OnCall(func(_, path string) {
		if strings.HasPrefix(path, "transit/encrypt/ostler-data-"+customer) {
			fake.Seal(true)
		}
	})
	wantTrouble(t, k.EnsureKey(t.Context(), customer), vault.Sealed)
	fake.OnCall(nil)
	fake.Seal(false)
	ensure(t, k, customer)
	if got := opens(k, seal(t, k, customer)); got != "yes" {
		t.Error(got)
	}
}

// An erased customer's key is gone for copies of the database, too.
func TestErasedInVault(t *testing.T) {
	eachVault(t, func(t *testing.T, s vaulttest.Server) {
		client := enter(t, s, vaulttest.Role{})
		d, _, dir := sqlite(t)
		k := inVault(t, d, dir, client)
		k.AddCredentials(table{})
		ensure(t, k, "", customer, "cus_0002")
		putCredential(t, d, k, customer, map[string]string{"token": "x"})
		copied := wrappedOf(t, d, customer)

		try(t, s.Seal(t.Context(), true))
		try(t, k.Destroy(t.Context(), customer)) // Vault follows when it can
		if _, _, err := k.FinishRemovals(t.Context(), "one"); trouble(err) != vault.Sealed {
			t.Errorf("sealed: got %v", err)
		}
		if st, err := k.Status(t.Context()); err != nil || st.Removals == 0 {
			t.Errorf("what waits: got %d, %v, want the key", st.Removals, err)
		}
		try(t, s.Seal(t.Context(), false))
		if n, _, err := k.FinishRemovals(t.Context(), "one"); err != nil || n != 1 {
			t.Errorf("got %d, %v, want the one that was due", n, err)
		}
		_, err := client.Decrypt(t.Context(), client.DataKey(customer), string(copied), nil)
		if trouble(err) != vault.NoKey {
			t.Errorf("an older copy of the wrapped key: got %v, want no key", err)
		}
		if names, err := client.Names(t.Context(), customer); err != nil || len(names) > 0 {
			t.Errorf("credentials: got %q, %v, want none", names, err)
		}
		if n, _, err := k.FinishRemovals(t.Context(), "one"); err != nil || n != 0 {
			t.Errorf("again: got %d, %v, want nothing left", n, err)
		}
		try(t, client.DestroyKey(t.Context(), client.DataKey(customer)))
	})
}

func TestNoVaultConfigured(t *testing.T) {
	s, _ := startFake(t)
	d, _, dir := sqlite(t)
	k := inVault(t, d, dir, enter(t, s, vaulttest.Role{}))
	ensure(t, k, "", customer)
	_, err := secrets.OpenFile(t.Context(), d, dir)
	var e *controlplane.Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, "in Vault") || !strings.Contains(e.Next, "vault.role_id") {
		t.Errorf("got %v, want that keys are in Vault", err)
	}
	empty, _, other := sqlite(t)
	k = keeper(t, empty, other)
	if _, err := k.Move(t.Context(), secrets.HomeVault, secrets.MoveOptions{Holder: "one"}); !errors.As(err, &e) {
		t.Errorf("a move to nowhere: got %v", err)
	}
}

// The signer's key in Vault is the one that hosts trust, or none.
func TestSignerKeyInVault(t *testing.T) {
	eachVault(t, func(t *testing.T, s vaulttest.Server) {
		h := vaultHome(t, s)
		one, two := newSigner(t), newSigner(t)
		k, err := h.signer(t, one)
		try(t, err)
		token, err := s.Token(t.Context(), vault.PartImport)
		try(t, err)
		person, err := vault.WithToken(vault.Options{Addr: s.Addr}, token)
		try(t, err)
		try(t, person.ImportSigner(t.Context(), two)) // one is there: it stays
		_, err = person.SigningKey(t.Context(), public(two))
		wantTrouble(t, err, vault.NotOurs, "ostler-signer")
		if !k.Public().Equal(public(one)) {
			t.Error("the key was exchanged")
		}
		path := "transit/keys/ostler-signer"
		try(t, s.Call(t.Context(), http.MethodPost, path+"/config", map[string]any{"deletion_allowed": true}, nil))
		try(t, s.Call(t.Context(), http.MethodDelete, path, nil, nil))
		_, err = k.Sign(t.Context(), []byte("m"))
		wantTrouble(t, err, vault.NoKey)
		wantTrouble(t, k.Ready(t.Context()), vault.NoKey)
	})
}

// No error and no verb of fmt shows a token, a secret id or a credential.
func TestVaultErrorsShowNothing(t *testing.T) {
	s, fake := startFake(t)
	o, err := s.Enter(t.Context(), t.TempDir(), vault.PartPlane, vaulttest.Role{})
	try(t, err)
	token, err := os.ReadFile(o.SecretIDFile)
	try(t, err)
	client := open(t, o)
	kept, err := os.ReadFile(o.KeptFile)
	try(t, err)
	d, _, dir := sqlite(t)
	k := inVault(t, d, dir, client)
	k.AddCredentials(table{})
	ensure(t, k, customer)
	putCredential(t, d, k, customer, map[string]string{"token": "the provider's secret"})
	needles := [][]byte{[]byte(strings.TrimSpace(string(token))), []byte("the provider's secret"), kept[14:50]}
	fake.Seal(true)
	_, _, e1 := readCredential(t, d, k, customer)
	e2 := k.EnsureKey(t.Context(), "cus_0002")
	fake.Seal(false)
	try(t, os.Remove(o.KeptFile))
	_, e3 := vault.Open(t.Context(), o)
	o.RoleID = "nobody"
	try(t, os.WriteFile(o.SecretIDFile, needles[2], 0o600))
	_, e4 := vault.Open(t.Context(), o)
	fake.Close()
	e5 := k.EnsureKey(t.Context(), "cus_0002")
	wantTrouble(t, e5, vault.Unreachable, "does not answer")
	for i, err := range []error{e1, e2, e3, e4, e5} {
		if err == nil {
			t.Errorf("call %d: want an error", i+1)
			continue
		}
		hides(t, needles, err.Error(), sprint(err), sprint(client))
	}
}

func TestUnreachableAndUntrusted(t *testing.T) {
	t.Run("environment", func(t *testing.T) {
		s, _ := startFake(t)
		o, err := s.Enter(t.Context(), t.TempDir(), vault.PartPlane, vaulttest.Role{})
		try(t, err)
		t.Setenv("VAULT_ADDR", o.Addr)
		t.Setenv("VAULT_AGENT_ADDR", "http://192.0.2.1:8200") // goes past the address, and is not followed
		t.Setenv("VAULT_TOKEN", "hvs.of-a-person")
		o.Addr = ""
		c := open(t, o)
		try(t, c.MakeKey(t.Context(), c.DataKey("")))
		t.Setenv("VAULT_SKIP_VERIFY", "true")
		_, err = vault.Open(t.Context(), o)
		wantTrouble(t, err, vault.Settings, "VAULT_SKIP_VERIFY")
	})
	t.Run("namespace", func(t *testing.T) {
		ns := make(chan string, 1)
		srv := serveHTTP(t, func(w http.ResponseWriter, r *http.Request) {
			select {
			case ns <- r.Header.Get("X-Vault-Namespace"):
			default:
			}
			http.Error(w, `{"errors":["Vault is sealed"]}`, http.StatusServiceUnavailable)
		})
		t.Setenv("VAULT_NAMESPACE", "hosting")
		_, err := vault.Open(t.Context(), vault.Options{Addr: srv.URL, RoleID: "r"})
		wantTrouble(t, err, vault.Sealed)
		if got := <-ns; got != "hosting" {
			t.Errorf("namespace: got %q, want hosting", got)
		}
	})
	t.Run("certificate", func(t *testing.T) {
		srv, ca := serveTLS(t, http.NotFoundHandler())
		_, err := vault.Open(t.Context(), vault.Options{Addr: srv.URL, RoleID: "r"})
		wantTrouble(t, err, vault.Untrusted, "VAULT_CACERT")
		_, err = vault.Open(t.Context(), vault.Options{Addr: srv.URL, RoleID: "r", CAFile: ca})
		wantTrouble(t, err, vault.Unreachable)
		t.Setenv("VAULT_CACERT", ca)
		_, err = vault.Open(t.Context(), vault.Options{Addr: srv.URL, RoleID: "r"})
		wantTrouble(t, err, vault.Unreachable)
		_, err = vault.Open(t.Context(), vault.Options{Addr: srv.URL, RoleID: "r", CAFile: filepath.Join(t.TempDir(), "none.pem")})
		wantTrouble(t, err, vault.Settings, "vault.ca_file")
	})
	t.Run("no encryption", func(t *testing.T) {
		_, err := vault.Open(t.Context(), vault.Options{Addr: "http://vault.example.com:8200", RoleID: "r"})
		wantTrouble(t, err, vault.Settings, "https://")
	})
}
