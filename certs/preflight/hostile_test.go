package preflight_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"ostler/certs/preflight"
	"ostler/certs/preflight/dnstest"
)

// An answer that leaves out the question, or is to another one, is none.
func TestAnswersToOtherQuestions(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(m *dns.Msg){
		"no question":      func(m *dns.Msg) { m.Question = nil },
		"another name":     func(m *dns.Msg) { m.Question[0].Name = "oak.example." },
		"another type":     func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeMX },
		"a question again": func(m *dns.Msg) { m.Response = false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			s := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, in *dns.Msg) {
				m := new(dns.Msg).SetReply(in)
				m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: in.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(192, 0, 2, 1)}}
				change(m)
				_ = w.WriteMsg(m)
			})}
			go func() { _ = s.ActivateAndServe() }()
			t.Cleanup(func() { _ = s.Shutdown() })
			r, err := preflight.NewResolver(preflight.ResolverOptions{Servers: []string{conn.LocalAddr().String()}, Timeout: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			c, err := preflight.New(preflight.Options{Resolver: r})
			if err != nil {
				t.Fatal(err)
			}
			got := c.Check(t.Context(), preflight.Request{Names: []string{"maple.example"}, Way: preflight.WayAgent})
			if want := []string{"dns_timeout!", "caa_failed!"}; !slices.Equal(codes(got), want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// Whoever has a zone names its servers: neither ours nor a crowd is asked.
func TestNameServersOfStrangers(t *testing.T) {
	t.Parallel()
	w := dnstest.Start(t, dnstest.Options{})
	w.Zone("maple.example")
	w.Remove("maple.example", "NS")
	for i := range 40 {
		w.Add(fmt.Sprintf("maple.example NS n%d.maple.example.", i))
		for j := range 9 {
			w.Add(fmt.Sprintf("n%d.maple.example A 127.0.0.1", i), fmt.Sprintf("n%d.maple.example A 127.%d.%d.1", i, i+1, j))
		}
	}
	const record = "_acme-challenge.maple.example"
	for private, want := range map[bool]int{false: 0, true: 16} {
		before := w.Asked(record, "TXT")
		r, err := preflight.NewResolver(preflight.ResolverOptions{Private: private, Servers: []string{w.Addr()}, Port: w.Port(), Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		_, silent, all, err := r.Look(t.Context(), record, "v")
		if err != nil || all != 16 || len(silent) != 16-want {
			t.Errorf("private %v: got %d silent of %d, %v", private, len(silent), all, err)
		}
		if got := w.Asked(record, "TXT") - before; got != want {
			t.Errorf("private %v: the server was asked %d times, want %d", private, got, want)
		}
	}
}

// What strangers have in their records is quoted, and fit to be shown.
func TestWhatIsQuotedIsTidy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.dns.Add("www.maple.example A 127.0.0.1", `maple.example CAA 0 issue "\027[2J\000\255evil.example`+strings.Repeat("x", 200)+`"`)
	for i := range 20 {
		w.dns.Add(fmt.Sprintf(`maple.example CAA 0 issue "%d.%s.example"`, i, strings.Repeat("y", 100)))
	}
	got := w.check.Check(t.Context(), request(preflight.WayAgent, "www.maple.example"))
	if want := []string{"caa_other!"}; !slices.Equal(codes(got), want) {
		t.Fatalf("got %v, want %v", codes(got), want)
	}
	for _, text := range []string{got[0].Args["allowed"], got[0].Detail, sentences(got)} {
		if strings.ContainsAny(text, "\x1b\x00\ufffd") || len(text) > 1500 {
			t.Errorf("%d bytes: %q", len(text), text)
		}
	}
}
