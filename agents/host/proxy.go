package host

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"ostler/agents/wire"
)

// StoreAccess is what one job may do at the store.
type StoreAccess string

// The kinds of access.
const (
	StoreRead  StoreAccess = "read"  // read, and lock
	StoreWrite StoreAccess = "write" // read, lock, and add
	StoreInit  StoreAccess = "init"  // write, and make the repository and its key
)

// StoreProxyOptions configures a StoreProxy.
type StoreProxyOptions struct {
	Dir        string // where the socket is made
	Repository wire.Repository
	User       string
	Password   string
	Access     StoreAccess
	// Idle breaks off a connection on which nothing moves; Stall is for how long
	// the store may fail without one success between before the job is given up.
	Idle, Stall time.Duration
	Log         *slog.Logger
	// Broken is called once, when the store cannot be used any more.
	Broken func(wire.Cause)
}

// StoreProxy serves one repository of a store on a unix socket for the length
// of one job. It adds TLS and the credentials, and lets through only what
// restic needs there: no delete but of locks, no path outside the repository.
type StoreProxy struct {
	o      StoreProxyOptions
	path   string
	server *http.Server
	tr     *http.Transport
	moved  atomic.Int64

	mu      sync.Mutex
	failing time.Time  // since when nothing succeeded
	last    string     // what the newest failure was, while it fails
	refused wire.Cause // what the store refused, if it did
	timer   *time.Timer
	broken  bool
	closed  bool
}

// maxSocketPath is the kernel's limit of a unix socket's path.
const maxSocketPath = 107

// NewStoreProxy starts serving. Close ends it and removes the socket.
func NewStoreProxy(o StoreProxyOptions) (*StoreProxy, error) {
	target, err := url.Parse(o.Repository.StoreURL)
	if err != nil {
		return nil, fmt.Errorf("host: store address: %w", err)
	}
	dir, err := os.MkdirTemp(o.Dir, "s")
	if err != nil {
		return nil, fmt.Errorf("host: store socket: %w", err)
	}
	p := &StoreProxy{o: o, path: filepath.Join(dir, "s")}
	if len(p.path) > maxSocketPath {
		_ = os.Remove(dir)
		return nil, fmt.Errorf("host: store socket: the state folder's path is too long for a unix socket")
	}
	l, err := net.Listen("unix", p.path)
	if err != nil {
		_ = os.Remove(dir)
		return nil, fmt.Errorf("host: store socket: %w", err)
	}
	if err := os.Chmod(p.path, 0o600); err != nil { // the folder is 0700 already
		_ = l.Close()
		return nil, fmt.Errorf("host: store socket: %w", err)
	}
	p.tr = storeTransport(o.Repository.StorePin, o.Idle, &p.moved)
	p.server = &http.Server{Handler: p.handler(target), ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug)}
	go func() { _ = p.server.Serve(l) }()
	return p, nil
}

// Socket is the path of the unix socket.
func (p *StoreProxy) Socket() string { return p.path }

// Moved is how many bytes went to and came from the store.
func (p *StoreProxy) Moved() int64 { return p.moved.Load() }

// Cause is what the store refused, or that it does not answer now; "" where
// neither is so.
func (p *StoreProxy) Cause() wire.Cause {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why()
}

// Failing is what the store's newest failure was, as one short phrase without
// an address; "" where the store answers.
func (p *StoreProxy) Failing() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

func (p *StoreProxy) why() wire.Cause {
	if p.refused == "" && !p.failing.IsZero() {
		return wire.CauseStoreUnreachable
	}
	return p.refused
}

// Close ends serving and removes the socket.
func (p *StoreProxy) Close() error {
	p.mu.Lock()
	p.closed = true
	if p.timer != nil {
		p.timer.Stop()
	}
	p.mu.Unlock()
	err := p.server.Close()
	p.tr.CloseIdleConnections()
	_ = os.RemoveAll(filepath.Dir(p.path))
	return err
}

