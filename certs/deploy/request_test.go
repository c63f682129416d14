package deploy_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ostler/agents/wire"
	"ostler/certs/deploy"
)

func TestRequest(t *testing.T) {
	kinds := []wire.KeyType{wire.KeyP256, wire.KeyP384, wire.KeyRSA2048}
	if !testing.Short() {
		kinds = append(kinds, wire.KeyRSA3072, wire.KeyRSA4096)
	}
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := ask(1, "shop.example", "*.shop.example", "192.0.2.7", "2001:db8::7")
			p.Key = kind
			res, err := w.e.Request(t.Context(), p)
			w.must(err)
			req, err := x509.ParseCertificateRequest(res.CSR)
			w.must(err)
			w.must(req.CheckSignature())
			if req.Subject.String() != "" || !slices.Equal(req.DNSNames, p.Names[:2]) || len(req.IPAddresses) != 2 || len(req.Extensions) != 1 {
				t.Errorf("request: got %q %v %v", req.Subject, req.DNSNames, req.IPAddresses)
			}
			bits := 0
			switch k := req.PublicKey.(type) {
			case *ecdsa.PublicKey:
				bits = k.Curve.Params().BitSize
			case *rsa.PublicKey:
				bits = k.N.BitLen()
			}
			if want := map[wire.KeyType]int{wire.KeyP256: 256, wire.KeyP384: 384, wire.KeyRSA2048: 2048, wire.KeyRSA3072: 3072, wire.KeyRSA4096: 4096}[kind]; bits != want {
				t.Errorf("key: got %d bits, want %d", bits, want)
			}
			info, err := os.Stat(w.file("1/privkey.pem"))
			if err != nil || info.Mode() != 0o600 {
				t.Errorf("key: got %v, %v, want mode 0600", info, err)
			}
			again, err := w.e.Request(t.Context(), p)
			if err != nil || !bytes.Equal(again.CSR, res.CSR) {
				t.Errorf("again: got another answer, %v", err)
			}
			p.Round = 2
			other, err := w.e.Request(t.Context(), p)
			w.must(err)
			if req2, err := x509.ParseCertificateRequest(other.CSR); err != nil || bytes.Equal(req2.RawSubjectPublicKeyInfo, req.RawSubjectPublicKeyInfo) {
				t.Errorf("another round has the same key, %v", err)
			}
		})
	}
}

func TestRequestRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(w *world, p *wire.CertRequestParams)
		want   wire.Cause
	}{
		{"no round", func(_ *world, p *wire.CertRequestParams) { p.Round = 0 }, wire.CauseUnsupported},
		{"no name", func(_ *world, p *wire.CertRequestParams) { p.Names = nil }, wire.CauseUnsupported},
		{"a name twice", func(_ *world, p *wire.CertRequestParams) { p.Names = []string{name, name} }, wire.CauseUnsupported},
		{"upper case", func(_ *world, p *wire.CertRequestParams) { p.Names = []string{"Shop.example"} }, wire.CauseUnsupported},
		{"a path", func(_ *world, p *wire.CertRequestParams) { p.Names = []string{"../etc.example"} }, wire.CauseUnsupported},
		{"star in the middle", func(_ *world, p *wire.CertRequestParams) { p.Names = []string{"a.*.example"} }, wire.CauseUnsupported},
		{"one label", func(_ *world, p *wire.CertRequestParams) { p.Names = []string{"localhost"} }, wire.CauseUnsupported},
		{"unknown key", func(_ *world, p *wire.CertRequestParams) { p.Key = "rsa1024" }, wire.CauseUnsupported},
		{"a folder above", func(_ *world, p *wire.CertRequestParams) { p.Folder = "../x" }, wire.CauseCertFolder},
		{"a dot folder", func(_ *world, p *wire.CertRequestParams) { p.Folder = "." }, wire.CauseCertFolder},
		{"not a certificate's id", func(_ *world, p *wire.CertRequestParams) { p.Certificate = "srv_1" }, wire.CauseCertFolder},
		{"same round, other names", func(w *world, p *wire.CertRequestParams) {
			w.request(1)
			p.Names = []string{"other.example"}
		}, wire.CauseCertKey},
		{"same round, other kind", func(w *world, p *wire.CertRequestParams) {
			w.request(1)
			p.Key = wire.KeyP384
		}, wire.CauseCertKey},
		{"another certificate's folder", func(w *world, p *wire.CertRequestParams) {
			w.request(1)
			p.Certificate = "crt_02"
		}, wire.CauseCertFolder},
		{"a folder of somebody else", func(w *world, p *wire.CertRequestParams) {
			w.must(os.MkdirAll(w.file("x"), 0o755))
		}, wire.CauseCertFolder},
		{"a link in place of the folder", func(w *world, p *wire.CertRequestParams) {
			w.must(errors.Join(os.MkdirAll(filepath.Dir(w.file("")), 0o755), os.Symlink(w.t.TempDir(), filepath.Clean(w.file("")))))
		}, wire.CauseCertFolder},
		{"a link in place of the round", func(w *world, p *wire.CertRequestParams) {
			w.request(1)
			w.must(os.Symlink("1", w.file("2")))
			p.Round = 2
		}, wire.CauseCertFolder},
		{"a link in place of the key", func(w *world, p *wire.CertRequestParams) {
			w.request(1)
			w.must(errors.Join(os.Rename(w.file("1/privkey.pem"), w.file("1/k")), os.Symlink("k", w.file("1/privkey.pem"))))
		}, wire.CauseCertFolder},
		{"a key that others read", func(w *world, p *wire.CertRequestParams) {
			w.request(1)
			w.must(os.Chmod(w.file("1/privkey.pem"), 0o644))
		}, wire.CauseCertKey},
		{"a folder that others write to", func(w *world, p *wire.CertRequestParams) {
			w.request(1)
			w.must(os.Chmod(w.file("1"), 0o777))
		}, wire.CauseCertFolder},
		{"the folder of all is a link", func(w *world, p *wire.CertRequestParams) {
			at := filepath.Join(w.root, deploy.DefaultFolder)
			w.must(errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.Mkdir(filepath.Join(w.root, "elsewhere"), 0o755), os.Symlink("../../elsewhere", at)))
		}, wire.CauseCertFolder},
		{"a damaged key", func(w *world, p *wire.CertRequestParams) {
			w.request(1)
			w.must(os.WriteFile(w.file("1/privkey.pem"), []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), 0o600))
		}, wire.CauseInternal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			p := ask(1)
			tt.change(w, &p)
			_, err := w.e.Request(t.Context(), p)
			wantCause(t, err, tt.want)
		})
	}
	if os.Geteuid() == 0 {
		w := newWorld(t)
		w.request(1)
		w.must(os.Chown(w.file("1"), 12345, 12345))
		_, err := w.e.Request(t.Context(), ask(1))
		wantCause(t, err, wire.CauseCertFolder)
	}
}

// keyOf is what must not be seen anywhere: the middle of a round's key.
func keyOf(t testing.TB, path string) (needles [][]byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	lines := strings.Split(string(b), "\n")
	return [][]byte{[]byte(lines[2]), block.Bytes[len(block.Bytes)/3:][:24], []byte("PRIVATE KEY")}
}

// No key leaves: not in answers, not in errors, not in the log.
func TestKeysStay(t *testing.T) {
	w := newWorld(t)
	var out bytes.Buffer
	p := w.params(1, listen(t, w.loaded, wire.ProtocolTLS))
	out.Write(w.request(1))
	// A service that says the key aloud, and fails.
	w.set([]string{"sh", "-c", "cat " + w.file("live/privkey.pem") + " >&2; exit 1"}, w.copies())
	res, err := w.deploy(t.Context(), p)
	w.must(err)
	if res.Failure == nil || res.Failure.Cause != wire.CauseServiceConfig || res.RolledBack {
		t.Fatalf("got %+v", res)
	}
	for _, s := range append(res.Services, wire.CertReload{Output: res.Failure.Detail}) {
		out.WriteString(s.Output)
	}
	out.Write(w.logs.Bytes())
	for _, needle := range keyOf(t, w.file("1/privkey.pem")) {
		if bytes.Contains(out.Bytes(), needle) {
			t.Errorf("a part of the key was seen: %q", needle)
		}
	}
	err = filepath.WalkDir(w.root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		info, err2 := d.Info()
		if bytes.Contains(b, []byte("PRIVATE KEY")) && info.Mode() != 0o600 {
			t.Errorf("%s: mode %v", path, info.Mode())
		}
		return errors.Join(err, err2)
	})
	w.must(err)
}
