package mailtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"mime"
	"net"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// gate applies the script to connections before a word is said.
type gate struct {
	net.Listener
	sink *Sink
}

// Accept returns the next connection that the script lets in.
func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		a := g.sink.decide(Connect, Message{})
		if !a.Drop && a.Code == 0 {
			return c, nil
		}
		if a.Code != 0 {
			_, _ = fmt.Fprintf(c, "%d %s\r\n", a.Code, a.Text)
		}
		_ = c.Close()
	}
}

// session is one conversation.
type session struct {
	sink *Sink
	conn *smtp.Conn
	user string
	m    Message
}

// AuthMechanisms are those that it offers.
func (c *session) AuthMechanisms() []string {
	if c.sink.o.User == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth checks a login.
func (c *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != c.sink.o.User || password != c.sink.o.Password {
			return smtp.ErrAuthFailed
		}
		c.user = user
		return nil
	}), nil
}

// Reset forgets the message that was begun.
func (c *session) Reset() { c.m = Message{} }

// Logout ends the conversation.
func (c *session) Logout() error { return nil }

// Mail takes the sender.
func (c *session) Mail(from string, o *smtp.MailOptions) error {
	_, secure := c.conn.TLSConnectionState()
	c.m = Message{From: from, TLS: secure, User: c.user, EnvelopeID: o.EnvelopeID}
	if c.sink.o.User != "" && c.user == "" && secure {
		return smtp.ErrAuthRequired
	}
	return c.act(Mail)
}

// Rcpt takes the recipient.
func (c *session) Rcpt(to string, o *smtp.RcptOptions) error {
	c.m.To = to
	for _, n := range o.Notify {
		c.m.Notify = append(c.m.Notify, string(n))
	}
	return c.act(Rcpt)
}

// Data takes the message.
func (c *session) Data(r io.Reader) (err error) {
	if c.m.Raw, err = io.ReadAll(r); err != nil {
		return err
	}
	if err := c.act(Data); err != nil {
		return err
	}
	if err := c.sink.take(&c.m); err != nil {
		return err
	}
	if err := c.act(Taken); err != nil {
		return err
	}
	return &smtp.SMTPError{Code: 250, EnhancedCode: smtp.EnhancedCode{2, 0, 0}, Message: "Ok: queued as " + c.m.QueueID}
}

// act does what the script says.
func (c *session) act(at Moment) error {
	a := c.sink.decide(at, c.m)
	switch {
	case a.Drop:
		_ = c.conn.Conn().Close()
		return io.ErrUnexpectedEOF
	case a.Code != 0:
		return &smtp.SMTPError{Code: a.Code, EnhancedCode: smtp.EnhancedCode{a.Code / 100, 7, 1}, Message: a.Text}
	}
	return nil
}

func decode(s string) string {
	plain, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		return s
	}
	return plain
}

// authority is a sink's own, made when it starts.
type authority struct {
	pem  []byte
	leaf string // SHA-256 of the server's certificate, hex
}

// certLife is a sink's certificate's; it is made anew with each sink.
const certLife = 30 * 24 * time.Hour

func newAuthority(names []string) (authority, tls.Certificate, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, tls.Certificate{}, err
	}
	start := time.Now().Add(-time.Hour)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mailtest authority"}, NotBefore: start, NotAfter: start.Add(certLife),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return authority{}, tls.Certificate{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, tls.Certificate{}, err
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "mailtest"}, NotBefore: start, NotAfter: start.Add(certLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return authority{}, tls.Certificate{}, err
	}
	sum := sha256.Sum256(der)
	return authority{pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), leaf: hex.EncodeToString(sum[:])},
		tls.Certificate{Certificate: [][]byte{der, caDER}, PrivateKey: key}, nil
}
