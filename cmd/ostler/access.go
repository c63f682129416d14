package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/mail"
	"ostler/controlplane/teleport"
)

// AccessConfig is how the lists of who can reach servers are kept.
type AccessConfig struct {
	// Mode is how Teleport is dealt with until a person says otherwise.
	Mode string `koanf:"mode"`
	// LabelKey is the label of Teleport's nodes that names the customer.
	LabelKey string `koanf:"label_key"`
	// Roles are what grants give; none is access.DefaultRoles.
	Roles []access.Role `koanf:"roles"`
	// LookMinutes and ScanMinutes are how often the cluster and the hosts are looked at.
	LookMinutes int `koanf:"look_minutes"`
	ScanMinutes int `koanf:"scan_minutes"`
	// GatherSeconds is how long changes are gathered into one mail.
	GatherSeconds int `koanf:"gather_seconds"`
	// TicketLink is a ticket's address with {ticket} in it; TicketCheck is asked
	// whether one is good.
	TicketLink  string `koanf:"ticket_link"`
	TicketCheck string `koanf:"ticket_check"`
	// Zone is where working days are counted, an IANA name.
	Zone string `koanf:"zone"`
}

// TeleportConfig says which cluster is looked at. Without an address none is.
type TeleportConfig struct {
	Addr         string `koanf:"addr"`          // host:port of the auth service, or of a proxy
	Cluster      string `koanf:"cluster"`       // its name, where addr is a proxy with TLS routing
	IdentityFile string `koanf:"identity_file"` // made by tbot or tctl; read anew when it changes
}

func defaultAccess() AccessConfig {
	return AccessConfig{Mode: string(access.Observe), LabelKey: "customer", Roles: []access.Role{}, LookMinutes: 5, ScanMinutes: 60, GatherSeconds: 120, Zone: "UTC"}
}

// accessOptions turns the configuration into the slice's options.
func (c AccessConfig) options() (access.Options, error) {
	o := access.Options{Mode: access.Mode(c.Mode), LabelKey: c.LabelKey, Every: time.Duration(c.LookMinutes) * time.Minute,
		ScanEvery: time.Duration(c.ScanMinutes) * time.Minute, Batch: time.Duration(c.GatherSeconds) * time.Second, TicketLink: c.TicketLink}
	if !o.Mode.Valid() {
		return o, fmt.Errorf("config: access.mode: %q is none of observe, shadow, enforce", c.Mode)
	}
	if len(c.Roles) > 0 {
		o.Roles = c.Roles
	}
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return o, fmt.Errorf("config: access.zone: %w", err)
	}
	o.Zone = zone
	if c.TicketLink != "" && !strings.Contains(c.TicketLink, "{ticket}") {
		return o, fmt.Errorf("config: access.ticket_link: {ticket} is missing in it")
	}
	if c.TicketCheck != "" {
		if u, err := url.Parse(c.TicketCheck); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return o, fmt.Errorf("config: access.ticket_check: it is no address of a web server")
		}
		o.CheckTicket = ticketCheck(c.TicketCheck, &http.Client{Timeout: 5 * time.Second})
	}
	return o, nil
}

// ticketCheck asks a ticket system's webhook about a reference: POST
// {"ticket": "OPS-1"}, answered by {"state": "good" | "unknown" | "closed"}.
// Anything else is no answer: the grant then wants its ticket by a date.
func ticketCheck(address string, client *http.Client) func(ctx context.Context, ticket string) (access.TicketAnswer, error) {
	return func(ctx context.Context, ticket string) (access.TicketAnswer, error) {
		body, err := json.Marshal(map[string]string{"ticket": ticket})
		if err != nil {
			return "", fmt.Errorf("tickets: ask: %w", err)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return "", fmt.Errorf("tickets: ask: %w", err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := client.Do(req)
		if err != nil {
			return "", fmt.Errorf("tickets: ask: %w", err)
		}
		defer func() { _ = res.Body.Close() }()
		var answer struct {
			State access.TicketAnswer `json:"state"`
		}
		if res.StatusCode != http.StatusOK {
			return "", fmt.Errorf("tickets: ask: the ticket system answered %s", res.Status)
		}
		if err := json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&answer); err != nil {
			return "", fmt.Errorf("tickets: ask: its answer cannot be read: %w", err)
		}
		switch answer.State {
		case access.TicketGood, access.TicketUnknown, access.TicketClosed:
			return answer.State, nil
		}
		return "", fmt.Errorf("tickets: ask: its answer has no state that we know")
	}
}

// openAccess wires the lists of who can reach servers, and the cluster that
// enforces them where one is configured.
func (a *App) openAccess() error {
	o, err := a.Config.Access.options()
	if err != nil {
		return err
	}
	o.Log, o.Bus = a.log, a.Bus
	deps := access.Deps{DB: a.DB, Keeper: a.Keeper, Ledger: a.Ledger, Jobs: a.Jobs, Findings: a.Findings, Customers: a.Customers,
		Identity: a.Identity, Mail: accessLetters{a.Mail}}
	if t := a.Config.Teleport; t.Addr != "" {
		cluster, err := teleport.Open(teleport.Options{Addr: t.Addr, Cluster: t.Cluster, IdentityFile: t.IdentityFile, Log: a.log})
		if err != nil {
			return fmt.Errorf("config: teleport: %w", err)
		}
		a.closers = append(a.closers, cluster.Close)
		a.cluster, deps.Cluster = cluster, cluster
	}
	if a.Access, err = access.New(deps, o); err != nil {
		return err
	}
	a.Mail.OnChanged(a.Access.MailBecame)
	return nil
}

// accessLetters sends what lists have to say by mail.
type accessLetters struct{ mail *mail.Mail }

// Enqueue implements access.Mailer.
func (l accessLetters) Enqueue(tx *db.Tx, x access.Letter) (string, error) {
	return l.mail.Enqueue(tx, mail.Message(x))
}
