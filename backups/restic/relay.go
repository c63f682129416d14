package restic

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ostler/agents/wire"
)

// relay stands between restic and the store, on a unix socket in the call's
// private folder. It is how we know what restic does not say: whether data
// moves, whether the store answers, and with which status. It also keeps the
// store's credentials out of restic's arguments.
type relay struct {
	base      *url.URL // of the repository at the store
	transport http.RoundTripper
	server    *http.Server
	dir       string // of the socket
	location  string // what restic gets as --repo

	beats    atomic.Uint64 // rises while data moves
	inFlight atomic.Int64  // requests that the store has not finished answering

	mu      sync.Mutex
	failing string // why the last request had no good answer; "" where it had
	refusal *wire.Failure
}

// swallowed is how much of a body can vanish in buffers on the way to a store
// that is gone. While the store fails, only what is beyond it counts as moving.
const swallowed = 1 << 20

// maxSocketDir is how long the path of a socket's folder may be: Linux allows
// 107 bytes for the socket's own.
const maxSocketDir = 105

// upstream returns the store's base URL and the transport for it; nil for a
// repository that is not a rest-server's.
func (r *Repo) upstream() (*url.URL, *http.Transport, error) {
	socket, path := r.Socket, r.Path
	base := &url.URL{Scheme: "http", Host: "store"}
	switch rest, isRest := strings.CutPrefix(r.URL, "rest:"); {
	case socket != "":
	case !isRest:
		return nil, nil, nil
	case strings.HasPrefix(rest, "http+unix://"):
		socket, path, _ = strings.Cut(strings.TrimPrefix(rest, "http+unix://"), ":")
	default:
		u, err := url.Parse(rest)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, nil, failure(wire.CauseInternal, "the store's address is not a URL") // err would show its password
		}
		base, path = u, u.Path
	}
	base.Path = "/" + strings.Trim(path, "/") + "/"
	t := &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true, TLSHandshakeTimeout: r.Limits.Probe}
	if socket != "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
	} else {
		t.DialContext = (&net.Dialer{Timeout: r.Limits.Probe}).DialContext
	}
	return base, t, nil
}

