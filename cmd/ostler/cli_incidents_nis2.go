package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ostler/controlplane/incidents"
)

// impactFigures and impactAnswers are what NIS2's significance is judged by: the
// fields of the API by the flag, and what they ask.
var (
	impactFigures = []textFlag{{"outage-minutes", "outage_minutes", "minutes it was down for everybody"}, {"limited-minutes", "limited_minutes", "minutes it worked in part only"},
		{"limited-percent", "limited_percent", "percent of users in the Union whom that touched"}, {"limited-users", "limited_users", "how many users that were"},
		{"compromised-percent", "compromised_percent", "percent of users whose data was compromised"}, {"compromised-users", "compromised_users", "how many users that were"},
		{"loss-eur", "loss_eur", "loss in euro"}, {"loss-percent", "loss_percent", "loss in percent of yearly turnover"}}
	impactAnswers = []textFlag{{"malicious", "malicious", "a suspected malicious act compromised data or service"}, {"physical-access", "physical_access", "somebody got into a data centre"},
		{"trade-secrets", "trade_secrets", "trade secrets were taken out"}, {"harm", "harm", "somebody died, or their health was damaged considerably"},
		{"intrusion", "intrusion", "access without a right to it, suspected in bad faith, that can disrupt operations severely"}, {"recurring", "recurring", "it happened twice in six months from one cause"}}
)

// incidentImpact answers what NIS2's significance is judged by.
func (c *client) incidentImpact() *cobra.Command {
	one := map[string]*string{}
	var scheduled bool
	var cmd *cobra.Command
	cmd = c.verb("impact INCIDENT", "Answer what NIS2 judges an incident by: only what is named changes", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		given := map[string]string{}
		for _, f := range append(append([]textFlag{}, impactFigures...), impactAnswers...) {
			if cmd.Flags().Changed(f.name) {
				given[f.name] = *one[f.name]
			}
		}
		return changed(ctx, c, http.MethodPatch, "/incidents/"+id(args[0]), func(now incidentView) (any, error) {
			impact, err := impactWith(now.Impact, given)
			if err != nil {
				return nil, err
			}
			if cmd.Flags().Changed("scheduled") {
				impact["scheduled"] = scheduled
			} else if len(given) == 0 {
				return nil, usagef("say what is known: see --help")
			}
			return map[string]any{"impact": impact}, nil
		}, c.showIncident)
	})
	f := cmd.Flags()
	for _, x := range impactFigures {
		one[x.name] = f.String(x.name, "", x.help+" (unknown takes it back)")
	}
	for _, x := range impactAnswers {
		one[x.name] = f.String(x.name, "", x.help+": yes, no or unknown")
	}
	f.BoolVar(&scheduled, "scheduled", false, "it was maintenance that had been announced")
	return cmd
}

// impactWith is an impact with what is known now; a figure that is "unknown" is taken out.
func impactWith(now map[string]any, given map[string]string) (map[string]any, error) {
	out := map[string]any{}
	for k, v := range now {
		out[k] = v
	}
	for _, f := range impactFigures {
		text, ok := given[f.name]
		if !ok {
			continue
		}
		if text == "unknown" {
			delete(out, f.key)
			continue
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n < 0 {
			return nil, usagef("--%s is a number that is not below nought, or unknown", f.name)
		}
		out[f.key] = json.Number(text)
	}
	for _, f := range impactAnswers {
		text, ok := given[f.name]
		if !ok {
			continue
		}
		if text != "yes" && text != "no" && text != "unknown" {
			return nil, usagef("--%s is yes, no or unknown", f.name)
		}
		out[f.key] = text
	}
	return out, nil
}

// incidentTheirStep writes down what a financial entity told us.
func (c *client) incidentTheirStep() *cobra.Command {
	body := map[string]any{}
	one := map[string]*string{}
	var notSo bool
	steps := make([]string, 0, 4)
	for _, s := range incidents.TheirSteps() {
		steps = append(steps, string(s))
	}
	cmd := c.verb("their-step INCIDENT", "Write down what a customer under DORA told you that they did for their own authority", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		for k, v := range one {
			if *v != "" {
				body[k] = *v
			}
		}
		if notSo {
			body["not_so"] = true
		}
		return posted(ctx, c, "/incidents/"+id(args[0])+"/their-steps", body, c.showIncident)
	})
	f := cmd.Flags()
	for flag, o := range map[string][2]string{"customer": {"customer", "who"}, "step": {"step", strings.Join(steps, ", ")}, "at": {"at", "when (default: now)"}, "told-by": {"told_by", "who of theirs said so"}} {
		one[o[0]] = f.String(flag, "", o[1])
	}
	f.BoolVar(&notSo, "not-so", false, "they did not, after all")
	for _, n := range []string{"customer", "step", "told-by"} {
		_ = cmd.MarkFlagRequired(n)
	}
	return cmd
}

