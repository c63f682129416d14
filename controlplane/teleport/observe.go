package teleport

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gravitational/teleport/api/client"
	"github.com/gravitational/teleport/api/client/proto"
	userspb "github.com/gravitational/teleport/api/gen/proto/go/teleport/users/v1"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
)

const pageSize = 200

// Observe reads all of the cluster's roles, users, locks, nodes and live
// sessions. What the identity may not read is counted in Skipped; where it may
// read neither roles nor users it is ErrDenied. A lock is in force before it is
// there to read: for up to a second.
func (c *Client) Observe(ctx context.Context) (State, error) {
	s := State{At: time.Now().UTC()}
	err := c.with(ctx, "observe", func(l *link) error {
		o := observer{c: c, api: l.api, state: &s}
		return o.all(ctx)
	})
	if err != nil {
		return State{}, err
	}
	return s, nil
}

// Users reads the cluster's users alone. ErrDenied where the identity may not.
func (c *Client) Users(ctx context.Context) ([]User, error) {
	var s State
	err := c.with(ctx, "list users", func(l *link) error {
		o := observer{c: c, api: l.api, state: &s}
		return o.users(ctx)
	})
	return s.Users, err
}

// observer reads a cluster into a State.
type observer struct {
	c     *Client
	api   *client.Client
	state *State
}

func (o *observer) all(ctx context.Context) error {
	if err := o.page(ctx, func(ctx context.Context) error {
		answer, err := o.api.Ping(ctx)
		o.state.Cluster, o.state.Version = answer.ClusterName, answer.ServerVersion
		return err
	}); err != nil {
		return err
	}
	var refused error
	for _, part := range []struct {
		kind string
		read func(context.Context) error
	}{
		{types.KindRole, o.roles}, {types.KindUser, o.users}, {types.KindLock, o.locks},
		{types.KindNode, o.nodes}, {types.KindSessionTracker, o.live},
	} {
		err := part.read(ctx)
		if err == nil {
			continue
		}
		err = o.c.name(err)
		unknown := errors.Is(err, ErrRefused)
		if !unknown && !errors.Is(err, ErrDenied) {
			return err
		}
		if part.kind == types.KindLock {
			o.state.LocksRefused = true
			if unknown { // a cluster without locks has none that we miss
				continue
			}
		}
		if part.kind == types.KindRole || part.kind == types.KindUser {
			if refused != nil {
				return refused
			}
			refused = err
		}
		o.skip(part.kind)
	}
	return o.ownSight(ctx)
}

// page runs one call within CallTimeout.
func (o *observer) page(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, o.c.opts.CallTimeout)
	defer cancel()
	return call(ctx)
}

func (o *observer) skip(what string) {
	o.state.Skipped++
	o.state.Unread = append(o.state.Unread, what)
}

// pages asks for page after page, from an answer's key to the next, until there is
// no key.
func pages[A any](ctx context.Context, o *observer, ask func(ctx context.Context, key string) (A, error), take func(A) (next string)) error {
	for key := ""; ; {
		var answer A
		if err := o.page(ctx, func(ctx context.Context) (err error) { answer, err = ask(ctx, key); return err }); err != nil {
			return err
		}
		if key = take(answer); key == "" {
			return nil
		}
	}
}

func (o *observer) roles(ctx context.Context) error {
	return pages(ctx, o, func(ctx context.Context, key string) (*proto.ListRolesResponse, error) {
		return o.api.ListRoles(ctx, &proto.ListRolesRequest{Limit: pageSize, StartKey: key})
	}, func(answer *proto.ListRolesResponse) string {
		for _, r := range answer.Roles {
			o.state.Roles = append(o.state.Roles, fromRole(r))
		}
		return answer.NextKey
	})
}

func (o *observer) users(ctx context.Context) error {
	return pages(ctx, o, func(ctx context.Context, key string) (*userspb.ListUsersResponse, error) {
		return o.api.ListUsers(ctx, &userspb.ListUsersRequest{PageSize: pageSize, PageToken: key})
	}, func(answer *userspb.ListUsersResponse) string {
		for _, u := range answer.Users {
			o.state.Users = append(o.state.Users, fromUser(u))
		}
		return answer.NextPageToken
	})
}

func (o *observer) locks(ctx context.Context) error {
	return o.page(ctx, func(ctx context.Context) error {
		locks, err := o.api.GetLocks(ctx, false)
		for _, l := range locks {
			o.state.Locks = append(o.state.Locks, fromLock(l))
		}
		return err
	})
}

// nodes reads those that the identity itself may reach: a cluster shows no others.
func (o *observer) nodes(ctx context.Context) error {
	err := pages(ctx, o, func(ctx context.Context, key string) (*proto.ListUnifiedResourcesResponse, error) {
		return o.api.ListUnifiedResources(ctx, &proto.ListUnifiedResourcesRequest{
			Kinds: []string{types.KindNode}, Limit: pageSize, StartKey: key, SortBy: types.SortBy{Field: types.ResourceMetadataName},
		})
	}, func(answer *proto.ListUnifiedResourcesResponse) string {
		for _, r := range answer.Resources {
			if n := r.GetNode(); n != nil {
				o.state.Nodes = append(o.state.Nodes, fromNode(n))
			}
		}
		return answer.NextKey
	})
	if trace.IsNotImplemented(err) {
		o.state.Nodes = nil // also where one of several servers is older than the others
		return o.nodesBefore(ctx)
	}
	return err
}

