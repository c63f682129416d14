package bus_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ostler/controlplane/bus"
	"ostler/internal/pgtest"
)

// drain returns what is pending, sorted.
func drain(ch <-chan string) []string {
	var got []string
	for {
		synctest.Wait()
		select {
		case topic, ok := <-ch:
			if !ok {
				return append(got, "closed")
			}
			got = append(got, topic)
		default:
			slices.Sort(got)
			return got
		}
	}
}

func TestPublish(t *testing.T) {
	for _, c := range []struct {
		name               string
		subscribe, publish []string
		want               []string
	}{
		{"the topic", []string{"job:1"}, []string{"job:1"}, []string{"job:1"}},
		{"another topic", []string{"job:1"}, []string{"job:2"}, nil},
		{"one topic coalesces", []string{"job:1"}, []string{"job:1", "job:1", "job:1"}, []string{"job:1"}},
		{"several", []string{"a", "b"}, []string{"b", "a", "c", "b", "a"}, []string{"a", "b"}},
		{"several are each kept", []string{"a", "b", "c"}, []string{"a", "b", "c"}, []string{"a", "b", "c"}},
		{"all", []string{bus.All}, []string{"x", "y"}, []string{"x", "y"}},
		{"the same topic twice", []string{"a", "a"}, []string{"a"}, []string{"a"}},
		{"no topic", []string{"a"}, []string{""}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := bus.New()
				ch, cancel := b.Subscribe(c.subscribe...)
				for _, topic := range c.publish {
					b.Publish(topic)
				}
				got := drain(ch)
				// What pump took before it was published again may come twice.
				if got := slices.Compact(got); !slices.Equal(got, c.want) {
					t.Errorf("got %v, want %v", got, c.want)
				}
				cancel()
				cancel()
				b.Publish(c.publish...)
				if got := drain(ch); !slices.Equal(got, []string{"closed"}) {
					t.Errorf("after cancel: got %v", got)
				}
			})
		})
	}
}

// TestSlowSubscriber never blocks a publisher, and is told that it missed something.
func TestSlowSubscriber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bus.New()
		ch, cancel := b.Subscribe(bus.All)
		defer cancel()
		for i := range 10_000 {
			b.Publish(fmt.Sprint("job:", i))
		}
		if got := drain(ch); len(got) > 4100 || !slices.Contains(got, bus.All) {
			t.Errorf("got %d topics, want at most about 4096 and %q", len(got), bus.All)
		}
		b.Publish("job:1")
		if got := drain(ch); !slices.Equal(got, []string{"job:1"}) {
			t.Errorf("afterwards: got %v", got)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	b := bus.New()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 500 {
				ch, cancel := b.Subscribe("a", fmt.Sprint(i))
				b.Publish("a", "b", fmt.Sprint(n%8))
				<-ch
				cancel()
			}
		})
	}
	wg.Wait()
}

func TestBridge(t *testing.T) {
	url := pgtest.URL(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	one, two := bus.New(), bus.New()
	var wg sync.WaitGroup
	for _, b := range []*bus.Bus{one, two} {
		wg.Go(func() {
			if err := b.Bridge(ctx, url); err != nil {
				t.Error(err)
			}
		})
	}
	ch, cancel := two.Subscribe("job:1")
	defer cancel()
	want(t, ch, "job:1") // a new connection wakes everybody once
	one.Publish("job:2")
	one.Publish("job:1")
	want(t, ch, "job:1")

	// More than fits one payload arrives too.
	last, cancelLast := two.Subscribe("server:srv_2999")
	defer cancelLast()
	for i := range 3000 {
		one.Publish(fmt.Sprint("server:srv_", i))
	}
	want(t, last, "server:srv_2999")
	stop()
	wg.Wait()
	one.Publish("job:1") // without a bridge it is local again
}

func TestBridgeRefusesABadURL(t *testing.T) {
	if err := bus.New().Bridge(t.Context(), "postgres://%%"); err == nil {
		t.Error("got no error")
	}
}

func want(t *testing.T, ch <-chan string, topic string) {
	t.Helper()
	select {
	case got := <-ch:
		if got != topic {
			t.Fatalf("got %q, want %q", got, topic)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("%q did not arrive", topic)
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bus.New()
		ctx, cancel := context.WithCancel(t.Context())
		looks := 0
		var over sync.WaitGroup
		over.Go(func() { b.Watch(ctx, time.Minute, "wake", func() { looks++ }) })
		after := func(d time.Duration, want int) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if looks != want {
				t.Errorf("after %v: %d looks, want %d", d, looks, want)
			}
		}
		after(0, 1)
		after(2*time.Minute, 3)
		b.Publish("other")
		after(time.Second, 3)
		b.Publish("wake")
		after(time.Second, 4)
		cancel()
		over.Wait()
		b.Publish("wake")
		after(time.Hour, 4)
	})
}
