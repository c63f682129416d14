package certs

import (
	"context"
	"crypto/rand"
	"net/netip"
	"strings"
	"sync"

	"ostler/certs/acme"
	"ostler/certs/acme/providers"
	"ostler/certs/preflight"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// topicToken is the bus topic of a token that a CA has asked for.
func topicToken(token string) string { return "acme:" + token }

// solvers are the ways to show a CA that the attempt's names are ours.
func (a *attempt) solvers(ctx context.Context) (map[string]acme.Solver, error) {
	switch Challenge(a.cert.Challenge) {
	case ChallengeAgent:
		return map[string]acme.Solver{acme.HTTP01: &httpSolver{a: a}}, nil
	case ChallengePlane:
		return map[string]acme.Solver{acme.HTTP01: &httpSolver{a: a, plane: true}}, nil
	}
	p, _, err := a.s.presenter(ctx, a.cert)
	if err != nil {
		return nil, err
	}
	return map[string]acme.Solver{acme.DNS01: providers.NewSolver(providers.SolverOptions{Presenter: p, Resolver: a.s.resolver, Log: a.s.opts.Log})}, nil
}

// httpSolver shows http-01: the host answers by itself, or the plane's table does.
type httpSolver struct {
	a     *attempt
	plane bool

	mu    sync.Mutex
	stops map[string]func()
}

// Present implements acme.Solver.
func (h *httpSolver) Present(ctx context.Context, c acme.Challenge) (<-chan struct{}, error) {
	if h.plane {
		if err := h.a.s.putToken(ctx, h.a.row.ID, c.Token, c.KeyAuth, c.Name); err != nil {
			return nil, err
		}
	}
	woken, cancel := h.a.s.opts.Bus.Subscribe(topicToken(c.Token))
	hit := make(chan struct{})
	var once sync.Once
	done := make(chan struct{})
	go func() {
		select {
		case <-woken:
			close(hit)
		case <-done:
		}
	}()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stops == nil {
		h.stops = map[string]func(){}
	}
	if old := h.stops[c.Token]; old != nil {
		old()
	}
	h.stops[c.Token] = func() { once.Do(func() { close(done); cancel() }) }
	return hit, nil
}

// Clean implements acme.Solver. What the plane's table holds ends with the attempt.
func (h *httpSolver) Clean(_ context.Context, c acme.Challenge) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if stop := h.stops[c.Token]; stop != nil {
		stop()
		delete(h.stops, c.Token)
	}
	return nil
}

// putToken has the plane answer a token until an order is over.
func (s *Service) putToken(ctx context.Context, issue, token, keyAuth, name string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return db.Upsert(tx, &tokenRow{Token: token, KeyAuth: keyAuth, Name: name, IssueID: issue, ExpiresAt: tx.Now.Add(answerFor).UnixMilli()}, "token")
	})
}

// Answer returns the key authorization of a token that a site redirected to
// the plane (http-01, RFC 8555, 8.3) and publishes that it was asked for. host
// is the name that was asked, "" where it is not known. ok is false where there
// is none. It is public: whoever asks for a token knows it.
func (s *Service) Answer(ctx context.Context, token, host string) (keyAuth string, ok bool, err error) {
	if !validToken(token) {
		return "", false, nil
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := company[tokenRow](tx, "token", 1, "token = ? AND expires_at > ?", token, tx.NowMillis())
		if err != nil || len(rows) == 0 {
			return err
		}
		keyAuth, ok = rows[0].KeyAuth, true
		return nil
	})
	if ok && err == nil {
		s.opts.Bus.Publish(topicToken(token))
	}
	return keyAuth, ok, err
}

