package certs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/certs"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
)

// TestEveryCodeHasASentence reads the closed list in the source: each of its
// codes has words of its own, with and without arguments.
func TestEveryCodeHasASentence(t *testing.T) {
	file := must[*ast.File](t)(parser.ParseFile(token.NewFileSet(), "why.go", nil, 0))
	internal, _ := certs.Why{Code: certs.WhyInternal}.Text("en")
	codes := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Names) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Why") && !strings.HasPrefix(spec.Names[0].Name, "Step") {
			return true
		}
		lit, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		code, err := strconv.Unquote(lit.Value)
		if err != nil || codes[code] {
			t.Errorf("%s: got %q twice, or %v", spec.Names[0].Name, code, err)
		}
		codes[code] = true
		return true
	})
	if len(codes) < 60 {
		t.Fatalf("read %d codes", len(codes))
	}
	for code := range codes {
		for _, w := range []certs.Why{{Code: code}, {Code: code, Name: "maple.example", Until: time.Unix(1_800_000_000, 0), Args: map[string]string{"authority": "{name}", "address": "192.0.2.7:443"}}} {
			cause, next := w.Text("en")
			if cause == "" || cause == internal && code != certs.WhyInternal || !strings.HasSuffix(cause, ".") {
				t.Errorf("%s: got %q", code, cause)
			}
			if strings.Contains(next, "!") || strings.Contains(cause, "!") {
				t.Errorf("%s: %q %q", code, cause, next)
			}
		}
		if line := (certs.Step{Code: code}).Text("en"); line == "" {
			t.Errorf("%s: no line", code)
		}
	}
	if cause, _ := (certs.Why{Code: "of a newer version"}).Text("en"); cause != internal {
		t.Errorf("an unknown code: got %q", cause)
	}
	if cause, _ := (certs.Why{Code: certs.WhyUnreachable, Args: map[string]string{"authority": "{name}{"}}).Text("en"); !strings.HasPrefix(cause, "{name}{ does not") {
		t.Errorf("an argument was read as a template: %q", cause)
	}
}

// TestAMissingKeyIsMadeAnew: a certificate whose key the host has lost is not
// installed again and again.
func TestAMissingKeyIsMadeAnew(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		h := newHouse(t, d, clock)
		c := h.create("maple.example")
		h.host(map[wire.Action]func(offer) wire.Result{wire.ActionCertDeploy: func(offer) wire.Result {
			return wire.Result{Outcome: wire.Failed, Failure: &wire.Failure{Cause: wire.CauseCertKey, Detail: "it is not there"}}
		}})
		if i := h.newest(c.ID); i.State != certs.IssueFailed || i.Why.Code != certs.WhyKeyMissing {
			t.Fatalf("got %s, %+v", i.State, i.Why)
		}
		clock.Advance(5 * time.Minute)
		h.look()
		h.host(nil)
		if got := h.get(c.ID); got.State != certs.StateServed || got.Issued.Round != 2 || h.ca.issued != 2 {
			t.Errorf("got %+v, %d certificates", got.Issued, h.ca.issued)
		}
	})
}
