// Package teleporttest is a fake Teleport cluster for tests and for the demo.
// It keeps true that nobody takes it for a real one (its version says "fake"),
// that it speaks the real api over mutual TLS, and that it has the real
// server's bad habits: a role taken off a user works on in certificates issued
// before, locks show up late, several targets of one lock are "or", an unknown
// start key finds nothing and says nothing, a session's end may never come.
//
// It stores nothing. Nobody logs in to a server: Connect decides as a node
// would, and a session is an entry in a list.
package teleporttest

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gravitational/teleport/api/client/proto"
	auditlogpb "github.com/gravitational/teleport/api/gen/proto/go/teleport/auditlog/v1"
	userspb "github.com/gravitational/teleport/api/gen/proto/go/teleport/users/v1"
	"github.com/gravitational/teleport/api/metadata"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/teleport/api/utils/grpc/interceptors"
	"github.com/gravitational/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// Version is what the fake says of itself.
const Version = "18.0.0-fake"

// Roles that a new cluster has. As in a real one, RoleReader must name all
// nodes to see them; without logins it enters none.
const (
	RoleAdmin    = "admin"
	RoleReader   = "ostler-reader"
	RoleEnforcer = "ostler-enforcer"
)

// Options say what cluster it is.
type Options struct {
	Name string // "fake.example" if empty
	// LockLag is how late GetLocks tells of a lock; 0 is 1 s, as measured.
	LockLag time.Duration
	// CutDelay is how long a lock takes to cut a live session; 0 is 300 ms. It
	// is counted in real time, whatever Now says.
	CutDelay time.Duration
	// UploadDelay is how long after its end a recording is there; 0 is 1.5 s by
	// Now: who asks after that sees it.
	UploadDelay time.Duration
	// PageLimit is how much a page holds at most; 0 is 1000.
	PageLimit int
	// OldServer leaves out the calls that came with later versions.
	OldServer bool
	// Now is the cluster's clock; nil is time.Now.
	Now func() time.Time
	Log *slog.Logger // nil discards
}

// Cluster is a fake cluster.
type Cluster struct {
	opts Options
	ca   *authority
	gate *gate // nil before Listen

	skew atomic.Int64 // nanoseconds that the cluster's clock is ahead

	mu        sync.Mutex
	roles     map[string]*types.RoleV6
	users     map[string]*types.UserV2
	sso       map[string]single // users of a connector
	nodes     map[string]*types.ServerV2
	locks     map[string]lock
	certs     map[string]*Certificate
	sessions  map[string]*Session
	events    []event
	keys      map[string]int      // start keys that were given out
	gone      map[string]bool     // recordings that the store does not have
	denied    map[string][]string // kinds, and verbs that are refused to all
	locksOff  error
	calls     map[string]int
	revisions int64
	conflicts int
	mfa       bool
	stalled   chan struct{} // nil unless calls wait
}

// New makes a cluster with the roles above, one user "admin", and no nodes.
func New(o Options) (*Cluster, error) {
	o.Name = cmp.Or(o.Name, "fake.example")
	o.LockLag = cmp.Or(o.LockLag, time.Second)
	o.CutDelay = cmp.Or(o.CutDelay, 300*time.Millisecond)
	o.UploadDelay = cmp.Or(o.UploadDelay, 1500*time.Millisecond)
	o.PageLimit = cmp.Or(o.PageLimit, 1000)
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Cluster{
		opts: o, roles: map[string]*types.RoleV6{}, users: map[string]*types.UserV2{}, sso: map[string]single{},
		nodes: map[string]*types.ServerV2{}, locks: map[string]lock{}, certs: map[string]*Certificate{},
		sessions: map[string]*Session{}, denied: map[string][]string{}, calls: map[string]int{}, keys: map[string]int{}, gone: map[string]bool{},
	}
	var err error
	if c.ca, err = newAuthority(o.Name, c.now); err != nil {
		return nil, fmt.Errorf("teleporttest: new authority: %w", err)
	}
	for name, spec := range presets() {
		if err := c.putSpec(name, spec); err != nil {
			return nil, err
		}
	}
	return c, c.PutUser("admin", RoleAdmin)
}

// now is the cluster's clock. It takes no lock: c.mu may be held.
func (c *Cluster) now() time.Time { return c.opts.Now().Add(time.Duration(c.skew.Load())).UTC() }

func presets() map[string]types.RoleSpecV6 {
	all := types.Labels{types.Wildcard: {types.Wildcard}}
	read := []string{types.VerbList, types.VerbRead}
	write := append([]string{types.VerbCreate, types.VerbUpdate, types.VerbDelete}, read...)
	return map[string]types.RoleSpecV6{
		RoleAdmin: {Allow: types.RoleConditions{
			Logins: []string{"root"}, NodeLabels: all, Rules: []types.Rule{types.NewRule(types.Wildcard, []string{types.Wildcard})},
		}},
		RoleReader: {Allow: types.RoleConditions{NodeLabels: all, Rules: []types.Rule{
			types.NewRule(types.KindEvent, read), types.NewRule(types.KindSession, read), types.NewRule(types.KindLock, read),
			types.NewRule(types.KindRole, read), types.NewRule(types.KindUser, read), types.NewRule(types.KindNode, read),
			types.NewRule(types.KindSessionTracker, read),
		}}},
		RoleEnforcer: {Allow: types.RoleConditions{Rules: []types.Rule{
			types.NewRule(types.KindLock, write), types.NewRule(types.KindRole, write),
			types.NewRule(types.KindUser, append([]string{types.VerbUpdate}, read...)),
		}}},
	}
}

