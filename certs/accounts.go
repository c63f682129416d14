package certs

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"ostler/certs/acme"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
)

// accounts are the open engines of this process: one for each account, as long
// as its key and address stay the same.
type accounts struct {
	mu   sync.Mutex
	open map[string]account // by authority
}

type account struct {
	mark   string // what it was opened with
	engine Engine
	dir    acme.Directory
	url    string
}

// newAccountKey is a fresh account key (EC P-256) and its sealed form.
func (s *Service) newAccountKey(authority, column string) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("certs: account key: %w", err)
	}
	der, err := pkcs8(key)
	if err != nil {
		return nil, nil, err
	}
	sealed, err := s.keeper.Seal("", ad("cert_authorities", column, authority), der)
	if err != nil {
		return nil, nil, fmt.Errorf("certs: account key: %w", err)
	}
	return key, sealed, nil
}

// cryptoSigner is an account's key.
type cryptoSigner = crypto.Signer

func pkcs8(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("certs: account key: %w", err)
	}
	return der, nil
}

// accountKey opens a sealed account key.
func (s *Service) accountKey(authority, column string, sealed []byte) (crypto.Signer, error) {
	der, err := s.keeper.Open("", ad("cert_authorities", column, authority), sealed)
	if err != nil {
		return nil, fmt.Errorf("certs: account key: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("certs: account key: it cannot be read") // the cause could quote it
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("certs: account key: it cannot sign")
	}
	return signer, nil
}

// spkiOf is the hex SHA-256 of a public key info.
func spkiOf(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("certs: public key: %w", err)
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]), nil
}

// authority reads a CA's row.
func (s *Service) authority(ctx context.Context, id string) (row authorityRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err = authorityIn(tx, id)
		return err
	})
	return row, err
}

func authorityIn(tx *db.Tx, id string) (authorityRow, error) {
	rows, err := company[authorityRow](tx, "id", 1, "id = ?", id)
	if err != nil {
		return authorityRow{}, err
	}
	if len(rows) == 0 {
		return authorityRow{}, controlplane.NotFound("authority")
	}
	return rows[0], nil
}

// mark is what an account is opened with.
func (r authorityRow) mark() string {
	sum := sha256.Sum256(r.AccountKey)
	return r.Directory + "\n" + r.AccountURL + "\n" + hex.EncodeToString(sum[:])
}

// known is the account at a CA as far as it is known without asking the CA:
// opened is false where its directory was not read in this process yet.
func (s *Service) known(row authorityRow) (a account, opened bool) {
	s.accounts.mu.Lock()
	defer s.accounts.mu.Unlock()
	if there, ok := s.accounts.open[row.ID]; ok && there.mark == row.mark() {
		return there, true
	}
	return account{url: row.AccountURL}, false
}

// account returns the open account at a CA; the first call anywhere makes it there.
func (s *Service) account(ctx context.Context, row authorityRow) (account, error) {
	if there, opened := s.known(row); opened {
		return there, nil
	}
	key, err := s.accountKey(row.ID, "account_key", row.AccountKey)
	if err != nil {
		return account{}, err
	}
	engine, err := s.open(ctx, s.engineOptions(row, key))
	if err != nil {
		return account{}, err
	}
	a := account{mark: row.mark(), engine: engine, url: row.AccountURL}
	if a.dir, err = engine.Directory(ctx); err != nil {
		return account{}, err
	}
	if a.url == "" {
		if a.url, err = s.register(ctx, row, engine); err != nil {
			return account{}, err
		}
		row.AccountURL = a.url
		a.mark = row.mark()
	}
	s.accounts.mu.Lock()
	defer s.accounts.mu.Unlock()
	if s.accounts.open == nil {
		s.accounts.open = map[string]account{}
	}
	if now, ok := s.accounts.open[row.ID]; ok && now.mark == a.mark {
		return now, nil // somebody was faster: one engine for each account
	}
	s.accounts.open[row.ID] = a
	return a, nil
}

func (s *Service) engineOptions(row authorityRow, key crypto.Signer) acme.Options {
	o := acme.Options{Directory: row.Directory, Key: key, AccountURL: row.AccountURL, UserAgent: s.opts.UserAgent, Log: s.opts.Log, InFlight: 2 * s.opts.Concurrent}
	if len(row.RootsPEM) > 0 {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(row.RootsPEM)
		o.HTTP = &http.Client{Transport: acme.Transport(roots), Timeout: time.Minute}
	}
	return o
}

// register makes the account at the CA, or finds the one of the same key that
// another replica made, and keeps its address.
func (s *Service) register(ctx context.Context, row authorityRow, engine Engine) (string, error) {
	reg := acme.Registration{}
	if row.Contact != "" {
		reg.Contact = "mailto:" + row.Contact
	}
	if row.EABKeyID != "" {
		hmac, err := s.keeper.Open("", ad("cert_authorities", "eab_key", row.ID), row.EABKey)
		if err != nil {
			return "", fmt.Errorf("certs: register: %w", err)
		}
		reg.EAB = &acme.EAB{KeyID: row.EABKeyID, HMAC: string(hmac)}
	}
	url, err := engine.Register(ctx, reg)
	if err != nil {
		return "", err
	}
	return url, s.db.Write(ctx, func(tx *db.Tx) error {
		now, err := authorityIn(tx, row.ID)
		if err != nil || now.AccountURL == url {
			return err
		}
		now.AccountURL = url
		if err := db.Save(tx, &now); err != nil {
			return err
		}
		_, err = s.ledger.Append(tx, ledger.Entry{Subject: row.ID, Kind: "authority.registered", Data: map[string]any{"account": url, "directory": row.Directory}})
		return err
	})
}
