package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/secrets"
)

const (
	maxIdempotencyKey = 200
	idempotencyLife   = 24 * time.Hour
	idempotencyStuck  = 5 * time.Minute // a request without an answer for this long has died
	maxRequestBody    = 2 << 20
)

// memory keeps answers of POST requests for their Idempotency-Key, sealed.
type memory struct {
	d *db.DB
	k *secrets.Keeper
}

// answer is what is kept.
type answer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// idempotent repeats the kept answer of a request with the same key, and runs
// it otherwise. Only successes are kept: what failed may be tried again.
func (a *API) idempotent(op Op) func(huma.Context, func(huma.Context)) {
	return func(c huma.Context, next func(huma.Context)) {
		key := c.Header("Idempotency-Key")
		if key == "" {
			next(c)
			return
		}
		body, err := io.ReadAll(io.LimitReader(c.BodyReader(), maxRequestBody+1))
		switch {
		case len(key) > maxIdempotencyKey:
			err = controlplane.Invalid(controlplane.Field{Pointer: "/Idempotency-Key", Message: "Send at most 200 characters."})
		case err != nil:
			err = controlplane.Errorf(controlplane.CodeInvalid, "Send it again.", "The request did not arrive whole").Because(err)
		case len(body) > maxRequestBody:
			err = fromStatus(http.StatusRequestEntityTooLarge)
		}
		if err != nil {
			a.refuse(c, err)
			return
		}
		actor, _ := controlplane.ActorFrom(c.Context())
		u := c.URL()
		id, hash := idempotencyID(actor.ID, c.Method(), u.Path, key), sha256.Sum256(body)
		kept, err := a.memory.begin(c.Context(), id, actor.Customer, hash[:])
		if err != nil {
			a.refuse(c, err)
			return
		}
		r := &recorder{humaContext: c, body: bytes.NewReader(body), header: http.Header{}}
		if kept != nil {
			r.status, r.header = kept.Status, kept.Header
			r.out.Write(kept.Body)
			r.header.Set("Idempotent-Replayed", "true")
		} else {
			a.run(r, op, id, actor.Customer, next)
		}
		r.send()
	}
}

// run carries the operation out and keeps its answer, or forgets that it began.
func (a *API) run(r *recorder, op Op, id, customer string, next func(huma.Context)) {
	ctx := context.WithoutCancel(r.Context())
	ended := false
	defer func() {
		var err error
		switch {
		case !ended || r.status < 200 || r.status > 299:
			err = a.memory.forget(ctx, id)
		case op.Once:
			err = a.memory.keep(ctx, id, customer, nil)
		default:
			err = a.memory.keep(ctx, id, customer, &answer{Status: r.status, Header: r.header, Body: r.out.Bytes()})
		}
		if err != nil {
			a.log.ErrorContext(ctx, "api.idempotency", "error", err)
		}
	}()
	next(r)
	ended = true
}

func idempotencyID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s,", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (m *memory) ad(id string) secrets.AD {
	return secrets.AD{Table: "idempotency", Column: "answer", Row: id}
}

// begin claims a key, or returns the answer that is kept under it.
//
// Errors: invalid where the key was used for another request, conflict while
// that request runs, or where its answer was not to be kept.
func (m *memory) begin(ctx context.Context, id, customer string, hash []byte) (*answer, error) {
	if err := m.k.EnsureKey(ctx, customer); err != nil {
		return nil, fmt.Errorf("server: idempotency: %w", err)
	}
	var row *idempotencyRow
	err := m.d.Write(ctx, func(tx *db.Tx) (err error) {
		if row, err = idempotencyByID(tx, id); err != nil {
			return err
		}
		dead := row != nil && (row.ExpiresAt <= tx.NowMillis() || row.Done == 0 && row.CreatedAt < tx.Now.Add(-idempotencyStuck).UnixMilli())
		if row != nil && !dead {
			return nil
		}
		row = nil
		return claimIdempotency(tx, idempotencyRow{ID: id, Customer: customer, RequestHash: hash, Answer: []byte{},
			CreatedAt: tx.NowMillis(), ExpiresAt: tx.Now.Add(idempotencyLife).UnixMilli()})
	})
	busy := controlplane.Errorf(controlplane.CodeConflict, "Wait, then send it again with the same key.", "The request with this Idempotency-Key is still running")
	switch {
	case db.IsDuplicate(err):
		return nil, busy
	case err != nil:
		return nil, fmt.Errorf("server: idempotency: %w", err)
	case row == nil:
		return nil, nil
	case !bytes.Equal(row.RequestHash, hash):
		return nil, controlplane.Invalid(controlplane.Field{Pointer: "/Idempotency-Key", Message: "This key was used for another request: make a new one."})
	case row.Done == 0:
		return nil, busy
	case len(row.Answer) == 0:
		return nil, controlplane.Errorf(controlplane.CodeConflict, "If the answer was lost, revoke what it made and make a new one with a new key.",
			"This was done already; its answer held a secret that is shown once")
	}
	return m.opened(row, customer)
}

func (m *memory) opened(row *idempotencyRow, customer string) (*answer, error) {
	data, err := m.k.Open(customer, m.ad(row.ID), row.Answer)
	if err != nil {
		return nil, fmt.Errorf("server: idempotency: %w", err)
	}
	kept := &answer{}
	if err := json.Unmarshal(data, kept); err != nil {
		return nil, fmt.Errorf("server: idempotency: %w", err)
	}
	return kept, nil
}

func (m *memory) keep(ctx context.Context, id, customer string, a *answer) error {
	sealed := []byte{}
	if a != nil {
		data, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("server: idempotency: %w", err)
		}
		if sealed, err = m.k.Seal(customer, m.ad(id), data); err != nil {
			return fmt.Errorf("server: idempotency: %w", err)
		}
	}
	return m.d.Write(ctx, func(tx *db.Tx) error { return finishIdempotency(tx, id, sealed) })
}

func (m *memory) forget(ctx context.Context, id string) error {
	return m.d.Write(ctx, func(tx *db.Tx) error { return dropIdempotency(tx, id) })
}

// purge deletes what is past its time.
func (m *memory) purge(ctx context.Context) error {
	return m.d.Write(controlplane.System(ctx, "server"), purgeIdempotency)
}

// humaContext is embedded: its own name would hide its method.
type humaContext huma.Context

// recorder is a huma context that keeps the answer back.
type recorder struct {
	humaContext
	body   io.Reader
	status int
	header http.Header
	out    bytes.Buffer
}

func (r *recorder) BodyReader() io.Reader           { return r.body }
func (r *recorder) SetStatus(code int)              { r.status = code }
func (r *recorder) Status() int                     { return r.status }
func (r *recorder) SetHeader(name, value string)    { r.header.Set(name, value) }
func (r *recorder) AppendHeader(name, value string) { r.header.Add(name, value) }
func (r *recorder) BodyWriter() io.Writer           { return &r.out }
func (r *recorder) Unwrap() huma.Context            { return r.humaContext }

// send passes the answer on.
func (r *recorder) send() {
	for name, values := range r.header {
		for i, v := range values {
			if i == 0 {
				r.humaContext.SetHeader(name, v)
			} else {
				r.humaContext.AppendHeader(name, v)
			}
		}
	}
	if r.status == 0 {
		r.status = http.StatusInternalServerError
	}
	r.humaContext.SetStatus(r.status)
	if _, err := r.humaContext.BodyWriter().Write(r.out.Bytes()); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		return // the client is gone; the answer is kept
	}
}
