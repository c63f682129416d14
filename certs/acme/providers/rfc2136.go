package providers

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"time"

	"github.com/miekg/dns"

	"ostler/controlplane"
)

// update changes a zone by DNS UPDATE (RFC 2136), signed with TSIG (RFC 8945)
// where there is a key.
type update struct {
	server    string
	key       string
	algorithm string
	secret    string
	dialer    *net.Dialer
}

func openRFC2136(f map[string]string, o Options) (writer, error) {
	u := &update{server: f["nameserver"], secret: f["tsig_secret"], algorithm: dns.Fqdn(f["tsig_algorithm"]), dialer: o.dialer()}
	if _, _, err := net.SplitHostPort(u.server); err != nil {
		u.server = net.JoinHostPort(u.server, "53")
	}
	if (f["tsig_key"] == "") != (u.secret == "") {
		return nil, controlplane.Invalid(controlplane.Field{Pointer: "/config/tsig_secret", Message: "A TSIG key's name and its secret belong together: enter both or none."})
	}
	if _, err := base64.StdEncoding.DecodeString(u.secret); err != nil {
		return nil, controlplane.Invalid(controlplane.Field{Pointer: "/config/tsig_secret", Message: "TSIG secret is base64."})
	}
	if f["tsig_key"] != "" {
		u.key = dns.CanonicalName(f["tsig_key"])
	}
	return u, nil
}

func (u *update) add(ctx context.Context, r record) error {
	m := new(dns.Msg).SetUpdate(dns.Fqdn(r.zone))
	m.Insert([]dns.RR{r.txt()}) // adding what is there changes nothing (RFC 2136, 3.4.2.2)
	return u.send(ctx, m)
}

func (u *update) remove(ctx context.Context, r record) error {
	m := new(dns.Msg).SetUpdate(dns.Fqdn(r.zone))
	m.Remove([]dns.RR{r.txt()}) // this value only
	return u.send(ctx, m)
}

// txt is the record for an update.
func (r record) txt() dns.RR {
	return &dns.TXT{Hdr: dns.RR_Header{Name: dns.Fqdn(r.fqdn), Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: recordTTL}, Txt: []string{r.value}}
}

// send sends over UDP and, where that is not answered, over TCP.
func (u *update) send(ctx context.Context, m *dns.Msg) error {
	var last error
	for _, network := range []string{"udp", "tcp"} {
		c := &dns.Client{Net: network, Timeout: 5 * time.Second, Dialer: u.dialer}
		signed := m.Copy()
		if u.key != "" {
			signed.SetTsig(u.key, u.algorithm, 300, time.Now().Unix())
			c.TsigSecret = map[string]string{u.key: u.secret}
		}
		in, _, err := c.ExchangeContext(ctx, signed, u.server)
		switch {
		case in != nil && in.Rcode != dns.RcodeSuccess:
			return fmt.Errorf("%s answers %s", u.server, dns.RcodeToString[in.Rcode])
		case err == nil:
			return nil
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return last
}
