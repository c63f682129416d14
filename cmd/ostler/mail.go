package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/mail"
)

// MailConfig is the mail server that takes our mail, and who we are to it.
type MailConfig struct {
	Host string `koanf:"host"` // "" sends none
	Port int    `koanf:"port"`
	// TLS is required always; loopback is for a mail server on this machine.
	TLS    string `koanf:"tls"`
	CAFile string `koanf:"ca_file"`
	// WithoutTLS says what happens where the server offers no encryption: the
	// mail waits, or one without content goes out in its place.
	WithoutTLS   string     `koanf:"without_tls"`
	User         string     `koanf:"user"`
	PasswordFile string     `koanf:"password_file"`
	From         string     `koanf:"from"`
	ReplyTo      string     `koanf:"reply_to"`
	BouncesTo    string     `koanf:"bounces_to"`
	EHLO         string     `koanf:"ehlo"`
	DKIM         DKIMConfig `koanf:"dkim"`
}

// DKIMConfig is the key that mails are signed with.
type DKIMConfig struct {
	Domain   string `koanf:"domain"` // "" leaves mails unsigned
	Selector string `koanf:"selector"`
	KeyFile  string `koanf:"key_file"`
}

// mailOptions reads the files that the configuration names.
func (c Config) mailOptions() (o mail.Options, err error) {
	m := c.Mail
	o = mail.Options{Host: m.Host, Port: m.Port, Security: mail.Security(m.TLS), User: m.User, From: m.From, ReplyTo: m.ReplyTo, BouncesTo: m.BouncesTo, EHLO: m.EHLO,
		PortalURL: c.Portal.URL, Company: c.Portal.Company}
	switch m.WithoutTLS {
	case "wait":
	case "notice":
		o.NoticeWithoutTLS = true
	default:
		return o, fmt.Errorf("config: mail.without_tls: %q is neither wait nor notice", m.WithoutTLS)
	}
	if m.CAFile != "" {
		pem, err := os.ReadFile(m.CAFile)
		if err != nil {
			return o, fmt.Errorf("config: mail.ca_file: %w", err)
		}
		o.Roots = x509.NewCertPool()
		if !o.Roots.AppendCertsFromPEM(pem) {
			return o, fmt.Errorf("config: mail.ca_file: %s holds no certificate", m.CAFile)
		}
	}
	if m.PasswordFile != "" {
		text, err := os.ReadFile(m.PasswordFile)
		if err != nil {
			return o, fmt.Errorf("config: mail.password_file: %w", err)
		}
		o.Password, _, _ = strings.Cut(string(text), "\n")
		o.Password = strings.TrimSuffix(o.Password, "\r")
	}
	if (m.User == "") != (o.Password == "") {
		return o, fmt.Errorf("config: mail.user and mail.password_file go together")
	}
	if m.DKIM != (DKIMConfig{}) {
		key, err := os.ReadFile(m.DKIM.KeyFile)
		if err != nil {
			return o, fmt.Errorf("config: mail.dkim.key_file: %w", err)
		}
		o.DKIM = &mail.DKIM{Domain: m.DKIM.Domain, Selector: m.DKIM.Selector, Key: key}
	}
	return o, nil
}

// openMail wires outgoing mail.
func (a *App) openMail(ctx context.Context) error {
	o, err := a.Config.mailOptions()
	if err != nil {
		return err
	}
	o.Log, o.Bus = a.log, a.Bus
	if a.Mail, err = mail.New(a.DB, a.Keeper, a.Ledger, a.Jobs, a.Findings, o); err != nil {
		return err
	}
	return a.Mail.Start(ctx)
}

// checkMail tries the mail server of a configuration: it connects and signs in,
// and sends nothing. path "" is the usual file; where that is not there, this
// is not the control plane's machine and there is no line.
func checkMail(ctx context.Context, path string) []checkup {
	if path == "" {
		if _, err := os.Stat(defaultConfigFile); err != nil {
			return nil
		}
	}
	c, err := loadConfig(path)
	if err != nil {
		return []checkup{{"mail", "unknown", err.Error(), "Run the doctor as a user who may read the control plane's configuration."}}
	}
	if c.Mail.Host == "" {
		return []checkup{{"mail", "warn", "no mail server is configured: what customers are told stands in the portal only", "Set the mail section of the configuration."}}
	}
	o, err := c.mailOptions()
	if err != nil {
		return []checkup{{"mail", "bad", err.Error(), "Correct it in the configuration."}}
	}
	probe, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	p, err := mail.Check(probe, o)
	var e *controlplane.Error
	switch {
	case errors.As(err, &e):
		return []checkup{{"mail", "bad", e.Message, e.Next}}
	case err != nil:
		return []checkup{{"mail", "bad", err.Error(), "Correct it in the configuration."}}
	}
	v := checkup{Check: "mail", State: "ok", Detail: fmt.Sprintf("%s takes mail over %s", p.Server, p.TLS)}
	if p.TLS == "" {
		v.Detail = p.Server + " takes mail, on this machine"
	}
	if !p.DSN {
		v.Detail += "; it does not offer reports of failure (DSN)"
	}
	return []checkup{v}
}