func (p *StoreProxy) handler(target *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{
		Transport:  p.tr,
		BufferPool: new(bufferPool),
		ErrorLog:   slog.NewLogLogger(p.o.Log.Handler(), slog.LevelDebug),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = target.Host
			r.Out.Header.Del("Authorization")
			r.Out.SetBasicAuth(p.o.User, p.o.Password)
		},
		ModifyResponse: func(r *http.Response) error {
			p.answered(r.StatusCode)
			if r.StatusCode < 500 {
				r.Body = &watchedBody{ReadCloser: r.Body, p: p}
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil || !errors.Is(err, context.Canceled) {
				p.failed(err)
			}
			http.Error(w, "store unreachable", http.StatusBadGateway)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.allowed(r) {
			p.o.Log.Warn("store.refused", "method", r.Method)
			http.Error(w, "not allowed by the agent", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	})
}

// objectPath is what stands below a repository's own path: nothing, config, or
// a type with or without a name.
var objectPath = regexp.MustCompile(`^(config|(data|keys|locks|snapshots|index)/([0-9a-f]{64})?)?$`)

// allowed reports whether a request is one that this job's restic needs.
func (p *StoreProxy) allowed(r *http.Request) bool {
	base := "/" + p.o.Repository.User + "/" + p.o.Repository.Name + "/"
	if r.URL.RawPath != "" || len(r.URL.Path) < len(base) || r.URL.Path[:len(base)] != base {
		return false
	}
	m := objectPath.FindStringSubmatch(r.URL.Path[len(base):])
	if m == nil {
		return false
	}
	what, kind, named := m[0], m[2], m[3] != ""
	if what == "" {
		return r.Method == http.MethodPost && r.URL.RawQuery == "create=true" && p.o.Access == StoreInit
	}
	if r.URL.RawQuery != "" {
		return false
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return true
	case http.MethodDelete:
		return kind == "locks" && named
	case http.MethodPost:
		switch {
		case kind == "locks":
			return named
		case what == "config" || kind == "keys":
			return p.o.Access == StoreInit
		default:
			return named && p.o.Access != StoreRead
		}
	}
	return false
}

// answered takes note of a store's status. Full and refused cannot mend
// themselves while the job waits.
func (p *StoreProxy) answered(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case status == http.StatusInsufficientStorage || status == http.StatusRequestEntityTooLarge:
		p.refused = wire.CauseStoreFull
		p.breakOff()
	case status == http.StatusUnauthorized:
		p.refused = wire.CauseStoreRefused
		p.breakOff()
	case status == http.StatusForbidden:
		p.refused = wire.CauseStoreRefused
	case status >= 500:
		p.fail(fmt.Sprintf("it answers with status %d", status))
	}
}

// succeeded ends a run of failures: a whole answer has come through.
func (p *StoreProxy) succeeded() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failing, p.last = time.Time{}, ""
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

func (p *StoreProxy) failed(err error) {
	p.o.Log.Warn("store.failed", "err", transportError(err))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail(phrase(err))
	if errors.Is(err, errStorePin) {
		p.breakOff()
	}
}

// fail notes one failure. The first one after a success starts the clock.
func (p *StoreProxy) fail(what string) {
	p.last = what
	if p.closed || !p.failing.IsZero() {
		return
	}
	p.failing = time.Now()
	p.timer = time.AfterFunc(p.o.Stall, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.failing.IsZero() {
			p.breakOff()
		}
	})
}

// breakOff tells the job, once, that the store cannot be used.
func (p *StoreProxy) breakOff() {
	if p.broken || p.closed {
		return
	}
	p.broken = true
	go p.o.Broken(p.why())
}

// watchedBody notes how the body of an answer ends: a store that sends a
// status and then hangs has not answered.
type watchedBody struct {
	io.ReadCloser
	p *StoreProxy
}

func (b *watchedBody) Read(data []byte) (int, error) {
	n, err := b.ReadCloser.Read(data)
	switch {
	case errors.Is(err, io.EOF):
		b.p.succeeded()
	case err != nil && !errors.Is(err, context.Canceled):
		b.p.failed(err)
	}
	return n, err
}

// phrase is why a connection to the store failed, for people.
func phrase(err error) string {
	var dns *net.DNSError
	var name x509.HostnameError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var timeout net.Error
	var no syscall.Errno
	switch {
	case errors.Is(err, errStorePin):
		return errStorePin.Error()
	case errors.As(err, &dns):
		return "its host name is not known"
	case errors.As(err, &name):
		return "its certificate is for another name"
	case errors.As(err, &unknown):
		return "its certificate is not of an authority that this server trusts"
	case errors.As(err, &invalid):
		return "its certificate is not valid"
	case errors.As(err, &no) && !no.Timeout():
		return no.Error() // connection refused, network is unreachable
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it closed the connection"
	}
	return "the connection failed"
}

// transportError is err without the request's path, which names objects.
func transportError(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Error()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "connection closed"
	}
	return err.Error()
}

// bufferPool lends copy buffers to the reverse proxy.
type bufferPool struct{ pool sync.Pool }

func (b *bufferPool) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 64<<10)
}

func (b *bufferPool) Put(p []byte) { b.pool.Put(&p) }
