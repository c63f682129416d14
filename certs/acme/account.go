package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-acme/lego/v4/acme"
	"github.com/go-acme/lego/v4/acme/api"
)

// Register makes the account of the key, or finds the one that is there, and
// uses it from now on. It agrees to the CA's terms of service.
func (c *Client) Register(ctx context.Context, r Registration) (accountURL string, err error) {
	ask := acme.Account{TermsOfServiceAgreed: true, OnlyReturnExisting: r.Existing}
	if r.Contact != "" {
		ask.Contact = []string{r.Contact}
	}
	who := account{key: c.who().key} // by the key itself
	var made acme.ExtendedAccount
	_, err = c.call(ctx, who, new(counter), opAccount, func(core *api.Core) (err error) {
		if r.EAB != nil && !r.Existing {
			made, err = core.Accounts.NewEAB(ask, r.EAB.KeyID, r.EAB.HMAC)
		} else {
			made, err = core.Accounts.New(ask)
		}
		return err
	})
	if err == nil {
		err = usable(made)
	}
	if err != nil {
		return "", fmt.Errorf("acme: register: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.account.key == who.key {
		c.account.url = made.Location
	}
	return made.Location, nil
}

func usable(a acme.ExtendedAccount) error {
	switch {
	case a.Location == "":
		return badAnswer("the account has no URL", nil)
	case a.Status != "" && a.Status != acme.StatusValid:
		return &Error{Kind: KindAccount, Detail: "the account is " + a.Status}
	}
	return nil
}

// Rollover changes the account's key (RFC 8555, 7.3.5). Keep both keys before
// it: where the answer is lost, Register with Existing tells which is in use.
// Orders under way lose their challenges.
func (c *Client) Rollover(ctx context.Context, newKey crypto.Signer) error {
	next, err := accountKey(newKey)
	if err != nil {
		return err
	}
	who := c.who()
	dir, err := c.readDirectory(ctx, new(counter))
	if err != nil {
		return err
	}
	if who.url == "" || dir.KeyChangeURL == "" {
		return fmt.Errorf("acme: change the account's key: %w", &Error{Kind: KindUnsupported, Detail: "there is no account yet, or the CA has no keyChange"})
	}
	inner, err := rollover(who, next, dir.KeyChangeURL)
	if err != nil {
		return err
	}
	if _, err := c.post(ctx, who, dir.KeyChangeURL, inner, new(counter), opAccount); err != nil {
		return fmt.Errorf("acme: change the account's key: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.account.key = next
	return nil
}

// rollover is the wish of the new key to take the place of the old one.
func rollover(who account, next *ecdsa.PrivateKey, to string) ([]byte, error) {
	oldKey, err := jwk(&who.key.PublicKey)
	if err != nil {
		return nil, err
	}
	newKey, err := jwk(&next.PublicKey)
	if err != nil {
		return nil, err
	}
	payload, err := json.Marshal(struct {
		Account string          `json:"account"`
		OldKey  json.RawMessage `json:"oldKey"`
	}{who.url, oldKey})
	if err != nil {
		return nil, err
	}
	return sign(next, protected{JWK: newKey, URL: to}, payload)
}

// maxReason is the last revocation reason there is (RFC 5280, 5.3.1); 7 is none.
const maxReason = 10

// Revoke revokes a certificate of this account; der is the leaf. The reason is
// of RFC 5280, 5.3.1. One that is revoked already is KindRevoked.
func (c *Client) Revoke(ctx context.Context, der []byte, reason int) error {
	if reason < 0 || reason > maxReason || reason == 7 {
		return fmt.Errorf("acme: revoke: %d is no reason of RFC 5280", reason)
	}
	who := c.who()
	if who.url == "" {
		return errNoAccount
	}
	why := uint(reason)
	_, err := c.call(ctx, who, new(counter), opRevoke, func(core *api.Core) error {
		if core.GetDirectory().RevokeCertURL == "" {
			return &Error{Kind: KindUnsupported, Detail: "the CA has no revokeCert"}
		}
		return core.Certificates.Revoke(acme.RevokeCertMessage{Certificate: b64.EncodeToString(der), Reason: &why})
	})
	if err != nil {
		return fmt.Errorf("acme: revoke: %w", err)
	}
	return nil
}

var errNoAccount = errors.New("acme: the client has no account yet: Register first")
