package world

import (
	"crypto/rand"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"
)

// Portal is somebody signed in to the portal: pages and forms over HTTP, with
// cookies and without JavaScript.
type Portal struct {
	w      *World
	client *http.Client
}

var (
	setupKey   = regexp.MustCompile(`<code class="wrap">([A-Z2-7 ]+)</code>`)
	inviteLink = regexp.MustCompile(`http://localhost:[0-9]+/invite/[A-Za-z0-9_-]+`)
	apiToken   = regexp.MustCompile(`ost_[a-z]+_[A-Za-z0-9]+_?[A-Za-z0-9]*`)
)

// Accept opens an invitation, sets a password, and adds an authenticator app.
func (w *World) Accept(link string) *Portal {
	w.T.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.T.Fatal(err)
	}
	b := &Portal{w: w, client: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
	path := strings.TrimPrefix(link, w.URL)
	key := b.find(setupKey, b.page(path))
	code, err := totp.GenerateCode(strings.ReplaceAll(key[1], " ", ""), time.Now())
	if err != nil {
		w.T.Fatal(err)
	}
	b.Submit(path, "password", rand.Text(), "code", code)
	b.page("/account")
	return b
}

// Invite makes a new invitation for a contact and returns its link.
func (b *Portal) Invite(contact string) (link string) {
	b.w.T.Helper()
	return b.find(inviteLink, b.Submit("/people/"+contact+"/invite"))[0]
}

// MakeToken makes an API token with all that the person may do.
func (b *Portal) MakeToken(name string) string {
	b.w.T.Helper()
	return b.find(apiToken, b.Submit("/account/tokens", "name", name, "preset", "all", "days", "7"))[0]
}

func (b *Portal) find(what *regexp.Regexp, page string) []string {
	b.w.T.Helper()
	found := what.FindStringSubmatch(html.UnescapeString(page))
	if found == nil {
		b.w.T.Fatalf("%s is not on the page:\n%s", what, page)
	}
	return found
}

// Page is a page that must be there, as HTML.
func (b *Portal) Page(path string) string {
	b.w.T.Helper()
	return b.page(path)
}

// page gets a page that must be there.
func (b *Portal) page(path string) string {
	b.w.T.Helper()
	res, err := b.client.Get(b.w.URL + path)
	return b.read(path, res, err)
}

// Submit sends a form of names and values, and returns the page that answers.
func (b *Portal) Submit(path string, fields ...string) string {
	b.w.T.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	res, err := b.client.PostForm(b.w.URL+path, form)
	return b.read(path, res, err)
}

func (b *Portal) read(path string, res *http.Response, err error) string {
	b.w.T.Helper()
	if err != nil {
		b.w.T.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.w.T.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || strings.HasPrefix(res.Request.URL.Path, "/signin") {
		b.w.T.Fatalf("%s: status %d at %s\n%s", path, res.StatusCode, res.Request.URL.Path, body)
	}
	return string(body)
}