// Listen serves on a free port of loopback until Close.
func (c *Cluster) Listen() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("teleporttest: listen: %w", err)
	}
	ready := make(chan struct{})
	go func() {
		if err := c.serve(context.Background(), l, ready); err != nil {
			c.opts.Log.Error("teleporttest.stopped", "error", err)
		}
	}()
	<-ready
	return nil
}

// Serve serves on l until ctx ends, and closes l.
func (c *Cluster) Serve(ctx context.Context, l net.Listener) error {
	return c.serve(ctx, l, make(chan struct{}))
}

func (c *Cluster) serve(ctx context.Context, l net.Listener, ready chan<- struct{}) error {
	conf, err := c.ca.serverTLS()
	if err != nil {
		return fmt.Errorf("teleporttest: serve: %w", err)
	}
	srv := grpc.NewServer(grpc.Creds(credentials.NewTLS(conf)),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}), // the real client asks often whether we live
		grpc.ChainUnaryInterceptor(metadata.UnaryServerInterceptor, interceptors.GRPCServerUnaryErrorInterceptor, c.count),
		grpc.ChainStreamInterceptor(metadata.StreamServerInterceptor, interceptors.GRPCServerStreamErrorInterceptor))
	s := &server{c: c}
	proto.RegisterAuthServiceServer(srv, s)
	userspb.RegisterUsersServiceServer(srv, &usersServer{c: c})
	auditlogpb.RegisterAuditLogServiceServer(srv, &auditServer{c: c})
	g := newGate(l)
	c.mu.Lock()
	c.gate = g
	c.mu.Unlock()
	close(ready)
	stop := context.AfterFunc(ctx, srv.Stop)
	defer stop()
	if err := srv.Serve(g); err != nil && ctx.Err() == nil && !g.closed() {
		return fmt.Errorf("teleporttest: serve: %w", err)
	}
	return nil
}

func (c *Cluster) count(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
	c.mu.Lock()
	c.calls[info.FullMethod]++
	stalled := c.stalled
	c.mu.Unlock()
	if stalled != nil {
		select {
		case <-stalled:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return h(ctx, req)
}

// Stall has the cluster take calls and answer none, until release is called.
func (c *Cluster) Stall() (release func()) {
	stalled := make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stalled = stalled
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.stalled = nil
		close(stalled)
	}
}

func (c *Cluster) theGate() *gate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gate
}

// Addr is host:port, once it serves.
func (c *Cluster) Addr() string { return c.theGate().Addr().String() }

// Close ends serving and all sessions.
func (c *Cluster) Close() error {
	c.mu.Lock()
	for _, s := range c.sessions {
		if s.cut != nil {
			s.cut.Stop()
		}
		s.stop("the cluster is closed")
	}
	clear(c.sessions)
	c.mu.Unlock()
	if g := c.theGate(); g != nil {
		g.down()
		return g.Close()
	}
	return nil
}

// Down has the cluster answer nobody: connections break, new ones too. Its
// port stays its own.
func (c *Cluster) Down() { c.theGate().down() }

// Up ends Down.
func (c *Cluster) Up() { c.theGate().up() }

// Skew sets the cluster's clock apart from Now.
func (c *Cluster) Skew(by time.Duration) { c.skew.Store(int64(by)) }

// Deny refuses verbs on a kind to every identity, whatever its roles say; no
// verbs end it.
func (c *Cluster) Deny(kind string, verbs ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.denied[kind] = verbs
}

// RequireMFA has the cluster ask for a second factor before each change, as a
// real one does of users that are no bots.
func (c *Cluster) RequireMFA(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mfa = on
}

// Conflict has the next n writes that name a revision find that somebody else
// wrote in between.
func (c *Cluster) Conflict(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conflicts = n
}

// conflict is the refusal of a write over an older revision. c.mu is held.
func (c *Cluster) conflict(have, written string) error {
	if c.conflicts > 0 {
		c.conflicts--
	} else if have == written {
		return nil
	}
	return trace.CompareFailed("resource revision does not match, it may have been concurrently created|modified|deleted")
}

// Calls is how often a method ("/proto.AuthService/UpsertLock") was called.
func (c *Cluster) Calls(method string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[method]
}

// PutNode registers a server with its labels, or changes them.
func (c *Cluster) PutNode(id, hostname string, labels map[string]string) error {
	n, err := types.NewNode(id, "", types.ServerSpecV2{Hostname: hostname, Addr: "127.0.0.1:3022"}, labels)
	if err != nil {
		return fmt.Errorf("teleporttest: put node: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nodes[id] = n.(*types.ServerV2)
	return nil
}

// RemoveNode has a server leave the cluster.
func (c *Cluster) RemoveNode(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.nodes, id)
}

// Page cuts one page out of a sorted list: those after key, and the next key.
func page[T any](list []T, name func(T) string, key string, limit, most int) (out []T, next string) {
	if limit <= 0 || limit > most {
		limit = most
	}
	slices.SortFunc(list, func(a, b T) int { return cmp.Compare(name(a), name(b)) })
	for _, v := range list {
		if name(v) < key {
			continue
		}
		if len(out) == limit {
			return out, name(v)
		}
		out = append(out, v)
	}
	return out, ""
}
