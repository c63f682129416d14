package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
)

// EnrolOptions says how to enrol.
type EnrolOptions struct {
	State    string // the state folder, made if need be
	PlaneURL string // the enrolment listener, "https://host:8445"
	Token    string
	// FactFiles says where the facts are read that tell this machine from a copy.
	FactFiles FactFiles
	// Attempts is how often the request is sent where the answer is lost; 0 means 3.
	Attempts int
	// Wait is the pause between attempts; 0 means 2 s.
	Wait time.Duration
}

// Steps that several messages end with.
const (
	nextNewToken = "Make a new enrolment token on the server's page of the portal, and run the command that it shows."
	nextSeePlane = "Check that the address is right, that the plane runs, and that this host's firewall lets it out to that port; then run the same command again."
)

var errPin = errors.New("host: the enrolment listener is not signed by the pinned CA")

// Enrol redeems a token: the key is made here, and only a signing request
// leaves. A lost answer is asked for again with the same key. Errors are
// controlplane.Errors with a cause and a next step.
func Enrol(ctx context.Context, o EnrolOptions) (Identity, error) {
	var none Identity
	base, err := planeURL(o.PlaneURL)
	if err != nil {
		return none, err
	}
	_, pin, err := wire.ParseEnrolToken(o.Token)
	if errors.Is(err, wire.ErrTokenChecksum) {
		return none, controlplane.Errorf(controlplane.CodeInvalid, "Copy the whole token again from the portal; nothing was sent.", "The enrolment token is damaged: its checksum is wrong").Because(err)
	} else if err != nil {
		return none, controlplane.Errorf(controlplane.CodeInvalid, "The token begins with ost_enrol_; "+strings.ToLower(nextNewToken[:1])+nextNewToken[1:], "This is not an enrolment token").Because(err)
	}
	if err := makeDirs(o.State); err != nil {
		return none, controlplane.Errorf(controlplane.CodeInternal, "Run it as a user who may write there, or choose another folder with --state.", "The state folder cannot be written").Because(err)
	}
	if old, err := LoadIdentity(o.State); err == nil {
		return none, controlplane.Errorf(controlplane.CodeConflict,
			"Start the agent with: ostler-agent run. To enrol this host anew, stop the agent and move its state folder away first.",
			"This host is enrolled already, as %s", old.Server)
	} else if !errors.Is(err, ErrNotEnrolled) {
		return none, err
	}
	key, err := loadKey(o.State)
	if err != nil {
		return none, err
	}
	csr, err := newCSR(key)
	if err != nil {
		return none, fmt.Errorf("host: make signing request: %w", err)
	}
	o.FactFiles.State = o.State
	facts := ReadFacts(o.FactFiles)
	body, err := json.Marshal(wire.EnrolRequest{Token: strings.TrimSpace(o.Token), CSR: csr,
		MachineID: facts.MachineID, BootID: facts.BootID, Hostname: facts.Hostname})
	if err != nil {
		return none, err
	}
	res, err := askEnrolment(ctx, o, base, pin, body)
	if err != nil {
		return none, err
	}
	id := Identity{Server: res.Server, Agent: res.Agent, PlaneURL: base.String(), StreamURL: res.StreamURL,
		Certificate: res.Certificate, CA: res.CA, SignerKeys: res.SignerKeys}
	if err := id.check(key); err != nil {
		return none, badAnswer(err)
	}
	if ca, err := x509.ParseCertificate(id.CA); err != nil || sha256.Sum256(ca.RawSubjectPublicKeyInfo) != pin {
		return none, badAnswer(errPin)
	}
	return id, id.save(o.State)
}

func badAnswer(err error) error {
	return controlplane.Errorf(controlplane.CodeUnavailable, nextSeePlane, "The plane's answer cannot be used").Because(err)
}

// planeURL checks an address given by a person.
func planeURL(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.Path != "" || u.User != nil {
		return nil, controlplane.Errorf(controlplane.CodeInvalid, "Give it as the portal shows it, for example --plane https://ostler.example.com:8445.", "The plane's address is not https://host:port")
	}
	return u, nil
}

