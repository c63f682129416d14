package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// authorityView is what the command line reads of a certificate authority.
type authorityView struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Directory    string   `json:"directory"`
	Role         string   `json:"role"`
	Contact      string   `json:"contact"`
	Profile      string   `json:"profile"`
	AccountURL   string   `json:"account_url"`
	BlockedUntil string   `json:"blocked_until"`
	BlockedWhy   *whyView `json:"blocked_why"`
}

func (c *client) showAuthority(v authorityView) error {
	err := c.facts(pair{"Authority", text(v.Name)}, pair{"For", text(v.Role)}, pair{"Directory", text(v.Directory)}, pair{"Account", text(v.AccountURL)}, pair{"Contact", text(v.Contact)},
		pair{"Profile", text(v.Profile)}, pair{"Keeps us waiting until", text(when(v.BlockedUntil))}, pair{"Id", text(v.ID)})
	if v.BlockedWhy != nil {
		c.say("%s", v.BlockedWhy.sentence())
	}
	return err
}

func (c *client) authorityCommand() *cobra.Command {
	lst := c.verb("list", "List certificate authorities", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return list(ctx, c, "/certificate-authorities", nil, paging{}, []string{"AUTHORITY", "FOR", "DIRECTORY", "WAITS UNTIL", "ID"}, func(v authorityView) []cell {
			return []cell{text(v.Name), text(v.Role), text(v.Directory), text(when(v.BlockedUntil)), text(v.ID)}
		}, "There is no authority yet, so nothing can be issued. Add one: ostler cert authority add NAME --directory URL")
	})
	roll := c.verb("roll AUTHORITY", "Give our account at an authority a new key", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return posted(ctx, c, "/certificate-authorities/"+id(args[0])+"/roll", nil, c.showAuthority)
	})
	return noun("authority", "Certificate authorities, and our account at each", lst, c.authorityAdd(), c.authorityLimits(), roll)
}

// forecastView is what the command line reads of a forecast.
type forecastView struct {
	Name    string `json:"name"`
	Sites   int64  `json:"sites"`
	Orders  int64  `json:"orders"`
	Seconds int64  `json:"seconds"`
	Limit   string `json:"limit"`
}

// takes is how long it takes, to the hour where it is days.
func (v forecastView) takes() string {
	d := time.Duration(v.Seconds) * time.Second
	switch hours := int64(d.Round(time.Hour) / time.Hour); {
	case d == 0:
		return "nothing: at once"
	case hours < 48:
		return d.Round(time.Minute).String()
	default:
		return plural(hours/24, "day", "days") + " " + plural(hours%24, "hour", "hours")
	}
}

func (c *client) certForecast() *cobra.Command {
	return c.verb("forecast SITES", "Say how long the primary authority's limits make so many new sites take", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/certificates/forecast", url.Values{"sites": {args[0]}}, func(v forecastView) error {
			return c.facts(pair{"Authority", text(v.Name)}, pair{"New sites", text(count(v.Sites))}, pair{"Takes", text(v.takes())}, pair{"Because of", text(v.Limit)}, pair{"Orders", text(count(v.Orders))})
		})
	})
}

func (c *client) authorityLimits() *cobra.Command {
	return c.verb("limits AUTHORITY", "List the limits of an authority that anything is used of", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		type limitView struct {
			Limit        string `json:"limit"`
			Scope        string `json:"scope"`
			Used         int64  `json:"used"`
			Max          int64  `json:"max"`
			Next         string `json:"next"`
			BlockedUntil string `json:"blocked_until"`
		}
		return list(ctx, c, "/certificate-authorities/"+id(args[0])+"/limits", nil, paging{whole: true}, []string{"LIMIT", "OF", "USED", "MOST", "ONE MORE", "BLOCKED UNTIL"}, func(v limitView) []cell {
			return []cell{text(v.Limit), text(v.Scope), number(count(v.Used)), number(count(v.Max)), text(when(v.Next)), text(when(v.BlockedUntil))}
		}, "Nothing is used of any limit.")
	})
}

func (c *client) authorityAdd() *cobra.Command {
	var directory, role, contact, caProfile, roots, eabID, eabFile string
	cmd := c.verb("add NAME", "Make a certificate authority known, and accept its terms of service", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		body := map[string]string{"name": args[0], "directory": directory, "role": role, "contact": contact, "profile": caProfile, "eab_key_id": eabID}
		for key, file := range map[string]string{"roots": roots, "eab_key": eabFile} {
			if file == "" {
				continue
			}
			raw, err := c.fileOrInput(file)
			if err != nil {
				return err
			}
			body[key] = strings.TrimSpace(raw)
		}
		return posted(ctx, c, "/certificate-authorities", body, c.showAuthority)
	})
	f := cmd.Flags()
	f.StringVar(&directory, "directory", "", "address of its ACME directory")
	f.StringVar(&role, "role", "primary", "primary, fallback or staging")
	f.StringVar(&contact, "contact", "", "e-mail address")
	f.StringVar(&caProfile, "profile", "", "profile to ask for where a certificate names none")
	f.StringVar(&roots, "roots", "", "PEM file of the roots of the directory's own TLS (default: the system's)")
	f.StringVar(&eabID, "eab-key-id", "", "key id of the external account binding")
	f.StringVar(&eabFile, "eab-key-file", "", "file of its key, base64url (- is standard input)")
	_ = cmd.MarkFlagRequired("directory")
	return cmd
}

