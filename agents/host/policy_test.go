package host_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostler/agents/host"
	"ostler/agents/wire"
	"ostler/controlplane"

	"ostler/agents/host/hosttest"
)

func TestPolicy(t *testing.T) {
	type ask struct {
		what string
		want bool
	}
	tests := []struct {
		name  string
		files []string
		err   string
		asks  []ask
	}{
		{"no file", nil, "", []ask{{"action backup.run", true}, {"path /", true}, {"path /srv", true}, {"store https://a", true}, {"time", false}}},
		{"empty file", []string{""}, "", []ask{{"action backup.run", true}, {"path /srv", true}}},
		{"actions", []string{"actions: [inventory.collect]"}, "", []ask{{"action backup.run", false}, {"action inventory.collect", true}}},
		{"files narrow", []string{"actions: [inventory.collect, backup.run]", "actions: [backup.run]"}, "",
			[]ask{{"action backup.run", true}, {"action inventory.collect", false}}},
		{"paths", []string{"paths: [/srv/www, /etc/]"}, "", []ask{
			{"path /srv/www", true}, {"path /srv/www/a", true}, {"path /srv/wwwx", false}, {"path /srv", false}, {"path /", false},
			{"path /etc/passwd", true}, {"path /srv/www/../../root", false}, {"path srv/www", false}, {"path /srv/www//a", false},
			{"list /", true}, {"list /srv", true}, {"list /srv/www/a", true}, {"list /home", false}, {"list /srv/..", false},
		}},
		{"paths of two files", []string{"paths: [/srv]", "paths: [/srv/www, /etc]"}, "",
			[]ask{{"path /srv/www", true}, {"path /srv/mail", false}, {"path /etc", false}}},
		{"no path at all", []string{"paths: []"}, "", []ask{{"path /srv", false}}},
		{"stores", []string{"stores: ['https://a:8000']"}, "", []ask{{"store https://a:8000", true}, {"store https://b", false}}},
		{"simulated time", []string{"allow_simulated_time: true"}, "", []ask{{"time", true}}},
		{"simulated time, one says no", []string{"allow_simulated_time: true", "allow_simulated_time: false"}, "", []ask{{"time", false}}},
		{"services and names", []string{"services: [nginx]\nnames: ['*.shop.example', other.example, 192.0.2.7]"}, "", []ask{
			{"service nginx", true}, {"service postfix", false}, {"name a.shop.example", true}, {"name *.shop.example", true}, {"name a.b.shop.example", true},
			{"name shop.example", false}, {"name xshop.example", false}, {"name other.example", true}, {"name a.other.example", false}, {"name 192.0.2.7", true}}},
		{"names of two files", []string{"names: ['*.example']", "names: ['*.shop.example']"}, "", []ask{{"name a.shop.example", true}, {"name a.example", false}, {"service caddy", true}}},
		{"unknown service", []string{"services: [telnet]"}, "unknown service", nil},
		{"a name that is none", []string{"names: ['a.*.example']"}, "neither", nil},
		{"names in upper case", []string{"names: [Shop.example]"}, "neither", nil},
		{"unknown key", []string{"action: [backup.run]"}, "unknown key", nil},
		{"unknown action", []string{"actions: [shell]"}, "unknown action", nil},
		{"relative path", []string{"paths: [srv]"}, "not absolute", nil},
		{"not a list", []string{"paths: /srv"}, "not a list", nil},
		{"not YAML", []string{"a: [b"}, "policy", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for i, f := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yaml", i)), []byte(f), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p, err := host.LoadPolicy(dir, filepath.Join(dir, "missing"))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range tt.asks {
				what, arg, _ := strings.Cut(a.what, " ")
				got := map[string]func() bool{
					"action":  func() bool { return p.AllowsAction(wire.Action(arg)) },
					"path":    func() bool { return p.AllowsPath(arg) },
					"list":    func() bool { return p.AllowsListing(arg) },
					"store":   func() bool { return p.AllowsStore(arg) },
					"time":    func() bool { return p.SimulatedTime },
					"service": func() bool { return p.AllowsService(wire.Service(arg)) },
					"name":    func() bool { return p.AllowsName(arg) },
				}[what]()
				if got != a.want {
					t.Errorf("%s: got %v, want %v", a.what, got, a.want)
				}
			}
		})
	}
}

func TestBadPolicyIsFatal(t *testing.T) {
	r := newRig(t, &hosttest.Helper{})
	r.policy("nonsense: 1")
	_, err := r.new()
	wantCode(t, err, controlplane.CodeInvalid)
	if !strings.Contains(err.Error(), "10.yaml") {
		t.Errorf("got %q, want it to name the file", err)
	}
}

func TestOneAgentForAState(t *testing.T) {
	r := newRig(t, &hosttest.Helper{})
	a, err := r.new()
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.new()
	wantCode(t, err, controlplane.CodeConflict)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := r.new()
	if err != nil {
		t.Fatalf("after the first ended: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	r.state = t.TempDir()
	if _, err := r.new(); !errors.Is(err, host.ErrNotEnrolled) {
		t.Errorf("without an identity: got %v", err)
	}
}
