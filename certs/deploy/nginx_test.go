package deploy_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/certs/deploy"
)

// nginx is a real one, unprivileged, on loopback.
type nginx struct {
	*world
	program, prefix string
	at, old         wire.Endpoint // what follows "live", and what never changes
}

func newNginx(t *testing.T) *nginx {
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program = "/usr/sbin/nginx"; exec.Command(program, "-v").Run() != nil {
			if os.Getenv("CI") != "" {
				t.Fatal("nginx is not installed: tools/deps-test installs it")
			}
			t.Skip("skipped: nginx is not installed (apt-get install nginx-light)")
		}
	}
	n := &nginx{world: newWorld(t), program: program, prefix: t.TempDir()}
	n.opts.Settle, n.opts.Command = time.Minute, time.Minute // a busy machine is no failure
	n.set(n.argv("-t", "-q"), n.argv("-s", "reload"))
	for _, ep := range []*wire.Endpoint{&n.at, &n.old} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		n.must(err)
		*ep = wire.Endpoint{Name: name, Address: l.Addr().String(), Protocol: wire.ProtocolTLS}
		n.must(l.Close())
	}
	return n
}

func (n *nginx) argv(args ...string) []string {
	return append([]string{n.program, "-p", n.prefix, "-c", "nginx.conf", "-e", "stderr"}, args...)
}

// configure writes its configuration; more stands among the servers.
func (n *nginx) configure(more string) {
	n.t.Helper()
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	server := func(ep wire.Endpoint, dir string) string {
		return fmt.Sprintf("server { listen %s ssl; ssl_certificate %s/fullchain.pem; ssl_certificate_key %s/privkey.pem; }\n", ep.Address, dir, dir)
	}
	text := fmt.Sprintf(`%s
worker_processes 2; pid nginx.pid; daemon off; error_log stderr;
events { worker_connections 64; }
http { access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
%s%s }
`, user, server(n.at, n.file("live")), more)
	if _, err := os.Stat(filepath.Join(n.prefix, "old")); err == nil {
		text = strings.Replace(text, "t5;\n", "t5;\n"+server(n.old, filepath.Join(n.prefix, "old")), 1)
	}
	n.must(os.WriteFile(filepath.Join(n.prefix, "nginx.conf"), []byte(text), 0o600))
}

func (n *nginx) start() {
	n.t.Helper()
	argv := n.argv()
	cmd := exec.Command(argv[0], argv[1:]...)
	said, err := os.Create(filepath.Join(n.prefix, "said"))
	n.must(err)
	defer said.Close()
	cmd.Stderr = said
	n.must(cmd.Start())
	n.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	end := time.Now().Add(time.Minute)
	for deploy.See(n.t.Context(), n.at, time.Second).Problem != "" {
		if time.Now().After(end) {
			words, _ := os.ReadFile(said.Name())
			n.t.Fatalf("nginx does not start: %s", words)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestNginx(t *testing.T) {
	n := newNginx(t)
	first := n.params(1, n.at)
	if res, err := n.deploy(t.Context(), wire.CertDeployParams{Certificate: crt, Folder: folder, Round: 1, Chain: first.Chain}); err != nil || res.Reached != wire.CertReloaded {
		t.Fatalf("before nginx knows of it: got %+v, %v", res, err)
	}
	n.configure("")
	n.start()
	n.served(first)
	second := n.params(2, n.at)
	n.served(second)
	if got := n.shows(n.at); got != "2" {
		t.Fatalf("nginx shows %s", got)
	}

	n.configure("nonsense on;")
	res, err := n.deploy(t.Context(), n.params(3, n.at))
	n.must(err)
	if !res.RolledBack || res.Reached != wire.CertWritten || res.Failure.Cause != wire.CauseServiceConfig || !strings.Contains(res.Services[0].Output, "nonsense") || n.shows(n.at) != "2" {
		t.Errorf("configuration test: got %+v %+v, shows %s", res, res.Failure, n.shows(n.at))
	}

	n.configure("")
	n.set(n.argv("-t", "-q"), []string{"false"})
	res, err = n.deploy(t.Context(), n.params(3, n.at))
	n.must(err)
	if !res.RolledBack || res.Reached != wire.CertTested || res.Failure.Cause != wire.CauseServiceReload || n.shows(n.at) != "2" {
		t.Errorf("reload: got %+v %+v, shows %s", res, res.Failure, n.shows(n.at))
	}

	// One of two addresses has files of its own.
	n.opts.Settle = 8 * time.Second // what does not change is waited for that long
	n.set(n.argv("-t", "-q"), n.argv("-s", "reload"))
	n.must(os.Rename(copyOf(t, n.file("live")), filepath.Join(n.prefix, "old")))
	n.configure("")
	second.Endpoints = append(second.Endpoints, n.old)
	n.served(second) // both, as long as they are the same
	res, err = n.deploy(t.Context(), n.params(3, n.at, n.old))
	n.must(err)
	if !res.RolledBack || res.Round != 2 || res.Failure.Cause != wire.CauseNotServed || !res.Seen[0].Right || res.Seen[1].Right || n.shows(n.at) != "2" {
		t.Errorf("one address old: got %+v %+v, shows %s", res, res.Failure, n.shows(n.at))
	}
	if len(res.Back) != 2 || !res.Back[0].Right || !res.Back[1].Right {
		t.Errorf("after going back: got %+v, want both to show the one before", res.Back)
	}
}