// newRelay listens in dir. It returns nil where the repository needs none.
func newRelay(r *Repo, dir string) (*relay, error) {
	base, transport, err := r.upstream()
	if err != nil || base == nil {
		return nil, err
	}
	if len(dir) > maxSocketDir || strings.Contains(dir, ":") { // restic ends the socket's path at a colon
		if dir, err = os.MkdirTemp("/tmp", "ostler-"); err != nil {
			return nil, localFailure("no folder for restic's socket", err)
		}
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, localFailure("no socket for restic", err)
	}
	y := &relay{base: base, transport: transport, dir: dir, location: "rest:http+unix://" + socket + ":/"}
	proxy := &httputil.ReverseProxy{
		Rewrite:   y.rewrite,
		Transport: y,
		ErrorLog:  log.New(io.Discard, "", 0), // roundTrip remembers the reason
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	y.server = &http.Server{Handler: proxy, ErrorLog: proxy.ErrorLog, ReadHeaderTimeout: time.Minute}
	go func() { _ = y.server.Serve(l) }()
	return y, nil
}

func (y *relay) close() {
	if y == nil {
		return
	}
	_ = y.server.Close()
	_ = os.RemoveAll(y.dir)
	if t, ok := y.transport.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

// rewrite points a request of restic to the repository at the store.
func (y *relay) rewrite(p *httputil.ProxyRequest) {
	p.SetURL(y.base)
	p.Out.Host = y.base.Host
	y.authorize(p.Out)
}

func (y *relay) authorize(req *http.Request) {
	if u := y.base.User; u != nil {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
}

// RoundTrip sends a request on and remembers how it went.
func (y *relay) RoundTrip(req *http.Request) (*http.Response, error) {
	y.inFlight.Add(1)
	if req.Body != nil && req.Body != http.NoBody {
		req.Body = &moving{ReadCloser: req.Body, relay: y}
	}
	res, err := y.transport.RoundTrip(req)
	if err != nil {
		y.inFlight.Add(-1)
		if req.Context().Err() == nil {
			y.failed("no answer")
		}
		return nil, err
	}
	y.answered(req.Method, res.StatusCode)
	res.Body = &moving{ReadCloser: res.Body, relay: y, done: sync.OnceFunc(func() { y.inFlight.Add(-1) })}
	return res, nil
}

// answered judges a status. 429 and 5xx are what restic repeats; the others are
// the store's considered answer. A refused DELETE says nothing: restic tidies up
// after a failed upload, and an append-only store does not let it.
func (y *relay) answered(method string, status int) {
	f := statusFailure(status)
	y.mu.Lock()
	defer y.mu.Unlock()
	switch {
	case f == nil:
		y.failing = ""
	case f.Cause == wire.CauseStoreUnreachable:
		y.failing = f.Detail
		return
	case method == http.MethodDelete:
	default:
		y.failing, y.refusal = "", f
	}
	y.beats.Add(1)
}

// statusFailure says what a status of the store means; nil: nothing bad.
func statusFailure(status int) *wire.Failure {
	switch {
	case status == http.StatusInsufficientStorage, status == http.StatusRequestEntityTooLarge:
		return &wire.Failure{Cause: wire.CauseStoreFull, Detail: "the store has no space left"}
	case status == http.StatusUnauthorized:
		return &wire.Failure{Cause: wire.CauseStoreRefused, Detail: "the store does not accept this server's credentials (401)"}
	case status == http.StatusForbidden:
		return &wire.Failure{Cause: wire.CauseStoreRefused, Detail: "the store refused the request (403)"}
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return &wire.Failure{Cause: wire.CauseStoreUnreachable, Detail: fmt.Sprintf("the store answered %d", status)}
	}
	return nil
}

func (y *relay) failed(why string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.failing = why
}

// moved counts bytes that went through a body that moved total so far.
func (y *relay) moved(total int64) {
	y.mu.Lock()
	failing := y.failing != ""
	y.mu.Unlock()
	if !failing || total > swallowed {
		y.beats.Add(1)
	}
}

// verdict is what the relay knows against the store: what it refused, or that
// it does not answer now. nil: nothing.
func (y *relay) verdict() *wire.Failure {
	if y == nil {
		return nil
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.refusal != nil {
		return y.refusal
	}
	if y.failing != "" {
		return unreachable(y.failing)
	}
	return nil
}

func unreachable(why string) *wire.Failure {
	return &wire.Failure{Cause: wire.CauseStoreUnreachable, Detail: "the store does not answer (" + why + ")"}
}

// probe asks for the repository's config. found is false where the store
// answers and has none.
func (y *relay) probe(ctx context.Context, limit time.Duration) (found bool, err error) {
	probing, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(probing, http.MethodHead, y.base.JoinPath("config").String(), nil)
	if err != nil {
		return false, failure(wire.CauseInternal, "the store's address is not a URL")
	}
	y.authorize(req)
	res, err := y.transport.RoundTrip(req)
	if err != nil {
		if ctx.Err() != nil {
			return false, stopped(ctx)
		}
		why := "no connection"
		if probing.Err() != nil {
			why = fmt.Sprintf("silent for %v", limit)
		}
		return false, (&Error{Failure: *unreachable(why), Exit: -1}).because(err)
	}
	_ = res.Body.Close()
	switch f := statusFailure(res.StatusCode); {
	case f != nil:
		return false, &Error{Failure: *f, Exit: -1}
	case res.StatusCode == http.StatusOK:
		return true, nil
	case res.StatusCode == http.StatusNotFound:
		return false, nil
	}
	return false, failure(wire.CauseStoreUnreachable, fmt.Sprintf("what answers is not a store (status %d)", res.StatusCode))
}

// holds reads an object back from the store: its name is the SHA-256 of what
// restic wrote. Without a relay there is nothing to ask.
func (y *relay) holds(ctx context.Context, limit time.Duration, kind, id string) error {
	if y == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, y.base.JoinPath(kind, id).String(), nil)
	if err != nil {
		return failure(wire.CauseInternal, "the store's address is not a URL")
	}
	y.authorize(req)
	res, err := y.transport.RoundTrip(req)
	if err != nil {
		return (&Error{Failure: *unreachable("no answer"), Exit: -1}).because(err)
	}
	sum := sha256.New()
	_, err = io.Copy(sum, io.LimitReader(res.Body, maxLine))
	_ = res.Body.Close()
	switch {
	case err != nil:
		return (&Error{Failure: *unreachable("it broke off"), Exit: -1}).because(err)
	case res.StatusCode != http.StatusOK:
		return failure(wire.CauseDamaged, fmt.Sprintf("the store answered %d for what it has just taken", res.StatusCode))
	case hex.EncodeToString(sum.Sum(nil)) != id:
		return failure(wire.CauseDamaged, "the store gives back other bytes than it was given")
	}
	return nil
}

// moving counts what is read from a body.
type moving struct {
	io.ReadCloser
	relay *relay
	total int64
	done  func()
}

func (m *moving) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	if n > 0 {
		m.total += int64(n)
		m.relay.moved(m.total)
	}
	return n, err
}

func (m *moving) Close() error {
	if m.done != nil {
		m.done()
	}
	return m.ReadCloser.Close()
}