// providerView is what the command line reads of a DNS provider.
type providerView struct {
	ID       string   `json:"id"`
	Customer string   `json:"customer"`
	Name     string   `json:"name"`
	Kind     string   `json:"kind"`
	Zone     string   `json:"zone"`
	Fields   []string `json:"fields"`
}

func (c *client) showProvider(v providerView) error {
	return c.facts(pair{"DNS provider", text(v.Name)}, pair{"Kind", text(v.Kind)}, pair{"Customer", text(v.Customer)}, pair{"Zone", text(v.Zone)}, pair{"Filled in", text(strings.Join(v.Fields, ", "))}, pair{"Id", text(v.ID)})
}

type providerKindView struct {
	Kind   string `json:"kind"`
	Fields []struct {
		Name     string `json:"name"`
		Help     string `json:"help"`
		Secret   bool   `json:"secret"`
		Required bool   `json:"required"`
	} `json:"fields"`
}

// about is a kind's settings, as a person reads them.
func (k providerKindView) about() string {
	var parts []string
	for _, f := range k.Fields {
		note := ""
		if f.Secret {
			note = " (secret)"
		}
		if !f.Required {
			note += " (optional)"
		}
		parts = append(parts, f.Name+note)
	}
	return strings.Join(parts, ", ")
}

func (c *client) providerCommand() *cobra.Command {
	var customer string
	lst := c.verb("list", "List DNS providers", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		name, err := c.names(ctx)
		if err != nil {
			return err
		}
		return list(ctx, c, "/dns-providers", url.Values{"customer": {customer}}, paging{}, []string{"PROVIDER", "KIND", "CUSTOMER", "ZONE", "ID"}, func(v providerView) []cell {
			return []cell{text(v.Name), text(v.Kind), text(name(v.Customer)), text(v.Zone), text(v.ID)}
		}, "There are no DNS providers yet.")
	})
	lst.Flags().StringVar(&customer, "customer", "", "customer, by slug or id")
	kinds := c.verb("kinds", "List the kinds of DNS providers with their settings", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return list(ctx, c, "/dns-providers/kinds", nil, paging{whole: true}, []string{"KIND", "SETTINGS"}, func(v providerKindView) []cell {
			return []cell{text(v.Kind), text(v.about())}
		}, "There are no kinds.")
	})
	var yes string
	remove := c.verb("remove PROVIDER", "Forget a DNS provider and its credentials, by id", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if err := c.confirm(yes, args[0], "Certificates cannot use it any more."); err != nil {
			return err
		}
		_, err := c.call(ctx, http.MethodDelete, "/dns-providers/"+id(args[0]), nil, nil, nil, nil)
		if err == nil {
			c.say("Removed.")
		}
		return err
	})
	remove.Flags().StringVar(&yes, "yes", "", "do not ask: the provider's id")
	return noun("provider", "DNS providers, for names that are shown to be ours in the DNS", lst, c.providerAdd(), kinds, remove)
}

// providerAdd never takes a secret from the arguments, where others on the
// machine could read it.
func (c *client) providerAdd() *cobra.Command {
	var kind, customer, zone, secrets string
	var settings []string
	cmd := c.verb("add NAME", "Keep a DNS provider's credentials, sealed", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		kinds, _, err := pages[providerKindView](ctx, c, "/dns-providers/kinds", nil, paging{whole: true})
		if err != nil {
			return err
		}
		i := slices.IndexFunc(kinds, func(k providerKindView) bool { return k.Kind == kind })
		if i < 0 {
			return usagef("--kind is one that ostler cert provider kinds lists")
		}
		config := map[string]string{}
		for _, s := range settings {
			name, value, ok := strings.Cut(s, "=")
			if !ok {
				return usagef("--set is NAME=VALUE")
			}
			for _, f := range kinds[i].Fields {
				if f.Name == name && f.Secret {
					return usagef("%s is a secret: put it into a file as %s=VALUE, and name that with --secrets (- is standard input)", name, name)
				}
			}
			config[name] = value
		}
		if secrets != "" {
			raw, err := c.fileOrInput(secrets)
			if err != nil {
				return err
			}
			for line := range strings.Lines(raw) {
				if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
					continue
				}
				name, value, ok := strings.Cut(line, "=")
				if !ok {
					return usagef("--secrets: each line is NAME=VALUE")
				}
				config[strings.TrimSpace(name)] = strings.TrimSpace(value)
			}
		}
		return posted(ctx, c, "/dns-providers", map[string]any{"name": args[0], "kind": kind, "customer": customer, "zone": zone, "config": config}, c.showProvider)
	})
	f := cmd.Flags()
	f.StringVar(&kind, "kind", "", "kind of provider (ostler cert provider kinds)")
	f.StringVar(&customer, "customer", "", "whose it is, by slug or id (default: ours)")
	f.StringVar(&zone, "zone", "", "for our own: the zone that others delegate to")
	f.StringArrayVar(&settings, "set", nil, "NAME=VALUE of a setting that is no secret (again for more)")
	f.StringVar(&secrets, "secrets", "", "file of NAME=VALUE lines, for secrets too (- is standard input)")
	_ = cmd.MarkFlagRequired("kind")
	return cmd
}
