package deploy_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/internal/killpoint"
)

// killAt kills at the nth time that a point is reached.
func killAt(point string, n int) func(string) {
	return func(p string) {
		if p == point {
			if n--; n == 0 {
				killpoint.Kill(p)
			}
		}
	}
}

// killNth kills at the nth point, counted from 1.
func killNth(n int) func(string) {
	return func(p string) {
		if n--; n == 0 {
			killpoint.Kill(p)
		}
	}
}

// points counts the points of f.
func points(w *world, f func()) int {
	n := 0
	w.e.SetAt(func(string) { n++ })
	f()
	w.e.SetAt(func(string) {})
	return n
}

// eachKill runs scenario once for every point of it.
func eachKill(t *testing.T, least int, scenario func(t *testing.T, w *world) (kill func(), after func(t *testing.T, point string))) {
	t.Helper()
	w := newWorld(t)
	kill, _ := scenario(t, w)
	total := points(w, kill)
	if total < least {
		t.Fatalf("got %d points, want at least %d", total, least)
	}
	for n := 1; n <= total; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			kill, after := scenario(t, w)
			w.e.SetAt(killNth(n))
			point := killpoint.Until(kill)
			if point == "" {
				t.Fatal("not killed")
			}
			w.fits()
			w.open() // the agent starts anew
			after(t, point)
			w.fits()
		})
	}
}

func TestKilledRequest(t *testing.T) {
	eachKill(t, 2, func(t *testing.T, w *world) (func(), func(*testing.T, string)) {
		return func() { w.request(1) }, func(t *testing.T, point string) {
			first := w.request(1)
			if !bytes.Equal(w.request(1), first) {
				t.Errorf("after %s: another answer", point)
			}
		}
	})
}

// Killed on the way to a certificate that is served.
func TestKilledDeploy(t *testing.T) {
	eachKill(t, 9, func(t *testing.T, w *world) (func(), func(*testing.T, string)) {
		at := listen(t, w.loaded, wire.ProtocolTLS)
		w.served(w.params(1, at))
		p := w.params(2, at)
		return func() { _, _ = w.deploy(t.Context(), p) }, func(t *testing.T, point string) {
			if got := w.shows(at); got != "1" && got != "2" {
				t.Errorf("after %s it shows %s", point, got)
			}
			w.served(p)
			if got := w.shows(at); got != "2" {
				t.Errorf("after %s and again it shows %s", point, got)
			}
		}
	})
}

// Killed on the way to one that is rolled back: the second address never
// changes, so it is rolled back when it runs again too.
func TestKilledRollback(t *testing.T) {
	eachKill(t, 11, func(t *testing.T, w *world) (func(), func(*testing.T, string)) {
		at := listen(t, w.loaded, wire.ProtocolTLS)
		w.served(w.params(1, at))
		old := listen(t, copyOf(t, w.loaded), wire.ProtocolTLS)
		p := w.params(2, at, old)
		w.opts.Settle = 100 * time.Millisecond
		w.open()
		return func() { _, _ = w.deploy(t.Context(), p) }, func(t *testing.T, point string) {
			res, err := w.deploy(t.Context(), p)
			if err != nil || !res.RolledBack || res.Round != 1 || w.live() != "1" {
				t.Errorf("after %s: got %+v, %v, live %s", point, res, err, w.live())
			}
			if got := w.shows(at); got != "1" {
				t.Errorf("after %s it shows %s", point, got)
			}
		}
	})
}
