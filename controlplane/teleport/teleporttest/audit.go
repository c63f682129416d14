package teleporttest

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/gravitational/teleport/api/client/proto"
	auditlogpb "github.com/gravitational/teleport/api/gen/proto/go/teleport/auditlog/v1"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/teleport/api/types/events"
	"github.com/gravitational/trace"
)

// mostEvents is how many events the real server gives at once.
const mostEvents = 1000

// event is an entry of the audit log.
type event struct {
	at  time.Time // it is not there before
	sid string    // of the recording it is part of, too
	e   events.AuditEvent
	bad bool // nobody can read it
}

func (c *Cluster) meta(kind, code string) events.Metadata {
	return events.Metadata{Type: kind, ID: uuid.NewString(), Code: code, Time: c.now(), ClusterName: c.opts.Name}
}

// emit adds an event. c.mu is held.
func (c *Cluster) emit(sid string, at time.Time, e events.AuditEvent) {
	c.events = append(c.events, event{at: at, sid: sid, e: e})
}

func (c *Cluster) roleStored(by, name string, had bool) {
	user, what := events.UserMetadata{User: by}, events.ResourceMetadata{Name: name}
	if had {
		c.emit("", c.now(), &events.RoleUpdate{Metadata: c.meta("role.updated", "T9002I"), UserMetadata: user, ResourceMetadata: what})
		return
	}
	c.emit("", c.now(), &events.RoleCreate{Metadata: c.meta("role.created", "T9000I"), UserMetadata: user, ResourceMetadata: what})
}

func (c *Cluster) roleDeleted(by, name string) {
	c.emit("", c.now(), &events.RoleDelete{Metadata: c.meta("role.deleted", "T9001I"),
		UserMetadata: events.UserMetadata{User: by}, ResourceMetadata: events.ResourceMetadata{Name: name}})
}

func (c *Cluster) userStored(by, name string, had bool) {
	user, what, roles := events.UserMetadata{User: by}, events.ResourceMetadata{Name: name}, c.users[name].GetRoles()
	if had {
		c.emit("", c.now(), &events.UserUpdate{Metadata: c.meta("user.update", "T1003I"), UserMetadata: user, ResourceMetadata: what, Roles: roles})
		return
	}
	c.emit("", c.now(), &events.UserCreate{Metadata: c.meta("user.create", "T1002I"), UserMetadata: user, ResourceMetadata: what, Roles: roles})
}

func (c *Cluster) userLoggedIn(name string) {
	c.emit("", c.now(), &events.UserLogin{Metadata: c.meta("user.login", "T1000I"),
		UserMetadata: events.UserMetadata{User: name}, Status: events.Status{Success: true}, Method: "local"})
}

// lockCreated does not say whom the lock keeps out: the real one leaves it out, too.
func (c *Cluster) lockCreated(by, name string) {
	c.emit("", c.now(), &events.LockCreate{Metadata: c.meta("lock.created", "TLK00I"),
		UserMetadata: events.UserMetadata{User: by}, ResourceMetadata: events.ResourceMetadata{Name: name}})
}

func (c *Cluster) lockDeleted(by, name string) {
	c.emit("", c.now(), &events.LockDelete{Metadata: c.meta("lock.deleted", "TLK01I"),
		UserMetadata: events.UserMetadata{User: by}, ResourceMetadata: events.ResourceMetadata{Name: name}})
}

// search is one page of events. An unknown start key, and one that was used
// before, finds nothing and is no error.
func (c *Cluster) search(ctx context.Context, from, to time.Time, kinds []string, limit int, descending bool, key string) ([]event, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.allow(ctx, types.KindEvent, types.VerbList); err != nil {
		return nil, "", err
	}
	if limit > mostEvents {
		return nil, "", trace.BadParameter("limit %v exceeds max event limit %v", limit, mostEvents)
	}
	limit = cmp.Or(limit, mostEvents)
	start := 0
	if key != "" {
		at, ok := c.keys[key]
		delete(c.keys, key)
		if !ok {
			return nil, "", nil
		}
		start = at
	}
	var found []event
	for _, e := range c.events {
		when := e.e.GetTime() // as the node's clock said
		if e.e.GetType() == "print" || e.at.After(c.now()) || when.Before(from) || !when.Before(to) ||
			len(kinds) > 0 && !slices.Contains(kinds, e.e.GetType()) {
			continue
		}
		found = append(found, e)
	}
	slices.SortStableFunc(found, func(a, b event) int {
		if descending {
			a, b = b, a
		}
		return a.e.GetTime().Compare(b.e.GetTime())
	})
	var out []event
	for i := start; i < len(found); i++ {
		if len(out) == limit {
			next := "key-" + strconv.FormatInt(int64(len(c.keys)), 10) + "-" + uuid.NewString()
			c.keys[next] = i
			return out, next, nil
		}
		out = append(out, found[i])
	}
	return out, "", nil
}

