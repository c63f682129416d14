package teleporttest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
	"google.golang.org/protobuf/types/known/emptypb"

	"ostler/controlplane/teleport"
)

// lock is a lock's versions, the oldest first; nil is that it was deleted.
type lock []version

type version struct {
	at time.Time
	v  *types.LockV2
}

// now is the version in force.
func (l lock) now() *types.LockV2 {
	if len(l) == 0 {
		return nil
	}
	return l[len(l)-1].v
}

// seen is the version that a cache shows which is lag behind.
func (l lock) seen(at time.Time, lag time.Duration) *types.LockV2 {
	var out *types.LockV2
	for _, version := range l {
		if !version.at.Add(lag).After(at) {
			out = version.v
		}
	}
	return out
}

// A LockRefusal is how a cluster refuses to lock.
type LockRefusal string

// The refusals.
const (
	LocksWork       LockRefusal = ""
	LocksUnknown    LockRefusal = "unknown"    // the calls are not there
	LocksUnlicensed LockRefusal = "unlicensed" // access denied, for want of a licence
	LocksDenied     LockRefusal = "denied"     // access denied to this identity
)

// RefuseLocks has the cluster refuse to make, change and list locks.
func (c *Cluster) RefuseLocks(how LockRefusal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch how {
	case LocksUnknown:
		c.locksOff = trace.NotImplemented("unknown method UpsertLock for service proto.AuthService")
	case LocksUnlicensed:
		c.locksOff = trace.AccessDenied("this Teleport cluster is not licensed for locks, please contact the cluster administrator")
	case LocksDenied:
		c.locksOff = trace.AccessDenied("access denied to perform action %q on %q", types.VerbCreate, types.KindLock)
	default:
		c.locksOff = nil
	}
}

func (c *Cluster) mayLock(ctx context.Context, verbs ...string) (caller, error) {
	if c.locksOff != nil {
		return caller{}, c.locksOff
	}
	return c.allow(ctx, types.KindLock, verbs...)
}

// lockOn is a lock in force on any of these. Several targets of one lock are
// "or", as in the real server: each of its fields locks by itself. c.mu is held.
func (c *Cluster) lockOn(user string, roles []string, login, node string) *types.LockV2 {
	for _, name := range sortedKeys(c.locks) {
		l := c.locks[name].now()
		if l != nil && l.IsInForce(c.now()) && hits(l, user, roles, login, node) {
			return l
		}
	}
	return nil
}

func hits(l *types.LockV2, user string, roles []string, login, node string) bool {
	t := l.Target()
	return t.User != "" && t.User == user || t.Role != "" && slices.Contains(roles, t.Role) ||
		t.Login != "" && t.Login == login || node != "" && (t.ServerID == node || t.Node == node)
}

// PutLock makes a lock by hand: without our mark, and with each target that l has.
func (c *Cluster) PutLock(l teleport.Lock) error {
	spec := types.LockSpecV2{Message: l.Message, Target: types.LockTarget{User: l.User, Role: l.Role, Login: l.Login, ServerID: l.Node}}
	if !l.Expires.IsZero() {
		spec.Expires = &l.Expires
	}
	made, err := types.NewLock(l.Name, spec)
	if err != nil {
		return fmt.Errorf("teleporttest: put lock: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.storeLock("admin", made.(*types.LockV2))
	return nil
}

// storeLock puts a lock in force at once and cuts what it hits a little later.
// c.mu is held.
func (c *Cluster) storeLock(by string, l *types.LockV2) {
	l.SetCreatedAt(c.now())
	l.SetCreatedBy(by)
	c.locks[l.GetName()] = append(c.locks[l.GetName()], version{at: c.now(), v: l})
	c.lockCreated(by, l.GetName())
	if !l.IsInForce(c.now()) {
		return
	}
	for _, s := range c.sessions {
		if hits(l, s.User, s.roles, s.Login, s.Node) {
			s.cut = time.AfterFunc(c.opts.CutDelay, func() { s.end("a lock is in force") })
		}
	}
}

func (s *server) UpsertLock(ctx context.Context, l *types.LockV2) (*emptypb.Empty, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	who, err := s.c.mayLock(ctx, types.VerbCreate, types.VerbUpdate)
	if err != nil {
		return nil, err
	}
	if err := l.CheckAndSetDefaults(); err != nil {
		return nil, err
	}
	s.c.storeLock(who.user, l)
	return &emptypb.Empty{}, nil
}

func (s *server) DeleteLock(ctx context.Context, req *proto.DeleteLockRequest) (*emptypb.Empty, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	who, err := s.c.mayLock(ctx, types.VerbDelete)
	if err != nil {
		return nil, err
	}
	if s.c.locks[req.Name].now() == nil {
		return nil, trace.NotFound("lock %q is not found", req.Name)
	}
	s.c.locks[req.Name] = append(s.c.locks[req.Name], version{at: s.c.now()})
	s.c.lockDeleted(who.user, req.Name)
	return &emptypb.Empty{}, nil
}

func (s *server) GetLock(ctx context.Context, req *proto.GetLockRequest) (*types.LockV2, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if _, err := s.c.mayLock(ctx, types.VerbRead); err != nil {
		return nil, err
	}
	l := s.c.locks[req.Name].seen(s.c.now(), s.c.opts.LockLag)
	if l == nil {
		return nil, trace.NotFound("lock %q is not found", req.Name)
	}
	return l, nil
}

func (s *server) GetLocks(ctx context.Context, req *proto.GetLocksRequest) (*proto.GetLocksResponse, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if _, err := s.c.mayLock(ctx, types.VerbList, types.VerbRead); err != nil {
		return nil, err
	}
	var out proto.GetLocksResponse
	for _, name := range sortedKeys(s.c.locks) {
		l := s.c.locks[name].seen(s.c.now(), s.c.opts.LockLag)
		if l != nil && (!req.InForceOnly || l.IsInForce(s.c.now())) {
			out.Locks = append(out.Locks, l)
		}
	}
	return &out, nil
}
