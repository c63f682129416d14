package teleporttest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	userspb "github.com/gravitational/teleport/api/gen/proto/go/teleport/users/v1"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Certificate is what a user got at their last login. Its roles are those that
// the user had then; what a role means is looked up anew each time.
type Certificate struct {
	User    string
	Roles   []string
	Traits  map[string][]string
	Expires time.Time
}

// PutUser makes a local user with these roles, or changes them by hand. Their
// certificate stays what it is.
func (c *Cluster) PutUser(name string, roles ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	u, err := types.NewUser(name)
	if err != nil {
		return fmt.Errorf("teleporttest: put user: %w", err)
	}
	v2 := u.(*types.UserV2)
	if have := c.users[name]; have != nil {
		v2 = copyUser(have)
	}
	v2.SetRoles(roles)
	return c.storeUser("admin", v2)
}

// PutSSOUser defines a user of a connector with the roles that it gives at each
// login, and logs them in.
func (c *Cluster) PutSSOUser(name, connector string, roles ...string) error {
	c.mu.Lock()
	c.sso[name] = single{connector: connector, roles: roles}
	c.mu.Unlock()
	_, err := c.Login(name)
	return err
}

// SetTraits sets a user's traits, as of their next login.
func (c *Cluster) SetTraits(name string, traits map[string][]string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.users[name]
	if u == nil {
		return fmt.Errorf("teleporttest: there is no user %s", name)
	}
	next := copyUser(u)
	next.SetTraits(traits)
	return c.storeUser("admin", next)
}

// RemoveUser deletes a user by hand; their certificate and sessions live on.
func (c *Cluster) RemoveUser(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.users, name)
	delete(c.sso, name)
}

// RolesOf are a user's roles as the cluster stores them.
func (c *Cluster) RolesOf(name string) []string { return c.rolesOf(name) }

// single is what single sign-on knows of a user.
type single struct {
	connector string
	roles     []string
}

// Login gives a user a new certificate. A connector puts its roles back first.
func (c *Cluster) Login(name string) (Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cert, err := c.login(name)
	if err != nil {
		return Certificate{}, fmt.Errorf("teleporttest: login: %w", err)
	}
	return *cert, nil
}

func (c *Cluster) login(name string) (*Certificate, error) {
	sso, single := c.sso[name]
	if single {
		u, err := types.NewUser(name)
		if err != nil {
			return nil, err
		}
		if have := c.users[name]; have != nil {
			u = copyUser(have)
		}
		u.SetRoles(sso.roles)
		u.SetCreatedBy(types.CreatedBy{Connector: &types.ConnectorRef{Type: "oidc", ID: sso.connector, Identity: name}, Time: c.now()})
		if err := c.storeUser("system", u.(*types.UserV2)); err != nil {
			return nil, err
		}
	}
	u := c.users[name]
	if u == nil {
		return nil, trace.NotFound("user %q not found", name)
	}
	if l := c.lockOn(name, u.GetRoles(), "", ""); l != nil {
		return nil, trace.AccessDenied("lock targeting %v is in force", l.Target())
	}
	roles, err := c.fetch(u.GetRoles())
	if err != nil {
		return nil, err
	}
	ttl := 12 * time.Hour
	for _, r := range roles {
		if most := r.Spec.Options.MaxSessionTTL.Duration(); most > 0 {
			ttl = min(ttl, most)
		}
	}
	cert := &Certificate{User: name, Roles: slices.Clone(u.GetRoles()), Traits: maps.Clone(u.GetTraits()), Expires: c.now().Add(ttl)}
	if single { // the record goes when the certificate does
		next := copyUser(u)
		next.SetExpiry(cert.Expires)
		c.users[name] = next
	}
	c.certs[name] = cert
	c.userLoggedIn(name)
	return cert, nil
}

// storeUser stores a copy under a new revision; roles must be there. c.mu is held.
func (c *Cluster) storeUser(by string, u *types.UserV2) error {
	for _, role := range u.GetRoles() {
		if c.roles[role] == nil {
			return trace.NotFound("role %s is not found", role)
		}
	}
	next := copyUser(u)
	next.SetRevision(c.revision())
	_, had := c.users[next.GetName()]
	c.users[next.GetName()] = next
	c.userStored(by, next.GetName(), had)
	return nil
}

func copyUser(u *types.UserV2) *types.UserV2 {
	raw, err := u.Marshal()
	var out types.UserV2
	if err = errors.Join(err, out.Unmarshal(raw)); err != nil {
		panic(fmt.Sprintf("teleporttest: a user that was stored cannot be copied: %v", err))
	}
	return &out
}

// traitsOf are a user's own. c.mu is held.
func (c *Cluster) traitsOf(name string) map[string][]string {
	if u := c.users[name]; u != nil {
		return u.GetTraits()
	}
	return nil
}

// user is one that has not expired, nil if there is none. c.mu is held.
func (c *Cluster) user(name string) *types.UserV2 {
	u := c.users[name]
	if u == nil || !u.Expiry().IsZero() && u.Expiry().Unix() > 0 && c.now().After(u.Expiry()) {
		return nil
	}
	return u
}

// usersServer is the users service.
type usersServer struct {
	userspb.UnimplementedUsersServiceServer
	c *Cluster
}

func (s *usersServer) GetUser(ctx context.Context, req *userspb.GetUserRequest) (*userspb.GetUserResponse, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if _, err := s.c.allow(ctx, types.KindUser, types.VerbRead); err != nil {
		return nil, err
	}
	u := s.c.user(req.Name)
	if u == nil {
		return nil, trace.NotFound("user %q not found", req.Name)
	}
	return &userspb.GetUserResponse{User: copyUser(u)}, nil
}

func (s *usersServer) ListUsers(ctx context.Context, req *userspb.ListUsersRequest) (*userspb.ListUsersResponse, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if _, err := s.c.allow(ctx, types.KindUser, types.VerbList, types.VerbRead); err != nil {
		return nil, err
	}
	var all []*types.UserV2
	for name := range s.c.users {
		if u := s.c.user(name); u != nil {
			all = append(all, copyUser(u))
		}
	}
	var out userspb.ListUsersResponse
	out.Users, out.NextPageToken = page(all, (*types.UserV2).GetName, req.PageToken, int(req.PageSize), s.c.opts.PageLimit)
	return &out, nil
}

func (s *usersServer) UpdateUser(ctx context.Context, req *userspb.UpdateUserRequest) (*userspb.UpdateUserResponse, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	who, err := s.c.allow(ctx, types.KindUser, types.VerbUpdate)
	if err != nil {
		return nil, err
	}
	have := s.c.user(req.User.GetName())
	if have == nil {
		return nil, trace.NotFound("user %q not found", req.User.GetName())
	}
	if err := s.c.conflict(have.GetRevision(), req.User.GetRevision()); err != nil {
		return nil, err
	}
	if err := s.c.storeUser(who.user, req.User); err != nil {
		return nil, err
	}
	return &userspb.UpdateUserResponse{User: copyUser(s.c.users[req.User.GetName()])}, nil
}

func (s *usersServer) DeleteUser(ctx context.Context, req *userspb.DeleteUserRequest) (*emptypb.Empty, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if _, err := s.c.allow(ctx, types.KindUser, types.VerbDelete); err != nil {
		return nil, err
	}
	if s.c.users[req.Name] == nil {
		return nil, trace.NotFound("user %q not found", req.Name)
	}
	delete(s.c.users, req.Name)
	return &emptypb.Empty{}, nil
}
