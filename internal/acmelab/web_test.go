package acmelab_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"ostler/internal/acmelab"
)

// TestMain is also the small web server, as the command line runs it.
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != "--dir" {
		os.Exit(m.Run())
	}
	var err error
	switch dir := os.Args[2]; {
	case len(os.Args) == 3:
		err = acmelab.ServeWeb(context.Background(), dir, os.Stderr)
	case os.Args[3] == "--test":
		err = acmelab.TestWeb(dir)
	default:
		err = acmelab.ReloadWeb(dir)
	}
	if err != nil {
		_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
		os.Exit(1)
	}
}

// What stands in for nginx does as nginx does.
func TestWebServers(t *testing.T) {
	for name, nginx := range map[string]string{"nginx": acmelab.FindNginx(), "own": ""} {
		t.Run(name, func(t *testing.T) {
			if name == "nginx" && nginx == "" {
				t.Skip("nginx is not on this machine; make deps-test installs it")
			}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := ln.Addr().String()
			_ = ln.Close()
			web := &acmelab.Web{Dir: t.TempDir(), Listen: []string{addr}, Nginx: nginx, Self: []string{os.Args[0]}}
			if err := web.Make(); err != nil {
				t.Fatal(err)
			}
			run := web.Run()
			cmd := exec.Command(run[0], run[1:]...)
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = cmd.Process.Signal(os.Interrupt)
				_ = cmd.Wait()
			})
			eventually(t, "it shows its own certificate", func() bool { return served(addr, "shop.example") == "default.invalid" })

			dir := t.TempDir()
			site := acmelab.Site{Name: "shop", Names: []string{"shop.example", "www.shop.example"}, Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key"), Text: "the shop"}
			if err := web.Put(site); err != nil {
				t.Fatal(err)
			}
			if err := call(web.Test()); err == nil {
				t.Error("a site without a certificate passes the test")
			}
			root, err := acmelab.SelfSigned(site.Cert, site.Key, time.Now(), site.Names...)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(call(web.Test()), call(web.Reload())); err != nil {
				t.Fatal(err)
			}
			eventually(t, "it shows the site's certificate", func() bool { return served(addr, "www.shop.example") == "shop.example" })
			// nginx's old worker may take one more connection after a reload.
			eventually(t, "it serves the site", func() bool { return page(addr, root) == "the shop" })
			if err := web.Break(true); err != nil {
				t.Fatal(err)
			}
			if err := call(web.Test()); err == nil {
				t.Error("a broken configuration passes the test")
			}
			if err := errors.Join(web.Break(false), call(web.Test())); err != nil {
				t.Error(err)
			}
		})
	}
}

func call(command []string) error { return exec.Command(command[0], command[1:]...).Run() }

// served is the first name of the certificate that an address shows for a name.
func served(addr, name string) string {
	conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: name, InsecureSkipVerify: true}) //nolint:gosec // only: what does it show
	if err != nil {
		return err.Error()
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].DNSNames[0]
}

func page(addr string, root []byte) string {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(root)
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool}, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}}}
	res, err := c.Get("https://shop.example/")
	if err != nil {
		return err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}
