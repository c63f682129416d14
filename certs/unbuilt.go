package certs

import (
	"context"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/policy"
)

var errUnbuilt = controlplane.Errorf(controlplane.CodeUnavailable, "Try again later.", "This is not built yet")

// Create has a set of names looked after: the first attempt begins at once.
// Permission: cert.write. Errors: invalid with fields, not_found, conflict.
func (s *Service) Create(ctx context.Context, scope policy.Scope, in NewCertificate) (Certificate, error) {
	return Certificate{}, errUnbuilt
}

// Get returns a certificate by its id, or by one of its names where that is
// unique in the scope. Permission: cert.read.
func (s *Service) Get(ctx context.Context, scope policy.Scope, ref string) (Certificate, error) {
	return Certificate{}, errUnbuilt
}

// List returns certificates, those with the fewest days left first (never
// issued ones before all), and the token of the next page. Permission: cert.read.
func (s *Service) List(ctx context.Context, scope policy.Scope, f Filter) (items []Certificate, next string, err error) {
	return nil, "", errUnbuilt
}

// Update changes a certificate. Permission: cert.write. Errors: invalid with
// fields, not_found, conflict where somebody changed it since.
func (s *Service) Update(ctx context.Context, scope policy.Scope, id string, in CertificateChange) (Certificate, error) {
	return Certificate{}, errUnbuilt
}

// End has a certificate looked after no more; what is installed stays where it
// is. Ending it again changes nothing. Permission: cert.write.
func (s *Service) End(ctx context.Context, scope policy.Scope, id string) (Certificate, error) {
	return Certificate{}, errUnbuilt
}

// Pause keeps a certificate from the CA until an instant, the zero time or
// Forever until a person says so. Permission: cert.write.
func (s *Service) Pause(ctx context.Context, scope policy.Scope, id string, until time.Time, reason string) (Certificate, error) {
	return Certificate{}, errUnbuilt
}

// Resume ends a pause. Permission: cert.write.
func (s *Service) Resume(ctx context.Context, scope policy.Scope, id string) (Certificate, error) {
	return Certificate{}, errUnbuilt
}

// Renew starts an attempt now, whatever the plan says; limits of the CA still
// count. Permission: cert.write. Errors: conflict where one is under way or it is paused.
func (s *Service) Renew(ctx context.Context, scope policy.Scope, id string) (Issue, error) {
	return Issue{}, errUnbuilt
}

// DryRun starts an attempt at the staging authority: nothing of it is
// installed. Permission: cert.write. Errors: conflict where there is no staging authority.
func (s *Service) DryRun(ctx context.Context, scope policy.Scope, id string) (Issue, error) {
	return Issue{}, errUnbuilt
}

// Issues returns the attempts at a certificate, newest first. Permission: cert.read.
func (s *Service) Issues(ctx context.Context, scope policy.Scope, certificate string, p Page) (items []Issue, next string, err error) {
	return nil, "", errUnbuilt
}

// GetIssue returns one attempt. Permission: cert.read.
func (s *Service) GetIssue(ctx context.Context, scope policy.Scope, id string) (Issue, error) {
	return Issue{}, errUnbuilt
}

// CancelIssue stops an attempt that has not been issued yet. Permission: cert.write.
func (s *Service) CancelIssue(ctx context.Context, scope policy.Scope, id string) (Issue, error) {
	return Issue{}, errUnbuilt
}

// WhyNot says why a certificate is not being issued or renewed now: every
// reason, the strongest first; never empty. Permission: cert.read.
func (s *Service) WhyNot(ctx context.Context, scope policy.Scope, id string) ([]Why, error) {
	return nil, errUnbuilt
}

// Revoke revokes what is installed (RFC 5280, 5.3.1: 0 unspecified, 1 key
// compromise, 3 affiliation changed, 4 superseded, 5 cessation of operation).
// Permission: cert.write.
func (s *Service) Revoke(ctx context.Context, scope policy.Scope, id string, reason int) (Certificate, error) {
	return Certificate{}, errUnbuilt
}

// Compromised says that the key of a certificate is known to others: the key is
// blocked, a new one is made, and the old certificate is revoked once the new
// one is served. Detail is how it is known. Permission: cert.admin.
func (s *Service) Compromised(ctx context.Context, scope policy.Scope, id, detail string) (Issue, error) {
	return Issue{}, errUnbuilt
}

// Replace starts a mass re-issue. Permission: cert.admin.
func (s *Service) Replace(ctx context.Context, scope policy.Scope, in Replacement) (Campaign, error) {
	return Campaign{}, errUnbuilt
}

