package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ostler/controlplane"
	"ostler/controlplane/incidents/law"
)

func (c *client) incidentCommand() *cobra.Command {
	cmd := noun("incident", "Breaches: who must be told, by when, and that they were", c.incidentOpen(), c.incidentList(), c.incidentFind(), c.incidentShow(), c.incidentChange(), c.incidentClocks(),
		c.incidentNotices(), c.incidentNotice(), c.incidentDraft(), c.incidentFill(), c.incidentPreview(), c.incidentSend(),
		c.incidentApprove(),
		c.noticeAct("discard", "discard", "Put a draft aside", []string{"because"}, textFlag{"because", "because", "why"}),
		c.noticeAct("told", "told", "Record that somebody was told another way, or a form handed in", []string{"to", "how"}, textFlag{"to", "to", "who"}, textFlag{"how", "how", "call, letter or form"},
			textFlag{"note", "note", "what was said"}, textFlag{"at", "at", "when (default: now)"}, textFlag{"reference", "reference", "an authority's file number"}, textFlag{"late", "late_because", "why it is late, where it is"}),
		c.noticeAct("acknowledge", "acknowledge", "Say that you have taken note of a notice (customers)", nil),
		c.incidentTasks(), c.incidentTask(), c.incidentTaskDone(), c.incidentNote(), c.incidentTimeline(), c.incidentDo(), c.incidentDecide(),
		c.incidentReport(), c.incidentReports(), c.incidentTriage(), c.incidentRegister(), c.incidentForm(), c.incidentAfterAction(),
		c.incidentTerms(), c.incidentSetTerms(), c.incidentCompany(), c.incidentSetCompany(), c.incidentImpact(), c.incidentTheirStep(), c.incidentRules(), c.incidentLoadRules(), c.incidentClock())
	cmd.AddCommand(c.incidentCourse()...)
	cmd.AddCommand(c.incidentSecond()...)
	return cmd
}

// clockView is a computed deadline.
type clockView struct {
	Rule       string   `json:"rule"`
	Title      string   `json:"title"`
	Source     string   `json:"source"`
	Aware      string   `json:"aware"`
	Zone       string   `json:"zone"`
	Undue      bool     `json:"without_undue_delay"`
	Strict     string   `json:"strict,omitempty"`
	Regulation string   `json:"regulation_1182_71,omitempty"`
	Late       bool     `json:"late"`
	Steps      []string `json:"steps"`
	Threshold  string   `json:"threshold,omitempty"`
	Pack       string   `json:"pack"`
}

func (c *client) incidentClock() *cobra.Command {
	var rule, aware, zone, country string
	cmd := c.verb("clock", "Compute by when somebody must be told, without a case and without a control plane", cobra.NoArgs, func(context.Context, []string) error {
		v, err := clockOf(rule, aware, zone, country, time.Now())
		if err != nil {
			return err
		}
		if c.output == "json" {
			b, err := json.Marshal(v)
			if err != nil {
				return fmt.Errorf("incident clock: %w", err)
			}
			return c.json(b)
		}
		due := v.Strict
		if due == "" {
			due = "without undue delay: the rule names no number"
		}
		if err := c.facts(pair{"Rule", text(v.Rule + ": " + v.Title)}, pair{"Source", text(v.Source)}, pair{"If", text(v.Threshold)}, pair{"Aware", text(v.Aware)}, pair{"Due", text(due)}, pair{"By 1182/71", text(v.Regulation)}); err != nil {
			return err
		}
		for _, step := range v.Steps {
			c.say("%s", step)
		}
		if v.Late {
			c.say("It is late. Notify all the same, with the reasons for the delay.")
		}
		return nil
	})
	f := cmd.Flags()
	f.StringVar(&rule, "rule", "gdpr-33-1", "which rule (ostler incident rules)")
	f.StringVar(&aware, "aware", "", "when its clock began: 2026-10-23T10:30:00+02:00, or a local time of the zone")
	f.StringVar(&zone, "zone", "UTC", "where whoever counts is established, an IANA name")
	f.StringVar(&country, "country", "", "whose public holidays count, for days and months: "+strings.Join(law.Countries(), ", "))
	_ = cmd.MarkFlagRequired("aware")
	return cmd
}

// clockOf computes one deadline.
func clockOf(rule, aware, zone, country string, now time.Time) (clockView, error) {
	p, err := law.Shipped()
	if err != nil {
		return clockView{}, err
	}
	z, err := time.LoadLocation(zone)
	if err != nil || zone == "" || zone == "Local" { // not the zone of whatever machine this is
		return clockView{}, usagef("--zone %q is not an IANA name, such as Europe/Berlin", zone)
	}
	at, err := law.ParseTime(aware, z)
	if err != nil {
		return clockView{}, controlplane.Errorf(controlplane.CodeInvalid, "Write it with its offset, as in 2026-10-23T10:30:00+02:00.", "%s", sentence(err))
	}
	r, ok := p.Find(rule, at)
	if !ok {
		return clockView{}, controlplane.Errorf(controlplane.CodeNotFound, "“ostler incident rules” lists them, and since when each is in force.", "No rule %q was in force on %s", rule, at.Format(time.DateOnly))
	}
	var holidays law.Holidays
	if country != "" {
		if holidays, err = law.HolidaysOf(strings.ToUpper(country)); err != nil {
			return clockView{}, usagef("--country is one of %s", strings.Join(law.Countries(), ", "))
		}
	}
	d, err := law.Compute(r, at, z, holidays, now)
	if err != nil {
		return clockView{}, controlplane.Errorf(controlplane.CodeInvalid, "Check the date and the offset.", "%s", sentence(err))
	}
	v := clockView{Rule: r.ID, Title: r.Title, Source: r.Source, Aware: at.Format(time.RFC3339), Zone: zone, Undue: r.Undue, Late: d.Late(now), Steps: d.Steps, Threshold: r.Threshold, Pack: p.Version}
	if !d.Strict.IsZero() {
		v.Strict = d.Strict.Format(time.RFC3339)
	}
	if !d.Regulation.IsZero() {
		v.Regulation = d.Regulation.Format(time.RFC3339)
	}
	return v, nil
}

// sentence is an error of the rules as a person reads it.
func sentence(err error) string {
	s := strings.TrimPrefix(err.Error(), "law: ")
	return strings.ToUpper(s[:1]) + s[1:]
}

func (c *client) incidentRules() *cobra.Command {
	return c.verb("rules", "List the rules of law that this version knows", cobra.NoArgs, func(context.Context, []string) error {
		p, err := law.Shipped()
		if err != nil {
			return err
		}
		if c.output == "json" {
			b, err := json.Marshal(p)
			if err != nil {
				return fmt.Errorf("incident rules: %w", err)
			}
			return c.json(b)
		}
		rows := make([][]cell, len(p.Rules))
		for i, r := range p.Rules {
			limit := "without undue delay"
			if r.Amount > 0 {
				limit = strings.ReplaceAll(string(r.Unit), "_", " ")
				limit = plural(int64(r.Amount), strings.TrimSuffix(limit, "s"), limit)
			}
			force := "from " + r.From
			switch {
			case !r.Enabled:
				force = "not law"
			case r.To != "":
				force += " until " + r.To
			}
			rows[i] = []cell{text(r.ID), text(r.Title), text(limit), text(force), text(r.Source)}
		}
		if err := c.table([]string{"RULE", "WHAT", "WITHIN", "IN FORCE", "SOURCE"}, rows); err != nil {
			return err
		}
		c.say("Rules of %s. They are engineering, and no legal advice.", p.Version)
		return nil
	})
}
