package teleporttest

import (
	"context"
	"os"
	"slices"

	"github.com/gravitational/teleport/api/mfa"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/trace"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// caller is who calls, as their certificate says.
type caller struct {
	user  string
	roles []*types.RoleV6
}

// identify finds the caller. Like the real one it takes names of roles from the
// certificate and what they mean from the cluster: a role that is gone takes
// away everything. c.mu is held.
func (c *Cluster) identify(ctx context.Context) (caller, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return caller{}, trace.AccessDenied("access denied: no peer")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.PeerCertificates) == 0 {
		return caller{}, trace.AccessDenied("access denied: no certificate")
	}
	cert := info.State.PeerCertificates[0]
	who := caller{user: cert.Subject.CommonName}
	roles, err := c.fetch(cert.Subject.Organization)
	if err != nil {
		return caller{}, err
	}
	who.roles = roles
	if l := c.lockOn(who.user, cert.Subject.Organization, "", ""); l != nil {
		return caller{}, trace.AccessDenied("lock targeting %v is in force", l.Target())
	}
	return who, nil
}

// fetch is what roles mean now. c.mu is held.
func (c *Cluster) fetch(names []string) ([]*types.RoleV6, error) {
	var out []*types.RoleV6
	for _, name := range names {
		r := c.roles[name]
		if r == nil || !r.Expiry().IsZero() && c.now().After(r.Expiry()) {
			return nil, trace.AccessDenied("role %s is not found", name)
		}
		out = append(out, r)
	}
	return out, nil
}

// allow finds the caller and refuses what their roles do not let them do. c.mu
// is held.
func (c *Cluster) allow(ctx context.Context, kind string, verbs ...string) (caller, error) {
	who, err := c.identify(ctx)
	if err != nil {
		return caller{}, err
	}
	for _, verb := range verbs {
		if slices.Contains(c.denied[kind], verb) || !may(who.roles, kind, verb) {
			return caller{}, trace.AccessDenied("access denied to perform action %q on %q", verb, kind)
		}
		if c.mfa && slices.Contains([]string{types.VerbCreate, types.VerbUpdate, types.VerbDelete}, verb) {
			return caller{}, trace.Wrap(&mfa.ErrAdminActionMFARequired)
		}
	}
	return who, nil
}

func may(roles []*types.RoleV6, kind, verb string) bool {
	named := func(rules []types.Rule) bool {
		return slices.ContainsFunc(rules, func(r types.Rule) bool {
			return (r.HasResource(kind) || r.HasResource(types.Wildcard)) && (r.HasVerb(verb) || r.HasVerb(types.Wildcard))
		})
	}
	allowed := false
	for _, r := range roles {
		if named(r.Spec.Deny.Rules) {
			return false
		}
		allowed = allowed || named(r.Spec.Allow.Rules)
	}
	return allowed
}

func (c *Cluster) rolesOf(user string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if u := c.users[user]; u != nil {
		return slices.Clone(u.GetRoles())
	}
	return nil
}

// replace puts content at path, whole.
func replace(path string, content []byte) error {
	next := path + ".next"
	if err := os.WriteFile(next, content, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}
