package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"time"

	"ostler/agents/wire"
)

const (
	maxEndpoints = 500
	backWithin   = 3 * time.Minute // bounds a rollback, whatever became of the job
)

// Deploy installs a chain beside its round's key, switches to it, tests and
// reloads the services, and looks at what they serve; where one of these fails
// it goes back. It returns an error where nothing was changed, and where ctx
// ended, after it went back. allowed is as in Take.
func (e *Engine) Deploy(ctx context.Context, p wire.CertDeployParams, allowed func(name string) bool) (wire.CertDeployed, error) {
	none := wire.CertDeployed{}
	if t := p.Take; t != nil && (t.Certificate != p.Certificate || t.Folder != p.Folder || t.Undo) {
		return none, fail(wire.CauseUnsupported, nil, "the place that is to be taken is for another certificate")
	}
	if err := checkEndpoints(p.Endpoints); err != nil {
		return none, err
	}
	c, err := parseChain(p.Chain)
	if err != nil {
		return none, err
	}
	defer e.lock(p.Folder)()
	s, err := e.shelf(p.Folder, p.Certificate, false)
	if err != nil {
		return none, err
	}
	defer s.Close()
	services, err := e.commands(ctx, p.Services)
	if err != nil {
		return none, err
	}
	if err := e.install(s, p, c); err != nil {
		return none, err
	}
	e.at("written")
	d := &deployment{Engine: e, s: s, p: p, services: services, want: c.sight(), allowed: allowed}
	if err := d.begin(); err != nil {
		return none, err
	}
	e.at("begun")
	return d.run(ctx)
}

func checkEndpoints(list []wire.Endpoint) error {
	if len(list) > maxEndpoints {
		return fail(wire.CauseUnsupported, nil, "there are more than %d places to look at", maxEndpoints)
	}
	for _, ep := range list {
		addr, err := netip.ParseAddrPort(ep.Address)
		if err != nil || addr.Port() == 0 || addr.Addr().Zone() != "" || !ep.Protocol.Valid() || !validName(ep.Name) {
			return fail(wire.CauseUnsupported, err, "a place to look at has no name, no IP address with a port, or an unknown protocol")
		}
	}
	return nil
}

// install checks a chain and writes the round's files.
func (e *Engine) install(s *shelf, p wire.CertDeployParams, c chain) error {
	r, err := s.round(p.Round, false)
	if err != nil {
		return err
	}
	defer r.Close()
	sweep(r)
	if err := c.check(r, e.o.Now(), p.Endpoints); err != nil {
		return err
	}
	key, err := readSmall(r, keyFile)
	if err != nil {
		return missing(err)
	}
	full := c.pem()
	if live, err := s.live(); err != nil {
		return err
	} else if old, err := readSmall(r, fullchainFile); err == nil && live == p.Round && !bytes.Equal(old, full) {
		return fail(wire.CauseChain, nil, "this round is in use with another certificate; a new one needs a new round")
	}
	if err := writeFiles(r, e.at,
		toWrite{leafFile, c[:1].pem(), 0o644},
		toWrite{chainFile, c[1:].pem(), 0o644},
		toWrite{combinedFile, append(append([]byte{}, full...), key...), 0o600},
		toWrite{fullchainFile, full, 0o644}, // last: with it the round is whole
	); err != nil {
		return diskFailure(err, "the chain cannot be written")
	}
	return nil
}

// deployment is one installation under way.
type deployment struct {
	*Engine
	s        *shelf
	p        wire.CertDeployParams
	services []command
	want     sight
	allowed  func(string) bool
	out      wire.CertDeployed
}

// begin writes down which round is gone back to. A round that was switched to
// and never found good is nothing to go back to.
func (d *deployment) begin() error {
	live, err := d.s.live()
	if err != nil {
		return err
	}
	st := &d.s.state
	_, taken, err := d.s.taken()
	if err != nil {
		return err
	}
	before, reloaded, taking := live, false, d.p.Take != nil && !taken
	if st.Round != 0 { // cut off in the middle
		reloaded, taking = st.Reloaded, taking || st.Taking
		if live == st.Round {
			before = st.Before
		}
	} else if live == d.p.Round {
		before = 0
	}
	if before == d.p.Round {
		before = 0
	}
	st.Round, st.Before, st.Reloaded, st.Taking = d.p.Round, before, reloaded, taking
	return d.s.save()
}

func (d *deployment) run(ctx context.Context) (wire.CertDeployed, error) {
	d.out = wire.CertDeployed{Reached: wire.CertWritten, Round: d.p.Round, Seen: []wire.CertSeen{}, Services: []wire.CertReload{}}
	for _, c := range d.services {
		d.out.Services = append(d.out.Services, wire.CertReload{Service: c.service})
	}
	err := d.forward(ctx)
	if err != nil {
		d.back(ctx, err)
	}
	d.s.state = state{Certificate: d.p.Certificate}
	if serr := d.s.save(); serr != nil {
		return d.out, serr
	}
	d.log.Info("certificate.deployed", "certificate", d.p.Certificate, "round", d.out.Round, "reached", string(d.out.Reached), "back", d.out.RolledBack)
	if cause := context.Cause(ctx); cause != nil && err != nil {
		return d.out, fmt.Errorf("deploy: stopped: %w", cause)
	}
	return d.out, nil
}

