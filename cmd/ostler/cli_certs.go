package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// certView is what the command line reads of a certificate.
type certView struct {
	ID           string         `json:"id"`
	CustomerName string         `json:"customer_name"`
	ServerName   string         `json:"server_name"`
	Tenancy      string         `json:"tenancy"`
	Names        []string       `json:"names"`
	Key          string         `json:"key"`
	Challenge    string         `json:"challenge"`
	Provider     string         `json:"provider"`
	Authority    string         `json:"authority"`
	Profile      string         `json:"profile"`
	Folder       string         `json:"folder"`
	Services     []string       `json:"services"`
	State        string         `json:"state"`
	Issued       *issuedView    `json:"issued"`
	Renewal      *renewalView   `json:"renewal"`
	Failing      *failingView   `json:"failing"`
	PausedUntil  string         `json:"paused_until"`
	PauseReason  string         `json:"pause_reason"`
	Seen         []certSeenView `json:"seen"`
	Records      []recordView   `json:"records"`
	OpenIssue    string         `json:"open_issue"`
}

// recordView is a DNS record that the customer sets once.
type recordView struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

type issuedView struct {
	Serial   string `json:"serial"`
	Issuer   string `json:"issuer"`
	NotAfter string `json:"not_after"`
}

type renewalView struct {
	At          string `json:"at"`
	From        string `json:"from"`
	Start       string `json:"start"`
	End         string `json:"end"`
	Explanation string `json:"explanation"`
}

type failingView struct {
	Attempts int     `json:"attempts"`
	NextTry  string  `json:"next_try"`
	Why      whyView `json:"why"`
}

// whyView is a failure or a wait in plain words.
type whyView struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Next    string `json:"next"`
	Detail  string `json:"detail"`
	Until   string `json:"until"`
}

func (w whyView) sentence() string { return strings.TrimSpace(w.Message + " " + w.Next) }

// certSeenView is what one endpoint served for one name.
type certSeenView struct {
	Name     string `json:"name"`
	Address  string `json:"address"`
	Protocol string `json:"protocol"`
	From     string `json:"from"`
	At       string `json:"at"`
	Right    bool   `json:"right"`
	NotAfter string `json:"not_after"`
	Problem  string `json:"problem"`
}

func (s certSeenView) row() []cell {
	shown, note := state("served"), ""
	switch {
	case !s.Right && s.Problem != "":
		shown, note = state("unserved"), s.Problem
	case !s.Right:
		shown, note = state("unserved"), "another certificate, until "+when(s.NotAfter)
	}
	return []cell{text(s.Name), text(s.Address), text(s.Protocol), text(s.From), shown, text(when(s.At)), text(note)}
}

var seenHeads = []string{"NAME", "ADDRESS", "PROTOCOL", "SEEN FROM", "STATE", "AT", "NOTE"}

// name is a certificate's first name and how many more it has.
func (v certView) name() string {
	switch len(v.Names) {
	case 0:
		return v.Folder
	case 1:
		return v.Names[0]
	}
	return fmt.Sprintf("%s +%d", v.Names[0], len(v.Names)-1)
}

// until is the end of what is installed, "" before the first.
func (v certView) until() string {
	if v.Issued == nil {
		return ""
	}
	return v.Issued.NotAfter
}

// left is how many whole days are left of what is installed.
func (v certView) left(now time.Time) string {
	t, err := time.Parse(time.RFC3339, v.until())
	if err != nil {
		return ""
	}
	return count(int64(t.Sub(now).Hours() / 24))
}

// next is when it is renewed, or why no time is said.
func (v certView) next() string {
	switch {
	case v.OpenIssue != "":
		return "under way"
	case v.PausedUntil != "":
		return "paused"
	case v.Failing != nil && v.Failing.NextTry != "":
		return when(v.Failing.NextTry)
	case v.Renewal != nil:
		return when(v.Renewal.At)
	}
	return ""
}

