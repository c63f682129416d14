package teleporttest_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// As the demo runs it: on a listener of its own, until its context ends.
func TestServe(t *testing.T) {
	c, err := teleporttest.New(teleporttest.Options{Name: "demo.example"})
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- c.Serve(ctx, l) }()

	file, err := c.IdentityFile(t.TempDir(), "ostler", time.Hour, teleporttest.RoleReader)
	must(t, err)
	info, err := os.Stat(file)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, want 0600", info.Mode())
	}
	cl, err := teleport.Open(teleport.Options{Addr: l.Addr().String(), IdentityFile: file, DialTimeout: time.Minute, CallTimeout: time.Minute})
	must(t, err)
	name, version, err := cl.Ping(t.Context())
	must(t, err)
	if name != "demo.example" || !strings.Contains(version, "fake") {
		t.Errorf("got %q, %q, want a cluster that says it is a fake", name, version)
	}
	cancel()
	if err := <-served; err != nil {
		t.Errorf("got %v when the context ended, want nil", err)
	}
	if _, _, err := cl.Ping(context.Background()); !errors.Is(err, teleport.ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
	must(t, cl.Close())
	must(t, c.Close())
}

// Connect decides by the certificate, and by what its roles are now.
func TestConnect(t *testing.T) {
	at := time.Now()
	c, err := teleporttest.New(teleporttest.Options{Now: func() time.Time { return at }})
	must(t, err)
	must(t, c.PutNode("n", "h", map[string]string{"customer": "acme"}))
	must(t, c.PutRole(teleport.Role{Name: "r", MaxTTL: time.Hour, Allow: teleport.Reach{
		Logins: []string{"deploy"}, NodeLabels: map[string][]string{"customer": {"acme"}},
	}}))
	must(t, c.PutRole(teleport.Role{Name: "other", Allow: teleport.Reach{Logins: []string{"root"}}}))
	must(t, c.PutUser("anna", "r", "other"))
	enter := func(login, node string, want bool) {
		t.Helper()
		s, err := c.Connect("anna", login, node)
		if got := err == nil; got != want || err != nil && !errors.Is(err, teleporttest.ErrRefused) {
			t.Errorf("%s on %s: got %v, want in: %v", login, node, err, want)
		}
		if s != nil {
			s.End()
			<-s.Done()
		}
	}
	enter("deploy", "n", true)
	enter("root", "n", false) // another role's login
	enter("deploy", "gone", false)
	must(t, c.PutNode("n", "h", map[string]string{"customer": "bolt"}))
	enter("deploy", "n", false)
	must(t, c.PutNode("n", "h", map[string]string{"customer": "acme"}))
	must(t, c.PutUser("anna"))
	enter("deploy", "n", true) // the certificate has the role yet
	at = at.Add(2 * time.Hour)
	enter("deploy", "n", false) // until it ends
	_, err = c.Login("anna")
	must(t, err)
	enter("deploy", "n", false) // a new one has no role
	must(t, c.PutUser("anna", "r", "other"))
	_, err = c.Login("anna")
	must(t, err)
	enter("deploy", "n", true)
	c.RemoveRole("other")
	enter("deploy", "n", false) // a role that is gone takes the others with it
	if _, err := c.Login("nobody"); err == nil {
		t.Error("got no error for a user who is not there")
	}
	if live := c.Live(); len(live) != 0 {
		t.Errorf("got %d live sessions, want none", len(live))
	}
	must(t, c.Close())
}
