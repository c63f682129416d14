package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
)

// An order is one Issue under way.
type order struct {
	c      *Client
	who    account
	req    Request
	hooks  Hooks
	csr    *x509.CertificateRequest
	sorted []string // the names
	n      counter
	before int       // requests of earlier attempts
	until  time.Time // the end of patience
	// left says that a process which was killed may have left its answers to
	// challenges: it was showing the names.
	left bool

	mu    sync.Mutex // of the hooks; names go side by side
	state State
}

// Issue takes a request through an order, from where the state stands. The
// state it returns is the latest, saved or not.
func (c *Client) Issue(ctx context.Context, r Request, s State, h Hooks) (Result, State, error) {
	o, err := c.order(r, s, h)
	if err != nil {
		return Result{}, s, err
	}
	defer o.close()
	res, err := o.run(ctx)
	o.state.Requests = o.requests()
	if err != nil {
		return Result{}, o.state, fmt.Errorf("acme: issue: %w", err)
	}
	return res, o.state, nil
}

// order checks what can be checked without the CA.
func (c *Client) order(r Request, s State, h Hooks) (*order, error) {
	o := &order{c: c, who: c.who(), req: r, hooks: h, state: s, before: s.Requests, until: c.opts.Now().Add(c.opts.Patience)}
	if o.who.url == "" {
		return nil, errNoAccount
	}
	if h.Save == nil {
		return nil, errors.New("acme: issue: Hooks.Save is missing")
	}
	if !s.Step.Valid() {
		return nil, fmt.Errorf("acme: issue: unknown step %q", s.Step)
	}
	csr, err := x509.ParseCertificateRequest(r.CSR)
	if err != nil {
		return nil, fmt.Errorf("acme: issue: signing request: %w", err)
	}
	o.csr = csr
	o.sorted = namesOf(r.Names, nil)
	if got := namesOf(csr.DNSNames, csr.IPAddresses); len(got) == 0 || !slices.Equal(got, o.sorted) {
		return nil, fmt.Errorf("acme: issue: the signing request names %q, asked for are %q", got, o.sorted)
	}
	return o, nil
}

func (o *order) requests() int { return o.before + int(o.n.Load()) }

// save keeps the state before the next request.
func (o *order) save(ctx context.Context, change func(s *State)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(&o.state)
	o.state.Requests = o.requests()
	if err := o.hooks.Save(ctx, o.state); err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	return nil
}

func (o *order) event(e Event, args ...string) {
	if o.hooks.Event == nil {
		return
	}
	m := make(map[string]string, len(args)/2)
	for i := 0; i+1 < len(args); i += 2 {
		m[args[i]] = args[i+1]
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hooks.Event(e, m)
}

// run goes from state to state of the order (RFC 8555, 7.1.6).
func (o *order) run(ctx context.Context) (Result, error) {
	if o.state.Certificate == "" {
		o.left = o.state.Step == StepAuthorize
		seen, err := o.begin(ctx)
		if err != nil {
			return Result{}, err
		}
		if o.left && seen.Status != acme.StatusPending { // else each name is looked at anyway
			o.tidy(ctx, seen.Authorizations)
		}
		if err := o.drive(ctx, seen); err != nil {
			return Result{}, err
		}
	} else {
		o.event(EventResumed)
	}
	r, err := o.download(ctx)
	if err != nil {
		return Result{}, err
	}
	o.event(EventIssued)
	return r, nil
}

// begin finds the order of the state, or makes one.
func (o *order) begin(ctx context.Context) (sight, error) {
	if o.state.Order != "" {
		o.open(o.state.Order)
		seen, err := o.look(ctx)
		if err == nil {
			o.event(EventResumed)
		}
		return seen, err
	}
	if err := o.checkProfile(ctx); err != nil {
		return sight{}, err
	}
	if o.state.Step == StepOrdering {
		if seen, err := o.findLost(ctx); err != nil || seen.Status != "" {
			return seen, err
		}
	} else if err := o.save(ctx, func(s *State) { s.Step = StepOrdering }); err != nil {
		return sight{}, err
	}
	made, err := o.create(ctx)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok && e.Status >= http.StatusBadRequest && e.Status < http.StatusInternalServerError {
			o.state.Step = "" // the CA said no: there is no order that could be lost
		}
		return sight{}, err
	}
	o.open(made.Location)
	seen := sight{Order: made.Order, at: o.c.opts.Now()}
	if err := o.save(ctx, func(s *State) { s.adopt(made.Location, made.Order) }); err != nil {
		return sight{}, err
	}
	o.event(EventOrdered)
	return seen, nil
}

