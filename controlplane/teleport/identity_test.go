package teleport_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gravitational/teleport/api/identityfile"

	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
)

func to(t *testing.T, addr, file string) *teleport.Client {
	t.Helper()
	return open(t, teleport.Options{Addr: addr, IdentityFile: file})
}

func identity(t *testing.T, c *teleporttest.Cluster, ttl time.Duration) string {
	t.Helper()
	file, err := c.IdentityFile(t.TempDir(), "bot-ostler", ttl, teleporttest.RoleAdmin)
	must(t, err)
	return file
}

// failing pings and wants an error of this kind, which tells no path and no key.
func failing(t *testing.T, cl *teleport.Client, want error, file string) string {
	t.Helper()
	_, _, err := cl.Ping(reaching(t))
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
		return ""
	}
	text := err.Error()
	for _, secret := range []string{filepath.Dir(file), "PRIVATE", "BEGIN"} {
		if file != "" && strings.Contains(text, secret) {
			t.Errorf("%q tells %q", text, secret)
		}
	}
	return text
}

func TestConnectionFaults(t *testing.T) {
	c := fake(t, teleporttest.Options{})
	other := fake(t, teleporttest.Options{Name: "other.example"})
	good := identity(t, c, time.Hour)

	t.Run("nobody listens", func(t *testing.T) {
		failing(t, to(t, "127.0.0.1:1", good), teleport.ErrUnreachable, good)
	})
	t.Run("no such name", func(t *testing.T) {
		cl := open(t, teleport.Options{Addr: "teleport.invalid:3025", IdentityFile: good, DialTimeout: 5 * time.Second})
		failing(t, cl, teleport.ErrUnreachable, good)
	})
	t.Run("another cluster's CA", func(t *testing.T) {
		failing(t, to(t, other.Addr(), good), teleport.ErrWrongCA, good)
	})
	t.Run("the identity has ended", func(t *testing.T) {
		file := identity(t, c, -time.Minute)
		cl := to(t, c.Addr(), file)
		if !cl.Expiry().Before(time.Now()) {
			t.Errorf("got expiry %v, want one that is over", cl.Expiry())
		}
		failing(t, cl, teleport.ErrExpired, file)
	})
	t.Run("the cluster's clock is ahead", func(t *testing.T) {
		file := identity(t, c, time.Hour)
		c.Skew(2 * time.Hour)
		defer c.Skew(0)
		if text := failing(t, to(t, c.Addr(), file), teleport.ErrExpired, file); !strings.Contains(text, "clock") {
			t.Errorf("got %q, want it to speak of clocks", text)
		}
	})
	t.Run("the cluster's clock is behind", func(t *testing.T) {
		file := identity(t, c, time.Hour)
		c.Skew(-48 * time.Hour)
		defer c.Skew(0)
		if text := failing(t, to(t, c.Addr(), file), teleport.ErrExpired, file); !strings.Contains(text, "clock") {
			t.Errorf("got %q, want it to speak of clocks", text)
		}
	})
	t.Run("an identity of another cluster that trusts this one", func(t *testing.T) {
		theirs, err := identityfile.ReadFile(identity(t, other, time.Hour))
		must(t, err)
		ours, err := identityfile.ReadFile(good)
		must(t, err)
		theirs.CACerts = ours.CACerts
		file := filepath.Join(t.TempDir(), "mixed")
		must(t, identityfile.Write(theirs, file))
		if text := failing(t, to(t, c.Addr(), file), teleport.ErrIdentity, file); !strings.Contains(text, "CA") && !strings.Contains(text, "accept") {
			t.Errorf("got %q, want it to say that the cluster does not take it", text)
		}
	})
	t.Run("our clock is behind", func(t *testing.T) {
		future := fake(t, teleporttest.Options{Now: func() time.Time { return time.Now().Add(72 * time.Hour) }})
		file := identity(t, future, time.Hour)
		failing(t, to(t, future.Addr(), file), teleport.ErrClock, file)
	})
	t.Run("it answers again", func(t *testing.T) {
		cl := to(t, c.Addr(), good)
		for range 3 {
			if _, _, err := cl.Ping(reaching(t)); err != nil {
				t.Fatal(err)
			}
			c.Down()
			failing(t, cl, teleport.ErrUnreachable, good)
			failing(t, cl, teleport.ErrUnreachable, good)
			c.Up()
		}
	})
	t.Run("the caller gives up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := to(t, c.Addr(), good).Ping(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
	t.Run("closed", func(t *testing.T) {
		cl := to(t, c.Addr(), good)
		must(t, cl.Close())
		if _, _, err := cl.Ping(reaching(t)); err == nil {
			t.Error("got no error from a client that is closed")
		}
	})
}

// Somebody who takes the connection and says nothing does not hold us.
func TestSilentPeer(t *testing.T) {
	c := fake(t, teleporttest.Options{})
	file := identity(t, c, time.Hour)
	l := listen(t)
	cl := open(t, teleport.Options{Addr: l.Addr().String(), IdentityFile: file, DialTimeout: 200 * time.Millisecond})
	failing(t, cl, teleport.ErrUnreachable, file)
}

// A cluster that takes a call and does not answer is given up, and is fine later.
func TestNoAnswer(t *testing.T) {
	c := fake(t, teleporttest.Options{})
	file := identity(t, c, time.Hour)
	slow := open(t, teleport.Options{Addr: c.Addr(), IdentityFile: file, CallTimeout: 50 * time.Millisecond})
	release := c.Stall()
	failing(t, slow, teleport.ErrUnreachable, file)
	release()
	_, _, err := to(t, c.Addr(), file).Ping(reaching(t))
	must(t, err)
}

// The address of a proxy, which is told the cluster by ALPN.
func TestByProxyAddress(t *testing.T) {
	c := fake(t, teleporttest.Options{})
	cl := open(t, teleport.Options{Addr: c.Addr(), Cluster: "fake.example", IdentityFile: identity(t, c, time.Hour)})
	_, _, err := cl.Ping(reaching(t))
	must(t, err)
}

func TestIdentityFileFaults(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	c := fake(t, teleporttest.Options{})
	whole, err := os.ReadFile(identity(t, c, time.Hour))
	must(t, err)
	for name, path := range map[string]string{
		"missing":  filepath.Join(dir, "missing"),
		"empty":    write("empty", ""),
		"nonsense": write("nonsense", "hello"),
		"cut":      write("cut", string(whole[:len(whole)/2])),
		"a folder": dir,
	} {
		_, err := teleport.Open(teleport.Options{Addr: c.Addr(), IdentityFile: path})
		if !errors.Is(err, teleport.ErrIdentity) {
			t.Errorf("%s: got %v, want ErrIdentity", name, err)
		} else if strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "BEGIN") {
			t.Errorf("%s: %q tells a path or what stands in the file", name, err)
		}
	}
}

