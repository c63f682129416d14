package providers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"ostler/controlplane"
)

// rest is an API that speaks JSON.
type rest struct {
	base   string
	client *http.Client
	sign   func(req *http.Request, body []byte) // adds the credentials
}

// A statusError is an answer other than 2xx.
type statusError struct {
	status int
	body   string // its first characters
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.body) }

// status is the status of an answer that was refused, 0 for other errors.
func status(err error) int {
	var e *statusError
	if errors.As(err, &e) {
		return e.status
	}
	return 0
}

// do sends in as JSON (nil: no body) and reads the answer into out (nil: not at
// all). Parts of path are escaped by the caller.
func (r *rest) do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	address := strings.TrimSuffix(r.base, "/") + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "ostler")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.sign != nil {
		r.sign(req, body)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return &statusError{resp.StatusCode, controlplane.Line(string(got), maxSaid)}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(got, out); err != nil {
		return fmt.Errorf("the answer cannot be read: %w", err)
	}
	return nil
}

// maxSaid is how much of what a provider or a program says is passed on, in characters.
const maxSaid = 200

// http is the client for a provider's API. It follows no redirects: they would
// take the credentials along.
func (o Options) http() *http.Client {
	if o.HTTP != nil {
		return o.HTTP
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = o.dialer().DialContext
	if o.Public {
		t.Proxy = nil // it would do the dialling
	}
	return &http.Client{Transport: t, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// errPrivate is a host that a customer's provider may not name.
var errPrivate = errors.New("the address is in a private network")

// dialer refuses private addresses where only public ones are allowed. It looks
// at the address that is connected to, not at the name.
func (o Options) dialer() *net.Dialer {
	d := &net.Dialer{Timeout: 10 * time.Second}
	if o.Public {
		d.Control = func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return err
			}
			if !controlplane.PublicAddress(to.Addr()) {
				return errPrivate
			}
			return nil
		}
	}
	return d
}
