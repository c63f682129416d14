package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"ostler/agents/wire"
)

// Bounds of the responder: it speaks to anybody.
const (
	responderTimeout = 5 * time.Second
	responderConns   = 128
	responderHeader  = 8 << 10
	responderRetry   = 30 * time.Second
	waitingHits      = 64
	// Anybody may fetch tokens, and as often as they like: the plane is told of as
	// many as it listens to (agents.hitBurst), so that they are in nobody's way.
	hitBurst = 600
	hitEvery = 50 * time.Millisecond

	// ChallengePath is where a CA's validators look (RFC 8555, 8.3).
	ChallengePath = "/.well-known/acme-challenge/"
)

var (
	tokenForm      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	thumbprintForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
)

// answer is what the responder says for the names of one certificate.
type answer struct {
	Names      []string `json:"names"`
	Thumbprint string   `json:"thumbprint"`
	Until      int64    `json:"until"` // Unix milliseconds by the host's clock
	// Turn rises with every change; of two answers for a name the newest counts.
	Turn int64 `json:"turn"`
}

// Responder answers http-01 challenges: for a name that it was told of, any
// token with the account's thumbprint behind it (RFC 8555, 8.3). It needs no
// word for each challenge, keeps what it answers over a restart, and says 404
// to everything else. A token proves nothing without the account's key, which
// is not here.
type Responder struct {
	listen string
	path   string
	now    func() time.Time
	log    *slog.Logger
	hits   chan wire.Hit

	mu      sync.Mutex
	answers map[string]answer // by certificate
	address string            // where it listens now, "" where it does not
	told    int               // hits, less those that time has made up for
	toldAt  time.Time
}

// OpenResponder reads what was answered before. listen is "" where the host
// answers no challenges.
func OpenResponder(state, listen string, now func() time.Time, log *slog.Logger) (*Responder, error) {
	r := &Responder{listen: listen, path: filepath.Join(state, "challenges.json"), now: now, log: log,
		hits: make(chan wire.Hit, waitingHits), answers: map[string]answer{}}
	b, err := readIfThere(r.path)
	if err != nil {
		return nil, fmt.Errorf("host: read challenges: %w", err)
	}
	if b != nil {
		if err := json.Unmarshal(b, &r.answers); err != nil || r.answers == nil {
			log.Warn("responder.state", "err", err) // the next request says it anew
			r.answers = map[string]answer{}
		}
	}
	return r, nil
}

// Answer has challenges for names answered until an instant, in Unix
// milliseconds, once that is on the disk.
func (r *Responder) Answer(certificate string, names []string, thumbprint string, until int64) error {
	if !thumbprintForm.MatchString(thumbprint) {
		return errors.New("host: the account's thumbprint has a form that none has")
	}
	return r.change(func(turn int64) {
		r.answers[certificate] = answer{Names: slices.Clone(names), Thumbprint: thumbprint, Until: until, Turn: turn}
	})
}

// Silence ends the answers for a certificate's names.
func (r *Responder) Silence(certificate string) error {
	r.mu.Lock()
	_, there := r.answers[certificate]
	r.mu.Unlock()
	if !there {
		return nil
	}
	return r.change(func(int64) { delete(r.answers, certificate) })
}

func (r *Responder) change(f func(turn int64)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	turn, now := int64(0), r.now().UnixMilli()
	for id, a := range r.answers {
		if turn = max(turn, a.Turn); now > a.Until {
			delete(r.answers, id)
		}
	}
	f(turn + 1)
	b, err := json.Marshal(r.answers)
	if err == nil {
		err = writeFile(r.path, b)
	}
	if err != nil {
		return fmt.Errorf("host: write challenges: %w", err)
	}
	return nil
}

// thumbprint is what is answered for a name now; "" where nothing is.
func (r *Responder) thumbprint(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, newest := r.now().UnixMilli(), answer{}
	for _, a := range r.answers {
		if now <= a.Until && a.Turn > newest.Turn && slices.Contains(a.Names, name) {
			newest = a
		}
	}
	return newest.Thumbprint
}

// Address is where the responder listens now, "" where it does not.
func (r *Responder) Address() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.address
}

// Hits are the tokens that were fetched; what nobody takes is lost.
func (r *Responder) Hits() <-chan wire.Hit { return r.hits }

// ServeHTTP answers one request.
func (r *Responder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	token, ok := strings.CutPrefix(req.URL.Path, ChallengePath)
	host := req.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	thumbprint := ""
	if ok && req.URL.RawPath == "" && tokenForm.MatchString(token) && (req.Method == http.MethodGet || req.Method == http.MethodHead) {
		thumbprint = r.thumbprint(host)
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if thumbprint == "" {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "not found\n")
		return
	}
	_, _ = io.WriteString(w, token+"."+thumbprint)
	if !r.mayTell() {
		return
	}
	select {
	case r.hits <- wire.Hit{Token: token, Name: host}:
	default: // a hint: the plane asks anyway
	}
}

// mayTell counts one hit, where there are not too many.
func (r *Responder) mayTell() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if back := int(min(now.Sub(r.toldAt)/hitEvery, hitBurst)); back > 0 {
		r.told, r.toldAt = max(0, r.told-back), now
	} else if back < 0 { // the clock was set back
		r.toldAt = now
	}
	if r.told >= hitBurst {
		return false
	}
	r.told++
	return true
}

// Run listens until ctx ends. Where the port is taken it tries again: what has
// it may be the web server of an earlier setting.
func (r *Responder) Run(ctx context.Context) {
	said := false
	for r.listen != "" && ctx.Err() == nil {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", r.listen)
		if err == nil {
			said = false
			err = r.serve(ctx, l)
		}
		if err != nil && ctx.Err() == nil && !said {
			r.log.Error("responder.not_listening", "listen", r.listen, "err", err)
			said = true
		}
		if !sleep(ctx, responderRetry) {
			return
		}
	}
}

func (r *Responder) serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: r, ReadTimeout: responderTimeout, WriteTimeout: responderTimeout, IdleTimeout: responderTimeout,
		MaxHeaderBytes: responderHeader, ErrorLog: slog.NewLogLogger(r.log.Handler(), slog.LevelDebug)}
	server.SetKeepAlivesEnabled(false)
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	r.at(l.Addr().String())
	defer r.at("")
	r.log.Info("responder.listening", "address", l.Addr().String())
	return server.Serve(netutil.LimitListener(fair(l), responderConns))
}

func (r *Responder) at(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.address = address
}

// hitLoop passes on what validators fetched, as far as there is a connection.
func (a *Agent) hitLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case h := <-a.responder.Hits():
			a.send(wire.Frame{Type: wire.FrameHit, Hit: &h})
		}
	}
}
