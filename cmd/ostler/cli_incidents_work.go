package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

type incidentTaskView struct {
	ID     string `json:"id"`
	Text   string `json:"text"`
	Name   string `json:"owner_name"`
	DueAt  string `json:"due_at"`
	DoneAt string `json:"done_at"`
	Note   string `json:"note"`
}

type incidentActionView struct {
	ID     string   `json:"id"`
	Kind   string   `json:"kind"`
	Target string   `json:"target"`
	Why    string   `json:"because"`
	By     string   `json:"by"`
	At     string   `json:"at"`
	Result string   `json:"result"`
	Failed bool     `json:"failed"`
	Refs   []string `json:"refs"`
}

type incidentDecisionView struct {
	ID         string `json:"id"`
	Likelihood string `json:"likelihood"`
	Severity   string `json:"severity"`
	Risk       string `json:"risk"`
	Authority  bool   `json:"tell_authority"`
	People     bool   `json:"tell_people"`
	Exemption  string `json:"exemption"`
	Reasons    string `json:"reasons"`
	Rule       string `json:"rule"`
	NotDue     bool   `json:"not_due"`
	At         string `json:"at"`
}

// told is whether somebody is told by it; a decision about one duty alone says
// nothing of that.
func (v incidentDecisionView) told(yes bool) cell {
	switch {
	case v.Rule != "":
		return text("")
	case yes:
		return text("told")
	}
	return text("not told")
}

// duty is what it says about one duty alone.
func (v incidentDecisionView) duty() string {
	switch {
	case v.Rule == "":
		return ""
	case v.NotDue:
		return v.Rule + " is not due"
	}
	return v.Rule + " is due"
}

func (c *client) incidentTasks() *cobra.Command {
	return c.verb("tasks INCIDENT", "List its tasks", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/incidents/"+id(args[0]), nil, func(v incidentView) error {
			if len(v.Tasks) == 0 {
				c.say("It has no tasks.")
				return nil
			}
			rows := make([][]cell, len(v.Tasks))
			for i, t := range v.Tasks {
				how := "waiting"
				if t.DoneAt != "" {
					how = "done"
				}
				rows[i] = []cell{state(how), text(t.Text), text(t.Name), text(when(t.DueAt)), text(t.ID)}
			}
			return c.table([]string{"STATE", "WHAT", "WHO", "DUE", "ID"}, rows)
		})
	})
}

func (c *client) showTask(v incidentTaskView) error {
	return c.facts(pair{"Task", text(v.ID)}, pair{"What", text(v.Text)}, pair{"Who", text(v.Name)}, pair{"Due", text(when(v.DueAt))}, pair{"Done", text(when(v.DoneAt))}, pair{"Note", text(v.Note)})
}

func (c *client) incidentTask() *cobra.Command {
	var owner, due string
	cmd := c.verb("task INCIDENT TEXT", "Give somebody a task", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		body := map[string]any{"text": args[1], "owner": owner}
		if due != "" {
			body["due_at"] = due
		}
		return posted(ctx, c, "/incidents/"+id(args[0])+"/tasks", body, c.showTask)
	})
	cmd.Flags().StringVar(&owner, "owner", "", "who (stf_; default: you)")
	cmd.Flags().StringVar(&due, "due", "", "until when, an instant")
	return cmd
}

func (c *client) incidentTaskDone() *cobra.Command {
	var note string
	cmd := c.verb("task-done TASK", "Say that a task is done", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return posted(ctx, c, "/incident-tasks/"+id(args[0])+"/done", map[string]string{"text": note}, c.showTask)
	})
	cmd.Flags().StringVar(&note, "note", "", "what came of it")
	return cmd
}

func (c *client) incidentNote() *cobra.Command {
	var at string
	cmd := c.verb("note INCIDENT TEXT", "Write a line into its timeline", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		words, err := c.words(args[1])
		if err != nil {
			return err
		}
		body := map[string]string{"text": words}
		if at != "" {
			body["at"] = at
		}
		if _, err := c.post(ctx, "/incidents/"+id(args[0])+"/notes", body, nil); err != nil {
			return err
		}
		c.say("It is noted.")
		return nil
	})
	cmd.Flags().StringVar(&at, "at", "", "when it was (default: now)")
	return cmd
}