// tbot renews the file in its place: the next call uses it, and calls on the
// connection before are not cut.
func TestIdentityIsReadAgain(t *testing.T) {
	c := fake(t, teleporttest.Options{})
	dir := t.TempDir()
	file, err := c.IdentityFile(dir, "bot-ostler", time.Hour, teleporttest.RoleReader)
	must(t, err)
	cl := open(t, teleport.Options{Addr: c.Addr(), IdentityFile: file})
	put := teleport.Role{Name: "ostler-staff-anna", Owner: "stf_1"}
	if err := cl.PutRole(reaching(t), put); !errors.Is(err, teleport.ErrDenied) {
		t.Fatalf("as a reader: got %v, want ErrDenied", err)
	}
	before := cl.Expiry()

	must(t, os.WriteFile(file, []byte("half"), 0o600))
	if _, _, err := cl.Ping(reaching(t)); err != nil {
		t.Errorf("with a file that cannot be used: got %v, want the identity before", err)
	}
	must(t, os.Remove(file))
	if _, _, err := cl.Ping(reaching(t)); err != nil || !cl.Expiry().Equal(before) {
		t.Errorf("without a file: got %v, want the identity before", err)
	}
	_, err = c.IdentityFile(dir, "bot-ostler", 3*time.Hour, teleporttest.RoleEnforcer)
	must(t, err)
	must(t, cl.PutRole(reaching(t), put))
	if !cl.Expiry().After(before) {
		t.Errorf("got expiry %v, want a later one than %v", cl.Expiry(), before)
	}
}