// askEnrolment sends the request until there is an answer, of whatever kind.
func askEnrolment(ctx context.Context, o EnrolOptions, base *url.URL, pin [32]byte, body []byte) (wire.EnrolResponse, error) {
	var res wire.EnrolResponse
	tr := &http.Transport{TLSClientConfig: pinnedTLS(base.Hostname(), pin), Proxy: http.ProxyFromEnvironment}
	defer tr.CloseIdleConnections()
	attempts, wait := o.Attempts, o.Wait
	if attempts == 0 {
		attempts = 3
	}
	if wait == 0 {
		wait = 2 * time.Second
	}
	for n := 1; ; n++ {
		err := postJSON(ctx, tr, base.String()+wire.PathEnrol, body, &res)
		var refused *refusedError
		switch {
		case err == nil:
			return res, nil
		case errors.As(err, &refused):
			return res, refused.forPeople(nextNewToken)
		case errors.Is(err, errPin):
			return res, controlplane.Errorf(controlplane.CodeUnauthorized,
				"Check the address. If it is right, make a new token: the plane's CA may have changed since. Nothing was sent.",
				"What answers at %s is not the plane that made this token", base.Host).Because(err)
		case isAgentsListener(err):
			return res, controlplane.Errorf(controlplane.CodeInvalid,
				"Use the address that the portal shows for enrolment; its port is usually 8445 where agents connect to 8444. Nothing was sent.",
				"%s is where enrolled agents connect, not where servers enrol", base.Host).Because(err)
		case isCertificateError(err):
			return res, controlplane.Errorf(controlplane.CodeUnavailable,
				"Use the name that the plane's certificate is made for, and check this host's clock. Nothing was sent.",
				"The plane's certificate does not fit %s or is out of date", base.Host).Because(err)
		case n >= attempts || ctx.Err() != nil:
			return res, controlplane.Errorf(controlplane.CodeUnavailable, nextSeePlane, "No answer from the plane at %s", base.Host).Because(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func isCertificateError(err error) bool {
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &name) || errors.As(err, &invalid)
}

// pinnedTLS trusts a server whose chain has a CA with the pinned key, and whose
// certificate is that CA's and names host. Nothing is trusted on first use.
func pinnedTLS(host string, pin [32]byte) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		ServerName:         host,
		InsecureSkipVerify: true, // VerifyConnection decides
		VerifyConnection: func(s tls.ConnectionState) error {
			roots := x509.NewCertPool()
			found := false
			for _, c := range s.PeerCertificates[1:] {
				if c.IsCA && sha256.Sum256(c.RawSubjectPublicKeyInfo) == pin {
					roots.AddCert(c)
					found = true
				}
			}
			if !found {
				return errPin
			}
			_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: host})
			return err
		},
	}
}

// refusedError is an answer of the plane that says no.
type refusedError struct {
	status  int
	refusal wire.Refusal
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("host: the plane answered %d %s", e.status, e.refusal.Code)
}

// forPeople is the refusal as an error with a next step.
func (e *refusedError) forPeople(next string) error {
	c := controlplane.Code(e.refusal.Code)
	if !c.Valid() {
		c = controlplane.CodeUnavailable
	}
	if e.refusal.Message == "" {
		return controlplane.Errorf(c, nextSeePlane, "The plane answered with status %d and no reason", e.status).Because(e)
	}
	if e.refusal.Next != "" {
		next = e.refusal.Next
	}
	return controlplane.Errorf(c, next, "%s", e.refusal.Message).Because(e)
}

// postJSON sends body and decodes the answer into out. Statuses of 500 and
// above without a Refusal are errors of the way, as is a cut answer.
func postJSON(ctx context.Context, tr http.RoundTripper, address string, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := tr.RoundTrip(req) // no redirects: the token goes to the pinned plane only
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		e := &refusedError{status: res.StatusCode}
		_ = json.Unmarshal(answer, &e.refusal)
		if e.status >= 500 && e.refusal.Code == "" {
			return fmt.Errorf("host: the plane answered %d", e.status)
		}
		return e
	}
	return json.Unmarshal(answer, out)
}

// ReadToken reads a token from a file, or from in where name is "-". A token
// never stands in arguments or the environment: other users can read those.
func ReadToken(name string, in io.Reader) (string, error) {
	var b []byte
	var err error
	if name == "-" {
		b, err = io.ReadAll(io.LimitReader(in, 4096))
	} else {
		b, err = os.ReadFile(name)
	}
	token := strings.TrimSpace(string(b))
	if err != nil || token == "" {
		return "", controlplane.Errorf(controlplane.CodeInvalid, "Put the token into a file that only you can read and give its name with --token-file, or pipe it in with --token-file -.", "There is no token to read").Because(err)
	}
	return token, nil
}
