package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"ostler/internal/acmelab"
)

// procs are the demo's child processes. Each is stopped by its process id, and
// is killed by the kernel if the demo itself is killed.
type procs struct {
	mu   sync.Mutex
	all  []*exec.Cmd
	done []chan error
	dir  string // where they log
}

// start runs a program whose output goes to a log file, and returns its process id.
func (p *procs) start(name, program string, args ...string) (int, error) {
	return p.startWith(name, nil, program, args...)
}

// startWith is start with more in the environment.
func (p *procs) startWith(name string, env []string, program string, args ...string) (int, error) {
	log, err := os.OpenFile(filepath.Join(p.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, fmt.Errorf("demo: %s: %w", name, err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "TMPDIR=" + p.dir}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return 0, errors.Join(fmt.Errorf("demo: start %s: %w", name, err), log.Close())
	}
	done := make(chan error, 1)
	go func() {
		done <- cmd.Wait()
		_ = log.Close()
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all, p.done = append(p.all, cmd), append(p.done, done)
	return cmd.Process.Pid, nil
}

// stop ends every process, the last started first, and waits for each.
func (p *procs) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.all) - 1; i >= 0; i-- {
		_ = p.all[i].Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done[i]:
		case <-time.After(5 * time.Second):
			_ = p.all[i].Process.Kill()
			<-p.done[i]
		}
	}
	p.all, p.done = nil, nil
}

// run runs a program to its end, with in on its standard input.
func (p *procs) run(ctx context.Context, in io.Reader, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = in
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "TMPDIR=" + p.dir}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("demo: %s %s: %w: %s", filepath.Base(program), args[0], err, out)
	}
	return nil
}

// program finds one of our own or a tool's program: beside this one, in .bin
// of the working folder, then on the PATH.
func program(name, hint string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("demo: %w", err)
	}
	for _, c := range []string{
		filepath.Join(filepath.Dir(self), name),
		filepath.Join(filepath.Dir(self), "..", ".bin", name),
		filepath.Join(".bin", name),
	} {
		if info, err := os.Stat(c); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return filepath.Abs(c)
		}
	}
	found, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("demo: %s is not there: %s", name, hint)
	}
	return filepath.Abs(found)
}

// storeCertificate makes the rest-server's certificate, and returns the pin of
// its public key.
func storeCertificate(dir string) (certFile, keyFile, pin string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", "", fmt.Errorf("demo: certificate: %w", err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "demo store"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return "", "", "", fmt.Errorf("demo: certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", "", fmt.Errorf("demo: certificate: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return "", "", "", fmt.Errorf("demo: certificate: %w", err)
	}
	sum := sha256.Sum256(spki)
	certFile, keyFile = filepath.Join(dir, "store.crt"), filepath.Join(dir, "store.key")
	err = errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	return certFile, keyFile, hex.EncodeToString(sum[:]), err
}

// demoStore is a real rest-server on loopback: TLS, append-only, a folder for
// each user.
type demoStore struct{ url, pin, htpasswd, pidFile string }

func startStore(ctx context.Context, p *procs, dir string) (demoStore, error) {
	bin, err := program("rest-server", "run “make tools”")
	if err != nil {
		return demoStore{}, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		return demoStore{}, fmt.Errorf("demo: store: %w", err)
	}
	cert, key, pin, err := storeCertificate(dir)
	if err != nil {
		return demoStore{}, err
	}
	addr, err := freeAddress()
	if err != nil {
		return demoStore{}, err
	}
	st := demoStore{url: "https://" + addr, pin: pin, htpasswd: filepath.Join(dir, "htpasswd"), pidFile: filepath.Join(dir, "store.pid")}
	if err := os.WriteFile(st.htpasswd, nil, 0o600); err != nil {
		return st, fmt.Errorf("demo: store: %w", err)
	}
	pid, err := p.start("store", bin, "--path", filepath.Join(dir, "data"), "--listen", addr, "--tls", "--tls-cert", cert, "--tls-key", key,
		"--append-only", "--private-repos", "--htpasswd-file", st.htpasswd)
	if err != nil {
		return st, err
	}
	if err := os.WriteFile(st.pidFile, fmt.Appendf(nil, "%d\n", pid), 0o600); err != nil {
		return st, fmt.Errorf("demo: store: %w", err)
	}
	return st, waitFor(ctx, "the off-site store", func() bool {
		d := &net.Dialer{Timeout: time.Second}
		conn, err := tls.DialWithDialer(d, "tcp", addr, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // only: does it answer
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// freeAddress returns a loopback address with a port that is free now.
func freeAddress() (string, error) {
	port, err := acmelab.FreePort("127.0.0.1")
	if err != nil {
		return "", fmt.Errorf("demo: %w", err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port), nil
}

// waitFor asks again and again, for a minute at most.
func waitFor(ctx context.Context, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("demo: waiting for %s: %w", what, context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// tail returns the last lines of a child's log, for an error message.
func (p *procs) tail(name string, lines int) []string {
	f, err := os.Open(filepath.Join(p.dir, name+".log"))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	var out []string
	for s := bufio.NewScanner(f); s.Scan(); {
		if out = append(out, s.Text()); len(out) > lines {
			out = out[1:]
		}
	}
	return out
}
