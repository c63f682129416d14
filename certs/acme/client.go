package acme

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
)

// A Client is one account at one CA, for as long as the process lives. It is
// safe for concurrent use.
type Client struct{ opts Options }

var errUnbuilt = errors.New("acme: not there yet")

// Open reads the CA's directory.
func Open(ctx context.Context, opts Options) (*Client, error) { return nil, errUnbuilt }

// Directory is what the CA says about itself.
func (c *Client) Directory(ctx context.Context) (Directory, error) { return Directory{}, errUnbuilt }

// Register makes the account of the key, or finds the one that is there, and
// uses it from now on. It agrees to the CA's terms of service.
func (c *Client) Register(ctx context.Context, r Registration) (accountURL string, err error) {
	return "", errUnbuilt
}

// Rollover changes the account's key (RFC 8555, 7.3.5). Keep both keys before
// it: where the answer is lost, Register with Existing tells which is in use.
// Orders under way lose their challenges.
func (c *Client) Rollover(ctx context.Context, newKey crypto.Signer) error { return errUnbuilt }

// Thumbprint is that of the account's key (RFC 7638), base64url.
func Thumbprint(key crypto.PublicKey) (string, error) { return "", errUnbuilt }

// Issue takes a request through an order, from where the state stands. The
// state it returns is the latest, saved or not.
func (c *Client) Issue(ctx context.Context, r Request, s State, h Hooks) (Result, State, error) {
	return Result{}, s, errUnbuilt
}

// CertID names a certificate to its CA (RFC 9773, 4.1).
func CertID(leaf *x509.Certificate) (string, error) { return "", errUnbuilt }

// RenewalInfo asks when a certificate should be renewed. Every answer that is
// not a good one is an error.
func (c *Client) RenewalInfo(ctx context.Context, certID string) (Renewal, error) {
	return Renewal{}, errUnbuilt
}

// Revoke revokes a certificate of this account; der is the leaf. The reason is
// of RFC 5280, 5.3.1. One that is revoked already is KindRevoked.
func (c *Client) Revoke(ctx context.Context, der []byte, reason int) error { return errUnbuilt }
