package teleport

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gravitational/teleport/api/client"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
)

// tries is how often a change is made anew when others change the same.
const tries = 4

// PutRole makes a role what r says, with our mark. What r does not model is
// kept; rules that write, impersonate, join or ask for roles are no part of a
// role of ours, and are taken out. ErrNotOurs if there is one of this name
// without our mark, ErrChanged if r has a Revision and the cluster another.
func (c *Client) PutRole(ctx context.Context, r Role) error {
	if err := plainRole(r); err != nil {
		return fmt.Errorf("teleport: put role: %w", err)
	}
	return c.again(ctx, "put role", func(ctx context.Context, api *client.Client) error {
		have, err := roleOf(ctx, api, r.Name)
		if err != nil {
			return err
		}
		if have == nil {
			if r.Revision != "" {
				return ErrChanged
			}
			return createRole(ctx, api, r)
		}
		if _, _, ours := marked(have.Metadata); !ours {
			return ErrNotOurs
		}
		if r.Revision != "" && r.Revision != have.GetRevision() {
			return ErrChanged
		}
		applyRole(have, r)
		_, err = api.UpdateRole(ctx, have)
		if trace.IsNotImplemented(err) {
			_, err = api.UpsertRole(ctx, have)
		}
		return err
	}, r.Revision == "")
}

// plainRole refuses what a role of ours never holds.
func plainRole(r Role) error {
	a := r.Allow
	switch {
	case r.Name == "":
		return errors.New("the role has no name")
	case r.Owner == "":
		return errors.New("the role has no owner")
	case a.NodeExpression != "" || r.Deny.NodeExpression != "":
		return errors.New("a role of ours has no label expression")
	case len(a.Writes)+len(a.ImpersonatesRoles)+len(a.ImpersonatesUsers)+len(a.RequestsRoles) > 0 || a.JoinsSessions:
		return errors.New("a role of ours writes, impersonates, joins and asks for nothing")
	case slices.Contains(a.Logins, types.Wildcard):
		return errors.New(`a role has no login "*"`)
	}
	return nil
}

// roleOf is a role, nil if there is none.
func roleOf(ctx context.Context, api *client.Client, name string) (*types.RoleV6, error) {
	have, err := api.GetRole(ctx, name)
	if trace.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v6, ok := have.(*types.RoleV6)
	if !ok {
		return nil, fmt.Errorf("%w: a role of a kind that we do not know", ErrRefused)
	}
	return v6, nil
}

func createRole(ctx context.Context, api *client.Client, r Role) error {
	fresh, err := types.NewRole(r.Name, types.RoleSpecV6{})
	if err != nil {
		return err
	}
	v6, ok := fresh.(*types.RoleV6)
	if !ok {
		return fmt.Errorf("%w: a role of a kind that we do not know", ErrRefused)
	}
	applyRole(v6, r)
	_, err = api.CreateRole(ctx, v6)
	if trace.IsNotImplemented(err) {
		_, err = api.UpsertRole(ctx, v6)
	}
	return err
}

// DeleteRole deletes a role of ours; no error if there is none. ErrNotOurs,
// and ErrInUse while users or connectors name it.
func (c *Client) DeleteRole(ctx context.Context, name string) error {
	return c.do(ctx, "delete role", func(ctx context.Context, api *client.Client) error {
		have, err := roleOf(ctx, api, name)
		if have == nil || err != nil {
			return err
		}
		if _, _, ours := marked(have.Metadata); !ours {
			return ErrNotOurs
		}
		switch err = api.DeleteRole(ctx, name); {
		case trace.IsNotFound(err):
			return nil
		case err != nil && inUse.MatchString(err.Error()):
			return ErrInUse
		}
		return err
	})
}

