package acmelab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// DNS is a pebble-challtestsrv that answers DNS and nothing else. Names that
// were never set have no address.
type DNS struct {
	Addr    string
	Program Program // runs it (pebble-challtestsrv)

	manage string
	client *http.Client
}

// NewDNS is a DNS server at an address (UDP and TCP), with its management at another.
func NewDNS(addr, manage string) *DNS {
	return &DNS{Addr: addr, manage: "http://" + manage, client: &http.Client{Timeout: 10 * time.Second}, Program: Program{Args: []string{
		"-dnsserver", addr, "-management", manage, "-http01", "", "-https01", "", "-doh", "", "-tlsalpn01", "", "-defaultIPv4", "", "-defaultIPv6", ""}}}
}

// Ready reports whether it answers.
func (d *DNS) Ready(ctx context.Context) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", d.Addr)
	if err != nil {
		return false
	}
	_ = conn.Close()
	_, err = ask(ctx, d.client, http.MethodPost, d.manage+"/clear-a", host{"nobody.invalid"})
	return err == nil
}

type host struct {
	Host string `json:"host"`
}

func (d *DNS) post(ctx context.Context, path string, body any) error {
	_, err := ask(ctx, d.client, http.MethodPost, d.manage+path, body)
	return err
}

// Set replaces the addresses of a name: IPv4 ones are A records, IPv6 ones AAAA.
func (d *DNS) Set(ctx context.Context, name string, addresses ...string) error {
	var v4, v6 []string
	for _, a := range addresses {
		ip := net.ParseIP(a)
		switch {
		case ip == nil:
			return fmt.Errorf("acmelab: dns: %q is no address", a)
		case ip.To4() != nil:
			v4 = append(v4, a)
		default:
			v6 = append(v6, a)
		}
	}
	err := errors.Join(d.post(ctx, "/clear-a", host{name}), d.post(ctx, "/clear-aaaa", host{name}))
	for path, addrs := range map[string][]string{"/add-a": v4, "/add-aaaa": v6} {
		if len(addrs) > 0 {
			err = errors.Join(err, d.post(ctx, path, map[string]any{"host": name, "addresses": addrs}))
		}
	}
	return err
}

// CAA replaces the CAA records of a name by issue properties; without any there are none.
func (d *DNS) CAA(ctx context.Context, name string, issue ...string) error {
	err := d.post(ctx, "/clear-caa", host{name})
	type policy struct {
		Tag   string `json:"tag"`
		Value string `json:"value"`
	}
	var policies []policy
	for _, v := range issue {
		policies = append(policies, policy{"issue", v})
	}
	if len(policies) > 0 {
		err = errors.Join(err, d.post(ctx, "/add-caa", map[string]any{"host": name, "policies": policies}))
	}
	return err
}

// CNAME has a name lead to another; "" takes that back.
func (d *DNS) CNAME(ctx context.Context, name, target string) error {
	if target == "" {
		return d.post(ctx, "/clear-cname", host{name})
	}
	return d.post(ctx, "/set-cname", map[string]string{"host": name, "target": target})
}

// Broken has the server fail every question about a name (SERVFAIL), or not.
func (d *DNS) Broken(ctx context.Context, name string, broken bool) error {
	if broken {
		return d.post(ctx, "/set-servfail", host{name})
	}
	return d.post(ctx, "/clear-servfail", host{name})
}

// TXT sets a TXT record of a name; "" removes all of them.
func (d *DNS) TXT(ctx context.Context, name, value string) error {
	if value == "" {
		return d.post(ctx, "/clear-txt", host{name + "."})
	}
	return d.post(ctx, "/set-txt", map[string]string{"host": name + ".", "value": value})
}

// Asked is how many questions about a name have come.
func (d *DNS) Asked(ctx context.Context, name string) (int, error) {
	raw, err := ask(ctx, d.client, http.MethodPost, d.manage+"/dns-request-history", host{name})
	if err != nil {
		return 0, err
	}
	var all []json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return 0, fmt.Errorf("acmelab: dns: %w", err)
	}
	return len(all), nil
}

// ManageURL is where records are set, for an exec or httpreq provider of tests.
func (d *DNS) ManageURL() string { return d.manage }
