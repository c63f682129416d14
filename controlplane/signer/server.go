package signer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
)

// maxRequest bounds one request to the signer, in bytes.
const maxRequest = 2 * maxParams

// Listen opens the signer's unix socket, 0600 in a 0700 folder. A socket that
// nobody answers on is left over from a crash and replaced; a live one is an error.
func Listen(socket string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return nil, fmt.Errorf("signer: listen: %w", err)
	}
	if c, err := net.Dial("unix", socket); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("signer: listen: another signer answers on %s", socket)
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("signer: listen: %w", err)
	}
	ln, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("signer: listen: %w", err)
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		_ = ln.Close()
		return nil, fmt.Errorf("signer: listen: %w", err)
	}
	return ln, nil
}

// Serve answers on ln until ctx ends, and closes ln. Only this process's user,
// root and the users in uids are answered, by what the kernel says of the other
// end: a signer with a user of its own names the control plane's there (and
// lets it reach the socket).
func Serve(ctx context.Context, ln net.Listener, key Key, log *slog.Logger, uids ...int) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	h := &handler{key: key, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/sign", h.sign)
	mux.HandleFunc("GET /v1/keys", h.keys)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = srv.Shutdown(grace)
	})
	defer stop()
	if err := srv.Serve(peerListener{ln, append([]int{0, os.Geteuid()}, uids...)}); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("signer: serve: %w", err)
	}
	return nil
}

type handler struct {
	key Key
	log *slog.Logger
}

func (h *handler) sign(w http.ResponseWriter, r *http.Request) {
	var e wire.Envelope
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		refuse(w, http.StatusBadRequest, "the envelope cannot be read")
		return
	}
	signed, err := Sign(r.Context(), h.key, e)
	if err != nil && unfit(e) == "" {
		h.away(w, r, err)
		return
	}
	if err != nil {
		h.log.WarnContext(r.Context(), "signer.refused", "job", e.Job, "server", e.Server, "action", e.Action, "error", err)
		refuse(w, http.StatusUnprocessableEntity, unfit(e))
		return
	}
	sum := sha256.Sum256(e.Params)
	h.log.InfoContext(r.Context(), "signer.signed", "job", e.Job, "server", e.Server, "action", e.Action,
		"params_sha256", hex.EncodeToString(sum[:]), "expires_at", controlplane.Instant(controlplane.FromMillis(e.ExpiresAt)))
	answer(w, http.StatusOK, signed)
}

type keysAnswer struct {
	Keys [][]byte `json:"keys"`
}

// keys says which keys hosts shall trust; who asks wants to know whether jobs
// can be signed, too.
func (h *handler) keys(w http.ResponseWriter, r *http.Request) {
	if err := h.key.Ready(r.Context()); err != nil {
		h.away(w, r, err)
		return
	}
	answer(w, http.StatusOK, keysAnswer{Keys: [][]byte{h.key.Public()}})
}

// away answers that the key does not sign now, in the words of who keeps it.
func (h *handler) away(w http.ResponseWriter, r *http.Request, err error) {
	h.log.WarnContext(r.Context(), "signer.key", "error", err)
	said := refusal{Message: "The key that signs jobs cannot be used", Next: "See the log of ostler signer."}
	var e *controlplane.Error
	if errors.As(err, &e) {
		said = refusal{Message: e.Message, Next: e.Next}
	}
	answer(w, http.StatusServiceUnavailable, said)
}

type refusal struct {
	Message string `json:"message"`
	Next    string `json:"next,omitempty"`
}

func refuse(w http.ResponseWriter, status int, why string) { answer(w, status, refusal{Message: why}) }

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client notices a short answer
}

// peerListener drops connections of other users.
type peerListener struct {
	net.Listener
	uids []int
}

func (l peerListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil || allowed(c, l.uids) {
			return c, err
		}
		_ = c.Close()
	}
}

// allowed reports whether the kernel says that the other end is one of uids.
func allowed(c net.Conn, uids []int) bool {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return false
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return false
	}
	var cred *syscall.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil || credErr != nil {
		return false
	}
	return slices.Contains(uids, int(cred.Uid))
}
