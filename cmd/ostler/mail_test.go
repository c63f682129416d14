package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ostler/controlplane/mail"
	"ostler/controlplane/mail/mailtest"
)

// TestCheckMail has the doctor try a mail server as a configuration names it.
func TestCheckMail(t *testing.T) {
	s, err := mailtest.Start(mailtest.Options{User: "ostler", Password: "pass word"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := filepath.Join(dir, "ca.pem")
	if err := s.WriteCA(ca); err != nil {
		t.Fatal(err)
	}
	good := "mail:\n  host: 127.0.0.1\n  port: " + strconv.Itoa(s.Options().Port) + "\n  ca_file: " + ca + "\n  user: ostler\n  password_file: " + write("password", "pass word\n") +
		"\n  from: Hof <noreply@hof.example>\n  ehlo: plane.hof.example\n"
	for _, c := range []struct{ name, config, state, detail string }{
		{"none", "data_dir: " + dir, "warn", "no mail server is configured"},
		{"good", good, "ok", "takes mail over TLS 1.3"},
		{"wrong password", strings.Replace(good, "password\n", "wrong\n", 1), "bad", "535"},
		{"no password", strings.Replace(good, "user: ostler", "user: \"\"", 1), "bad", "go together"},
		{"no certificate", strings.Replace(good, ca, write("empty.pem", ""), 1), "bad", "holds no certificate"},
		{"system's authorities", strings.Replace(good, "ca_file: "+ca, "ca_file: \"\"", 1), "bad", "certificate"},
		{"no from", strings.Replace(good, "Hof <noreply@hof.example>", "nobody", 1), "bad", "from:"},
		{"in clear", good + "  tls: none\n", "bad", "unknown tls"},
		{"without tls", good + "  without_tls: send\n", "bad", "neither wait nor notice"},
		{"key without a domain", good + "  dkim:\n    key_file: " + ca + "\n", "bad", "dkim"},
		{"unknown setting", good + "  starttls: true\n", "unknown", "there is no setting"},
	} {
		t.Run(c.name, func(t *testing.T) {
			write("wrong", "wrong\n")
			got := checkMail(t.Context(), write("ostler.yaml", c.config))
			if len(got) != 1 || got[0].State != c.state || !strings.Contains(got[0].Detail, c.detail) || (got[0].Next == "") != (c.state == "ok") {
				t.Errorf("got %+v, want %s: %s", got, c.state, c.detail)
			}
			if strings.Contains(got[0].Detail, "pass word") {
				t.Error("the password is shown")
			}
		})
	}
	if n := len(s.Messages()); n != 0 {
		t.Errorf("the doctor sent %d mails", n)
	}
}

// TestMailOptions reads what the configuration names.
func TestMailOptions(t *testing.T) {
	c := defaults()
	c.Mail.Host, c.Mail.WithoutTLS, c.Mail.TLS = "mail.hof.example", "notice", "implicit"
	o, err := c.mailOptions()
	if err != nil || !o.NoticeWithoutTLS || o.Security != mail.Implicit || o.PortalURL != c.Portal.URL || o.Company != c.Portal.Company {
		t.Errorf("got %+v, %v", o, err)
	}
}