func (s *State) adopt(url string, made acme.Order) {
	s.Step, s.Order, s.Finalize = StepAuthorize, url, made.Finalize
	if t, err := time.Parse(time.RFC3339, made.Expires); err == nil {
		s.Expires = t.UTC()
	}
}

// open and close tell other orders of this client that this one is taken.
func (o *order) open(url string) bool {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	if o.c.open == nil {
		o.c.open = make(map[string]bool)
	}
	if o.c.open[url] {
		return false
	}
	o.c.open[url] = true
	return true
}

func (o *order) close() {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	delete(o.c.open, o.state.Order)
}

func (o *order) checkProfile(ctx context.Context) error {
	if o.req.Profile == "" {
		return nil
	}
	dir, err := o.c.readDirectory(ctx, &o.n)
	if err != nil {
		return err
	}
	if _, ok := dir.Meta.Profiles[o.req.Profile]; !ok {
		return &Error{Kind: KindProfile, Detail: fmt.Sprintf("the CA does not list the profile %q", o.req.Profile)}
	}
	return nil
}

// create makes the order, without `replaces` where the CA minds it.
func (o *order) create(ctx context.Context) (acme.ExtendedOrder, error) {
	replaces := o.req.Replaces
	if o.state.WithoutReplaces {
		replaces = ""
	}
	made, err := o.newOrder(ctx, replaces)
	if err == nil || replaces == "" || !minds(err) {
		return made, err
	}
	o.state.WithoutReplaces = true
	o.event(EventReplacesDropped, "detail", err.Error())
	return o.newOrder(ctx, "")
}

// minds reports whether a refusal may be about `replaces`: CAs answer with 409,
// 403, 404, 400 or 500 there, so all count but those that surely are not.
func minds(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status == 0 || e.Status > http.StatusInternalServerError {
		return false
	}
	switch strings.TrimPrefix(e.Type, urn) {
	case "rejectedIdentifier", "unsupportedIdentifier", "caa", "accountDoesNotExist", "externalAccountRequired", "userActionRequired":
		return false
	}
	return e.Kind != KindRateLimited && e.Kind != KindPaused && e.Kind != KindProfile
}

func (o *order) newOrder(ctx context.Context, replaces string) (acme.ExtendedOrder, error) {
	var made acme.ExtendedOrder
	_, err := o.c.call(ctx, o.who, &o.n, opNewOrder, func(core *api.Core) (err error) {
		made, err = core.Orders.NewWithOptions(o.sorted, &api.OrderOptions{Profile: o.req.Profile, ReplacesCertID: replaces})
		return err
	})
	if err == nil && (made.Location == "" || made.Finalize == "") {
		err = badAnswer("the order has no URL, or none to finalize it", nil)
	}
	return made, err
}

// sight is an order as the CA showed it.
type sight struct {
	acme.Order
	at    time.Time
	after time.Time // it does not want to be asked before; may be zero
}

// look asks how the order stands.
func (o *order) look(ctx context.Context) (sight, error) {
	return o.lookAt(ctx, o.state.Order)
}

func (o *order) lookAt(ctx context.Context, url string) (sight, error) {
	var got acme.ExtendedOrder
	header, err := o.c.call(ctx, o.who, &o.n, opOrder, func(core *api.Core) (err error) {
		got, err = core.Orders.Get(url)
		return err
	})
	if err != nil {
		return sight{}, err
	}
	return sight{Order: got.Order, at: o.c.opts.Now(), after: o.c.retryAfter(header)}, nil
}
