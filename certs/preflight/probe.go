package preflight

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/miekg/dns"

	"ostler/controlplane"
)

// challengePath is where a CA looks (RFC 8555, 8.3).
const challengePath = "/.well-known/acme-challenge/"

// maxRedirects is how many redirects a CA follows.
const maxRedirects = 10

// An outcome is what one address answered; the zero one is the right answer.
type outcome struct {
	code   Code
	args   map[string]string
	detail string
}

// problem words the outcome for a name and an address.
func (o outcome) problem(name string, ip netip.Addr, r Request, spared bool) Problem {
	p := Problem{Name: name, Code: o.code, Detail: o.detail, Fatal: !spared, Args: map[string]string{"address": ip.String()}}
	if r.Probe != nil {
		p.Args["path"], p.Args["plane"] = challengePath, strings.TrimSuffix(r.Probe.Plane, "/")
	}
	for k, v := range o.args {
		p.Args[k] = v
	}
	return p
}

// probeAll fetches from all addresses at once; none where there is no probe.
func (c *Checker) probeAll(ctx context.Context, r Request, name string, found []netip.Addr) []outcome {
	if r.Probe == nil {
		return nil
	}
	outcomes := make([]outcome, min(len(found), maxAddresses))
	var g sync.WaitGroup
	for i := range outcomes {
		g.Go(func() { outcomes[i] = c.probe(ctx, r, name, found[i]) })
	}
	g.Wait()
	return outcomes
}

var (
	errLoop = errors.New("redirects without an end")
	errAway = errors.New("a redirect to where no CA follows")
)

// probe fetches http://name/.well-known/acme-challenge/{token} from one address
// as a CA does: redirects followed, certificates not judged.
func (c *Checker) probe(ctx context.Context, r Request, name string, ip netip.Addr) outcome {
	ctx, cancel := context.WithTimeout(ctx, c.opts.HTTPTimeout)
	defer cancel()
	last := &url.URL{Scheme: "http", Host: hostOf(name), Path: challengePath + r.Probe.Token}
	seen := map[string]bool{last.String(): true}
	client := &http.Client{
		Transport: c.transport(name, r.Probe.host(), ip),
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			last = req.URL
			if seen[last.String()] || len(via) >= maxRedirects {
				return errLoop
			}
			seen[last.String()] = true
			return c.allowed(last)
		},
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, last.String(), nil)
	if err != nil {
		return outcome{code: HTTPBroken, detail: err.Error()}
	}
	req.Header.Set("User-Agent", "ostler-preflight")
	resp, err := client.Do(req)
	o := outcome{args: map[string]string{"url": last.String()}, detail: ip.String()}
	if err != nil {
		o.code, o.detail = classify(err, ip, len(seen) > 1), ip.String()+": "+err.Error()
		return o
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(len(r.Probe.Answer))+1024))
	if err != nil {
		o.code, o.detail = classify(err, ip, len(seen) > 1), ip.String()+": "+err.Error()
		return o
	}
	return r.judgeAnswer(o, resp, string(body), len(seen) > 1)
}

// judgeAnswer compares what came back with what was to come.
func (r Request) judgeAnswer(o outcome, resp *http.Response, body string, redirected bool) outcome {
	right := resp.StatusCode == http.StatusOK && strings.TrimRight(body, " \t\r\n") == r.Probe.Answer
	o.args["status"] = strconv.Itoa(resp.StatusCode)
	o.detail = fmt.Sprintf("%s: %s, status %d, %d bytes, server %q", o.detail, o.args["url"], resp.StatusCode, len(body), resp.Header.Get("Server"))
	switch {
	case right:
		return outcome{}
	case r.Way == WayRedirect && !redirected:
		o.code = HTTPNotPlane
	case resp.StatusCode != http.StatusOK:
		o.code = HTTPStatus
	default:
		o.code = HTTPOther
	}
	return o
}

// allowed reports whether a CA would follow a redirect: http on port 80 or https
// on 443, and to a name.
func (c *Checker) allowed(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return errAway
	}
	if c.opts.HTTPPort != 80 { // a CA of one's own: it has ports of its own too
		return nil
	}
	if p := u.Port(); p != "" && p != "80" && p != "443" {
		return errAway
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return errAway
	}
	return nil
}

// host is the control plane's, "" where there is none.
func (p *Probe) host() string {
	u, err := url.Parse(p.Plane)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// transport leads the name itself to one address, and every other host of a
// redirect to where the DNS says that it is.
func (c *Checker) transport(name, plane string, ip netip.Addr) *http.Transport {
	var d net.Dialer
	ports := map[string]int{"80": c.opts.HTTPPort, "443": c.opts.HTTPSPort}
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			to := ip
			if host != name {
				if to, err = c.addressOf(ctx, host); err != nil {
					return nil, err
				}
			}
			// A redirect must not lead us into our own network, but to the plane itself.
			if !c.opts.Private && !controlplane.PublicAddress(to) && host != plane {
				return nil, errAway
			}
			if p, ok := ports[port]; ok {
				port = strconv.Itoa(p)
			}
			return d.DialContext(ctx, network, net.JoinHostPort(to.String(), port))
		},
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: true}, // as CAs do: the certificate is what is to be renewed
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      true,
	}
}

// addressOf is where a host is; IPv4 first, as the plane may have no IPv6.
func (c *Checker) addressOf(ctx context.Context, host string) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip, nil
	}
	for _, t := range []uint16{dns.TypeA, dns.TypeAAAA} {
		got, err := c.resolver.lookup(ctx, host, t)
		if err != nil {
			return netip.Addr{}, err
		}
		if found := addresses(got.rrs); len(found) > 0 {
			return found[0], nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%s has no address", host)
}

// classify is why there was no answer. After a redirect it is where that leads
// that does not answer.
func classify(err error, ip netip.Addr, redirected bool) Code {
	var timeout net.Error
	switch {
	case errors.Is(err, errLoop):
		return HTTPLoop
	case errors.Is(err, errAway):
		return HTTPAway
	case redirected:
		return HTTPDeadEnd
	case errors.Is(err, syscall.ECONNREFUSED):
		return HTTPRefused
	case ip.Is6() && (errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL)):
		return HTTPUnchecked // it is we who have no IPv6
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return HTTPTimeout
	case errors.As(err, &timeout) && timeout.Timeout():
		return HTTPTimeout
	}
	return HTTPBroken
}

// hostOf is a name or address as it stands in a URL.
func hostOf(name string) string {
	if strings.Contains(name, ":") {
		return "[" + name + "]"
	}
	return name
}