func (c *client) showCert(v certView) error {
	serial, issuer := "", ""
	if v.Issued != nil {
		serial, issuer = v.Issued.Serial, v.Issued.Issuer
	}
	why := ""
	if r := v.Renewal; r != nil && r.From == "ari" {
		why = "the authority suggests " + when(r.Start) + " to " + when(r.End)
	} else if r != nil {
		why = map[string]string{"lifetime": "by its lifetime", "person": "asked for by hand"}[r.From]
	}
	err := c.facts(pair{"Certificate", text(v.name())}, pair{"State", state(v.State)}, pair{"Names", text(strings.Join(v.Names, ", "))}, pair{"Good until", text(when(v.until()))},
		pair{"Issued by", text(issuer)}, pair{"Serial", text(serial)}, pair{"Next renewal", text(v.next())}, pair{"Why then", text(why)}, pair{"Paused until", text(when(v.PausedUntil))},
		pair{"Pause", text(v.PauseReason)}, pair{"Server", text(v.ServerName)}, pair{"Customer", text(v.CustomerName)}, pair{"Challenge", text(v.Challenge)}, pair{"Key", text(v.Key)},
		pair{"Services", text(strings.Join(v.Services, ", "))}, pair{"Profile", text(v.Profile)}, pair{"Folder", text(v.Folder)}, pair{"Attempt", text(v.OpenIssue)}, pair{"Tenancy", text(v.Tenancy)}, pair{"Id", text(v.ID)})
	if err != nil {
		return err
	}
	if f := v.Failing; f != nil {
		c.say("%s failed since the last success: %s", plural(int64(f.Attempts), "attempt", "attempts"), f.Why.sentence())
	}
	for _, r := range v.Records {
		c.say("Set once in the DNS: %s %s %s", r.Name, r.Type, r.Value)
	}
	if len(v.Seen) == 0 {
		return nil
	}
	rows := make([][]cell, len(v.Seen))
	for i, s := range v.Seen {
		rows[i] = s.row()
	}
	_, _ = fmt.Fprintln(c.out)
	return c.table(seenHeads, rows)
}

func (c *client) certCommand() *cobra.Command {
	return noun("cert", "Certificates: what is issued, and what is really served",
		c.certList(), c.certShow(), c.certCreate(), c.certChange(), c.certEnd(), c.certIssues(), c.certWhy(), c.certCheck(), c.certRenew(), c.certDryRun(), c.certPause(), c.certResume(),
		c.certRevoke(), c.certCompromised(), c.certFound(), c.certTakeOver(), c.certUndo(), c.certReplace(), c.certCampaign(), c.certForecast(), c.authorityCommand(), c.providerCommand())
}

func (c *client) certList() *cobra.Command {
	var p paging
	var server, customer, st, q, before string
	var failing, ended bool
	cmd := c.verb("list", "List certificates, those with the fewest days left first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		query := url.Values{"server": {server}, "customer": {customer}, "state": {st}, "q": {q}}
		if failing {
			query.Set("failing", "true")
		}
		if ended {
			query.Set("ended", "true")
		}
		if before != "" {
			d, err := time.ParseDuration(before)
			if err != nil {
				return usagef("--within is a length of time: 336h")
			}
			query.Set("before", time.Now().Add(d).UTC().Format(time.RFC3339))
		}
		now := time.Now()
		return list(ctx, c, "/certificates", query, p, []string{"NAME", "STATE", "DAYS", "GOOD UNTIL", "RENEWS", "SERVER", "WHY", "ID"}, func(v certView) []cell {
			why := ""
			if v.Failing != nil {
				why = v.Failing.Why.Message
			}
			return []cell{text(v.name()), state(v.State), number(v.left(now)), text(when(v.until())), text(v.next()), text(v.ServerName), text(firstLine(why)), text(v.ID)}
		}, "There are no such certificates.")
	})
	f := cmd.Flags()
	f.StringVar(&server, "server", "", "server, by name or id")
	f.StringVar(&customer, "customer", "", "customer, by slug or id")
	f.StringVar(&st, "state", "", "new, served, unserved, expired, revoked or ended")
	f.StringVar(&q, "name", "", "part of a name")
	f.StringVar(&before, "within", "", "what ends within this time: 336h")
	f.BoolVar(&failing, "failing", false, "only those whose latest attempt failed")
	f.BoolVar(&ended, "ended", false, "those too that are looked after no more")
	return p.flags(cmd)
}

func (c *client) certShow() *cobra.Command {
	return c.verb("show CERTIFICATE", "Show a certificate, by its id or by one of its names", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/certificates/"+id(args[0]), nil, c.showCert)
	})
}

// certFlags are what can be said of a certificate.
type certFlags struct {
	names, services, endpoints                     []string
	key, challenge, provider, authority, caProfile string
}