func (c *client) incidentTimeline() *cobra.Command {
	var from, to string
	type timeline struct {
		Items []struct {
			At     string `json:"at"`
			Kind   string `json:"kind"`
			Text   string `json:"text"`
			Server string `json:"server"`
			Ref    string `json:"ref"`
			By     string `json:"by"`
		} `json:"items"`
		Partial []string `json:"partial"`
	}
	cmd := c.verb("timeline INCIDENT", "What happened around the time, in it and on its servers", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/incidents/"+id(args[0])+"/timeline", url.Values{"from": {from}, "to": {to}}, func(v timeline) error {
			rows := make([][]cell, len(v.Items))
			for i, m := range v.Items {
				rows[i] = []cell{text(when(m.At)), text(m.Kind), text(firstLine(m.Text)), text(m.By), text(m.Ref)}
			}
			if err := c.table([]string{"AT", "WHAT", "TEXT", "BY", "ID"}, rows); err != nil {
				return err
			}
			for _, p := range v.Partial {
				c.say("%s", p)
			}
			return nil
		})
	})
	cmd.Flags().StringVar(&from, "from", "", "instant (default: a day before it was noticed)")
	cmd.Flags().StringVar(&to, "to", "", "instant (default: when it was contained, or now)")
	return cmd
}

// incidentDo contains.
func (c *client) incidentDo() *cobra.Command {
	var why string
	cmd := c.verb("act INCIDENT revoke|lock|rotate|snapshot|done [TARGET]", "Contain it, or record what was done by hand", cobra.RangeArgs(2, 3), func(ctx context.Context, args []string) error {
		switch args[1] {
		case "revoke", "lock", "rotate", "snapshot", "done":
		default:
			return usagef("an act is revoke, lock, rotate, snapshot or done")
		}
		body := map[string]string{"kind": args[1], "because": why}
		if len(args) == 3 {
			body["target"] = args[2]
		}
		return posted(ctx, c, "/incidents/"+id(args[0])+"/actions", body, func(v incidentActionView) error {
			how := "done"
			if v.Failed {
				how = "failed"
			}
			return c.facts(pair{"Act", text(v.Kind)}, pair{"On", text(v.Target)}, pair{"State", state(how)}, pair{"Result", text(v.Result)}, pair{"Carried out by", text(strings.Join(v.Refs, ", "))})
		})
	})
	cmd.Flags().StringVar(&why, "because", "", "why")
	_ = cmd.MarkFlagRequired("because")
	return cmd
}

func (c *client) incidentDecide() *cobra.Command {
	var v incidentDecisionView
	cmd := c.verb("decide INCIDENT", "Assess the risk and decide who is told; reasons are needed either way", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		words, err := c.words(v.Reasons)
		if err != nil {
			return err
		}
		body := map[string]any{"reasons": words}
		for k, s := range map[string]string{"likelihood": v.Likelihood, "severity": v.Severity, "exemption": v.Exemption, "rule": v.Rule} {
			if s != "" {
				body[k] = s
			}
		}
		for k, b := range map[string]bool{"tell_authority": v.Authority, "tell_people": v.People, "not_due": v.NotDue} {
			if b {
				body[k] = true
			}
		}
		return posted(ctx, c, "/incidents/"+id(args[0])+"/decisions", body, func(d incidentDecisionView) error {
			return c.facts(pair{"Decision", text(d.ID)}, pair{"Risk", text(d.Risk)}, pair{"Authority", d.told(d.Authority)}, pair{"People", d.told(d.People)}, pair{"Exemption", text(d.Exemption)}, pair{"Duty", text(d.duty())}, pair{"Reasons", text(d.Reasons)})
		})
	})
	f := cmd.Flags()
	f.StringVar(&v.Likelihood, "likelihood", "", "low, medium or high")
	f.StringVar(&v.Severity, "severity", "", "low, medium or high")
	f.BoolVar(&v.Authority, "authority", false, "the authority is told")
	f.BoolVar(&v.People, "people", false, "the people concerned are told")
	f.StringVar(&v.Exemption, "exemption", "", "why people need not be told: unintelligible, later_measures or effort (Article 34(3))")
	f.StringVar(&v.Rule, "rule", "", "about this duty alone (ostler incident rules)")
	f.BoolVar(&v.NotDue, "not-due", false, "with --rule: it is not due")
	f.StringVar(&v.Reasons, "reasons", "", "why (- reads standard input)")
	_ = cmd.MarkFlagRequired("reasons")
	return cmd
}

