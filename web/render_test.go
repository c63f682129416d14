package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"ostler/web"
	"ostler/web/sample"
)

func renderer(t testing.TB) *web.Renderer {
	t.Helper()
	r, err := web.NewRenderer("en")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Every page in every state renders, holds to the policy, and is well formed.
func TestEverySampleRenders(t *testing.T) {
	r := renderer(t)
	seen := map[string]bool{}
	for _, s := range sample.All(r.Text()) {
		t.Run(s.Name, func(t *testing.T) {
			if seen[s.Name] {
				t.Fatalf("two samples are called %s", s.Name)
			}
			seen[s.Name] = true
			var b bytes.Buffer
			if err := r.Render(&b, s.View); err != nil {
				t.Fatal(err)
			}
			checkPage(t, b.String())
		})
	}
}

func TestEveryTemplateHasASample(t *testing.T) {
	have := map[string]bool{"layout": true, "parts": true}
	for _, s := range sample.All(renderer(t).Text()) {
		have[s.View.Template()] = true
	}
	files, err := filepath.Glob("templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".html"); !have[name] {
			t.Errorf("no sample renders %s", name)
		}
	}
}

// checkPage holds a page to what every page keeps: one h1, no inline script or
// style, no missing text, ids once, labels for inputs, balanced tags.
func checkPage(t *testing.T, page string) {
	t.Helper()
	if i := strings.IndexAny(page, "«"); i >= 0 {
		t.Errorf("a text is missing: %s", page[i:min(len(page), i+60)])
	}
	if m := regexp.MustCompile(`\{[a-z_]+\}`).FindString(page); m != "" {
		t.Errorf("a place in a text is not filled: %s", m)
	}
	if strings.Contains(page, "&lt;time") {
		t.Error("a time stands on the page as markup")
	}
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	ids, headings, labels := map[string]bool{}, 0, map[string]bool{}
	walk(doc, func(n *html.Node) {
		for _, a := range n.Attr {
			switch {
			case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
				t.Errorf("<%s %s=...> breaks the policy", n.Data, a.Key)
			case a.Key == "id":
				if ids[a.Val] {
					t.Errorf("id %s is there twice", a.Val)
				}
				ids[a.Val] = true
			case strings.Contains(a.Val, "#ZgotmplZ"):
				t.Errorf("<%s %s> was refused by html/template", n.Data, a.Key)
			}
		}
		switch n.Data {
		case "style":
			t.Error("inline style breaks the policy")
		case "script":
			if attr(n, "src") == "" {
				t.Error("inline script breaks the policy")
			}
		case "h1":
			headings++
		case "label":
			labels[attr(n, "for")] = true
		}
	})
	if headings != 1 {
		t.Errorf("h1: got %d, want 1", headings)
	}
	walk(doc, func(n *html.Node) {
		kind := attr(n, "type")
		if (n.Data == "input" && kind != "hidden" && kind != "radio" && kind != "checkbox" || n.Data == "textarea") && !labels[attr(n, "id")] {
			t.Errorf("input %s has no label", attr(n, "id"))
		}
		for _, ref := range strings.Fields(attr(n, "aria-describedby") + " " + attr(n, "aria-labelledby")) {
			if !ids[ref] {
				t.Errorf("<%s> refers to id %s, which is not there", n.Data, ref)
			}
		}
		if h := attr(n, "href"); len(h) > 1 && h[0] == '#' && n.Data == "a" && !ids[h[1:]] {
			t.Errorf("a link leads to %s, which is not there", h)
		}
	})
}

