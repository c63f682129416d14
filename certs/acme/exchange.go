package acme

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/go-acme/lego/v4/acme/api"

	"ostler/controlplane"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// errBadNonce is the CA's refusal of a nonce: sign with another one.
var errBadNonce = errors.New("the nonce was refused")

// answer is what a CA said, with a status below 400.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// exchange carries what lego's Core asks of a CA within one call: Core takes no
// context, so each call has a Core of its own, over an exchange that has one.
// The directory and the nonces come from the Client. A refusal is read here, as
// a whole: Core would lose the header, and what is no JSON.
type exchange struct {
	c    *Client
	ctx  context.Context
	dir  directory
	op   op
	n    *counter
	last http.Header // of the latest answer
}

// RoundTrip carries one request of Core. Against the letter of
// http.RoundTripper it makes an error of an answer from 400 on: Core then leaves
// it alone, and repeats nothing.
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	to := req.URL.String()
	switch {
	case req.Method == http.MethodGet && to == x.c.opts.Directory:
		return response(req, answer{status: http.StatusOK, header: make(http.Header), body: x.dir.raw}), nil
	case req.Method == http.MethodHead && to == x.dir.NewNonceURL:
		value, err := x.nonce()
		if err != nil {
			return nil, err
		}
		return response(req, answer{status: http.StatusOK, header: http.Header{replayNonce: {value}}}), nil
	}
	a, err := x.c.send(x.ctx, req, x.c.orders, x.n, x.op)
	if err != nil {
		return nil, err
	}
	x.last = a.header
	return response(req, a), nil
}

// nonce is one from the pool, or a new one.
func (x *exchange) nonce() (string, error) {
	if value := x.c.nonces.pop(); value != "" {
		return value, nil
	}
	req, err := http.NewRequest(http.MethodHead, x.dir.NewNonceURL, nil)
	if err != nil {
		return "", badAnswer("the directory's newNonce is no URL", err)
	}
	a, err := x.c.send(x.ctx, req, x.c.orders, x.n, opDirectory)
	if err != nil {
		return "", err
	}
	value := a.header.Get(replayNonce)
	if value == "" || len(value) > nonceLen {
		return "", badAnswer("newNonce gave none", nil)
	}
	return value, nil
}

func response(req *http.Request, a answer) *http.Response {
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: req,
	}
}

// replayNonce is the header that a nonce comes in (RFC 8555, 6.5.1).
const replayNonce = "Replay-Nonce"

// send carries one request and reads its answer, within the bound of places. Its
// nonce goes into the pool, but for that of a HEAD: whoever asked for one has it.
func (c *Client) send(ctx context.Context, req *http.Request, places chan struct{}, n *counter, o op) (answer, error) {
	if req.URL.Scheme != "https" { // RFC 8555, 6.1
		return answer{}, badAnswer("no https: "+controlplane.Line(req.URL.Redacted(), maxDetail), nil)
	}
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	case <-ctx.Done():
		return answer{}, context.Cause(ctx)
	}
	if o == opOrder {
		req.Header["Idempotency-Key"] = nil // tells net/http alone: it may repeat it on a connection that was closed
	}
	within, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", c.opts.UserAgent)
	}
	n.Add(1)
	resp, err := c.http.RoundTrip(req.WithContext(c.watch(within, o, req.URL.String())))
	if err != nil {
		return answer{}, unanswered(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer{}, unanswered(ctx, err)
	}
	if req.Method != http.MethodHead {
		if req.Method != http.MethodGet {
			c.nonces.push(resp.Header.Get(replayNonce))
		}
		resp.Header.Del(replayNonce) // Core would keep it for itself
	}
	switch {
	case len(body) > maxAnswer:
		return answer{}, badAnswer("the answer is too long", nil)
	case resp.StatusCode >= http.StatusBadRequest:
		return answer{}, c.refusal(resp, body, o)
	case resp.StatusCode >= http.StatusMultipleChoices:
		return answer{}, badAnswer(fmt.Sprintf("redirected (%d)", resp.StatusCode), nil)
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// unanswered tells a caller that gave up from a CA that does not answer.
func unanswered(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &Error{Kind: KindUnreachable, Err: err}
}

// get is a plain GET: what needs no account.
func (c *Client) get(ctx context.Context, to string, places chan struct{}, n *counter, o op) (answer, error) {
	req, err := http.NewRequest(http.MethodGet, to, nil)
	if err != nil {
		return answer{}, err
	}
	return c.send(ctx, req, places, n, o)
}

// call has fn ask by a Core, once, or again for as long as the CA refuses the
// nonce. It returns the header of the answer.
func (c *Client) call(ctx context.Context, who account, n *counter, o op, fn func(core *api.Core) error) (http.Header, error) {
	dir, err := c.readDirectory(ctx, n)
	if err != nil {
		return nil, err
	}
	cut := false
	for try := 0; ; try++ {
		x := &exchange{c: c, ctx: ctx, dir: dir, op: o, n: n}
		err := x.core(who, fn)
		if !cut && o == opOrder && broke(err) {
			cut = true
			_, err = c.pause(ctx, afterCut, nil)
		} else if errors.Is(err, errBadNonce) {
			err = c.again(ctx, try)
		} else {
			return x.last, plain(ctx, err)
		}
		if err != nil {
			return nil, err
		}
	}
}

// afterCut is what passes before a request is sent again on a new connection.
const afterCut = 100 * time.Millisecond

// broke reports whether a connection ended before its answer. What belongs to
// an order that is there may be asked twice; a new order may not.
func broke(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == KindUnreachable && e.Status == 0 && !errors.Is(err, context.DeadlineExceeded)
}

func (x *exchange) core(who account, fn func(core *api.Core) error) error {
	core, err := api.New(&http.Client{Transport: x}, x.c.opts.UserAgent, x.c.opts.Directory, who.url, who.key)
	if err != nil {
		return err
	}
	return fn(core)
}

// patientNonces is how many refusals in a row are taken for chance: one that
// refuses nine of ten does not come that far.
const patientNonces = 200

// again waits before another nonce is tried: not at all at first, and never so
// short that a CA which refuses all of them would mind.
func (c *Client) again(ctx context.Context, try int) error {
	var d time.Duration
	switch {
	case try < 2:
	case try < patientNonces:
		d = min(5*time.Millisecond<<min(try-2, 4), 50*time.Millisecond)
	default:
		d = 5 * time.Second
		c.opts.Log.Warn("acme: the CA refuses nonce after nonce", "tries", try+1)
	}
	_, err := c.pause(ctx, d, nil)
	return err
}

// pause waits, at most until hit tells that there is something to see.
func (c *Client) pause(ctx context.Context, d time.Duration, hit <-chan struct{}) (wasHit bool, err error) {
	if d <= 0 {
		return false, context.Cause(ctx)
	}
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-hit:
		return true, nil
	case <-c.opts.After(d):
		return false, nil
	}
}

// plain takes off what Core and http.Client wrap around our own errors; what is
// none of ours is an answer that Core could not read.
func plain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return &Error{Kind: KindUnreachable, Err: u.Err}
	}
	return badAnswer("", err)
}
