package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ostler/controlplane"
)

const (
	defaultServerURL = "http://localhost:8443"
	apiRoot          = "/api/v1"
	maxAnswer        = 64 << 20 // bytes of one answer; files are not answers
	tries            = 4        // of a request that got no answer of the API
)

// connection is a control plane and who we are to it.
type connection struct {
	base  *url.URL
	token string
	http  *http.Client
}

// connect reads where the control plane is and the token. The token never
// comes from the arguments, where others on the machine could read it.
func (c *client) connect() (*connection, error) {
	if c.connection != nil {
		return c.connection, nil
	}
	base, err := c.baseURL()
	if err != nil {
		return nil, err
	}
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	if token != "" && base.Scheme == "http" && !loopback(base.Hostname()) {
		return nil, usagef("%s is not encrypted: the token would be readable on the way. Use an https address", base.Redacted())
	}
	tr, err := c.transport()
	if err != nil {
		return nil, err
	}
	c.connection = &connection{base: base, token: token, http: &http.Client{
		Transport:     tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	return c.connection, nil
}

func (c *client) baseURL() (*url.URL, error) {
	address := c.serverURL
	if address == "" {
		address = os.Getenv("OSTLER_URL")
	}
	if address == "" {
		address = defaultServerURL
	}
	u, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return nil, usagef("the control plane's address is https://host:port (see --server-url)")
	}
	return u, nil
}

func (c *client) transport() (*http.Transport, error) {
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.ResponseHeaderTimeout = 2 * time.Minute // long polls end within one
	tr.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if c.caFile != "" {
		pem, err := os.ReadFile(c.caFile)
		if err != nil {
			return nil, usagef("--ca-file: %w", err)
		}
		tr.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !tr.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, usagef("--ca-file: %s holds no PEM certificate", c.caFile)
		}
	}
	return tr, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// token reads the API token: --token-file, $OSTLER_TOKEN, or the file "token"
// in the configuration folder; "" where there is none.
func (c *client) token() (string, error) {
	if c.tokenFile != "" {
		return readToken(c.tokenFile)
	}
	if t := strings.TrimSpace(os.Getenv("OSTLER_TOKEN")); t != "" {
		if filepath.IsAbs(t) {
			return "", usagef("$OSTLER_TOKEN holds the name of a file, and not a token: name the file with --token-file")
		}
		return t, nil
	}
	dir, err := configDir()
	if err != nil {
		return "", nil //nolint:nilerr // no home: no token
	}
	t, err := readToken(filepath.Join(dir, "token"))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return t, err
}

// readToken reads a file that only its owner can.
func readToken(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", usagef("token file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 && info.Mode().IsRegular() {
		return "", usagef("token file: others can read %s: chmod 600 it, and revoke the token if anybody might have", file)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", usagef("token file: %w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}

// answer is what the API said.
type answer struct {
	raw    json.RawMessage
	header http.Header
}

// get asks for a path below the API's root and decodes the answer into v (nil
// for none).
func (c *client) get(ctx context.Context, path string, query url.Values, v any) (answer, error) {
	return c.call(ctx, http.MethodGet, path, query, nil, nil, v)
}

// post sends a body. Every call has an idempotency key of its own, so that a
// try without an answer is made again and has one effect.
func (c *client) post(ctx context.Context, path string, body, v any) (answer, error) {
	return c.call(ctx, http.MethodPost, path, nil, body, http.Header{"Idempotency-Key": {rand.Text()}}, v)
}

// call makes one request, again where no answer of the API came.
func (c *client) call(ctx context.Context, method, path string, query url.Values, body any, header http.Header, v any) (answer, error) {
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return answer{}, fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	wait := c.retryWait
	for try := 1; ; try++ {
		resp, err := c.do(ctx, method, path, query, sent, header)
		if err == nil {
			return c.read(resp, v)
		}
		if ctx.Err() != nil || try == tries || !mayRetry(err) {
			return answer{}, err
		}
		if sleep(ctx, wait) != nil {
			return answer{}, err
		}
		wait *= 2
	}
}

// noAnswer is a request to which the API did not answer. Passing says that the
// same request may well be answered a moment later.
type noAnswer struct {
	error
	passing bool
}

func (e noAnswer) Unwrap() error { return e.error }

func mayRetry(err error) bool {
	var n noAnswer
	return errors.As(err, &n) && n.passing
}

// unanswered reports whether there was no answer at all: to one who had
// answers before, the control plane may only be starting again.
func unanswered(err error) bool {
	var n noAnswer
	return errors.As(err, &n)
}

// do sends one request and returns any answer of the API below 300; others are errors.
func (c *client) do(ctx context.Context, method, path string, query url.Values, body []byte, header http.Header) (*http.Response, error) {
	con, err := c.connect()
	if err != nil {
		return nil, err
	}
	u := *con.base
	u.RawPath = con.base.EscapedPath() + apiRoot + path
	if u.Path, err = url.PathUnescape(u.RawPath); err != nil {
		return nil, usagef("%q is not a name", path)
	}
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json, application/problem+json")
	}
	req.Header.Set("User-Agent", "ostler/"+version)
	if con.token != "" {
		req.Header.Set("Authorization", "Bearer "+con.token)
	}
	resp, err := con.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, unreachable(con.base, err)
	}
	if resp.StatusCode < 300 || resp.StatusCode == http.StatusNotModified { // which only who sends If-None-Match is told
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	return nil, problemOf(resp)
}

func (c *client) read(resp *http.Response, v any) (answer, error) {
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer{}, controlplane.Errorf(controlplane.CodeUnavailable, "Try again.", "The control plane's answer did not arrive whole").Because(err)
	}
	if len(raw) > maxAnswer {
		return answer{}, controlplane.Errorf(controlplane.CodeUnavailable, "Ask for less.", "The control plane's answer is too large")
	}
	a := answer{raw: raw, header: resp.Header}
	if v == nil || len(raw) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return a, controlplane.Errorf(controlplane.CodeUnavailable, "Check with ostler doctor that the address is a control plane's, of this version.",
			"The control plane's answer cannot be read").Because(err)
	}
	return a, nil
}

// sleep waits, or returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
