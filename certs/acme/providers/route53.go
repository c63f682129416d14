package providers

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/go-acme/lego/v4/providers/dns/route53"
)

// awsRoute53 is lego's provider. It adds and removes single values, reading the
// set first. It takes a name, puts _acme-challenge before it by itself, and
// follows CNAMEs from there with the system's resolvers. So it is given the name
// that comes out as the one found here; where none does, as a target has another
// form, it is given the first name and left to follow.
type awsRoute53 struct {
	provider *route53.DNSProvider
	mu       sync.Mutex // between its reading and writing
}

func openRoute53(f map[string]string, _ Options) (writer, error) {
	c := route53.NewDefaultConfig()
	c.AccessKeyID, c.SecretAccessKey, c.SessionToken = f["access_key_id"], f["secret_access_key"], ""
	c.Region, c.HostedZoneID = f["region"], f["hosted_zone_id"]
	c.AssumeRoleArn, c.ExternalID = f["role_arn"], f["external_id"]
	c.PrivateZone, c.TTL, c.MaxRetries = false, recordTTL, 5
	c.WaitForRecordSetsChanged = false // the Solver looks at the name servers
	p, err := route53.NewDNSProviderConfig(c)
	if err != nil {
		return nil, fmt.Errorf("providers: route53: %w", err)
	}
	return &awsRoute53{provider: p}, nil
}

func (a *awsRoute53) add(ctx context.Context, r record) error {
	return a.run(ctx, r, a.provider.Present)
}

func (a *awsRoute53) remove(ctx context.Context, r record) error {
	return a.run(ctx, r, a.provider.CleanUp)
}

// run waits no longer than ctx: lego's functions take none, and go on by themselves.
func (a *awsRoute53) run(ctx context.Context, r record, do func(domain, token, keyAuth string) error) error {
	domain, ok := strings.CutPrefix(r.fqdn, prefix)
	if !ok {
		domain = r.name
	}
	done := make(chan error, 1)
	go func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		done <- do(domain, "", r.keyAuth)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
