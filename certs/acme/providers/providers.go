// Package providers writes and removes the TXT records of dns-01 (RFC 8555,
// 8.4) at the companies and servers that keep zones. It keeps true that values
// of other challenges of the same name stay where they are, that writing or
// removing twice is the same as once (so a killed plane goes on, and cleans up
// what it wrote before), that credentials come from their fields alone and never
// stand in an error, and that only programs run that the plane's own
// configuration lists.
//
// Where a record goes is found by the Resolver it is given: _acme-challenge of
// the name, and on along its CNAMEs, so that a name may be delegated to a zone
// of ours. lego's own providers find that out through resolvers, a cache and an
// environment that belong to the whole process, take no context, and three of
// them (cloudflare, ovh, rfc2136) forget what they wrote when they are killed or
// remove the values of others. So one of lego's is used, route53, whose requests
// to sign are many and which sets values one by one; the rest are a request or
// two each, and are here.
package providers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"

	"ostler/controlplane"
)

// prefix is the label before a name where dns-01 looks.
const prefix = "_acme-challenge."

// recordTTL is the TTL of the records, in seconds.
const recordTTL = 60

// Presenter has the TXT record of a challenge written and removed. Both take
// the same inputs and may be called again, by another process too.
type Presenter interface {
	// Present writes the record for name ("maple.example", without "*.") and the
	// key authorization. It does not wait until the record is visible.
	Present(ctx context.Context, name, keyAuth string) error
	// Clean removes what Present wrote. What is not there is no error.
	Clean(ctx context.Context, name, keyAuth string) error
	// Record returns where Present writes, CNAMEs followed, and the value.
	Record(ctx context.Context, name, keyAuth string) (fqdn, value string, err error)
}

// Resolver is what is asked of the DNS; preflight.Resolver fills it. Names have
// no dot at the end.
type Resolver interface {
	// Follow returns name and all that its CNAMEs lead to, in order.
	Follow(ctx context.Context, name string) ([]string, error)
	// Zone returns the apex of the zone that name is in.
	Zone(ctx context.Context, name string) (string, error)
	// Without returns the authoritative servers that do not show value as a TXT of
	// name, those that do not answer among them.
	Without(ctx context.Context, name, value string) ([]string, error)
	// Look tells them apart: those that answer without value, those that do not
	// answer, and how many there are.
	Look(ctx context.Context, name, value string) (lacking, silent []string, all int, err error)
}

// Options are what no provider's fields may say.
type Options struct {
	Resolver Resolver // required
	// HTTP is used for requests in place of a client with a time-out of 30 s.
	HTTP *http.Client
	// Public lets fields name hosts on the internet only, none in private
	// networks: for providers that a customer entered.
	Public bool
	// Within is the zone of ours that challenges are delegated to: records go
	// nowhere else, whatever a customer's CNAME says. "" sets no bound but the
	// provider's own.
	Within string
	// Programs are the absolute paths that kind exec may run; from the plane's
	// configuration.
	Programs []string
	Log      *slog.Logger // nil: none
}

// A writer adds one TXT value to a name, or takes it away, and leaves the others.
type writer interface {
	add(ctx context.Context, r record) error
	remove(ctx context.Context, r record) error
}

// A record is one value at one name. Names have no dot at the end.
type record struct {
	fqdn, value string
	zone        string // apex; "" where the writer does not need it
	// name and keyAuth are what fqdn and value were made from.
	name, keyAuth string
}

// label is the record's name within its zone, "" for the apex.
func (r record) label() string {
	return strings.TrimSuffix(strings.TrimSuffix(r.fqdn, r.zone), ".")
}

// presenter finds out where a record goes and has a writer put it there.
type presenter struct {
	kind     Kind
	resolver Resolver
	writer   writer
	zone     string // of the fields; "" is found through the DNS
	zoned    bool   // the writer needs the zone
	within   string // Options.Within
	secrets  []string
	log      *slog.Logger
}

