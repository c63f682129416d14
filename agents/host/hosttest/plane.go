// Package hosttest has a control plane for tests of the agent. It is a fake and
// an honest one: it speaks the frames and the endpoints of package wire over
// real TLS with a CA of its own, keeps nothing on a disk, decides nothing, and
// does what the test tells it, wrong answers included. What it cannot show is
// whether the real plane behaves like it: the whole-system tests show that.
package hosttest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"ostler/agents/wire"
)

// Ids of the fake plane's one server and its agent.
const (
	Server = "srv_01j0000000000000000000000a"
	Agent  = "agt_01j0000000000000000000000b"
)

// Plane is the fake.
type Plane struct {
	t      testing.TB
	caKey  *ecdsa.PrivateKey
	ca     *x509.Certificate
	signer ed25519.PrivateKey
	secret [32]byte

	enrol, stream *httptest.Server

	mu     sync.Mutex
	opts   Behaviour
	csr    []byte // public key that the token was redeemed with
	cert   []byte
	conn   *websocket.Conn
	epoch  int64
	frames []wire.Frame
	wake   chan struct{}
	chunks map[string]map[int][]byte
	source map[string][]byte
	puts   int
	issued int
}

// Behaviour is what the plane does out of the ordinary.
type Behaviour struct {
	LoseEnrolReplies int           // close the connection after enrolling, so often
	RefuseEnrol      *wire.Refusal // answer 401 to enrolments
	RefuseStream     int           // answer this status to streams
	RefuseRenew      int           // answer this status to renewals at the stream's address
	KeepAcks         bool          // acknowledge no result
	FailPuts         int           // answer 503 to so many chunks
	SpoilGets        int           // answer so many chunks of a source with other bytes than their sum says
	CertLife         time.Duration // of issued certificates (1 h)
	Generation       int64
	Heartbeat        int           // seconds (30)
	Ahead            time.Duration // the plane's clock before the host's
	ExtraSignerKeys  [][]byte      // named in renewals
}

// New starts a plane on loopback; it stops with the test.
func New(t testing.TB) *Plane {
	p := &Plane{t: t, wake: make(chan struct{}), chunks: map[string]map[int][]byte{}, source: map[string][]byte{}}
	_, _ = rand.Read(p.secret[:])
	p.caKey, p.ca = newCA(t)
	_, p.signer, _ = ed25519.GenerateKey(rand.Reader)
	leaf := p.leaf()
	pool := x509.NewCertPool()
	pool.AddCert(p.ca)
	start := func(h http.Handler, auth tls.ClientAuthType) *httptest.Server {
		s := httptest.NewUnstartedServer(h)
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{leaf}, ClientAuth: auth, ClientCAs: pool,
			SessionTicketsDisabled: true, NextProtos: []string{"http/1.1"}}
		s.StartTLS()
		t.Cleanup(func() {
			s.CloseClientConnections()
			s.Close()
		})
		return s
	}
	enrol := http.NewServeMux()
	enrol.HandleFunc("POST "+wire.PathEnrol, p.handleEnrol)
	enrol.HandleFunc("POST "+wire.PathRenew, func(w http.ResponseWriter, r *http.Request) { p.handleRenew(w, r, false) })
	p.enrol = start(enrol, tls.RequestClientCert)
	stream := http.NewServeMux()
	stream.HandleFunc("GET "+wire.PathStream, p.handleStream)
	stream.HandleFunc("POST "+wire.PathRenew, func(w http.ResponseWriter, r *http.Request) { p.handleRenew(w, r, true) })
	stream.HandleFunc("GET "+wire.PathChunks+"/{job}", p.handleHave)
	stream.HandleFunc("GET "+wire.PathChunks+"/{job}/{index}", p.handleGet)
	stream.HandleFunc("PUT "+wire.PathChunks+"/{job}/{index}", p.handlePut)
	p.stream = start(stream, tls.RequireAndVerifyClientCert)
	return p
}

func newCA(t testing.TB) (*ecdsa.PrivateKey, *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

// leaf is the listeners' certificate, with the CA behind it.
func (p *Plane) leaf() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, p.ca, key.Public(), p.caKey)
	if err != nil {
		p.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der, p.ca.Raw}, PrivateKey: key}
}

// Set changes the plane's behaviour.
func (p *Plane) Set(f func(*Behaviour)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.opts)
}

// URL is the enrolment listener's address.
func (p *Plane) URL() string { return p.enrol.URL }

// Token is the plane's one enrolment token.
func (p *Plane) Token() string {
	return wire.NewEnrolToken(p.secret, sha256.Sum256(p.ca.RawSubjectPublicKeyInfo))
}

// Issued is how many certificates were issued.
func (p *Plane) Issued() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.issued
}

func refuse(w http.ResponseWriter, status int, r wire.Refusal) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(r)
}

func (p *Plane) handleEnrol(w http.ResponseWriter, r *http.Request) {
	var req wire.EnrolRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		refuse(w, http.StatusBadRequest, wire.Refusal{Code: "invalid", Message: "unreadable"})
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opts.RefuseEnrol != nil {
		refuse(w, http.StatusUnauthorized, *p.opts.RefuseEnrol)
		return
	}
	csr, err := x509.ParseCertificateRequest(req.CSR)
	secret, _, terr := wire.ParseEnrolToken(req.Token)
	if err != nil || csr.CheckSignature() != nil || terr != nil || secret != p.secret {
		refuse(w, http.StatusUnauthorized, wire.Refusal{Code: "unauthorized", Message: "The enrolment token is not known", Next: "Make a new one."})
		return
	}
	if p.csr != nil && string(p.csr) != string(csr.RawSubjectPublicKeyInfo) {
		refuse(w, http.StatusConflict, wire.Refusal{Code: "conflict", Message: "The enrolment token was used before", Next: "Make a new one."})
		return
	}
	if p.csr == nil {
		p.csr, p.cert = csr.RawSubjectPublicKeyInfo, p.issue(csr.PublicKey)
	}
	if p.opts.LoseEnrolReplies > 0 {
		p.opts.LoseEnrolReplies--
		panic(http.ErrAbortHandler)
	}
	_ = json.NewEncoder(w).Encode(wire.EnrolResponse{Server: Server, Agent: Agent, Certificate: p.cert, CA: p.ca.Raw,
		StreamURL: p.stream.URL, SignerKeys: [][]byte{p.SignerKey()}})
}