// GetEvents reads the order as a bare number, 0 for ascending: the names of the
// protocol say the opposite.
func (s *server) GetEvents(ctx context.Context, req *proto.GetEventsRequest) (*proto.Events, error) {
	list, next, err := s.c.search(ctx, req.StartDate, req.EndDate, req.EventTypes, int(req.Limit), req.Order != 0, req.StartKey)
	if err != nil {
		return nil, err
	}
	out := &proto.Events{LastKey: next}
	for _, e := range list {
		if e.bad { // the real one drops it, with a line in its own log
			continue
		}
		one, err := events.ToOneOf(e.e)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, one)
	}
	return out, nil
}

// recording is a session's, NotFound until it was uploaded; its error names a
// path, as the real one's does. c.mu is taken.
func (c *Cluster) recording(ctx context.Context, sid string) ([]events.AuditEvent, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.allow(ctx, types.KindSession, types.VerbRead); err != nil {
		return nil, err
	}
	var out []events.AuditEvent
	uploaded := false
	for _, e := range c.events {
		if up, ok := e.e.(*events.SessionUpload); ok && up.SessionID == sid {
			uploaded = !e.at.After(c.now())
		}
		if e.sid == sid {
			out = append(out, e.e)
		}
	}
	if !uploaded || c.gone[sid] {
		return nil, trace.NotFound("a recording for session %v was not found: open /var/lib/teleport/log/records/%v.tar: no such file or directory", sid, sid)
	}
	return out, nil
}

func (s *server) StreamSessionEvents(req *proto.StreamSessionEventsRequest, out proto.AuthService_StreamSessionEventsServer) error {
	list, err := s.c.recording(out.Context(), req.SessionID)
	if err != nil {
		return err
	}
	for _, e := range list {
		one, err := events.ToOneOf(e)
		if err != nil {
			return err
		}
		if err := out.Send(one); err != nil {
			return err
		}
	}
	return nil
}

// auditServer is the audit log service, which old servers do not have.
type auditServer struct {
	auditlogpb.UnimplementedAuditLogServiceServer
	c *Cluster
}

func (s *auditServer) GetUnstructuredEvents(ctx context.Context, req *auditlogpb.GetUnstructuredEventsRequest) (*auditlogpb.EventsUnstructured, error) {
	if err := s.c.late("GetUnstructuredEvents"); err != nil {
		return nil, err
	}
	list, next, err := s.c.search(ctx, req.StartDate.AsTime(), req.EndDate.AsTime(), req.EventTypes, int(req.Limit), req.Order != 0, req.StartKey)
	if err != nil {
		return nil, err
	}
	out := &auditlogpb.EventsUnstructured{LastKey: next}
	for _, e := range list {
		one, err := e.unstructured()
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, one)
	}
	return out, nil
}

func (s *auditServer) StreamUnstructuredSessionEvents(req *auditlogpb.StreamUnstructuredSessionEventsRequest, out auditlogpb.AuditLogService_StreamUnstructuredSessionEventsServer) error {
	if err := s.c.late("StreamUnstructuredSessionEvents"); err != nil {
		return err
	}
	list, err := s.c.recording(out.Context(), req.SessionId)
	if err != nil {
		return err
	}
	for _, e := range list {
		one, err := events.ToUnstructured(e)
		if err != nil {
			return err
		}
		if err := out.Send(one); err != nil {
			return err
		}
	}
	return nil
}

// unstructured is the event as later servers send it; a bad one has nothing in it.
func (e event) unstructured() (*auditlogpb.EventUnstructured, error) {
	one, err := events.ToUnstructured(e.e)
	if err == nil && e.bad {
		one.Unstructured = nil
	}
	return one, err
}
