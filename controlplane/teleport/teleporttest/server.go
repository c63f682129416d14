package teleporttest

import (
	"context"
	"fmt"
	"slices"

	"github.com/gravitational/teleport/api/client/proto"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
	"google.golang.org/protobuf/types/known/emptypb"
)

// server is the auth service.
type server struct {
	proto.UnimplementedAuthServiceServer
	c *Cluster
}

// late refuses a call that an old server does not know.
func (c *Cluster) late(method string) error {
	if c.opts.OldServer {
		return trace.NotImplemented("unknown method %s", method)
	}
	return nil
}

func (s *server) Ping(context.Context, *proto.PingRequest) (*proto.PingResponse, error) {
	return &proto.PingResponse{ClusterName: s.c.opts.Name, ServerVersion: Version, ServerFeatures: &proto.Features{}}, nil
}

func (s *server) GetCurrentUserRoles(_ *emptypb.Empty, out proto.AuthService_GetCurrentUserRolesServer) error {
	s.c.mu.Lock()
	who, err := s.c.identify(out.Context())
	s.c.mu.Unlock()
	if err != nil {
		return err
	}
	return sendAll(out.Send, who.roles)
}

func sendAll[T any](send func(T) error, list []T) error {
	for _, v := range list {
		if err := send(v); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) GetRole(ctx context.Context, req *proto.GetRoleRequest) (*types.RoleV6, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if _, err := s.c.allow(ctx, types.KindRole, types.VerbRead); err != nil {
		return nil, err
	}
	r := s.c.roles[req.Name]
	if r == nil {
		return nil, trace.NotFound("role %s is not found", req.Name)
	}
	return copyOf(r), nil
}

func (s *server) ListRoles(ctx context.Context, req *proto.ListRolesRequest) (*proto.ListRolesResponse, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if _, err := s.c.allow(ctx, types.KindRole, types.VerbList, types.VerbRead); err != nil {
		return nil, err
	}
	var all []*types.RoleV6
	for _, r := range s.c.roles {
		all = append(all, copyOf(r))
	}
	var out proto.ListRolesResponse
	out.Roles, out.NextKey = page(all, (*types.RoleV6).GetName, req.StartKey, int(req.Limit), s.c.opts.PageLimit)
	return &out, nil
}

func (s *server) CreateRole(ctx context.Context, req *proto.CreateRoleRequest) (*types.RoleV6, error) {
	return s.write(ctx, "CreateRole", req.Role, types.VerbCreate)
}

func (s *server) UpdateRole(ctx context.Context, req *proto.UpdateRoleRequest) (*types.RoleV6, error) {
	return s.write(ctx, "UpdateRole", req.Role, types.VerbUpdate)
}

func (s *server) UpsertRoleV2(ctx context.Context, req *proto.UpsertRoleRequest) (*types.RoleV6, error) {
	return s.write(ctx, "UpsertRoleV2", req.Role, types.VerbCreate, types.VerbUpdate)
}

func (s *server) UpsertRole(ctx context.Context, r *types.RoleV6) (*emptypb.Empty, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	who, err := s.c.allow(ctx, types.KindRole, types.VerbCreate, types.VerbUpdate)
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, s.c.storeRole(who.user, r)
}

// write stores a role; one verb says what must be true of the one before.
func (s *server) write(ctx context.Context, method string, r *types.RoleV6, verbs ...string) (*types.RoleV6, error) {
	if err := s.c.late(method); err != nil {
		return nil, err
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	who, err := s.c.allow(ctx, types.KindRole, verbs...)
	if err != nil {
		return nil, err
	}
	have := s.c.roles[r.GetName()]
	if slices.Equal(verbs, []string{types.VerbCreate}) && have != nil {
		return nil, trace.AlreadyExists("role %q already exists", r.GetName())
	}
	if slices.Equal(verbs, []string{types.VerbUpdate}) {
		if have == nil {
			return nil, trace.NotFound("role %s is not found", r.GetName())
		}
		if err := s.c.conflict(have.GetRevision(), r.GetRevision()); err != nil {
			return nil, err
		}
	}
	if err := s.c.storeRole(who.user, r); err != nil {
		return nil, err
	}
	return copyOf(s.c.roles[r.GetName()]), nil
}

func (s *server) DeleteRole(ctx context.Context, req *proto.DeleteRoleRequest) (*emptypb.Empty, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	who, err := s.c.allow(ctx, types.KindRole, types.VerbDelete)
	if err != nil {
		return nil, err
	}
	if s.c.roles[req.Name] == nil {
		return nil, trace.NotFound("role %s is not found", req.Name)
	}
	for _, u := range s.c.users {
		if slices.Contains(u.GetRoles(), req.Name) {
			return nil, trace.BadParameter("failed to delete a role that is still in use by a user, check the system server logs for more details")
		}
	}
	delete(s.c.roles, req.Name)
	s.c.roleDeleted(who.user, req.Name)
	return &emptypb.Empty{}, nil
}

func (s *server) ListUnifiedResources(ctx context.Context, req *proto.ListUnifiedResourcesRequest) (*proto.ListUnifiedResourcesResponse, error) {
	if err := s.c.late("ListUnifiedResources"); err != nil {
		return nil, err
	}
	list, next, err := s.nodes(ctx, req.StartKey, int(req.Limit))
	return &proto.ListUnifiedResourcesResponse{Resources: list, NextKey: next}, err
}

func (s *server) ListResources(ctx context.Context, req *proto.ListResourcesRequest) (*proto.ListResourcesResponse, error) {
	if req.ResourceType != types.KindNode {
		return nil, trace.NotImplemented("the fake has nodes only")
	}
	list, next, err := s.nodes(ctx, req.StartKey, int(req.Limit))
	return &proto.ListResourcesResponse{Resources: list, NextKey: next}, err
}

// nodes are those that the caller's own roles match; there is no word of others.
func (s *server) nodes(ctx context.Context, key string, limit int) ([]*proto.PaginatedResource, string, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	who, err := s.c.identify(ctx)
	if err != nil {
		return nil, "", err
	}
	if slices.Contains(s.c.denied[types.KindNode], types.VerbList) {
		return nil, "", trace.AccessDenied("access denied to perform action %q on %q", types.VerbList, types.KindNode)
	}
	var seen []*types.ServerV2
	for _, n := range s.c.nodes {
		if sees(who.roles, s.c.traitsOf(who.user), n) {
			seen = append(seen, n)
		}
	}
	list, next := page(seen, (*types.ServerV2).GetName, key, limit, s.c.opts.PageLimit)
	var out []*proto.PaginatedResource
	for _, n := range list {
		out = append(out, &proto.PaginatedResource{Resource: &proto.PaginatedResource_Node{Node: n.DeepCopy().(*types.ServerV2)}})
	}
	return out, next, nil
}

func (s *server) GetActiveSessionTrackers(_ *emptypb.Empty, out proto.AuthService_GetActiveSessionTrackersServer) error {
	s.c.mu.Lock()
	who, err := s.c.identify(out.Context())
	if err != nil {
		s.c.mu.Unlock()
		return err
	}
	var list []*types.SessionTrackerV1
	if may(who.roles, types.KindSessionTracker, types.VerbList) && !slices.Contains(s.c.denied[types.KindSessionTracker], types.VerbList) {
		for _, id := range sortedKeys(s.c.sessions) {
			list = append(list, s.c.sessions[id].tracker())
		}
	}
	s.c.mu.Unlock()
	return sendAll(out.Send, list)
}

func copyOf(r *types.RoleV6) *types.RoleV6 {
	raw, err := r.Marshal()
	if err != nil {
		panic(fmt.Sprintf("teleporttest: a role that was stored cannot be copied: %v", err))
	}
	var out types.RoleV6
	if err := out.Unmarshal(raw); err != nil {
		panic(fmt.Sprintf("teleporttest: a role that was stored cannot be copied: %v", err))
	}
	return &out
}