// validToken reports whether s can be a token (RFC 8555, 8.1: base64url).
func validToken(s string) bool {
	if len(s) < 1 || len(s) > 128 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// presenter is what writes a certificate's DNS records, and our zone where its
// challenges are delegated to it.
func (s *Service) presenter(ctx context.Context, cert certRow) (providers.Presenter, string, error) {
	if s.resolver == nil {
		return nil, "", &ownRefusal{Why{Code: WhyNoProvider}}
	}
	var rows []providerRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if Challenge(cert.Challenge) == ChallengeDelegate {
			rows, err = company[providerRow](tx, "created_at, id", 1, "customer_id = '' AND zone <> '' AND removed_at = 0")
			return err
		}
		rows, err = db.Where[providerRow](tx, policy.OneCustomer(cert.CustomerID), "id", 1, "id = ? AND removed_at = 0", cert.ProviderID)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if len(rows) == 0 {
		code := WhyNoProvider
		if Challenge(cert.Challenge) == ChallengeDelegate {
			code = WhyNoZone
		}
		return nil, "", &ownRefusal{Why{Code: code}}
	}
	fields, err := s.openConfig(ctx, rows[0])
	if err != nil {
		return nil, "", err
	}
	o := providers.Options{Resolver: s.resolver, Programs: s.opts.Programs, Public: rows[0].CustomerID != "" && !s.opts.Private, Log: s.opts.Log}
	if Challenge(cert.Challenge) == ChallengeDelegate {
		o.Within = rows[0].Zone // wherever the customer's CNAME leads by now
	}
	p, err := providers.New(providers.Kind(rows[0].Kind), fields, o)
	if err != nil {
		return nil, "", &ownRefusal{Why{Code: WhyNoProvider, Detail: controlplane.Line(err.Error(), maxDetail)}}
	}
	return p, rows[0].Zone, nil
}

// target is where _acme-challenge of a name must lead, in a zone of ours.
func target(name, zone string) string { return strings.TrimPrefix(name, "*.") + "." + zone }

// preflight is what is looked at before the order.
func (a *attempt) preflight(ctx context.Context, acc account) (preflight.Request, error) {
	q := preflight.Request{Names: a.names, Way: preflight.Way(a.cert.Challenge), Identities: acc.dir.CAAIdentities, Account: acc.url}
	endpoints, err := decode[[]Endpoint](a.cert.Endpoints)
	if err != nil {
		return q, err
	}
	for _, e := range endpoints {
		if at, err := netip.ParseAddrPort(e.Address); err == nil {
			q.Server = append(q.Server, at.Addr())
		}
	}
	switch Challenge(a.cert.Challenge) {
	case ChallengeDelegate:
		_, zone, err := a.s.presenter(ctx, a.cert)
		if err != nil {
			return q, err
		}
		q.Targets = map[string]string{}
		for _, n := range a.names {
			q.Targets[strings.TrimPrefix(n, "*.")] = target(n, zone)
		}
	case ChallengeAgent, ChallengePlane:
		token := "ostler-" + rand.Text()
		q.Probe = &preflight.Probe{Token: token, Answer: token + "." + a.ca.Thumbprint}
		if Challenge(a.cert.Challenge) == ChallengePlane {
			q.Probe.Plane = a.s.opts.PlaneURL
			if err := a.s.putToken(ctx, a.row.ID, token, q.Probe.Answer, a.names[0]); err != nil {
				return q, err
			}
		}
	}
	return q, nil
}

// Delegation says which record a customer sets, so that challenges are answered in our zone.
type Delegation struct {
	Name   string // "_acme-challenge.maple.example"
	Target string // "maple.example.acme.ostler.example"
}

// Delegations are the CNAME records that a certificate with the challenge
// dns-delegated needs, one for each name. Permission: cert.read.
func (s *Service) Delegations(ctx context.Context, scope policy.Scope, id string) (out []Delegation, err error) {
	var zone string
	var names []string
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := db.One[certRow](tx, scope, "certificate", id)
		if err != nil {
			return err
		}
		names, err = row.names()
		return err
	})
	if err != nil {
		return nil, err
	}
	err = s.db.Read(controlplane.System(ctx, "certs"), func(tx *db.Tx) error {
		rows, err := company[providerRow](tx, "created_at, id", 1, "customer_id = '' AND zone <> '' AND removed_at = 0")
		if err == nil && len(rows) > 0 {
			zone = rows[0].Zone
		}
		return err
	})
	if err != nil || zone == "" {
		return nil, err
	}
	for i, n := range names {
		base := strings.TrimPrefix(n, "*.")
		if d := (Delegation{Name: "_acme-challenge." + base, Target: target(n, zone)}); i == 0 || !containsDelegation(out, d) {
			out = append(out, d)
		}
	}
	return out, nil
}

func containsDelegation(list []Delegation, d Delegation) bool {
	for _, o := range list {
		if o == d {
			return true
		}
	}
	return false
}