func (f *certFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringArrayVar(&f.names, "name", nil, "DNS name (again for more)")
	fl.StringArrayVar(&f.services, "service", nil, "service to test and reload: nginx, apache, haproxy, postfix, dovecot, caddy (again for more)")
	fl.StringArrayVar(&f.endpoints, "endpoint", nil, "where the names are served: ADDRESS:PORT, or ADDRESS:PORT/smtp, /imap, /pop3 (again for more; default: the names' addresses, port 443)")
	fl.StringVar(&f.key, "key", "", "ec256, ec384, rsa2048, rsa3072 or rsa4096 (default ec256)")
	fl.StringVar(&f.challenge, "challenge", "", "http-agent, http-redirect, dns or dns-delegated (default http-agent)")
	fl.StringVar(&f.provider, "provider", "", "id of the DNS provider, for --challenge dns")
	fl.StringVar(&f.authority, "authority", "", "id of the authority to ask first (default: the primary one)")
	fl.StringVar(&f.caProfile, "profile", "", "the authority's profile")
	_ = cmd.RegisterFlagCompletionFunc("challenge", cobra.FixedCompletions([]string{"http-agent", "http-redirect", "dns", "dns-delegated"}, cobra.ShellCompDirectiveNoFileComp))
}

// body is what was said, as the API wants it.
func (f *certFlags) body(cmd *cobra.Command) map[string]any {
	body := map[string]any{}
	for flag, x := range map[string]struct {
		key   string
		value any
	}{"name": {"names", f.names}, "service": {"services", f.services}, "key": {"key", f.key}, "challenge": {"challenge", f.challenge},
		"provider": {"provider", f.provider}, "authority": {"authority", f.authority}, "profile": {"profile", f.caProfile}} {
		if cmd.Flags().Changed(flag) {
			body[x.key] = x.value
		}
	}
	if cmd.Flags().Changed("endpoint") {
		all := []map[string]string{}
		for _, e := range f.endpoints {
			address, protocol, ok := strings.Cut(e, "/")
			if !ok {
				protocol = "tls"
			}
			all = append(all, map[string]string{"address": address, "protocol": protocol})
		}
		body["endpoints"] = all
	}
	return body
}

func (c *client) certCreate() *cobra.Command {
	var f certFlags
	var wait bool
	var cmd *cobra.Command
	cmd = c.verb("create TENANCY", "Have names of a tenancy looked after; the first attempt begins at once", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		body := f.body(cmd)
		body["tenancy"] = args[0]
		var v certView
		a, err := c.post(ctx, "/certificates", body, &v)
		if err != nil {
			return err
		}
		return c.afterIssue(ctx, v, a, wait)
	})
	f.add(cmd)
	_ = cmd.MarkFlagRequired("name")
	return c.waits(cmd, &wait)
}

// afterIssue shows a certificate, after its attempt where that is waited for.
func (c *client) afterIssue(ctx context.Context, v certView, a answer, wait bool) error {
	if !wait {
		return shown(c, a, v, c.showCert)
	}
	if v.OpenIssue != "" {
		if err := c.waitIssue(ctx, v.OpenIssue); err != nil {
			return err
		}
	}
	return show(ctx, c, "/certificates/"+id(v.ID), nil, c.showCert)
}

func (c *client) certChange() *cobra.Command {
	var f certFlags
	var cmd *cobra.Command
	cmd = c.verb("change CERTIFICATE", "Change a certificate: only what is named changes; other names or another key have it issued anew", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		body := f.body(cmd)
		if len(body) == 0 {
			return usagef("name what to change: --name, --challenge, --service ...")
		}
		a, err := c.get(ctx, "/certificates/"+id(args[0]), nil, nil)
		if err != nil {
			return err
		}
		var v certView
		a, err = c.call(ctx, http.MethodPatch, "/certificates/"+id(args[0]), nil, body, http.Header{"If-Match": a.header.Values("ETag")}, &v)
		if err != nil {
			return err
		}
		return shown(c, a, v, c.showCert)
	})
	f.add(cmd)
	return cmd
}

func (c *client) certEnd() *cobra.Command {
	var yes string
	cmd := c.verb("end CERTIFICATE", "Look after a certificate no more; what is installed stays", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if err := c.confirm(yes, args[0], "It is not renewed any more, and nobody looks at what is served."); err != nil {
			return err
		}
		var v certView
		a, err := c.call(ctx, http.MethodDelete, "/certificates/"+id(args[0]), nil, nil, nil, &v)
		if err != nil {
			return err
		}
		return shown(c, a, v, c.showCert)
	})
	cmd.Flags().StringVar(&yes, "yes", "", "do not ask: the certificate's name or id, as given")
	return cmd
}
