package host_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/agents/host"
	"ostler/controlplane"
)

const print1 = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" // a thumbprint's form

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newResponder(t *testing.T, state string, c *clock) *host.Responder {
	t.Helper()
	r, err := host.OpenResponder(state, "", c.now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ask(h http.Handler, method, target, hostName string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, target, nil)
	req.Host = hostName
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func TestResponder(t *testing.T) {
	c := &clock{at: time.Unix(1_800_000_000, 0)}
	state := t.TempDir()
	r := newResponder(t, state, c)
	print2 := strings.Repeat("x", 43)
	until := c.now().Add(time.Hour).UnixMilli()
	err := errors.Join(
		r.Answer("crt_1", []string{"shop.example", "*.wild.example", "192.0.2.7", "2001:db8::7"}, print1, until),
		r.Answer("crt_2", []string{"both.example"}, print1, until), r.Answer("crt_3", []string{"both.example"}, print2, until),
		r.Answer("crt_4", []string{"short.example"}, print1, c.now().Add(-time.Second).UnixMilli()))
	if err != nil {
		t.Fatal(err)
	}
	const at = "/.well-known/acme-challenge/"
	long := strings.Repeat("a", 128)
	tests := []struct {
		name, method, target, host, want string // want "": 404
	}{
		{"right", "GET", at + "abc-_9", "shop.example", "abc-_9." + print1},
		{"with a port", "GET", at + "abc", "shop.example:80", "abc." + print1},
		{"head", "HEAD", at + "abc", "shop.example", "abc." + print1},
		{"the longest token", "GET", at + long, "shop.example", long + "." + print1},
		{"an address", "GET", at + "abc", "192.0.2.7", "abc." + print1},
		{"an IPv6 address", "GET", at + "abc", "[2001:db8::7]:80", "abc." + print1},
		{"of two the newest", "GET", at + "abc", "both.example", "abc." + print2},
		{"a token too long", "GET", at + long + "a", "shop.example", ""},
		{"no token", "GET", at, "shop.example", ""},
		{"markup", "GET", at + "%3Cscript%3E", "shop.example", ""},
		{"a dot", "GET", at + "a.b", "shop.example", ""},
		{"a folder above", "GET", at + "../abc", "shop.example", ""},
		{"a slash", "GET", at + "a/b", "shop.example", ""},
		{"an escaped path", "GET", "/.well-known%2facme-challenge/abc", "shop.example", ""},
		{"another name", "GET", at + "abc", "www.shop.example", ""},
		{"a name that ends in ours", "GET", at + "abc", "xshop.example", ""},
		{"upper case", "GET", at + "abc", "SHOP.example", ""},
		{"of a wildcard", "GET", at + "abc", "a.wild.example", ""},
		{"its time is over", "GET", at + "abc", "short.example", ""},
		{"no host", "GET", at + "abc", "", ""},
		{"another path", "GET", "/", "shop.example", ""},
		{"post", "POST", at + "abc", "shop.example", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ask(r, tt.method, tt.target, tt.host)
			code := http.StatusOK
			if tt.want == "" {
				code = http.StatusNotFound
			}
			if got.Code != code || tt.want != "" && got.Body.String() != tt.want {
				t.Errorf("got %d %q, want %d %q", got.Code, got.Body, code, tt.want)
			}
			if ct := got.Header().Get("Content-Type"); !strings.HasPrefix(ct, "text/plain") || got.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers: got %v", got.Header())
			}
		})
	}
	if hit := <-r.Hits(); hit.Token != "abc-_9" || hit.Name != "shop.example" {
		t.Errorf("hit: got %+v", hit)
	}
	for range 200 { // nobody takes the hits: nothing waits for that
		ask(r, "GET", at+"abc", "shop.example")
	}

	again := newResponder(t, state, c)
	if got := ask(again, "GET", at+"abc", "shop.example"); got.Code != http.StatusOK {
		t.Error("after a restart it answers no more")
	}
	if err := again.Silence("crt_1"); err != nil || ask(again, "GET", at+"abc", "shop.example").Code != http.StatusNotFound {
		t.Errorf("silenced: it still answers, %v", err)
	}
	c.advance(2 * time.Hour)
	if ask(again, "GET", at+"abc", "both.example").Code != http.StatusNotFound {
		t.Error("it answers after its time")
	}
	if err := again.Answer("crt_5", nil, "<script>", until); err == nil {
		t.Error("a thumbprint that is none was taken")
	}
	if err := os.WriteFile(filepath.Join(state, "challenges.json"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ask(newResponder(t, state, c), "GET", at+"abc", "shop.example"); got.Code != http.StatusNotFound {
		t.Errorf("damaged state: got %d", got.Code)
	}
}

func TestSnippet(t *testing.T) {
	tests := []struct {
		server, listen, want string
		code                 controlplane.Code
	}{
		{"nginx", "127.0.0.1:8402", "proxy_pass http://127.0.0.1:8402;", ""},
		{"nginx", ":8402", "proxy_pass http://127.0.0.1:8402;", ""},
		{"apache", "[::]:8402", `ProxyPass "http://127.0.0.1:8402/.well-known/acme-challenge/"`, ""},
		{"apache", "[::1]:8402", `ProxyPass "http://[::1]:8402/.well-known/acme-challenge/"`, ""},
		{"nginx", "", "", controlplane.CodeInvalid},
		{"nginx", ":80", "", controlplane.CodeInvalid},
		{"nginx", "8402", "", controlplane.CodeInvalid},
		{"iis", ":8402", "", controlplane.CodeInvalid},
	}
	for _, tt := range tests {
		got, err := host.Snippet(tt.server, tt.listen)
		if tt.code != "" {
			wantCode(t, err, tt.code)
		} else if err != nil || !strings.Contains(got, tt.want) {
			t.Errorf("%s %s: got %q, %v", tt.server, tt.listen, got, err)
		}
	}
}

// The drop-in in a real nginx passes the name on, so that the answer is right.
func TestSnippetInNginx(t *testing.T) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("nginx is not installed: tools/deps-test installs it")
		}
		t.Skip("skipped: nginx is not installed (apt-get install nginx-light)")
	}
	c := &clock{at: time.Now()}
	r := newResponder(t, t.TempDir(), c)
	if err := r.Answer("crt_1", []string{"shop.example"}, print1, c.now().Add(time.Hour).UnixMilli()); err != nil {
		t.Fatal(err)
	}
	behind := httptest.NewServer(r)
	t.Cleanup(behind.Close)
	snippet, err := host.Snippet("nginx", strings.TrimPrefix(behind.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	socket := filepath.Join(shortDir(t), "s")
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	conf := user + "daemon off; pid nginx.pid; error_log stderr; events {}\nhttp { access_log off; client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;\n" +
		"server { listen unix:" + socket + ";\n" + snippet + "\nlocation / { return 301 https://$host$request_uri; } } }\n"
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := os.Create(filepath.Join(dir, "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	cmd := exec.Command(program, "-p", dir, "-c", "nginx.conf", "-e", "stderr")
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	tr := unixTransport(socket)
	t.Cleanup(tr.CloseIdleConnections)
	var res *http.Response
	waitFor(t, "nginx", func() bool {
		req := &http.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: "shop.example", Path: "/.well-known/acme-challenge/abc"}, Header: http.Header{}}
		res, err = tr.RoundTrip(req)
		return err == nil
	})
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || string(body) != "abc."+print1 {
		dump, _ := httputil.DumpResponse(res, false)
		words, _ := os.ReadFile(said.Name())
		t.Errorf("got %s %q, %v: %s", dump, body, err, words)
	}
}
