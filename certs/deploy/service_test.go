package deploy_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostler/agents/wire"
	"ostler/certs/deploy"
)

// What is run for each service as its package ships it, with programs that
// write down how they were called.
func TestBuiltInCommands(t *testing.T) {
	tests := []struct {
		service  wire.Service
		programs []string // that the host has
		active   string   // the unit that systemd says is active
		want     []string // "": no way is known
	}{
		{wire.ServiceNginx, []string{"nginx"}, "", []string{"nginx -t -q", "nginx -s reload"}},
		{wire.ServiceNginx, []string{"nginx", "systemctl"}, "nginx.service", []string{"nginx -t -q", "systemctl reload nginx.service"}},
		{wire.ServiceNginx, []string{"nginx", "systemctl"}, "other.service", []string{"nginx -t -q", "nginx -s reload"}},
		{wire.ServiceApache, []string{"apache2ctl", "systemctl"}, "apache2.service", []string{"apache2ctl configtest", "systemctl reload apache2.service"}},
		{wire.ServiceApache, []string{"httpd", "systemctl"}, "httpd.service", []string{"httpd -t", "systemctl reload httpd.service"}},
		{wire.ServiceApache, []string{"apachectl"}, "", []string{"apachectl configtest", "apachectl graceful"}},
		{wire.ServiceHAProxy, []string{"haproxy", "systemctl"}, "haproxy.service", []string{"haproxy -c -q -f /etc/haproxy/haproxy.cfg", "systemctl reload haproxy.service"}},
		{wire.ServiceHAProxy, []string{"haproxy"}, "", nil},
		{wire.ServicePostfix, []string{"postfix", "systemctl"}, "postfix.service", []string{"postfix check", "postfix reload"}},
		{wire.ServiceDovecot, []string{"doveconf", "doveadm"}, "", []string{"doveconf -n", "doveadm reload"}},
		{wire.ServiceCaddy, []string{"caddy"}, "", []string{"caddy validate --config /etc/caddy/Caddyfile", "caddy reload --config /etc/caddy/Caddyfile"}},
		{wire.ServiceNginx, nil, "", nil},
	}
	for _, tt := range tests {
		t.Run(string(tt.service)+" "+tt.active, func(t *testing.T) {
			w := newWorld(t)
			bin, called := t.TempDir(), filepath.Join(t.TempDir(), "called")
			for _, p := range tt.programs {
				script := "#!/bin/sh\n[ \"$1\" = is-active ] && { [ \"$3\" = '" + tt.active + "' ]; exit; }\necho \"" + p + " $*\" >> " + called + "\n"
				w.must(os.WriteFile(filepath.Join(bin, p), []byte(script), 0o755))
			}
			t.Setenv("PATH", bin)
			w.opts.Root, w.opts.Folder, w.opts.Services = "/", filepath.Join(w.root, "certificates"), nil
			w.open()
			w.e.SetSystemd(bin)
			p := w.params(1)
			p.Services = []wire.Service{tt.service, tt.service}
			res, err := w.deploy(t.Context(), p)
			if tt.want == nil {
				wantCause(t, err, wire.CauseNoService)
				return
			}
			if err != nil || res.Reached != wire.CertReloaded || len(res.Services) != 1 {
				t.Fatalf("got %+v %+v, %v", res, res.Failure, err)
			}
			got, err := os.ReadFile(called)
			if err != nil || strings.TrimSpace(string(got)) != strings.Join(tt.want, "\n") {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// The host's own commands stand before the built-in ones; beneath another root
// there are no others.
func TestOwnCommands(t *testing.T) {
	w := newWorld(t)
	w.opts.Services = nil
	w.open()
	_, err := w.deploy(t.Context(), w.params(1))
	wantCause(t, err, wire.CauseNoService)

	called := filepath.Join(t.TempDir(), "called")
	w.set([]string{"sh", "-c", "echo $PATH $HOME $SECRET > " + called}, []string{"true"})
	t.Setenv("SECRET", "seen")
	res, err := w.deploy(t.Context(), w.params(1))
	b, rerr := os.ReadFile(called)
	if err := errors.Join(err, rerr); err != nil || res.Reached != wire.CertReloaded || strings.Contains(string(b), "seen") || !strings.HasSuffix(string(b), "/bin /\n") {
		t.Errorf("got %+v, environment %q, %v", res, b, err)
	}
	w.opts.Services = map[wire.Service]deploy.Commands{"telnet": {}}
	if _, err := deploy.New(w.opts); err == nil {
		t.Error("an unknown service was taken")
	}
}