// New returns the presenter of a kind. An unknown kind, an unknown, missing or
// wrong field is a controlplane.Error that names the field (/config/{field}) and
// never its value.
func New(kind Kind, fields map[string]string, o Options) (Presenter, error) {
	d, ok := describe(kind)
	if !ok {
		return nil, unknownKind(kind)
	}
	fields, err := d.check(fields)
	if err != nil {
		return nil, err
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	p := &presenter{kind: kind, resolver: o.Resolver, log: o.Log, zone: strings.Trim(strings.ToLower(fields["zone"]), "."),
		within: strings.Trim(strings.ToLower(o.Within), ".")}
	for _, f := range d.Fields {
		p.zoned = p.zoned || f.Name == "zone"
		if f.Secret && fields[f.Name] != "" {
			p.secrets = append(p.secrets, fields[f.Name])
		}
	}
	if p.writer, err = d.open(fields, o); err != nil {
		return nil, err
	}
	return p, nil
}

// Value is the TXT value of a key authorization (RFC 8555, 8.4).
func Value(keyAuth string) string {
	sum := sha256.Sum256([]byte(keyAuth))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (p *presenter) Record(ctx context.Context, name, keyAuth string) (string, string, error) {
	chain, err := p.resolver.Follow(ctx, prefix+name)
	if err != nil {
		return "", "", fmt.Errorf("providers: where %s%s leads: %w", prefix, name, err)
	}
	end := chain[len(chain)-1]
	if !nameForm.MatchString(end) || len(end) > 253 {
		return "", "", fmt.Errorf("providers: %s%s leads to a name that is no host's: %q", prefix, name, controlplane.Line(end, maxSaid))
	}
	if p.within != "" && !strings.HasSuffix(end, "."+p.within) {
		return "", "", fmt.Errorf("providers: %s%s leads to %s, which is not in our zone %s", prefix, name, end, p.within)
	}
	return end, Value(keyAuth), nil
}

// nameForm is what a record's name may look like. Whoever has the zone of a name
// says where its CNAME leads, and the DNS has any bytes in names: a program is
// given none that it could take for an option, or a shell for its own.
var nameForm = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]*(\.[a-z0-9_][a-z0-9_-]*)*$`)

func (p *presenter) Present(ctx context.Context, name, keyAuth string) error {
	return p.change(ctx, "write", name, keyAuth, p.writer.add)
}

func (p *presenter) Clean(ctx context.Context, name, keyAuth string) error {
	return p.change(ctx, "remove", name, keyAuth, p.writer.remove)
}

func (p *presenter) change(ctx context.Context, act, name, keyAuth string, do func(context.Context, record) error) error {
	fqdn, value, err := p.Record(ctx, name, keyAuth)
	if err != nil {
		return err
	}
	r := record{fqdn: fqdn, value: value, zone: p.zone, name: name, keyAuth: keyAuth}
	if p.zoned && r.zone == "" {
		if r.zone, err = p.resolver.Zone(ctx, fqdn); err != nil {
			return fmt.Errorf("providers: the zone of %s: %w", fqdn, err)
		}
	}
	if p.zoned && fqdn != r.zone && !strings.HasSuffix(fqdn, "."+r.zone) {
		return fmt.Errorf("providers: %s is not in the zone %s", fqdn, r.zone)
	}
	if err := do(ctx, r); err != nil {
		return fmt.Errorf("providers: %s: %s %s: %w", p.kind, act, fqdn, p.hush(err))
	}
	p.log.Debug("dns-01 record", "dns.act", act, "dns.name", fqdn, "dns.kind", p.kind)
	return nil
}

// leastSecret is how much of a secret is one still, in bytes.
const leastSecret = 4

// hush takes the secrets out of an error that a provider's answer may have
// brought with it. One without any stays as it is.
func (p *presenter) hush(err error) error {
	text := err.Error()
	for _, s := range p.secrets {
		text = strings.ReplaceAll(text, s, "***")
		for n := len(s) - 1; n >= leastSecret; n-- { // what was quoted may be cut within it
			if rest, ok := strings.CutSuffix(text, s[:n]+controlplane.LineCut); ok {
				text = rest + "***"
				break
			}
		}
	}
	if text == err.Error() {
		return err
	}
	return hushed{text, err}
}

// hushed is an error with another text, in which only the end of a context can
// still be recognised.
type hushed struct {
	text string
	err  error
}

func (h hushed) Error() string { return h.text }

func (h hushed) Is(target error) bool {
	return (target == context.Canceled || target == context.DeadlineExceeded) && errors.Is(h.err, target)
}
