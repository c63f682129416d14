//go:build slow

package web_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"ostler/web"
	"ostler/web/sample"
)

// eightHours is a recording of about 20 MB: logs in colours, and now and then a
// full-screen program.
func eightHours() []byte {
	var b bytes.Buffer
	b.WriteString(`{"version":2,"width":120,"height":40}` + "\n")
	words := strings.Fields("the quick brown fox /var/log/nginx/access.log GET 200 systemctl restart active running tail -f 10.0.0.1 [info]")
	r := rand.New(rand.NewPCG(1, 2))
	some := func(n int) string {
		out := make([]string, n)
		for i := range out {
			out[i] = words[r.IntN(len(words))]
		}
		return strings.Join(out, " ")
	}
	for at := 0.0; at < 8*3600; at += 0.135 {
		if r.IntN(500) > 0 {
			fmt.Fprintf(&b, "[%.3f,\"o\",\"\\u001b[32m%s\\u001b[0m %s\\r\\n\"]\n", at, some(1), some(2+r.IntN(11)))
			continue
		}
		fmt.Fprintf(&b, "[%.3f,\"o\",\"\\u001b[?1049h\\u001b[H\\u001b[2J", at)
		for row := range 39 {
			fmt.Fprintf(&b, "\\u001b[%d;1H\\u001b[3%dm%s\\u001b[0m\\u001b[K", row+1, row%8, some(12))
		}
		b.WriteString("\\u001b[?1049l\"]\n")
	}
	return b.Bytes()
}

const seeks = `(async () => {
  const range = document.getElementById("range"), screen = () => document.querySelector(".ap-term").textContent;
  const frame = () => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)));
  const go = (ms) => { range.value = String(ms); range.dispatchEvent(new Event("input")); };
  const took = [];
  for (let i = 0; i < 100; i++) {
    const at = performance.now();
    go(((i * 7919) % 100) * 288000);
    await frame();
    took.push(performance.now() - at);
  }
  took.sort((a, b) => a - b);
  go(20000000); await frame(); const near = screen();
  go(1000000); await frame();
  for (let ms = 1000000; ms <= 20000000; ms += 500000) go(ms);
  await frame();
  return {p95: took[94], same: near === screen() && near.length > 100};
})()`

// Anywhere in eight hours within 200 ms, and there is what playing up to there shows.
func TestSlowSeekInAnEightHourRecording(t *testing.T) {
	ctx := chromium(t)
	r := renderer(t)
	cast := eightHours()
	var page *web.Replay
	for _, s := range sample.All(r.Text()) {
		if s.Name == "replay-review" {
			page = s.View.(*web.Replay)
		}
	}
	page.Player.Size, page.Player.Duration, page.Player.Columns, page.Player.Height = int64(len(cast)), (8 * time.Hour).Milliseconds(), 120, 40
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sample.cast", func(w http.ResponseWriter, req *http.Request) {
		http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(cast))
	})
	mux.HandleFunc("GET /static/", func(w http.ResponseWriter, req *http.Request) {
		a, _ := r.Asset(strings.TrimPrefix(req.URL.Path, "/static/"))
		w.Header().Set("Content-Type", a.ContentType)
		_, _ = w.Write(a.Body)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", web.PolicyOf(page))
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if err := r.Render(w, page); err != nil {
			t.Error(err)
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	began := time.Now()
	if err := chromedp.Do(ctx, chromedp.Navigate(s.URL)); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`document.getElementById("player").dataset.ready === "true"`, chromedp.WithPollingTimeout(5*time.Minute))); err != nil {
		t.Fatal(err)
	}
	ready := time.Since(began)
	got, err := chromedp.Run(ctx, chromedp.Evaluate[struct {
		P95  float64 `json:"p95"`
		Same bool    `json:"same"`
	}](seeks, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes; every place near after %v; p95 of a seek %.0f ms", len(cast), ready.Round(time.Millisecond), got.P95)
	if !got.Same {
		t.Error("the terminal shows something else after a seek than after playing up to there")
	}
	if got.P95 > 200 {
		t.Errorf("p95 of a seek is %.0f ms, want at most 200", got.P95)
	}
}
