package world

import (
	"io"
	"net"
	"testing"
	"time"
)

// NewDelay opens a connection's way to an address on which every byte takes
// oneWay longer, in each direction. It delays and does not narrow: as much is
// on its way at once as the sender sends.
func NewDelay(t testing.TB, to string, oneWay time.Duration) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			from, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				there, err := net.Dial("tcp", to)
				if err != nil {
					_ = from.Close()
					return
				}
				go delayed(there, from, oneWay)
				delayed(from, there, oneWay)
			}()
		}
	}()
	return ln.Addr().String()
}

// piece is what was read at once, and when it may be passed on.
type piece struct {
	data []byte
	at   time.Time
}

func delayed(to, from net.Conn, by time.Duration) {
	pieces := make(chan piece, 4096)
	go func() {
		defer close(pieces)
		for {
			buf := make([]byte, 64<<10)
			n, err := from.Read(buf)
			if n > 0 {
				pieces <- piece{buf[:n], time.Now().Add(by)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.at))
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	if c, ok := to.(*net.TCPConn); ok {
		_ = c.CloseWrite()
	}
	for range pieces { //nolint:revive // the reader must not wait for a place
	}
	_, _ = io.Copy(io.Discard, from)
	_ = from.Close()
}
