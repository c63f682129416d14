package host_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ostler/agents/host"
)

// Whoever fetches tokens all day does not fill the session with the plane.
func TestHitsHaveARate(t *testing.T) {
	c := &clock{at: time.Unix(1_800_000_000, 0)}
	r := newResponder(t, t.TempDir(), c)
	if err := r.Answer("crt_1", []string{"shop.example"}, print1, c.now().Add(time.Hour).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	told := func(asks int) (n int) {
		for range asks {
			if got := ask(r, "GET", host.ChallengePath+"abc", "shop.example"); got.Code != http.StatusOK {
				t.Fatalf("got %d", got.Code)
			}
			select {
			case <-r.Hits():
				n++
			default:
			}
		}
		return n
	}
	if got := told(2000); got != 600 {
		t.Errorf("told %d times, want 600", got)
	}
	c.advance(time.Second)
	if got := told(100); got != 20 {
		t.Errorf("a second later: told %d times, want 20", got)
	}
	c.advance(-time.Hour)
	told(1)
	c.advance(time.Second)
	if got := told(100); got != 20 {
		t.Errorf("after the clock was set back: told %d times, want 20", got)
	}
}

func TestEmptyStateOfTheResponder(t *testing.T) {
	c := &clock{at: time.Unix(1_800_000_000, 0)}
	state := t.TempDir()
	if err := os.WriteFile(filepath.Join(state, "challenges.json"), []byte("null"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newResponder(t, state, c).Answer("crt_1", []string{"shop.example"}, print1, c.now().UnixMilli()); err != nil {
		t.Error(err)
	}
}

// from is a connection of a neighbour.
type from struct {
	net.Conn
	address string
}

func (f from) RemoteAddr() net.Addr {
	a, err := net.ResolveTCPAddr("tcp", f.address)
	if err != nil {
		panic(err)
	}
	return a
}

// calls is a listener of connections that are there.
type calls struct{ list []net.Conn }

func (c *calls) Accept() (net.Conn, error) {
	if len(c.list) == 0 {
		return nil, io.EOF
	}
	next := c.list[0]
	c.list = c.list[1:]
	return next, nil
}
func (*calls) Close() error   { return nil }
func (*calls) Addr() net.Addr { return &net.TCPAddr{} }

// One who opens connections and says nothing does not keep others out.
func TestOneNeighbourDoesNotTakeAllConnections(t *testing.T) {
	for name, tt := range map[string]struct {
		from []string // each twenty times
		want int
	}{
		"one address":        {[]string{"192.0.2.1:1000"}, 16},
		"two":                {[]string{"192.0.2.1:1000", "192.0.2.2:1000"}, 32},
		"one network":        {[]string{"[2001:db8::1]:1", "[2001:db8::2]:1"}, 16},
		"two networks":       {[]string{"[2001:db8::1]:1", "[2001:db8:0:1::2]:1"}, 32},
		"the same as mapped": {[]string{"192.0.2.1:1000", "[::ffff:192.0.2.1]:1"}, 16},
		"our own web server": {[]string{"127.0.0.1:1000"}, 20},
	} {
		t.Run(name, func(t *testing.T) {
			c := &calls{}
			for range 20 {
				for _, address := range tt.from {
					a, b := net.Pipe()
					t.Cleanup(func() { _ = b.Close() })
					c.list = append(c.list, from{a, address})
				}
			}
			l := host.Fair(c)
			var got []net.Conn
			for {
				conn, err := l.Accept()
				if errors.Is(err, io.EOF) {
					break
				}
				got = append(got, conn)
			}
			if len(got) != tt.want {
				t.Fatalf("got %d connections, want %d", len(got), tt.want)
			}
			_, _ = got[0].Close(), got[0].Close() // twice counts once
			a, b := net.Pipe()
			d, e := net.Pipe()
			t.Cleanup(func() { _, _ = b.Close(), e.Close() })
			c.list = []net.Conn{from{a, tt.from[0]}, from{d, tt.from[0]}}
			if _, err := l.Accept(); err != nil {
				t.Errorf("when one is closed, another has no place: %v", err)
			}
			if _, err := l.Accept(); (err == nil) != (name == "our own web server") {
				t.Errorf("one more: %v", err)
			}
		})
	}
}
