package backups_test

import (
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/rand"
	"strings"
	"testing"

	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// A server that was set up anew gets its repository's password back, sealed to
// its own key: from the customer's copy, or from ours.
func TestKeyIsReturned(t *testing.T) {
	key := wire.NewRecoveryKey([32]byte{7})
	for _, custody := range []backups.Custody{backups.CustodyCustomer, backups.CustodyEscrow} {
		t.Run(string(custody), func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
				h := newHouse(t, d, clock)
				ctx, scope := h.owner(h.customer.ID)
				p := h.plan(custody)
				repo := p.Repository.ID
				code := func(typed string) controlplane.Code {
					return controlplane.ErrorCode(h.backups.ReturnKey(ctx, scope, repo, typed))
				}
				h.preparedWith(key)
				if got := code(key); got != controlplane.CodeConflict {
					t.Errorf("before there is an agent: got %s, want conflict", got)
				}
				private := must[*ecdh.PrivateKey](t)(ecdh.X25519().GenerateKey(rand.Reader))
				h.sealKey = private.PublicKey().Bytes()
				if got := code(key); got != controlplane.CodeConflict {
					t.Errorf("while it is in the making: got %s, want conflict", got)
				}
				if custody == backups.CustodyCustomer {
					must[string](t)(h.backups.RevealKey(ctx, scope, repo))
					if err := h.backups.ConfirmKey(ctx, scope, repo, key[strings.LastIndex(key, "-")+1:]); err != nil {
						t.Fatal(err)
					}
				}
				h.tick()
				var init wire.RepoInitParams
				h.finish(h.take(wire.ActionRepoInit, &init), wire.RepoInitialised{ResticID: "abc", Created: true})
				h.backup(wire.BackupResult{Outcome: wire.BackupComplete, TotalFiles: 3})

				if custody == backups.CustodyCustomer {
					for _, typed := range []string{"", "half", wire.NewRecoveryKey([32]byte{8})} {
						if got := code(typed); got != controlplane.CodeInvalid {
							t.Errorf("key %q: got %s, want invalid", typed, got)
						}
					}
				}
				_, others := h.owner(h.other.ID)
				if got := controlplane.ErrorCode(h.backups.ReturnKey(ctx, others, repo, key)); got != controlplane.CodeNotFound {
					t.Errorf("another customer: got %s, want not found", got)
				}
				if err := h.backups.ReturnKey(ctx, scope, repo, strings.ToLower(key)); err != nil {
					t.Fatal(err)
				}
				var prep wire.RepoPrepareParams
				ref := h.take(wire.ActionRepoPrepare, &prep)
				open := must[hpke.PrivateKey](t)(hpke.NewDHKEMPrivateKey(private))
				got, err := hpke.Open(open, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(wire.HPKEInfo+repo), prep.Returned)
				if err != nil || string(got) != key || prep.EscrowKey != nil || prep.RevealKey != nil || prep.KeyFingerprint != fingerprint(key) {
					t.Fatalf("what the host got: %q, %v, %+v", got, err, prep)
				}
				h.finish(ref, wire.RepoPrepared{StoreHash: "$2a$10$" + strings.Repeat("y", 53), KeyFingerprint: fingerprint(key)})
				h.tick()
				h.finish(h.take(wire.ActionRepoInit, &init), wire.RepoInitialised{ResticID: "abc"})
				if r := must[backups.Repository](t)(h.backups.Repository(ctx, scope, repo)); r.State != backups.RepositoryReady || r.Custody != custody {
					t.Errorf("repository: got %+v, want ready with the same custody", r)
				}
			})
		})
	}
}

// A host that answers with another password than the repository's is not used.
func TestAnotherKeyThanTheReturnedOne(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		p, _ := h.ready()
		ctx, scope := h.owner(h.customer.ID)
		h.sealKey = must[*ecdh.PrivateKey](t)(ecdh.X25519().GenerateKey(rand.Reader)).PublicKey().Bytes()
		if err := h.backups.ReturnKey(ctx, scope, p.Repository.ID, ""); err != nil {
			t.Fatal(err)
		}
		var prep wire.RepoPrepareParams
		h.finish(h.take(wire.ActionRepoPrepare, &prep), wire.RepoPrepared{StoreHash: "$2a$10$" + strings.Repeat("y", 53), KeyFingerprint: fingerprint("another")})
		if r := must[backups.Repository](t)(h.backups.Repository(ctx, scope, p.Repository.ID)); r.State != backups.RepositoryFailed || r.FailureCause != string(wire.CauseNoKey) {
			t.Errorf("repository: got %+v, want failed for no_key", r)
		}
	})
}