// An identity that ends while the connection stands fails at the next one, and
// works again once it is renewed.
func TestIdentityEndsAndIsRenewed(t *testing.T) {
	c := fake(t, teleporttest.Options{})
	dir := t.TempDir()
	file, err := c.IdentityFile(dir, "bot-ostler", time.Hour, teleporttest.RoleAdmin)
	must(t, err)
	cl := open(t, teleport.Options{Addr: c.Addr(), IdentityFile: file})
	_, _, err = cl.Ping(reaching(t))
	must(t, err)
	_, err = c.IdentityFile(dir, "bot-ostler", -time.Minute, teleporttest.RoleAdmin)
	must(t, err)
	failing(t, cl, teleport.ErrExpired, file)
	_, err = c.IdentityFile(dir, "bot-ostler", time.Hour, teleporttest.RoleAdmin)
	must(t, err)
	_, _, err = cl.Ping(reaching(t))
	must(t, err)
}

// The identity of a role that is gone, or is locked out, is told so.
func TestIdentityLosesItsRole(t *testing.T) {
	c := fake(t, teleporttest.Options{})
	cl := client(t, c, teleporttest.RoleReader)
	_, err := cl.Observe(reaching(t))
	must(t, err)
	c.RemoveRole(teleporttest.RoleReader)
	if _, err := cl.Observe(reaching(t)); !errors.Is(err, teleport.ErrDenied) {
		t.Errorf("its role is gone: got %v, want ErrDenied", err)
	}
	cl = client(t, c)
	must(t, c.PutLock(teleport.Lock{Name: "by-hand", User: "bot-ostler"}))
	if _, err := cl.Observe(reaching(t)); !errors.Is(err, teleport.ErrDenied) {
		t.Errorf("locked out: got %v, want ErrDenied", err)
	}
}

// A renewal while a recording is read does not cut it.
func TestRenewalDoesNotCut(t *testing.T) {
	c, _, _ := acme(t, teleporttest.Options{UploadDelay: time.Nanosecond})
	s := connect(t, c, "anna", "deploy", "n-acme")
	for range 200 {
		s.Print(strings.Repeat("x", 1000)) // more than is under way at once
	}
	s.End()
	dir := t.TempDir()
	file, err := c.IdentityFile(dir, "bot-ostler", time.Hour, teleporttest.RoleAdmin)
	must(t, err)
	cl := open(t, teleport.Options{Addr: c.Addr(), IdentityFile: file})
	seen := 0
	must(t, cl.Stream(reaching(t), s.ID, func(teleport.Event) error {
		if seen++; seen == 1 {
			if _, err := c.IdentityFile(dir, "bot-ostler", 2*time.Hour, teleporttest.RoleAdmin); err != nil {
				return err
			}
			_, _, err := cl.Ping(reaching(t))
			return err
		}
		return nil
	}))
	if seen != 202 {
		t.Errorf("got %d events, want 202", seen)
	}
}

// Many at once, while the file changes: each has its answer.
func TestManyCallers(t *testing.T) {
	c := fake(t, teleporttest.Options{})
	dir := t.TempDir()
	file, err := c.IdentityFile(dir, "bot-ostler", time.Hour, teleporttest.RoleAdmin)
	must(t, err)
	cl := open(t, teleport.Options{Addr: c.Addr(), IdentityFile: file})
	errs := make(chan error)
	for range 8 {
		go func() {
			var first error
			for range 20 {
				if _, err := cl.Observe(context.WithoutCancel(t.Context())); err != nil && first == nil {
					first = err
				}
			}
			errs <- first
		}()
	}
	for range 5 {
		_, err := c.IdentityFile(dir, "bot-ostler", time.Hour, teleporttest.RoleAdmin)
		must(t, err)
	}
	for range 8 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
