package host

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
	"ostler/certs/deploy"
	"ostler/controlplane"
)

// Options configures an Agent. The zero value of a field means its default.
type Options struct {
	State string // the state folder: identity, journal, spool, passwords
	Root  string // "/" in production; demo and tests have a tree of their own
	// PolicyDirs are read in this order; see LoadPolicy.
	PolicyDirs []string
	FactFiles  FactFiles // Root is filled in from above
	Version    string    // of the agent
	Log        *slog.Logger
	Helper     helper.Helper
	Now        func() time.Time // the host's clock
	// Parallel is how many jobs run at once (4). Those that keep a certificate
	// waiting have places of their own, four times as many.
	Parallel int
	// StoreIdle breaks off a silent connection to the store (60 s); StoreStall
	// gives a job up whose store has failed for so long (2 min).
	StoreIdle, StoreStall time.Duration
	// FirstBackoff and RefusedBackoff are the waits after a lost connection
	// (1 s, doubling to 30 s) and after a refusal of the plane (1 h).
	FirstBackoff, RefusedBackoff time.Duration
	// Resend is how often an unacknowledged result is sent again (30 s).
	Resend time.Duration
	// ChunkAttempts is how often in a row a chunk's upload may fail (8).
	ChunkAttempts int
	// Certificates is the folder of certificates beneath Root (deploy.DefaultFolder),
	// Services the host's own commands of services, and ACMEListen where http-01
	// challenges are answered ("": nowhere).
	Certificates string
	Services     map[wire.Service]deploy.Commands
	ACMEListen   string
	// CertSettle is how long after a reload an endpoint may still show the
	// certificate before (deploy.Options.Settle).
	CertSettle time.Duration
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.StoreIdle, 60*time.Second)
	def(&o.StoreStall, 2*time.Minute)
	def(&o.FirstBackoff, time.Second)
	def(&o.RefusedBackoff, time.Hour)
	def(&o.Resend, 30*time.Second)
	if o.Root == "" {
		o.Root = "/"
	}
	o.FactFiles.Root, o.FactFiles.State = o.Root, o.State
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Parallel == 0 {
		o.Parallel = 4
	}
	if o.ChunkAttempts == 0 {
		o.ChunkAttempts = 8
	}
	return o
}

// Agent is one running agent.
type Agent struct {
	o        Options
	log      *slog.Logger
	now      func() time.Time
	key      *ecdsa.PrivateKey
	sealKey  *ecdh.PrivateKey
	facts    Facts
	instance string
	journal  *Journal
	spool    *Spool
	lock     *os.File
	certs    *deploy.Engine
	// responder answers the challenges of certificate authorities.
	responder *Responder

	mu       sync.Mutex
	identity Identity
	session  *session // nil while there is no connection
	// planeAhead is the plane's clock less the host's, as the last welcome said.
	planeAhead time.Duration
	tasks      map[string]*task
	order      []string // ids of tasks in the order of their offers
	busy       map[string]bool
	running    [2]int // heavy, light
	stopping   bool
	freeing    *time.Timer // gives memory back; nil before the first job
	// unspooled are results that could not be written to the disk.
	unspooled map[string]wire.Result

	work sync.WaitGroup
	base context.Context // parent of all jobs; ends with Run
	stop context.CancelCauseFunc
}

// New prepares an agent: it reads the identity, checks the policy, recovers the
// journal, and sweeps what an earlier life left behind. One agent runs in a
// state folder at a time.
func New(o Options) (*Agent, error) {
	o = o.withDefaults()
	if err := makeDirs(o.State, "spool", "stores", "run", "staging"); err != nil {
		return nil, err
	}
	id, err := LoadIdentity(o.State)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(o.State, ":%?#") {
		return nil, controlplane.Errorf(controlplane.CodeInvalid, "Choose another folder with --state.", "The state folder's path has a character that restic's address of a socket cannot hold")
	}
	if _, err := LoadPolicy(o.PolicyDirs...); err != nil {
		return nil, controlplane.Errorf(controlplane.CodeInvalid, "Correct the file: until it is understood, nothing is allowed to run.", "The host's policy cannot be used (%v)", err).Because(err)
	}
	a := &Agent{o: o, log: o.Log.With("server", id.Server, "agent", id.Agent), now: o.Now, identity: id,
		facts: ReadFacts(o.FactFiles), tasks: map[string]*task{}, busy: map[string]bool{}, unspooled: map[string]wire.Result{}}
	var random [16]byte
	_, _ = rand.Read(random[:]) // crypto/rand.Read never returns an error
	a.instance = hex.EncodeToString(random[:])
	if err := a.open(); err != nil {
		_ = a.Close()
		return nil, err
	}
	return a, nil
}

