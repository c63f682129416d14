package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"ostler/agents/wire"
	"ostler/controlplane"
)

func TestConfig(t *testing.T) {
	tests := []struct {
		name string
		file string
		env  []string
		args []string
		want func(c config) bool
		err  string
	}{
		{"defaults", "", nil, nil, func(c config) bool { return c.State == "/var/lib/ostler-agent" && c.Root == "/" && c.Parallel == 4 }, ""},
		{"file", "state: /a\nstore_stall: 5s\nparallel: 2\n", nil, nil, func(c config) bool { return c.State == "/a" && c.StoreStall == 5*time.Second && c.Parallel == 2 }, ""},
		{"environment beats the file", "state: /a\n", []string{"OSTLER_AGENT__STATE=/b", "OSTLER_AGENT__LOG_LEVEL=debug", "OSTLER_X=1"}, nil,
			func(c config) bool { return c.State == "/b" && c.LogLevel == "debug" }, ""},
		{"flag beats the environment", "state: /a\n", []string{"OSTLER_AGENT__STATE=/b"}, []string{"--state", "/c", "--boot-id-file", "/x"},
			func(c config) bool { return c.State == "/c" && c.BootIDFile == "/x" }, ""},
		{"policy beneath the root", "", nil, []string{"--root", "/r", "--state", "/s"},
			func(c config) bool { return strings.Join(c.policyDirs(), " ") == "/r/etc/ostler/policy.d /s/policy.d" }, ""},
		{"certificates", "certificates: /srv/tls\nacme:\n  listen: 127.0.0.1:8402\nservices:\n  nginx:\n    test: [nginx, -t]\n    reload: [/usr/sbin/nginx, -s, reload]\n", nil, nil,
			func(c config) bool {
				m := c.Services.commands()
				return c.Certificates == "/srv/tls" && c.ACME.Listen == "127.0.0.1:8402" && len(m) == 1 && strings.Join(m[wire.ServiceNginx].Test, " ") == "nginx -t" && len(m[wire.ServiceNginx].Reload) == 3
			}, ""},
		{"certificates by default", "", []string{"OSTLER_AGENT__ACME__LISTEN=:80"}, nil,
			func(c config) bool {
				return c.Certificates == "/etc/ostler/certificates" && c.ACME.Listen == ":80" && len(c.Services.commands()) == 0
			}, ""},
		{"a service that nobody knows", "services:\n  telnet:\n    test: [a]\n", nil, nil, nil, "services.telnet"},
		{"acme.listen", "acme:\n  listen: '80'\n", nil, nil, nil, "acme.listen"},
		{"certificates, relative", "certificates: tls\n", nil, nil, nil, "certificates"},
		{"unknown key in the file", "stat: /a\n", nil, nil, nil, "stat"},
		{"unknown key in the environment", "", []string{"OSTLER_AGENT__STAT=/a"}, nil, nil, "stat"},
		{"nested key", "store:\n  idle: 5s\n", nil, nil, nil, "store.idle"},
		{"wrong type", "parallel: many\n", nil, nil, nil, "cannot be used"},
		{"no job at all", "", nil, []string{"--parallel", "0"}, nil, "parallel"},
		{"log level", "log_level: loud\n", nil, nil, nil, "log_level"},
		{"not YAML", "a: [\n", nil, nil, nil, "cannot be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := pflag.NewFlagSet("run", pflag.ContinueOnError)
			configFlags(f)
			args := tt.args
			if tt.file != "" {
				name := filepath.Join(t.TempDir(), "agent.yaml")
				if err := os.WriteFile(name, []byte(tt.file), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--config", name)
			}
			if err := f.Parse(args); err != nil {
				t.Fatal(err)
			}
			c, err := loadConfig(f, tt.env, func(string) bool { return false })
			if tt.err != "" {
				if controlplane.ErrorCode(err) != controlplane.CodeInvalid || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !tt.want(c) {
				t.Errorf("got %+v", c)
			}
		})
	}
}
