package bench_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"path/filepath"
	"testing"

	"gocloud.dev/blob/memblob"

	"ostler/agents"
	"ostler/agents/wire"
	"ostler/backups"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/identity"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

var everyone = policy.AllCustomers("benchmark")

// parts is a plane in this process, wired as cmd/ostler wires it, without
// listeners.
type parts struct {
	b         *testing.B
	ctx       context.Context // the machine's own
	d         *db.DB
	keeper    *secrets.Keeper
	ledger    *ledger.Ledger
	jobs      *jobs.Jobs
	findings  *findings.Findings
	customers *customers.Store
	identity  *identity.Store
	agents    *agents.Agents
	backups   *backups.Service
	bus       *bus.Bus
}

type ownSigner struct{ key ed25519.PrivateKey }

func (s ownSigner) Sign(_ context.Context, e wire.Envelope) (wire.SignedEnvelope, error) {
	return wire.Sign(s.key, e)
}

func (s ownSigner) Keys(context.Context) ([][]byte, error) {
	return [][]byte{s.key.Public().(ed25519.PublicKey)}, nil
}

func newParts(b *testing.B, d *db.DB) *parts {
	b.Helper()
	p := &parts{b: b, ctx: controlplane.System(b.Context(), "benchmark"), d: d, bus: bus.New()}
	p.keeper = must[*secrets.Keeper](b)(secrets.OpenFile(p.ctx, d, filepath.Join(b.TempDir(), "keys")))
	p.ledger = must[*ledger.Ledger](b)(ledger.New(d, p.keeper, ledger.Options{Origin: "bench.invalid/ostler", Bus: p.bus}))
	p.customers = customers.New(d, p.keeper, p.ledger)
	p.findings = findings.New(d, p.keeper, p.ledger, p.bus)
	p.identity = must[*identity.Store](b)(identity.New(p.ctx, d, p.keeper, p.ledger, p.customers, identity.Options{Demo: true}))
	p.jobs = jobs.New(d, p.keeper, p.bus, jobs.Options{})
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	p.agents = must[*agents.Agents](b)(agents.New(agents.Deps{DB: d, Keeper: p.keeper, Ledger: p.ledger, Findings: p.findings, Jobs: p.jobs,
		Bus: p.bus, Signer: ownSigner{key}, Servers: p.customers}, agents.Options{Domain: "bench.invalid"}))
	blobs := memblob.OpenBucket(nil)
	b.Cleanup(func() { _ = blobs.Close() })
	p.backups = backups.New(backups.Deps{DB: d, Keeper: p.keeper, Ledger: p.ledger, Jobs: p.jobs, Findings: p.findings,
		Customers: p.customers, Blobs: blobs}, backups.Options{Bus: p.bus})
	return p
}

// addStore makes a store known that nobody asks.
func (p *parts) addStore() backups.OffSite {
	p.b.Helper()
	return must[backups.OffSite](p.b)(p.backups.AddStore(p.ctx, everyone, backups.OffSite{Name: "off-site", URL: "https://127.0.0.1:1",
		HtpasswdPath: filepath.Join(p.b.TempDir(), "htpasswd"), Location: "Falkenstein", Country: "DE"}))
}

func (p *parts) write(fn func(tx *db.Tx) error) {
	p.b.Helper()
	if err := p.d.Write(p.ctx, fn); err != nil {
		p.b.Fatal(err)
	}
}

// sqlExec is one statement in the transaction.
func sqlExec(tx *db.Tx, sql string, args ...any) error { return tx.Exec(sql, args...).Error }