func walk(n *html.Node, f func(*html.Node)) {
	if n.Type == html.ElementNode {
		f(n)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, f)
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func TestStrangeNamesAreMarked(t *testing.T) {
	for _, tc := range []struct{ name, raw, want string }{
		{"plain", "invoice.ods", "invoice.ods"},
		{"newline", "two\nlines", `two[\n]lines`},
		{"right to left", "a\u202egpj.exe", "a[U+202E]gpj.exe"},
		{"not UTF-8", "caf\xe9", `caf[\xe9]`},
		{"markup", "<img onerror>", "<img onerror>"},
		{"dots", `..\x`, `..\x`},
		{"edges", " a ", "[␣]a[␣]"},
		{"inner space", "a b", "a b"},
		{"no-break space", "a\u00a0b", "a[␣]b"},
		{"zero width", "a\u200bb", "a[U+200B]b"},
		{"escape", "\x1b[31m", `[\x1b][31m`},
		{"the mark itself is a letter", "\ufffd", "\ufffd"},
		{"empty", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := ""
			for _, p := range web.NameParts([]byte(tc.raw)) {
				if p.Odd {
					got += "[" + p.Text + "]"
				} else {
					got += p.Text
				}
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func FuzzNameParts(f *testing.F) {
	f.Add([]byte("a\u202e\xff\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, p := range web.NameParts(raw) {
			if strings.ContainsAny(p.Text, "\n\r\t\x00\u202e\u2066") {
				t.Errorf("%q shows %q", raw, p.Text)
			}
		}
	})
}

func TestBytes(t *testing.T) {
	for _, tc := range []struct {
		n    int64
		want string
	}{{0, "0 B"}, {999, "999 B"}, {1000, "1.0 kB"}, {9994, "10.0 kB"}, {84123, "84 kB"}, {999_499, "999 kB"}, {999_500, "1.0 MB"}, {9e9, "9.0 GB"}, {-1, "–"}} {
		if got := strings.ReplaceAll(web.Bytes(tc.n), "\u00a0", " "); got != tc.want {
			t.Errorf("Bytes(%d): got %q, want %q", tc.n, got, tc.want)
		}
	}
}

// Every key that templates and code name has a text, and every text is named.
func TestTextsAreAllThereAndAllUsed(t *testing.T) {
	tx := renderer(t).Text()
	var all strings.Builder
	inTemplates := regexp.MustCompile(`(?:\{|\(| )t "([a-z_.0-9]+)"`)
	inCode := regexp.MustCompile(`\.[tT]\("([a-z_.0-9]+)"`)
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && (p == "sample" || p == "preview") {
			return fs.SkipDir // what only a sample says, nobody reads
		}
		if err != nil || d.IsDir() || strings.HasSuffix(p, "_test.go") || !strings.HasSuffix(p, ".go") && !strings.HasSuffix(p, ".html") {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		all.Write(b)
		re := inCode
		if strings.HasSuffix(p, ".html") {
			re = inTemplates
		}
		for _, m := range re.FindAllStringSubmatch(string(b), -1) {
			if !tx.Has(m[1]) {
				t.Errorf("%s names %s, which has no text", p, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range tx.Keys() {
		if !strings.Contains(all.String(), `"`+k+`"`) {
			t.Errorf("text %s is used nowhere", k)
		}
	}
}

func TestStaticBudget(t *testing.T) {
	a, ok := renderer(t).Asset("app.css")
	if !ok {
		t.Fatal("no app.css")
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(a.Body); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if got := b.Len(); got > 14<<10 {
		t.Errorf("app.css: got %d bytes gzipped, want at most 14 KB", got)
	}
	if s, ok := renderer(t).Asset("vendor/icons.svg"); ok {
		d := xml.NewDecoder(bytes.NewReader(s.Body))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("icons.svg: %v", err)
			}
		}
	}
}

// Every kind of entry that the slices write into the ledger reads as a
// sentence on a page.
func TestEveryLedgerKindReadsAsASentence(t *testing.T) {
	lines, err := os.ReadFile("eventlines.go")
	if err != nil {
		t.Fatal(err)
	}
	entry := regexp.MustCompile(`(?:ledger\.Entry\{[^}]*?Kind:\s*|(?:[a-z]+Entry|m\.append|s\.(?:note|tell|enter[A-Za-z]*))\([^"\n]*|\bkind :?= [^"\n]*)"([a-z_]+\.[a-z_.]+)"[,}\n]`)
	seen := 0
	for _, dir := range []string{"../agents", "../backups", "../certs", "../controlplane/access", "../controlplane/sessions", "../controlplane/incidents", "../controlplane/customers", "../controlplane/identity", "../controlplane/ledger", "../controlplane/jobs", "../controlplane/findings", "../controlplane/mail", "../cmd/ostler"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range entry.FindAllStringSubmatch(string(b), -1) {
				if seen++; !strings.HasSuffix(f, "_test.go") && !strings.Contains(string(lines), `"`+m[1]+`": {`) {
					t.Errorf("%s writes %s, which has no line in eventlines.go", f, m[1])
				}
			}
		}
	}
	if seen < 60 {
		t.Errorf("found %d kinds only: the test looks in the wrong place", seen)
	}
}

// A page's own field with a name that every page has would hide it from the
// layout: the note above the page, or its address.
func TestNoPageHidesWhatEveryPageHas(t *testing.T) {
	shared := reflect.TypeOf(web.Page{})
	for _, s := range sample.All(renderer(t).Text()) {
		page := reflect.TypeOf(s.View).Elem()
		for i := range page.NumField() {
			if f := page.Field(i); !f.Anonymous {
				if _, hides := shared.FieldByName(f.Name); hides {
					t.Errorf("%s.%s hides Page.%s", page.Name(), f.Name, f.Name)
				}
			}
		}
	}
}
