package mail_test

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"

	"github.com/emersion/go-msgauth/dkim"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/mail"
	"ostler/controlplane/mail/mailtest"
)

// read takes a mail apart.
func read(t *testing.T, raw []byte) (h netmail.Header, plain, html string) {
	t.Helper()
	msg, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(msg.Body, params["boundary"])
	var bodies []string
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Header.Get("Content-Transfer-Encoding"); got != "quoted-printable" {
			t.Errorf("encoding: got %q", got)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(body))
	}
	if len(bodies) != 2 {
		t.Fatalf("parts: got %d, want text and HTML", len(bodies))
	}
	return msg.Header, strings.ReplaceAll(bodies[0], "\r\n", "\n"), bodies[1]
}

func (h *house) raw(id string) []byte {
	h.t.Helper()
	raw, err := h.Bytes(h.ctx, h.all, id)
	h.must(err)
	return raw
}

func quiet(t *testing.T, o mail.Options) *house {
	t.Helper()
	o.Host = "mail.hof.example"
	return newHouse(t, dbtest.SQLite(t, &dbtest.Clock{}), nil, filepath.Join(t.TempDir(), "keys"), o)
}

func TestHowItReads(t *testing.T) {
	h := quiet(t, mail.Options{})
	head, plain, html := read(t, h.raw(h.enqueue(h.ready())))
	want := `Hello Anna Müller,

The restore that you asked for is done.

The files come from orchard-db1.

You can fetch them until Friday 18:00. After that, ask for them again.

See the restore:
https://portal.example/restores/res_1

-- 
Hof & Stall sent this mail. An answer to it is not read: sign in to write to us.
`
	if plain != want {
		t.Errorf("got\n%s\nwant\n%s", plain, want)
	}
	if !strings.Contains(html, "<p>Hello Anna Müller,</p>") || !strings.Contains(html, `<a href="https://portal.example/restores/res_1">`) || !strings.Contains(html, "Hof &amp; Stall") {
		t.Errorf("html: got %s", html)
	}
	for name, want := range map[string]string{"From": `"Hof & Stall" <noreply@hof.example>`, "To": "=?utf-8?q?Anna_M=C3=BCller?= <" + annaA + ">", "Subject": "Your files are ready",
		"Auto-Submitted": "auto-generated", "Date": "Fri, 20 Nov 2026 09:00:00 +0000", "Reply-To": "", "User-Agent": "", "X-Mailer": "", "Mime-Version": "1.0"} {
		if got := head.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestParagraphsWithoutTheirArgumentsAreLeftOut(t *testing.T) {
	h := quiet(t, mail.Options{ReplyTo: "Helpdesk <help@hof.example>"})
	for _, template := range mail.Templates() {
		m := mail.Message{Customer: h.customer, To: annaA, Template: template}
		head, plain, html := read(t, h.raw(h.enqueue(m)))
		if strings.ContainsAny(plain+html, "{}") || !strings.HasPrefix(plain, "Hello,\n\n") || !strings.Contains(plain, "https://portal.example/\n") {
			t.Errorf("%s: got\n%s", template, plain)
		}
		if head.Get("Subject") == "" || head.Get("Reply-To") != `"Helpdesk" <help@hof.example>` || strings.Contains(plain, "not read") {
			t.Errorf("%s: got %v\n%s", template, head, plain)
		}
	}
}

// TestNothingIsInjected has every text hold what would be a header, a tag or a
// template elsewhere.
func TestNothingIsInjected(t *testing.T) {
	evil := "x\r\nBcc: victim@x.example\r\n\r\n<script>alert(1)</script> {until} \u202egpj.exe\x00\u2028" + strings.Repeat("long ", 200)
	h := quiet(t, mail.Options{Company: evil, From: "Hof <noreply@hof.example>"})
	m := h.ready()
	m.Name, m.Args["server"], m.Args["until"] = evil, evil, evil
	m.Path = "//evil.example/" + evil
	head, plain, html := read(t, h.raw(h.enqueue(m)))
	if len(head["Bcc"]) != 0 || len(head) != 9 {
		t.Errorf("headers: got %v", head)
	}
	if strings.Contains(html, "<script") || strings.Contains(html, "evil.example") || !strings.Contains(html, "&lt;script&gt;") {
		t.Errorf("html: got %s", html)
	}
	if strings.ContainsAny(plain+html, "\u202e\x00\u2028") || strings.Contains(plain, "\nBcc") || !strings.Contains(plain, "{until}") {
		t.Errorf("text: got %q", plain)
	}
	if len(plain) > 2000 {
		t.Errorf("an argument is not bounded: %d bytes", len(plain))
	}
}

// TestLongTexts: a notice goes out whole, in its language, and as nothing but text.
func TestLongTexts(t *testing.T) {
	h := quiet(t, mail.Options{})
	text := "Was geschehen ist\r\nJemand hat Daten gelesen. <script>alert(1)</script> {text¶} \u202egpj.exe\x00\n\n\n \n" + strings.Repeat("Äpfel und Birnen ", 2000) + "\n\nEnde."
	head, plain, html := read(t, h.raw(h.enqueue(mail.Message{Customer: h.customer, To: annaA, Name: "Anna", Template: mail.IncidentNotice, Lang: "de-DE", Args: map[string]string{"text": text}})))
	if got := head.Get("Content-Language"); got != "de" || !strings.HasPrefix(plain, "Guten Tag Anna,\n\nWas geschehen ist\nJemand hat Daten gelesen.") {
		t.Errorf("language %q, text\n%.200s", got, plain)
	}
	if n := strings.Count(plain, "Äpfel und Birnen"); n != 2000 || !strings.Contains(plain, "\n\nEnde.\n\nDiese Mitteilung") {
		t.Errorf("the text is not whole: %d of 2,000", n)
	}
	if strings.Contains(html, "<script") || !strings.Contains(html, "&lt;script&gt;") || strings.ContainsAny(plain+html, "\u202e\x00") {
		t.Errorf("html: %.600s", html)
	}
	for lang, want := range map[string]string{"de": "en", "en-GB": "en", "fr": "en", "": "en"} {
		m := h.ready()
		m.Lang = lang
		if head, _, _ := read(t, h.raw(h.enqueue(m))); head.Get("Content-Language") != want {
			t.Errorf("%q: a template that there is in English only says that it is %q", lang, head.Get("Content-Language"))
		}
	}
}

func TestLinks(t *testing.T) {
	h := quiet(t, mail.Options{})
	for path, want := range map[string]string{
		"/restores/res_1?a=b&c=d": "https://portal.example/restores/res_1?a=b&c=d",
		"":                        "https://portal.example/",
		"restores":                "https://portal.example/",
		"//evil.example":          "https://portal.example/",
		"/\\evil.example":         "https://portal.example/",
		"https://evil.example":    "https://portal.example/",
		"/a b":                    "https://portal.example/",
	} {
		m := h.ready()
		m.Path = path
		if _, plain, _ := read(t, h.raw(h.enqueue(m))); !strings.Contains(plain, "\n"+want+"\n") {
			t.Errorf("%q: want %s in\n%s", path, want, plain)
		}
	}
}

func TestMistakesOfTheCaller(t *testing.T) {
	h := quiet(t, mail.Options{})
	for name, change := range map[string]func(m *mail.Message){
		"no such template":  func(m *mail.Message) { m.Template = "notice of doom" },
		"unknown argument":  func(m *mail.Message) { m.Args["file"] = "payroll.xls" },
		"customer, no key":  func(m *mail.Message) { m.Customer = "cus_0000000000000000000000000z" },
		"template by a key": func(m *mail.Message) { m.Template = "hello" },
	} {
		m := h.ready()
		change(&m)
		if err := h.db.Write(h.ctx, func(tx *db.Tx) error { _, err := h.Enqueue(tx, m); return err }); err == nil || controlplane.ErrorCode(err) != controlplane.CodeInternal {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestDKIM verifies the signature with another library.
func TestDKIM(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	each(t, mailtest.Options{}, func(o *mail.Options) { o.DKIM = &mail.DKIM{Domain: "hof.example", Selector: "s1", Key: key} }, func(h *house, s *mailtest.Sink) {
		m := h.ready()
		m.Name, m.Args["server"] = "Zoë Ångström-Ølstykke van der Süßmeier, Direktorin für äußerst ausführliche Angelegenheiten", "müller-db1"
		h.enqueue(m)
		h.tick()
		if len(s.Messages()) != 1 {
			h.t.Fatal("it did not arrive")
		}
		raw := s.Messages()[0].Raw
		lookUp := func(name string) ([]string, error) {
			if name != "s1._domainkey.hof.example" {
				h.t.Errorf("looked up %q", name)
			}
			return []string{"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)}, nil
		}
		got, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{LookupTXT: lookUp})
		if err != nil || len(got) != 1 || got[0].Err != nil {
			h.t.Fatalf("got %+v, %v", got, err)
		}
		signed := got[0].HeaderKeys
		for _, want := range []string{"from", "to", "subject", "date", "message-id"} {
			if !slices.ContainsFunc(signed, func(k string) bool { return strings.EqualFold(k, want) }) {
				h.t.Errorf("%s is not signed: %v", want, signed)
			}
		}
		changed := bytes.Replace(raw, []byte("Your files"), []byte("Your money"), 1)
		if got, err := dkim.VerifyWithOptions(bytes.NewReader(changed), &dkim.VerifyOptions{LookupTXT: lookUp}); err == nil && got[0].Err == nil {
			h.t.Error("a changed mail verifies")
		}
	})
}

func TestWaits(t *testing.T) {
	var sum time.Duration
	for try := 1; try <= 5; try++ {
		sum += mail.Wait(try)
	}
	if sum > 20*time.Minute || mail.Wait(1) != time.Minute || mail.Wait(99) != 15*time.Minute {
		t.Errorf("five tries in %s", sum)
	}
}

func TestQueueIDs(t *testing.T) {
	for reply, want := range map[string]string{
		"2.0.0 Ok: queued as 4Xq9Yt2Zz1":                                      "4Xq9Yt2Zz1",
		"OK id=1uXyZ0-0000000AbCd-1234":                                       "1uXyZ0-0000000AbCd-1234",
		"2.0.0 5AKA1b2c012345 Message accepted for delivery":                  "5AKA1b2c012345",
		"2.6.0 <a@b> [InternalId=12345678901, Hostname=x] Queued mail for it": "12345678901",
		"2.0.0 OK  1700000000 d2e1a72fcca58-6c320bb.12 - gsmtp":               "",
		"fine":               "",
		"queued as <script>": "",
		"2.0.0 Ok: queued as " + strings.Repeat("A", 100): "",
	} {
		if got := mail.QueueID(reply); got != want {
			t.Errorf("%q: got %q, want %q", reply, got, want)
		}
	}
}

func TestXText(t *testing.T) {
	for _, s := range []string{"a@b.example", "a+b=c", "ü ", "~!"} {
		if x, back := mail.XText(s); back != s || strings.ContainsAny(x, " =\r\n") {
			t.Errorf("%q: got %q, %q", s, x, back)
		}
	}
}