// SetUserRoles adds and removes roles of a local user and leaves the others.
// ErrRefused and ErrSSO for a user whose roles come from single sign-on: they
// would be back at the next login. ErrNotFound for a user, or a role to add,
// that is not there.
func (c *Client) SetUserRoles(ctx context.Context, user string, add, remove []string) error {
	return c.again(ctx, "set roles of user", func(ctx context.Context, api *client.Client) error {
		u, err := api.GetUser(ctx, user, false)
		if err != nil {
			return err
		}
		if connectorOf(u) != "" {
			return fmt.Errorf("%w: %w, which puts them back at each login", ErrRefused, ErrSSO)
		}
		roles := slices.DeleteFunc(slices.Clone(u.GetRoles()), func(r string) bool {
			return slices.Contains(remove, r) && !slices.Contains(add, r)
		})
		for _, r := range add {
			if !slices.Contains(roles, r) {
				roles = append(roles, r)
			}
		}
		if slices.Equal(roles, u.GetRoles()) {
			return nil
		}
		u.SetRoles(roles)
		_, err = api.UpdateUser(ctx, u)
		return err
	}, true)
}

// PutLock locks one target out; the name makes it idempotent. ErrRefused where
// the cluster does not do locks, or none on such a target, ErrDenied where it
// does not for us, ErrNotOurs for the name of another's lock.
func (c *Client) PutLock(ctx context.Context, l Lock) error {
	lock, err := toLock(l)
	if err != nil {
		return fmt.Errorf("teleport: put lock: %w", err)
	}
	return c.do(ctx, "put lock", func(ctx context.Context, api *client.Client) error {
		if err := notAnothersLock(ctx, api, l.Name); err != nil {
			return err
		}
		return api.UpsertLock(ctx, lock)
	})
}

func toLock(l Lock) (types.Lock, error) {
	if l.Name == "" {
		return nil, errors.New("the lock has no name")
	}
	if l.Session != "" {
		return nil, fmt.Errorf("%w: there are no locks on one session; lock its user for a moment", ErrRefused)
	}
	var set int
	for _, target := range []string{l.User, l.Role, l.Login, l.Node} {
		if target != "" {
			set++
		}
	}
	if set != 1 {
		return nil, fmt.Errorf(`a lock has one target, this one %d: several mean "or"`, set)
	}
	spec := types.LockSpecV2{Target: types.LockTarget{User: l.User, Role: l.Role, Login: l.Login, ServerID: l.Node}, Message: l.Message}
	if !l.Expires.IsZero() {
		at := l.Expires.UTC()
		spec.Expires = &at
	}
	lock, err := types.NewLock(l.Name, spec)
	if err != nil {
		return nil, err
	}
	v2, ok := lock.(*types.LockV2)
	if !ok {
		return nil, fmt.Errorf("%w: a lock of a kind that we do not know", ErrRefused)
	}
	v2.Metadata.Labels = map[string]string{markLabel: markValue}
	v2.Metadata.Description = description
	return v2, nil
}

// notAnothersLock is ErrNotOurs if the name is that of another's lock. One that
// is not to be seen may be there all the same: a cluster shows a lock up to a
// second late.
func notAnothersLock(ctx context.Context, api *client.Client, name string) error {
	have, err := api.GetLock(ctx, name)
	if trace.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, _, ours := marked(have.GetMetadata()); !ours {
		return ErrNotOurs
	}
	return nil
}

// DeleteLock deletes a lock of ours; no error if there is none. ErrNotOurs.
func (c *Client) DeleteLock(ctx context.Context, name string) error {
	return c.do(ctx, "delete lock", func(ctx context.Context, api *client.Client) error {
		if err := notAnothersLock(ctx, api, name); err != nil {
			return err
		}
		if err := api.DeleteLock(ctx, name); !trace.IsNotFound(err) {
			return err
		}
		return nil
	})
}

// again runs a change that reads and then writes, once more where somebody
// else wrote in between and retry says so.
func (c *Client) again(ctx context.Context, act string, change func(context.Context, *client.Client) error, retry bool) error {
	var err error
	for range tries {
		if err = c.do(ctx, act, change); !retry || !errors.Is(err, ErrChanged) {
			return err
		}
	}
	return err
}
