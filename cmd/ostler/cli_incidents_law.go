package main

import (
	"context"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"
)

// incidentTermsView is what a customer's contract says about breaches.
type incidentTermsView struct {
	Customer      string            `json:"customer,omitempty"`
	Amount        int64             `json:"amount"`
	Unit          string            `json:"unit,omitempty"`
	FromSuspicion bool              `json:"from_suspicion"`
	Role          string            `json:"role"`
	Jurisdiction  string            `json:"jurisdiction,omitempty"`
	Country       string            `json:"country,omitempty"`
	Zone          string            `json:"zone,omitempty"`
	Financial     bool              `json:"financial"`
	Services      map[string]string `json:"services,omitempty"`
}

func (c *client) showIncidentTerms(v incidentTermsView) error {
	limit := "24 hours (ours: the contract names none)"
	if v.Amount > 0 {
		limit = plural(v.Amount, "hour", "hours")
		switch v.Unit {
		case "working_days":
			limit = plural(v.Amount, "working day", "working days")
		case "days":
			limit = plural(v.Amount, "day", "days")
		}
	}
	from := "certainty"
	if v.FromSuspicion {
		from = "suspicion"
	}
	dora := ""
	if v.Financial {
		dora = "yes: DORA's times are shown as how urgent it is to them"
	}
	return c.facts(pair{"Tell them within", text(limit)}, pair{"from", text(from)}, pair{"They are", text(v.Role)}, pair{"Established in", text(v.Jurisdiction)}, pair{"Holidays of", text(v.Country)}, pair{"Zone", text(v.Zone)}, pair{"Financial entity", text(dora)})
}

func (c *client) incidentTerms() *cobra.Command {
	return c.verb("terms CUSTOMER", "Show what a customer's contract says about breaches", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/customers/"+id(args[0])+"/incident-terms", nil, c.showIncidentTerms)
	})
}

func (c *client) incidentSetTerms() *cobra.Command {
	var hours, calendar, days int64
	var from string
	var in incidentTermsView
	var cmd *cobra.Command
	cmd = c.verb("set-terms CUSTOMER", "Change what a customer's contract says about breaches: only what is named changes", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if from != "" && from != "suspicion" && from != "certainty" {
			return usagef("--from is suspicion or certainty")
		}
		return changed(ctx, c, http.MethodPut, "/customers/"+id(args[0])+"/incident-terms", func(v incidentTermsView) (any, error) {
			v.Customer = ""
			sets := map[string]func(){
				"hours": func() { v.Amount, v.Unit = hours, "hours" }, "days": func() { v.Amount, v.Unit = calendar, "days" }, "working-days": func() { v.Amount, v.Unit = days, "working_days" }, "from": func() { v.FromSuspicion = from == "suspicion" },
				"role": func() { v.Role = in.Role }, "jurisdiction": func() { v.Jurisdiction = in.Jurisdiction }, "country": func() { v.Country = in.Country }, "zone": func() { v.Zone = in.Zone }, "financial": func() { v.Financial = in.Financial },
			}
			n := 0
			for flag, set := range sets {
				if cmd.Flags().Changed(flag) {
					set()
					n++
				}
			}
			if n == 0 {
				return nil, usagef("say what changes: see --help")
			}
			return v, nil
		}, c.showIncidentTerms)
	})
	f := cmd.Flags()
	f.Int64Var(&hours, "hours", 0, "within how many hours we tell them")
	f.Int64Var(&calendar, "days", 0, "within how many days we tell them")
	f.Int64Var(&days, "working-days", 0, "within how many working days we tell them")
	f.StringVar(&from, "from", "", "from suspicion or from certainty")
	f.StringVar(&in.Role, "role", "", "controller, processor or unknown")
	f.StringVar(&in.Jurisdiction, "jurisdiction", "", "EU, UK or other")
	f.StringVar(&in.Country, "country", "", "whose public holidays count: DE-BY")
	f.StringVar(&in.Zone, "zone", "", "an IANA name")
	f.BoolVar(&in.Financial, "financial", false, "a financial entity under DORA")
	cmd.MarkFlagsMutuallyExclusive("hours", "days", "working-days")
	return cmd
}

func (c *client) incidentLoadRules() *cobra.Command {
	return c.verb("load-rules FILE", "Put another pack of rules into use: which rule counts goes by when it was in force (- reads standard input)", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		in := c.in
		if args[0] != "-" {
			f, err := os.Open(args[0])
			if err != nil {
				return usagef("%w", err)
			}
			defer f.Close()
			in = f
		}
		raw, err := io.ReadAll(io.LimitReader(in, 1<<20))
		if err != nil {
			return usagef("%w", err)
		}
		var v struct {
			SHA256 string `json:"sha256"`
			Since  string `json:"since"`
		}
		a, err := c.call(ctx, http.MethodPut, "/incident-rules", nil, map[string]string{"pack": string(raw)}, nil, &v)
		if err != nil {
			return err
		}
		return shown(c, a, v, func(struct {
			SHA256 string `json:"sha256"`
			Since  string `json:"since"`
		}) error {
			return c.facts(pair{"SHA-256", text(v.SHA256)}, pair{"Known since", text(when(v.Since))})
		})
	})
}
