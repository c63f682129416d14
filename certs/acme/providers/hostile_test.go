package providers_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/certs/acme/providers"
)

// leads is a Resolver of one alias.
type leads struct {
	fixed
	to string
}

func (l leads) Follow(_ context.Context, name string) ([]string, error) {
	return []string{name, l.to}, nil
}

// Whoever has a name says where its CNAME leads: nowhere but into our zone, and
// to no name that a program could take for something else.
func TestWhereAliasesLead(t *testing.T) {
	for _, tt := range []struct {
		to, within string
		want       string // in the error; "" for none
	}{
		{"www.shop.example.acme.house.example", "acme.house.example", ""},
		{"www.shop.example.acme.house.example", "Acme.House.Example.", ""},
		{"_x.elsewhere.example", "", ""},
		{"house.example", "acme.house.example", "not in our zone"},
		{"acme.house.example", "acme.house.example", "not in our zone"},
		{"evilacme.house.example", "acme.house.example", "not in our zone"},
		{"-rf.evil.example", "", "no host's"},
		{`\$\(reboot\).evil.example`, "", "no host's"},
		{"a;b.evil.example", "", "no host's"},
		{`a\010b.evil.example`, "", "no host's"},
		{"..evil.example", "", "no host's"},
		{"", "", "no host's"},
		{strings.Repeat("a.", 130) + "example", "", "no host's"},
	} {
		t.Run(tt.to[:min(len(tt.to), 40)]+" "+tt.within, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "program")
			if err := os.WriteFile(program, []byte("#!/bin/sh\n: > \"$0.called\"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			p, err := providers.New(providers.Exec, map[string]string{"program": program},
				providers.Options{Resolver: leads{to: tt.to}, Programs: []string{program}, Within: tt.within})
			if err != nil {
				t.Fatal(err)
			}
			err = p.Present(t.Context(), "www.shop.example", "key")
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if _, err := os.Stat(program + ".called"); (err == nil) != (tt.want == "") {
				t.Errorf("called: %v", err)
			}
		})
	}
}

// An answer that repeats our secret is quoted without it, also where it is cut.
func TestSecretsInAnswers(t *testing.T) {
	const password = "open-sesame-and-more"
	for before := range 230 {
		api := client(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, strings.Repeat("x", before)+password+strings.Repeat("y", 100))
		})
		p, err := providers.New(providers.HTTPReq, map[string]string{"endpoint": "https://hooks.maple.example/dns", "username": "ostler", "password": password},
			providers.Options{Resolver: leads{to: name}, HTTP: api})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Present(t.Context(), "www.maple.example", "key"); err == nil || strings.Contains(err.Error(), password[:4]) {
			t.Errorf("after %d bytes: %v", before, err)
		}
	}
}

// What a program has started does not outlive it.
func TestProgramsEndWhole(t *testing.T) {
	dir := t.TempDir()
	program, beat := filepath.Join(dir, "program"), filepath.Join(dir, "beat")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n(while :; do echo x >> "+beat+"; sleep 0.02; done) &\nwait\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := providers.New(providers.Exec, map[string]string{"program": program}, providers.Options{Resolver: leads{to: name}, Programs: []string{program}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.Present(ctx, "www.maple.example", "key") }()
	size := func() int64 {
		info, err := os.Stat(beat)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	for start := time.Now(); size() == 0; time.Sleep(time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatal("the program does not run")
		}
	}
	cancel()
	if err := <-done; err == nil {
		t.Error("got no error")
	}
	before := size()
	time.Sleep(100 * time.Millisecond)
	if after := size(); after != before {
		t.Errorf("it goes on: %d bytes, then %d", before, after)
	}
}
