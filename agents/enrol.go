package agents

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/bus"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// NewToken makes an enrolment token for a server: 256 random bits, good once
// and for TokenLife, with the pin of our CA inside. It is shown once; the
// database keeps its hash.
//
// Errors: not found outside the scope.
func (a *Agents) NewToken(ctx context.Context, scope policy.Scope, server string) (token string, expires time.Time, err error) {
	return a.NewTokenFrom(ctx, scope, server, netip.Prefix{})
}

// NewTokenFrom is NewToken for a token that is good from those addresses only;
// the zero prefix is any address.
func (a *Agents) NewTokenFrom(ctx context.Context, scope policy.Scope, server string, from netip.Prefix) (token string, expires time.Time, err error) {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // crypto/rand.Read never returns an error
	hash := sha256.Sum256(secret[:])
	row := enrolmentRow{ID: controlplane.NewID(controlplane.PrefixEnrolment), SecretHash: hash[:]}
	if from.IsValid() {
		row.CIDR = from.Masked().String()
	}
	err = a.DB.Write(ctx, func(tx *db.Tx) error {
		s, err := a.Servers.ServerIn(tx, scope, server)
		if err != nil {
			return err
		}
		row.Server = s.ID
		row.CreatedAt, row.ExpiresAt = tx.NowMillis(), tx.Now.Add(TokenLife).UnixMilli()
		expires = controlplane.FromMillis(row.ExpiresAt)
		if err := insertEnrolment(tx, row); err != nil {
			return fmt.Errorf("agents: store token: %w", err)
		}
		_, err = a.Ledger.Append(tx, ledger.Entry{Server: s.ID, Subject: row.ID, Kind: "enrolment.created",
			Data: map[string]any{"expires_at": controlplane.Instant(expires), "from": row.CIDR}})
		tx.AfterCommit(func() { a.Bus.Publish(bus.TopicServer(s.ID)) })
		return err
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return wire.NewEnrolToken(secret, a.ca.pin()), expires, nil
}

// application is a request to enrol that has been read and checked for form.
type application struct {
	req        wire.EnrolRequest
	from       netip.Addr
	secretHash [32]byte
	public     any
	keyHash    [32]byte
}

// Redeem makes the server's agent of a token: the certificate for the key that
// the host made, and the CA and signer keys that it shall trust. A server that
// enrols again keeps its queue; its old agent ends. The same token with the
// same key gets the same certificate again (the answer was lost); with another
// key it is refused, and a finding says so.
//
// Errors: invalid request, unauthorized, expired, forbidden by address, conflict.
func (a *Agents) Redeem(ctx context.Context, remote netip.Addr, req wire.EnrolRequest) (wire.EnrolResponse, error) {
	app, err := a.readApplication(remote, req)
	if err != nil {
		return wire.EnrolResponse{}, err
	}
	keys, err := a.trustedKeys(ctx)
	if err != nil {
		return wire.EnrolResponse{}, err
	}
	agent := controlplane.NewID(controlplane.PrefixAgent)
	ctx = controlplane.WithActor(ctx, controlplane.Actor{Kind: controlplane.ActorAgent, ID: agent})
	var row *agentRow
	var refusal error
	err = a.DB.Write(ctx, func(tx *db.Tx) (err error) {
		row, refusal = nil, nil
		row, refusal, err = a.redeem(tx, agent, app)
		return err
	})
	if err = errors.Join(err, refusal); err != nil {
		return wire.EnrolResponse{}, err
	}
	return wire.EnrolResponse{Server: row.Server, Agent: row.ID, Certificate: row.Certificate,
		CA: a.ca.cert.Raw, StreamURL: a.o.StreamURL, SignerKeys: keys}, nil
}

func (a *Agents) readApplication(remote netip.Addr, req wire.EnrolRequest) (application, error) {
	app := application{req: req, from: remote.Unmap()}
	secret, pin, err := wire.ParseEnrolToken(req.Token)
	if err != nil {
		return app, badToken().Because(err)
	}
	want := a.ca.pin()
	if subtle.ConstantTimeCompare(pin[:], want[:]) != 1 {
		return app, badToken().Because(errors.New("agents: the token was made by another control plane"))
	}
	app.secretHash = sha256.Sum256(secret[:])
	if app.public, app.keyHash, err = readCSR(req.CSR); err != nil {
		return app, err
	}
	for name, v := range map[string]string{"machine_id": req.MachineID, "boot_id": req.BootID, "hostname": req.Hostname} {
		if len(v) > 255 || name != "hostname" && v == "" {
			return app, controlplane.Invalid(controlplane.Field{Pointer: "/" + name, Message: "Send 1 to 255 characters."})
		}
	}
	return app, nil
}

// readCSR returns the key that a signing request proves to hold. Only P-256 is
// taken; names in the request are ignored, the token says who it is.
func readCSR(der []byte) (public any, hash [32]byte, err error) {
	bad := func(why error) error {
		return controlplane.Invalid(controlplane.Field{Pointer: "/csr",
			Message: "Send a PKCS #10 request for an ECDSA P-256 key, signed with that key."}).Because(why)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, hash, bad(fmt.Errorf("agents: read CSR: %w", err))
	}
	key, ok := csr.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, hash, bad(errors.New("agents: the CSR's key is not P-256"))
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, hash, bad(fmt.Errorf("agents: check CSR: %w", err))
	}
	return key, sha256.Sum256(csr.RawSubjectPublicKeyInfo), nil
}

func badToken() *controlplane.Error {
	return controlplane.Errorf(controlplane.CodeUnauthorized,
		"Make a new token on the server's Enrol page, and copy the whole command.", "This enrolment token is not known here")
}

// redeem is Redeem's transaction. A refusal commits what it leaves behind; an
// error does not.
func (a *Agents) redeem(tx *db.Tx, agent string, app application) (row *agentRow, refusal, err error) {
	e, err := enrolmentByHash(tx, app.secretHash[:])
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("agents: find token: %w", err)
	case e == nil:
		return nil, badToken(), nil
	case e.UsedAt != 0:
		return a.redeemAgain(tx, e, app)
	case tx.NowMillis() >= e.ExpiresAt:
		return nil, controlplane.Errorf(controlplane.CodeExpired, "Make a new token on the server's Enrol page.",
			"This enrolment token is past its time"), nil
	}
	if e.CIDR != "" {
		p, err := netip.ParsePrefix(e.CIDR)
		if err != nil {
			return nil, nil, fmt.Errorf("agents: read token's addresses: %w", err)
		}
		if !p.Contains(app.from) {
			_, err := a.Ledger.Append(tx, ledger.Entry{Server: e.Server, Subject: e.ID, Kind: "enrolment.refused",
				Data: map[string]any{"why": "address"}, Personal: map[string]string{"address": app.from.String()}})
			return nil, controlplane.Errorf(controlplane.CodeForbidden, "Enrol from the server itself, or make a token for its address.",
				"This enrolment token is not good from this address"), err
		}
	}
	row, err = a.admit(tx, agent, e, app)
	return row, nil, err
}

