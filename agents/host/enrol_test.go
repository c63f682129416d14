package host_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/agents/host"
	"ostler/agents/host/hosttest"
	"ostler/agents/wire"
	"ostler/controlplane"
)

func enrolOptions(t *testing.T, p *hosttest.Plane) host.EnrolOptions {
	return host.EnrolOptions{State: t.TempDir(), PlaneURL: p.URL(), Token: p.Token(), Wait: time.Millisecond}
}

func TestEnrol(t *testing.T) {
	p := hosttest.New(t)
	o := enrolOptions(t, p)
	id, err := host.Enrol(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := id.Server, hosttest.Server; got != want {
		t.Errorf("server: got %q, want %q", got, want)
	}
	err = filepath.WalkDir(o.State, func(path string, d fs.DirEntry, err error) error {
		info, ierr := d.Info()
		if err != nil || ierr != nil {
			return errors.Join(err, ierr)
		}
		if info.Mode().Perm()&0o077 != 0 && path != o.State {
			t.Errorf("%s: got mode %v, want nothing for others", d.Name(), info.Mode())
		}
		if b, _ := os.ReadFile(path); strings.Contains(string(b), o.Token) {
			t.Errorf("%s has the token", d.Name())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = host.Enrol(t.Context(), o)
	wantCode(t, err, controlplane.CodeConflict)
}

func TestEnrolLostReply(t *testing.T) {
	t.Run("within one run", func(t *testing.T) {
		p := hosttest.New(t)
		p.Set(func(b *hosttest.Behaviour) { b.LoseEnrolReplies = 2 })
		if _, err := host.Enrol(t.Context(), enrolOptions(t, p)); err != nil {
			t.Fatal(err)
		}
		if got, want := p.Issued(), 1; got != want {
			t.Errorf("certificates: got %d, want %d", got, want)
		}
	})
	t.Run("over two runs", func(t *testing.T) {
		p := hosttest.New(t)
		p.Set(func(b *hosttest.Behaviour) { b.LoseEnrolReplies = 1 })
		o := enrolOptions(t, p)
		o.Attempts = 1
		_, err := host.Enrol(t.Context(), o)
		wantCode(t, err, controlplane.CodeUnavailable)
		if _, err := host.Enrol(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if got, want := p.Issued(), 1; got != want {
			t.Errorf("certificates: got %d, want %d", got, want)
		}
	})
}

func TestEnrolRefused(t *testing.T) {
	p, other := hosttest.New(t), hosttest.New(t)
	_, otherPin, _ := wire.ParseEnrolToken(p.Token())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "https://" + l.Addr().String()
	_ = l.Close()
	used := hosttest.New(t)
	if _, err := host.Enrol(t.Context(), enrolOptions(t, used)); err != nil {
		t.Fatal(err)
	}
	expired := hosttest.New(t)
	expired.Set(func(b *hosttest.Behaviour) {
		b.RefuseEnrol = &wire.Refusal{Code: "expired", Message: "The enrolment token is past its time", Next: "Make a new one."}
	})
	tests := []struct {
		name       string
		url, token string
		want       controlplane.Code
		says       string
	}{
		{"no token", p.URL(), "", controlplane.CodeInvalid, "not an enrolment token"},
		{"damaged token", p.URL(), strings.Replace(p.Token(), "_enrol_", "_enrol_0", 1), controlplane.CodeInvalid, "checksum"},
		{"unknown token", p.URL(), wire.NewEnrolToken([32]byte{1}, otherPin), controlplane.CodeUnauthorized, "not known"},
		{"used by another key", used.URL(), used.Token(), controlplane.CodeConflict, "used before"},
		{"expired", expired.URL(), expired.Token(), controlplane.CodeExpired, "past its time"},
		{"another plane's token", p.URL(), other.Token(), controlplane.CodeUnauthorized, "not the plane"},
		{"name that the certificate lacks", strings.Replace(p.URL(), "127.0.0.1", "localhost", 1), p.Token(), controlplane.CodeUnavailable, "does not fit"},
		{"nobody there", nobody, p.Token(), controlplane.CodeUnavailable, "No answer"},
		{"not an address", "plane.example", p.Token(), controlplane.CodeInvalid, "https://host:port"},
		{"no TLS", "http://127.0.0.1:1", p.Token(), controlplane.CodeInvalid, "https://host:port"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			state := t.TempDir()
			_, err := host.Enrol(t.Context(), host.EnrolOptions{State: state, PlaneURL: tt.url, Token: tt.token, Wait: time.Millisecond})
			wantCode(t, err, tt.want)
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %q, want it to say %q", err, tt.says)
			}
			if len(tt.token) > 20 && strings.Contains(err.Error(), tt.token[10:40]) {
				t.Error("the error has the token")
			}
			if _, err := host.LoadIdentity(state); !errors.Is(err, host.ErrNotEnrolled) {
				t.Errorf("identity after a refusal: got %v", err)
			}
		})
	}
}

func TestReadToken(t *testing.T) {
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte(" tok \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := host.ReadToken(name, nil); got != "tok" || err != nil {
		t.Errorf("file: got %q, %v", got, err)
	}
	if got, err := host.ReadToken("-", strings.NewReader("in\n")); got != "in" || err != nil {
		t.Errorf("input: got %q, %v", got, err)
	}
	_, err := host.ReadToken(name+"x", nil)
	wantCode(t, err, controlplane.CodeInvalid)
	_, err = host.ReadToken("-", strings.NewReader(""))
	wantCode(t, err, controlplane.CodeInvalid)
}

func TestRenew(t *testing.T) {
	tests := []struct {
		name string
		set  func(*hosttest.Behaviour)
	}{
		{"at the stream's address", func(*hosttest.Behaviour) {}},
		{"at the enrolment's address", func(b *hosttest.Behaviour) { b.RefuseRenew = 503 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := hosttest.New(t)
			// Two thirds of its life are over: it is renewed at once.
			p.Set(func(b *hosttest.Behaviour) { b.CertLife = 2 * time.Minute })
			r := &rig{t: t, plane: p, helper: &hosttest.Helper{}, state: shortDir(t), root: t.TempDir(), logs: &logBuffer{}}
			old, err := host.Enrol(t.Context(), host.EnrolOptions{State: r.state, PlaneURL: p.URL(), Token: p.Token()})
			if err != nil {
				t.Fatal(err)
			}
			forged := make([]byte, 32)
			p.Set(func(b *hosttest.Behaviour) {
				b.CertLife = time.Hour
				b.ExtraSignerKeys = [][]byte{forged}
				tt.set(b)
			})
			r.start()
			p.Wait("hello", func(f wire.Frame) bool { return f.Type == wire.FrameHello })
			waitFor(t, "a renewed identity", func() bool {
				now, err := host.LoadIdentity(r.state)
				return err == nil && string(now.Certificate) != string(old.Certificate)
			})
			now, err := host.LoadIdentity(r.state)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := len(now.SignerKeys), 1; got != want {
				t.Errorf("signer keys: got %d, want %d: a renewal brings no new one", got, want)
			}
		})
	}
}

// waitFor waits for what has no event to wait for.
func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}

func decode[T any](t *testing.T, b json.RawMessage) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("decode %s: %v", b, err)
	}
	return v
}