func (c *client) incidentRegister() *cobra.Command {
	var year int
	type entry struct {
		Number     string `json:"number"`
		Title      string `json:"title"`
		Facts      string `json:"facts"`
		NotTold    string `json:"not_told_because"`
		Delay      string `json:"delay_because"`
		Recipients []struct {
			To string `json:"to"`
		} `json:"recipients"`
	}
	cmd := c.verb("register", "The register of breaches (Article 33(5) GDPR), those that nobody was told of too", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return list(ctx, c, "/incident-register", url.Values{"year": {fmt.Sprint(year)}}, paging{whole: true}, []string{"NUMBER", "WHAT", "FACTS", "TOLD", "WHY NOT", "WHY LATE"}, func(v entry) []cell {
			return []cell{text(v.Number), text(firstLine(v.Title)), text(firstLine(v.Facts)), number(count(int64(len(v.Recipients)))), text(firstLine(v.NotTold)), text(firstLine(v.Delay))}
		}, "The register is empty.")
	})
	cmd.Flags().IntVar(&year, "year", 0, "of this year (0: all)")
	return cmd
}

func (c *client) incidentForm() *cobra.Command {
	type form struct {
		Title    string `json:"title"`
		Sentence string `json:"sentence"`
		Fields   []struct {
			Question string `json:"question"`
			Answer   string `json:"answer"`
			Missing  string `json:"missing"`
		} `json:"fields"`
	}
	return c.verb("form INCIDENT ico|edpb", "What an authority's form asks for, filled in as far as it is known", cobra.ExactArgs(2), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/incidents/"+id(args[0])+"/forms/"+id(args[1]), nil, func(v form) error {
			c.say("%s. %s", v.Title, v.Sentence)
			var b strings.Builder // whole, because people copy it
			for _, f := range v.Fields {
				fmt.Fprintf(&b, "\n%s\n", safe(f.Question))
				for _, line := range strings.Split(cmp.Or(f.Answer, "missing: "+f.Missing), "\n") {
					fmt.Fprintf(&b, "  %s\n", safe(line))
				}
			}
			_, err := fmt.Fprint(c.out, b.String())
			return err
		})
	})
}

func (c *client) incidentAfterAction() *cobra.Command {
	type paper struct {
		Title    string `json:"title"`
		Sections []struct {
			Heading    string     `json:"heading"`
			Paragraphs []string   `json:"paragraphs"`
			Rows       [][]string `json:"rows"`
		} `json:"sections"`
	}
	return c.verb("after-action INCIDENT", "The report after an incident", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/incidents/"+id(args[0])+"/after-action", nil, func(v paper) error {
			var b strings.Builder
			fmt.Fprintf(&b, "%s\n", safe(v.Title))
			for _, s := range v.Sections {
				fmt.Fprintf(&b, "\n%s\n", safe(s.Heading))
				for _, p := range s.Paragraphs {
					fmt.Fprintf(&b, "  %s\n", safe(p))
				}
				for _, r := range s.Rows {
					fmt.Fprintf(&b, "  %s\n", safe(strings.Join(r, " | ")))
				}
			}
			_, err := fmt.Fprint(c.out, b.String())
			return err
		})
	})
}