// redeemAgain answers a used token: the same key gets the same certificate.
func (a *Agents) redeemAgain(tx *db.Tx, e *enrolmentRow, app application) (*agentRow, error, error) {
	row, err := agentByID(tx, e.Agent)
	if err != nil {
		return nil, nil, fmt.Errorf("agents: find agent: %w", err)
	}
	if row == nil {
		return nil, nil, fmt.Errorf("agents: token %s was used by no agent", e.ID)
	}
	if subtle.ConstantTimeCompare(row.KeyHash, app.keyHash[:]) == 1 && row.State == string(stateActive) {
		return row, nil, nil
	}
	refusal := controlplane.Errorf(controlplane.CodeUnauthorized,
		"If you did not run it twice yourself, somebody else may have the token: look at the server's page. Then make a new token.",
		"This enrolment token was used already")
	if subtle.ConstantTimeCompare(row.KeyHash, app.keyHash[:]) == 1 {
		return nil, refusal, nil // our own old agent; the server has enrolled again since
	}
	_, err = a.Ledger.Append(tx, ledger.Entry{Server: e.Server, Subject: e.ID, Kind: "enrolment.refused",
		Data:     map[string]any{"why": "reused", "key_sha256": hex.EncodeToString(app.keyHash[:])},
		Personal: map[string]string{"address": app.from.String()}})
	if err != nil {
		return nil, nil, err
	}
	return nil, refusal, a.raise(tx, findings.Finding{Key: "enrolment.reused:" + e.ID, Kind: findings.EnrolmentReused, Server: e.Server,
		Subject: e.ID, Severity: findings.Bad, Owner: findings.Ops, Args: map[string]string{"since": said(tx.Now)}, Link: serverLink(e.Server)}, false)
}

// admit makes the agent, ends the one before, and starts its presence.
func (a *Agents) admit(tx *db.Tx, agent string, e *enrolmentRow, app application) (*agentRow, error) {
	der, notAfter, err := a.ca.issueAgent(e.Server, agent, app.public, a.o.CertLife)
	if err != nil {
		return nil, err
	}
	row := agentRow{ID: agent, Server: e.Server, Enrolment: e.ID, State: string(stateActive), KeyHash: app.keyHash[:], NextHash: []byte{},
		Certificate: der, NotAfter: controlplane.Millis(notAfter), Hostname: app.req.Hostname, MachineID: app.req.MachineID, CreatedAt: tx.NowMillis()}
	before, err := activeByServer(tx, e.Server)
	if err != nil {
		return nil, fmt.Errorf("agents: find agent: %w", err)
	}
	old, err := presenceOf(tx, e.Server)
	if err != nil {
		return nil, fmt.Errorf("agents: find presence: %w", err)
	}
	p := presenceRow{Server: e.Server, Agent: agent, HeardAt: tx.NowMillis()}
	if old != nil {
		p.Epoch = old.Epoch + 1 // ends the old agent's session wherever it is
	}
	data := map[string]any{"enrolment": e.ID, "hostname": row.Hostname, "key_sha256": hex.EncodeToString(row.KeyHash),
		"not_after": controlplane.Instant(notAfter)}
	if before != nil {
		data["replaces"] = before.ID
	}
	if err := errors.Join(useEnrolment(tx, e.ID, agent), replaceAgents(tx, e.Server), insertAgent(tx, row), putPresence(tx, p)); err != nil {
		return nil, fmt.Errorf("agents: store agent: %w", err)
	}
	if err := a.Servers.MarkActive(tx, policy.AllCustomers("the token names the server"), e.Server); err != nil {
		return nil, err
	}
	if err := a.closeAll(tx, e.Server, "the server enrolled again"); err != nil {
		return nil, err
	}
	_, err = a.Ledger.Append(tx, ledger.Entry{Server: e.Server, Subject: agent, Kind: "agent.enrolled", Data: data,
		Personal: map[string]string{"address": app.from.String()}})
	tx.AfterCommit(func() {
		a.kick(e.Server, p.Epoch, errReplaced)
		a.Bus.Publish(bus.TopicServer(e.Server))
	})
	return &row, err
}

// trustedKeys returns the signer's keys, from memory while it is down.
func (a *Agents) trustedKeys(ctx context.Context) ([][]byte, error) {
	keys, err := a.signerKeys(ctx)
	if err == nil {
		return keys, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.keys) > 0 {
		return a.keys, nil
	}
	return nil, err
}