// incidentCompanyView is who we are to the law.
type incidentCompanyView struct {
	Name          string   `json:"name"`
	Jurisdiction  string   `json:"jurisdiction"`
	Country       string   `json:"country,omitempty"`
	Zone          string   `json:"zone"`
	Establishment bool     `json:"establishment"`
	Authorities   []string `json:"authorities"`
	CSIRT         string   `json:"csirt,omitempty"`
	EntityType    string   `json:"entity_type"`
	EntitySize    string   `json:"entity_size"`
	Services      []string `json:"services"`
	InScope       string   `json:"nis2,omitempty"`
	InScopeWhy    string   `json:"nis2_because,omitempty"`
	Contact       string   `json:"contact"`
	ContactEmail  string   `json:"contact_email,omitempty"`
	ContactPhone  string   `json:"contact_phone,omitempty"`
	Telecoms      bool     `json:"telecoms"`
}

func (c *client) showIncidentCompany(v incidentCompanyView) error {
	in := "only a representative, or nothing"
	if v.Establishment {
		in = "an establishment"
	}
	pairs := []pair{{"Company", text(v.Name)}, {"Established in", text(strings.TrimSpace(v.Jurisdiction + " " + v.Country))}, {"In the Union", text(in)}, {"Zone", text(v.Zone)}, {"CSIRT", text(v.CSIRT)},
		{"To NIS2", text(strings.ReplaceAll(v.EntityType, "_", " "))}, {"Size", text(v.EntitySize)}, {"Under NIS2", text(v.InScope)}, {"because", text(v.InScopeWhy)},
		{"Contact", text(v.Contact)}, {"e-mail", text(v.ContactEmail)}, {"telephone", text(v.ContactPhone)}}
	for _, a := range v.Authorities {
		pairs = append(pairs, pair{"Authority", text(a)})
	}
	for _, s := range v.Services {
		pairs = append(pairs, pair{"Service", text(s)})
	}
	return c.facts(pairs...)
}

func (c *client) incidentCompany() *cobra.Command {
	return c.verb("company", "Show who we are to the law", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return show(ctx, c, "/incident-company", nil, c.showIncidentCompany)
	})
}

// incidentSetCompany changes who we are to the law: one flag for each fact.
func (c *client) incidentSetCompany() *cobra.Command {
	var in incidentCompanyView
	var cmd *cobra.Command
	cmd = c.verb("set-company", "Change who we are to the law: only what is named changes", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return changed(ctx, c, http.MethodPut, "/incident-company", func(v incidentCompanyView) (any, error) {
			v.InScope, v.InScopeWhy = "", "" // what follows from the rest
			n := 0
			for flag, set := range map[string]func(){
				"name": func() { v.Name = in.Name }, "jurisdiction": func() { v.Jurisdiction = in.Jurisdiction }, "country": func() { v.Country = in.Country }, "zone": func() { v.Zone = in.Zone },
				"establishment": func() { v.Establishment = in.Establishment }, "authority": func() { v.Authorities = in.Authorities }, "csirt": func() { v.CSIRT = in.CSIRT },
				"type": func() { v.EntityType = in.EntityType }, "size": func() { v.EntitySize = in.EntitySize }, "service": func() { v.Services = in.Services }, "contact": func() { v.Contact = in.Contact },
				"contact-email": func() { v.ContactEmail = in.ContactEmail }, "contact-phone": func() { v.ContactPhone = in.ContactPhone }, "telecoms": func() { v.Telecoms = in.Telecoms },
			} {
				if cmd.Flags().Changed(flag) {
					set()
					n++
				}
			}
			if n == 0 {
				return nil, usagef("say what changes: see --help")
			}
			return v, nil
		}, c.showIncidentCompany)
	})
	f := cmd.Flags()
	f.StringVar(&in.Name, "name", "", "the company")
	f.StringVar(&in.Jurisdiction, "jurisdiction", "", "of the main establishment: EU, UK or other")
	f.StringVar(&in.Country, "country", "", "whose public holidays count: DE-BY")
	f.StringVar(&in.Zone, "zone", "", "an IANA name")
	f.BoolVar(&in.Establishment, "establishment", false, "it is in the Union, and more than a representative")
	f.StringArrayVar(&in.Authorities, "authority", nil, "a supervisory authority, the lead one first (again for more)")
	f.StringVar(&in.CSIRT, "csirt", "", "the CSIRT or the competent authority of NIS2")
	f.StringVar(&in.EntityType, "type", "", "to NIS2: essential, important, not_in_scope or unknown")
	f.StringVar(&in.EntitySize, "size", "", "micro, small, medium, large or unknown")
	f.StringArrayVar(&in.Services, "service", nil, "managed_service, data_centre, cloud, dns or tld (again for more)")
	f.StringVar(&in.Contact, "contact", "", "data protection officer or other contact")
	f.StringVar(&in.ContactEmail, "contact-email", "", "their e-mail")
	f.StringVar(&in.ContactPhone, "contact-phone", "", "their telephone")
	f.BoolVar(&in.Telecoms, "telecoms", false, "a provider of public electronic communications")
	return cmd
}