// Campaigns returns the mass re-issues, newest first. Permission: cert.admin.
func (s *Service) Campaigns(ctx context.Context, scope policy.Scope, p Page) (items []Campaign, next string, err error) {
	return nil, "", errUnbuilt
}

// GetCampaign returns a mass re-issue with its progress. Permission: cert.admin.
func (s *Service) GetCampaign(ctx context.Context, scope policy.Scope, id string) (Campaign, error) {
	return Campaign{}, errUnbuilt
}

// CampaignCertificates returns the certificates of a mass re-issue in their
// order. Permission: cert.admin.
func (s *Service) CampaignCertificates(ctx context.Context, scope policy.Scope, id string, p Page) (items []Certificate, next string, err error) {
	return nil, "", errUnbuilt
}

// CancelCampaign stops a mass re-issue: what has begun goes on. Permission: cert.admin.
func (s *Service) CancelCampaign(ctx context.Context, scope policy.Scope, id string) (Campaign, error) {
	return Campaign{}, errUnbuilt
}

// Authorities lists the certificate authorities, oldest first. Permission: cert.read.
func (s *Service) Authorities(ctx context.Context, scope policy.Scope) ([]Authority, error) {
	return nil, errUnbuilt
}

// AddAuthority makes a CA known and accepts its terms of service. The account
// there is made with the first order. Permission: cert.admin; scope must reach
// every customer. Errors: invalid with fields, conflict.
func (s *Service) AddAuthority(ctx context.Context, scope policy.Scope, in NewAuthority) (Authority, error) {
	return Authority{}, errUnbuilt
}

// UpdateAuthority changes what we say of a CA. Permission: cert.admin.
func (s *Service) UpdateAuthority(ctx context.Context, scope policy.Scope, id string, in AuthorityChange) (Authority, error) {
	return Authority{}, errUnbuilt
}

// RollAccountKey gives our account at a CA a new key. Permission: cert.admin.
func (s *Service) RollAccountKey(ctx context.Context, scope policy.Scope, id string) (Authority, error) {
	return Authority{}, errUnbuilt
}

// ProviderKinds lists the kinds of DNS providers with their settings.
func (s *Service) ProviderKinds() []ProviderKind { return nil }

// Providers lists DNS providers, of one customer where customer is not "".
// Permission: cert.read.
func (s *Service) Providers(ctx context.Context, scope policy.Scope, customer string) ([]Provider, error) {
	return nil, errUnbuilt
}

// AddProvider keeps the credentials of a DNS provider, sealed. Permission:
// cert.admin, or cert.write for a customer's own. Errors: invalid with fields, conflict.
func (s *Service) AddProvider(ctx context.Context, scope policy.Scope, in NewProvider) (Provider, error) {
	return Provider{}, errUnbuilt
}

// RemoveProvider forgets a DNS provider and its credentials. Errors: conflict
// while a certificate uses it.
func (s *Service) RemoveProvider(ctx context.Context, scope policy.Scope, id string) error {
	return errUnbuilt
}

// Found lists the certificates on a server that somebody else renews, as last
// seen; of all servers where server is "". Permission: cert.read.
func (s *Service) Found(ctx context.Context, scope policy.Scope, server string) ([]Found, error) {
	return nil, errUnbuilt
}

// TakeOver has a found certificate looked after by us: it is issued anew, and
// where that is installed the old renewer is stopped. in.Names may be empty:
// then they are the found one's. Permission: cert.write.
func (s *Service) TakeOver(ctx context.Context, scope policy.Scope, found string, in NewCertificate) (Certificate, error) {
	return Certificate{}, errUnbuilt
}

// UndoTakeOver gives a certificate back to its old renewer, and ends it here.
// Permission: cert.write.
func (s *Service) UndoTakeOver(ctx context.Context, scope policy.Scope, id string) (Certificate, error) {
	return Certificate{}, errUnbuilt
}

// CheckServed looks at every endpoint of a certificate from here, and has the
// host look too. Permission: cert.read.
func (s *Service) CheckServed(ctx context.Context, scope policy.Scope, id string) (Served, error) {
	return Served{}, errUnbuilt
}

// Answer returns the key authorization of a token that a site redirected to
// the plane (http-01, RFC 8555, 8.3) and publishes that it was asked for. host
// is the name that was asked, "" where it is not known. ok is false where there
// is none. It is public: whoever asks for a token knows it.
func (s *Service) Answer(ctx context.Context, token, host string) (keyAuth string, ok bool, err error) {
	return "", false, errUnbuilt
}

// Watch starts what is due until ctx ends: renewals, polls of the CA's renewal
// windows, daily looks, notices. Several replicas may do so at once.
func (s *Service) Watch(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