// nodesBefore reads nodes from a cluster that does not list all kinds at once.
func (o *observer) nodesBefore(ctx context.Context) error {
	return pages(ctx, o, func(ctx context.Context, key string) (*proto.ListResourcesResponse, error) {
		return o.api.GetResources(ctx, &proto.ListResourcesRequest{ResourceType: types.KindNode, Limit: pageSize, StartKey: key})
	}, func(answer *proto.ListResourcesResponse) string {
		for _, r := range answer.Resources {
			if n := r.GetNode(); n != nil {
				o.state.Nodes = append(o.state.Nodes, fromNode(n))
			}
		}
		return answer.NextKey
	})
}

func (o *observer) live(ctx context.Context) error {
	return o.page(ctx, func(ctx context.Context) error {
		trackers, err := o.api.GetActiveSessionTrackers(ctx)
		for _, t := range trackers {
			if t.GetState() != types.SessionState_SessionStateTerminated {
				o.state.Live = append(o.state.Live, fromTracker(t))
			}
		}
		return err
	})
}

// ownSight counts what a cluster leaves out without a word: nodes that the
// identity's own roles do not reach, and others' live sessions.
func (o *observer) ownSight(ctx context.Context) error {
	var own []types.Role
	err := o.page(ctx, func(ctx context.Context) (err error) {
		own, err = o.api.GetCurrentUserRoles(ctx)
		return err
	})
	if err != nil {
		err = o.c.name(err)
		if !errors.Is(err, ErrDenied) && !errors.Is(err, ErrRefused) && !errors.Is(err, ErrNotFound) {
			return err
		}
		o.skip("the identity's own roles")
		return nil
	}
	if !slices.Contains(o.state.Unread, types.KindNode) && !seesAllNodes(own) {
		o.skip("nodes that the identity's own roles do not name")
	}
	if !slices.Contains(o.state.Unread, types.KindSessionTracker) && !mayList(own, types.KindSessionTracker) {
		o.skip("live sessions of others")
	}
	return nil
}

// seesAllNodes reports whether a role matches every node and none takes any away.
func seesAllNodes(roles []types.Role) bool {
	all := false
	for _, r := range roles {
		deny, err := r.GetLabelMatchers(types.Deny, types.KindNode)
		if err != nil || !deny.Empty() {
			return false
		}
		allow, err := r.GetLabelMatchers(types.Allow, types.KindNode)
		if err == nil && allow.Expression == "" && matchesAll(allow.Labels) {
			all = true
		}
	}
	return all
}

func mayList(roles []types.Role, kind string) bool {
	return !anyRule(roles, types.Deny, kind, types.VerbList) && anyRule(roles, types.Allow, kind, types.VerbList)
}

func anyRule(roles []types.Role, half types.RoleConditionType, kind, verb string) bool {
	for _, r := range roles {
		for _, rule := range r.GetRules(half) {
			if (rule.HasResource(kind) || rule.HasResource(types.Wildcard)) && (rule.HasVerb(verb) || rule.HasVerb(types.Wildcard)) {
				return true
			}
		}
	}
	return false
}

func fromUser(u types.User) User {
	out := User{
		Name: u.GetName(), Roles: slices.Clone(u.GetRoles()), Bot: u.IsBot(),
		Traits: u.GetTraits(), Expires: expires(u.Expiry()), Connector: connectorOf(u),
	}
	return out
}

// connectorOf is the connector that made a user, "" for a local one. A user
// made by one that does not say so has at least an identity of its kind.
func connectorOf(u types.User) string {
	if by := u.GetCreatedBy().Connector; by != nil {
		return cmp.Or(by.ID, by.Type, "sso")
	}
	for _, list := range [][]types.ExternalIdentity{u.GetOIDCIdentities(), u.GetSAMLIdentities(), u.GetGithubIdentities()} {
		if len(list) > 0 {
			return cmp.Or(list[0].ConnectorID, "sso")
		}
	}
	return ""
}

func fromLock(l types.Lock) Lock {
	t := l.Target()
	out := Lock{
		Name: l.GetName(), User: t.User, Role: t.Role, Login: t.Login, Message: l.Message(),
		Node: cmp.Or(t.ServerID, t.Node),
	}
	_, _, out.Ours = marked(l.GetMetadata())
	for _, field := range []string{t.User, t.Role, t.Login, out.Node, t.MFADevice, t.WindowsDesktop, t.AccessRequest, t.Device} {
		if field != "" {
			out.Targets++
		}
	}
	if at := l.LockExpiry(); at != nil {
		out.Expires = expires(*at)
	}
	return out
}

func fromNode(n types.Server) Node {
	return Node{ID: n.GetName(), Hostname: n.GetHostname(), Labels: n.GetAllLabels()}
}

func fromTracker(t types.SessionTracker) Live {
	out := Live{
		ID: t.GetSessionID(), Kind: string(t.GetSessionKind()), User: t.GetHostUser(), Login: t.GetLogin(),
		Node: cmp.Or(t.GetAddress(), t.GetHostID()), Hostname: t.GetHostname(), Started: t.GetCreated().UTC(),
	}
	for _, p := range t.GetParticipants() {
		out.Participants = append(out.Participants, p.User)
	}
	if out.User == "" && len(out.Participants) > 0 {
		out.User = out.Participants[0]
	}
	return out
}

// expires is zero for an instant that says "never": the api has several.
func expires(at time.Time) time.Time {
	if at.IsZero() || at.Unix() <= 0 {
		return time.Time{}
	}
	return at.UTC()
}