// issue makes the agent's certificate; p.mu is held.
func (p *Plane) issue(public any) []byte {
	life := p.opts.CertLife
	if life == 0 {
		life = time.Hour
	}
	p.issued++
	id := &url.URL{Scheme: "spiffe", Host: "test", Path: "/server/" + Server + "/agent/" + Agent}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(int64(p.issued + 10)),
		NotBefore: time.Now().Add(-10 * time.Minute), NotAfter: time.Now().Add(life), URIs: []*url.URL{id},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, p.ca, public, p.caKey)
	if err != nil {
		p.t.Error(err)
	}
	return der
}

func (p *Plane) handleRenew(w http.ResponseWriter, r *http.Request, first bool) {
	var req wire.RenewRequest
	_ = json.NewDecoder(r.Body).Decode(&req)
	csr, err := x509.ParseCertificateRequest(req.CSR)
	p.mu.Lock()
	defer p.mu.Unlock()
	if first && p.opts.RefuseRenew != 0 {
		refuse(w, p.opts.RefuseRenew, wire.Refusal{Code: "unavailable", Message: "not now"})
		return
	}
	if err != nil || len(r.TLS.PeerCertificates) == 0 || string(csr.RawSubjectPublicKeyInfo) != string(p.csr) {
		refuse(w, http.StatusUnauthorized, wire.Refusal{Code: "unauthorized", Message: "unknown key"})
		return
	}
	p.cert = p.issue(csr.PublicKey)
	_ = json.NewEncoder(w).Encode(wire.RenewResponse{Certificate: p.cert, CA: p.ca.Raw, SignerKeys: append([][]byte{p.SignerKey()}, p.opts.ExtraSignerKeys...)})
}

// SignerKey is the public key of the plane's signer.
func (p *Plane) SignerKey() []byte { return p.signer.Public().(ed25519.PublicKey) }

// Sign signs an envelope; fields that are empty get a sensible value.
func (p *Plane) Sign(e wire.Envelope) wire.SignedEnvelope {
	if e.Server == "" {
		e.Server = Server
	}
	if e.Resource == "" {
		e.Resource = e.Job
	}
	if e.Params == nil {
		e.Params = json.RawMessage(`{}`)
	}
	if e.ExpiresAt == 0 {
		e.ExpiresAt = time.Now().Add(time.Hour).UnixMilli()
	}
	s, err := wire.Sign(p.signer, e)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func (p *Plane) handleHave(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := wire.ChunksHave{Have: []int{}}
	for i := range 1000 {
		if _, ok := p.chunks[r.PathValue("job")][i]; ok {
			h.Have = append(h.Have, i)
		}
	}
	_ = json.NewEncoder(w).Encode(h)
}

func (p *Plane) handlePut(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opts.FailPuts > 0 {
		p.opts.FailPuts--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	sum := sha256.Sum256(body)
	i, ierr := strconv.Atoi(r.PathValue("index"))
	if err != nil || ierr != nil || hex.EncodeToString(sum[:]) != r.Header.Get(wire.HeaderChunkSHA256) || len(body) > wire.ChunkSize || r.Header.Get(wire.HeaderEpoch) == "" {
		refuse(w, http.StatusBadRequest, wire.Refusal{Code: "invalid", Message: "bad chunk"})
		return
	}
	job := r.PathValue("job")
	if p.chunks[job] == nil {
		p.chunks[job] = map[int][]byte{}
	}
	p.chunks[job][i] = body
	p.puts++
	w.WriteHeader(http.StatusNoContent)
}

// SetSource is what a job may get from the plane, in chunks.
func (p *Plane) SetSource(job string, data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.source[job] = data
}

func (p *Plane) handleGet(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	data, ok := p.source[r.PathValue("job")]
	i, err := strconv.Atoi(r.PathValue("index"))
	if !ok || err != nil || i < 0 || i >= wire.ChunkCount(int64(len(data))) || r.Header.Get(wire.HeaderEpoch) == "" {
		refuse(w, http.StatusNotFound, wire.Refusal{Code: "not_found", Message: "no such chunk"})
		return
	}
	chunk := data[i*wire.ChunkSize : min((i+1)*wire.ChunkSize, len(data))]
	sum := sha256.Sum256(chunk)
	w.Header().Set(wire.HeaderChunkSHA256, hex.EncodeToString(sum[:]))
	if p.opts.SpoilGets > 0 {
		p.opts.SpoilGets--
		chunk = append([]byte{chunk[0] ^ 1}, chunk[1:]...)
	}
	_, _ = w.Write(chunk)
}

// PutChunk stores a chunk as if it had been sent before.
func (p *Plane) PutChunk(job string, index int, data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.chunks[job] = map[int][]byte{index: data}
}

// File returns a job's chunks in one piece, and how many chunks were sent to
// this plane in all.
func (p *Plane) File(job string) (data []byte, puts int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for i := range len(p.chunks[job]) {
		b.Write(p.chunks[job][i])
	}
	return []byte(b.String()), p.puts
}