func (a *Agent) open() (err error) {
	if a.lock, err = lockState(a.o.State); err != nil {
		return err
	}
	if a.key, err = loadKey(a.o.State); err != nil {
		return err
	}
	if a.sealKey, err = loadSealKey(a.o.State); err != nil {
		return err
	}
	if a.journal, err = OpenJournal(a.o.State, a.log, a.now); err != nil {
		return err
	}
	a.spool, err = OpenSpool(filepath.Join(a.o.State, "spool"), a.log, func(job string) bool {
		_, ok := a.journal.Get(job)
		return ok
	})
	if err != nil {
		return err
	}
	a.certs, err = deploy.New(deploy.Options{Root: a.o.Root, Folder: a.o.Certificates, Services: a.o.Services, Log: a.log, Now: a.now, Settle: a.o.CertSettle})
	if err != nil {
		return err
	}
	if a.responder, err = OpenResponder(a.o.State, a.o.ACMEListen, a.now, a.log); err != nil {
		return err
	}
	a.sweep()
	return a.recoverJobs()
}

// Close releases what New took. Run must have returned.
func (a *Agent) Close() error {
	var err error
	if a.journal != nil {
		err = a.journal.Close()
	}
	if a.certs != nil {
		err = errors.Join(err, a.certs.Close())
	}
	if a.lock != nil {
		err = errors.Join(err, a.lock.Close())
	}
	return err
}

// lockState makes sure that no second agent works in the same folder.
func lockState(state string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(state, "run", "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("host: lock state: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, controlplane.Errorf(controlplane.CodeConflict, "Stop the other agent first (systemctl stop ostler-agent).", "Another agent runs in this state folder").Because(err)
	}
	return f, nil
}

// sweep removes sockets and staged files of an earlier life.
func (a *Agent) sweep() {
	entries, err := os.ReadDir(filepath.Join(a.o.State, "run"))
	if err != nil {
		a.log.Warn("sweep.run", "err", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			_ = os.RemoveAll(filepath.Join(a.o.State, "run", e.Name()))
		}
	}
	if err := a.o.Helper.Discard(context.Background(), ""); err != nil {
		a.log.Warn("sweep.staging", "err", helper.Unnamed(err))
	}
}

// Identity returns who the agent is now.
func (a *Agent) Identity() Identity {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.identity
}

func (a *Agent) setIdentity(id Identity) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.identity = id
}

// errShutdown ends jobs because the agent stops.
var errShutdown = errors.New("the agent stops")

// Run works until ctx ends: it keeps a connection to the plane, renews the
// certificate, and runs jobs. It waits for jobs to end after ctx has.
func (a *Agent) Run(ctx context.Context) error {
	jobs, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	a.mu.Lock()
	a.base, a.stop = jobs, stop
	a.mu.Unlock()
	a.log.Info("agent.start", "version", a.o.Version, "instance", a.instance)
	var loops sync.WaitGroup
	loops.Go(func() { a.renewLoop(ctx) })
	loops.Go(func() { a.connectLoop(ctx) })
	loops.Go(func() { a.responder.Run(ctx) })
	loops.Go(func() { a.hitLoop(ctx) })
	<-ctx.Done()
	a.mu.Lock()
	a.stopping = true
	a.mu.Unlock()
	stop(errShutdown)
	loops.Wait()
	a.work.Wait()
	a.log.Info("agent.stop")
	return nil
}
