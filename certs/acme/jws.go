package acme

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
)

var b64 = base64.RawURLEncoding

// jwk is a public key (RFC 7517) with the members that a thumbprint has, in
// their order (RFC 7638, 3.2).
func jwk(key crypto.PublicKey) ([]byte, error) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return nil, errors.New("acme: a key of a curve other than P-256")
		}
		point, err := k.Bytes() // 4, x, y
		if err != nil {
			return nil, fmt.Errorf("acme: account key: %w", err)
		}
		return fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, b64.EncodeToString(point[1:33]), b64.EncodeToString(point[33:])), nil
	case *rsa.PublicKey:
		return fmt.Appendf(nil, `{"e":"%s","kty":"RSA","n":"%s"}`, b64.EncodeToString(big.NewInt(int64(k.E)).Bytes()), b64.EncodeToString(k.N.Bytes())), nil
	}
	return nil, fmt.Errorf("acme: a key of the type %T", key)
}

// Thumbprint is that of an account's key (RFC 7638), base64url: what follows
// the token and a dot in the answer to a challenge.
func Thumbprint(key crypto.PublicKey) (string, error) {
	doc, err := jwk(key)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(doc)
	return b64.EncodeToString(sum[:]), nil
}

// protected is the header of a signature; Nonce is left out in one within
// another (RFC 8555, 7.3.5).
type protected struct {
	Alg   string          `json:"alg"`
	JWK   json.RawMessage `json:"jwk,omitempty"`
	KID   string          `json:"kid,omitempty"`
	Nonce string          `json:"nonce,omitempty"`
	URL   string          `json:"url"`
}

// sign makes a flattened JWS (RFC 7515, 7.2.2) by ES256.
func sign(key *ecdsa.PrivateKey, head protected, payload []byte) ([]byte, error) {
	head.Alg = "ES256"
	h, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Protected string `json:"protected"`
		Payload   string `json:"payload"`
		Signature string `json:"signature"`
	}
	doc.Protected, doc.Payload = b64.EncodeToString(h), b64.EncodeToString(payload)
	sum := sha256.Sum256([]byte(doc.Protected + "." + doc.Payload))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		return nil, err
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	doc.Signature = b64.EncodeToString(sig[:])
	return json.Marshal(doc)
}

// post sends what Core has no call for, signed by the account. An empty
// payload is a POST-as-GET.
func (c *Client) post(ctx context.Context, who account, to string, payload []byte, n *counter, o op) (answer, error) {
	dir, err := c.readDirectory(ctx, n)
	if err != nil {
		return answer{}, err
	}
	x := &exchange{c: c, ctx: ctx, dir: dir, op: o, n: n}
	for try := 0; ; try++ {
		a, err := x.post(who, to, payload)
		if !errors.Is(err, errBadNonce) {
			return a, err
		}
		if err := c.again(ctx, try); err != nil {
			return answer{}, err
		}
	}
}

func (x *exchange) post(who account, to string, payload []byte) (answer, error) {
	value, err := x.nonce()
	if err != nil {
		return answer{}, err
	}
	doc, err := sign(who.key, protected{KID: who.url, Nonce: value, URL: to}, payload)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequest(http.MethodPost, to, bytes.NewReader(doc))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/jose+json")
	return x.c.send(x.ctx, req, x.c.orders, x.n, x.op)
}