// forward switches, tests, reloads and looks.
func (d *deployment) forward(ctx context.Context) error {
	if err := d.s.point(d.p.Round); err != nil {
		return err
	}
	d.at("switched")
	if d.p.Take != nil {
		taken, err := d.take(d.s, *d.p.Take, d.allowed)
		if err != nil {
			return err
		}
		d.out.Taken = &taken
		d.at("taken")
	}
	if err := d.test(ctx, d.services, d.out.Services); err != nil {
		return err
	}
	d.out.Reached = wire.CertTested
	d.at("tested")
	if len(d.services) > 0 {
		d.s.state.Reloaded = true
		if err := d.s.save(); err != nil {
			return err
		}
	}
	if err := d.load(ctx, d.services, d.out.Services); err != nil {
		return err
	}
	d.out.Reached = wire.CertReloaded
	d.at("reloaded")
	if len(d.p.Endpoints) == 0 {
		return nil // what nobody looked at is not served
	}
	d.out.Seen = d.settle(ctx, d.p.Endpoints, []sight{d.want}, d.s.state.Reloaded)
	if wrong := unlike(d.out.Seen); len(wrong) > 0 {
		return fail(wire.CauseNotServed, nil, "%s", notServed(wrong, len(d.out.Seen)))
	}
	d.out.Reached = wire.CertServed
	d.at("looked")
	return nil
}

// back goes to the round before, as far as there is one.
func (d *deployment) back(ctx context.Context, why error) {
	failure := diskFailure(why, "the installation was broken off").Failure
	d.out.Failure = &failure
	before, taking := d.s.state.Before, d.s.state.Taking
	d.log.Warn("certificate.not_deployed", "certificate", d.p.Certificate, "round", d.p.Round, "before", before, "err", why)
	if before == 0 && !taking {
		return // the first one: nothing else could be served in its place
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backWithin)
	defer cancel()
	if err := d.restore(before, taking); err != nil {
		failure.Detail += "; and the certificate before could not be put back: " + reason(err)
		d.log.Error("certificate.not_back", "certificate", d.p.Certificate, "err", err)
		return
	}
	d.at("back")
	d.out.RolledBack, d.out.Round = true, before
	if !d.s.state.Reloaded {
		return // no service was ever told
	}
	again := make([]wire.CertReload, len(d.services))
	if err := d.load(ctx, d.services, again); err != nil {
		failure.Detail += "; " + reason(err) + " with the certificate before either"
	}
	d.at("back reloaded")
	old, err := d.sightBefore(before)
	if err != nil || len(d.p.Endpoints) == 0 {
		return
	}
	d.out.Back = d.settle(ctx, d.p.Endpoints, []sight{old}, true)
	if wrong := unlike(d.out.Back); len(wrong) > 0 {
		failure.Detail += "; after going back, the one before is not shown: " + notServed(wrong, len(d.p.Endpoints))
	}
	d.at("back looked")
}

// restore has the files be as they were: those of another renewer first, so
// that they lead to nothing of ours when the link goes back.
func (d *deployment) restore(before int64, taking bool) error {
	if taking {
		t, known, err := d.s.taken()
		if err != nil {
			return err
		}
		if _, err := d.giveBack(d.s, t, known); err != nil {
			return err
		}
		d.out.Taken = nil
		d.at("given back")
	}
	if before == 0 {
		return nil
	}
	return d.s.point(before)
}

// sightBefore is what is seen again after going back: the round before, or
// where there is none the other renewer's certificate.
func (d *deployment) sightBefore(before int64) (sight, error) {
	if before > 0 {
		return d.sightOf(d.s, before)
	}
	if d.p.Take == nil {
		return sight{}, fs.ErrNotExist
	}
	b, err := d.read(d.p.Take.Path)
	if err != nil {
		return sight{}, err
	}
	return sightIn(b)
}

func reason(err error) string {
	var own *Error
	if errors.As(err, &own) {
		return own.Detail
	}
	return "something went wrong"
}

// unlike are the endpoints that did not show what they should.
func unlike(seen []wire.CertSeen) (wrong []wire.CertSeen) {
	for _, s := range seen {
		if !s.Right {
			wrong = append(wrong, s)
		}
	}
	return wrong
}

// notServed names the first endpoints that are wrong, and why.
func notServed(wrong []wire.CertSeen, of int) string {
	var words []string
	for i, s := range wrong {
		if i == 3 {
			words = append(words, "and others")
			break
		}
		problem := s.Problem
		if problem == "" {
			problem = "another certificate or chain"
		}
		words = append(words, fmt.Sprintf("%s at %s (%s): %s", s.Name, s.Address, s.Protocol, problem))
	}
	return fmt.Sprintf("%d of %d: %s", len(wrong), of, strings.Join(words, "; "))
}
