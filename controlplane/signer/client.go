package signer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode"

	"ostler/agents/wire"
	"ostler/controlplane"
)

// callTimeout bounds one call: the signer is on the same machine.
const callTimeout = 5 * time.Second

// Client asks the signer on a unix socket. It holds no key.
type Client struct{ http *http.Client }

// Dial returns a client of the signer on that socket. It connects on each
// need, so the signer may start later or be restarted.
func Dial(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{http: &http.Client{Timeout: callTimeout,
		Transport: &http.Transport{DialContext: dial, MaxIdleConns: 4, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second}}}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Sign has an envelope signed. Errors: unavailable where the signer does not
// answer, invalid where it refuses.
func (c *Client) Sign(ctx context.Context, e wire.Envelope) (wire.SignedEnvelope, error) {
	var signed wire.SignedEnvelope
	body, err := json.Marshal(e)
	if err != nil {
		return signed, fmt.Errorf("signer: sign: %w", err)
	}
	return signed, c.call(ctx, http.MethodPost, "/v1/sign", body, &signed)
}

// Keys returns the public keys that hosts shall trust, raw Ed25519.
func (c *Client) Keys(ctx context.Context) ([][]byte, error) {
	var got keysAnswer
	if err := c.call(ctx, http.MethodGet, "/v1/keys", nil, &got); err != nil {
		return nil, err
	}
	for _, k := range got.Keys {
		if len(k) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("signer: keys: a key of %d bytes", len(k))
		}
	}
	return got.Keys, nil
}

// Ping asks for a sign of life.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.Keys(ctx)
	return err
}

func (c *Client) call(ctx context.Context, method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://signer"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("signer: call: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return controlplane.Errorf(controlplane.CodeUnavailable, "Start ostler signer, then try again.",
			"The process that signs jobs does not answer").Because(fmt.Errorf("signer: call: %w", err))
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 2*maxRequest))
	if err != nil {
		return fmt.Errorf("signer: read answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var r refusal
		_ = json.Unmarshal(data, &r) // without a message the status says enough
		if resp.StatusCode == http.StatusServiceUnavailable {
			return controlplane.Errorf(controlplane.CodeUnavailable, r.Next, "Jobs cannot be signed: %s", lowerFirst(r.Message)).Because(errors.New("signer: its key is away"))
		}
		return controlplane.Errorf(controlplane.CodeInvalid, "This is a fault of ours: report it.",
			"The signer refuses the job: %s", r.Message).Because(fmt.Errorf("signer: status %d", resp.StatusCode))
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("signer: read answer: %w", err)
	}
	return nil
}

// lowerFirst makes a sentence the end of another; names keep their capital.
func lowerFirst(s string) string {
	if word, _, _ := strings.Cut(s, " "); word == "Vault" || word == "Vault's" || s == "" {
		return s
	}
	r := []rune(s)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}
