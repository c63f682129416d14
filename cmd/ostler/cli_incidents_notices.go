package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

type incidentNoticeView struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	Audience string `json:"audience"`
	Purpose  string `json:"purpose"`
	Phase    int64  `json:"phase"`
	Title    string `json:"title"`
	Text     string `json:"text"`
	SHA256   string `json:"sha256"`
	State    string `json:"state"`
	MadeAt   string `json:"made_at"`
	SentAt   string `json:"sent_at"`
	DueAt    string `json:"due_at"`
	ToldAt   string `json:"told_at"`
	AloneWhy string `json:"alone_because"`
	LateWhy  string `json:"late_because"`
	Version  int64  `json:"version"`
	Tries    []struct {
		Name  string `json:"name"`
		How   string `json:"how"`
		State string `json:"state"`
		Cause string `json:"cause"`
		At    string `json:"at"`
		Note  string `json:"note"`
	} `json:"tries"`
}

func (v incidentNoticeView) row() []cell {
	to := v.Customer
	if to == "" {
		to = v.Audience
	}
	return []cell{text(to), text(v.Purpose), state(v.State), text(when(v.DueAt)), text(when(v.SentAt)), text(when(v.ToldAt)), text(v.ID)}
}

func (c *client) showIncidentNotice(v incidentNoticeView) error {
	if err := c.facts(pair{"Notice", text(v.ID)}, pair{"To", text(strings.TrimSpace(v.Customer + " " + v.Audience))}, pair{"For", text(v.Purpose)}, pair{"State", state(v.State)}, pair{"Version", text(count(v.Version))}, pair{"Due", text(when(v.DueAt))}, pair{"Sent", text(when(v.SentAt))},
		pair{"Reached", text(when(v.ToldAt))}, pair{"Alone because", text(v.AloneWhy)}, pair{"Late because", text(v.LateWhy)}, pair{"SHA-256", text(v.SHA256)}); err != nil {
		return err
	}
	if len(v.Tries) > 0 {
		rows := make([][]cell, len(v.Tries))
		for i, t := range v.Tries {
			rows[i] = []cell{text(when(t.At)), text(t.Name), text(t.How), state(t.State), text(t.Cause), text(t.Note)}
		}
		if err := c.table([]string{"AT", "WHO", "HOW", "STATE", "CAUSE", "NOTE"}, rows); err != nil {
			return err
		}
	}
	for _, line := range strings.Split(v.Text, "\n") {
		if _, err := fmt.Fprintln(c.out, "  "+safe(line)); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) incidentNotices() *cobra.Command {
	var p paging
	one := map[string]*string{}
	cmd := c.verb("notices [INCIDENT]", "List notices, of one incident or all, the latest first", cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
		q := url.Values{}
		for k, v := range one {
			q.Set(k, *v)
		}
		if len(args) == 1 {
			q.Set("incident", args[0])
		}
		return list(ctx, c, "/incident-notices", q, p, []string{"TO", "FOR", "STATE", "DUE", "SENT", "REACHED", "ID"}, incidentNoticeView.row, "There are no notices.")
	})
	for name, help := range map[string]string{"customer": "to this customer", "advisory": "of this advisory", "audience": "customer, authority, csirt or people", "state": "draft, waiting, sent, accepted, opened, acknowledged, unreachable, called, discarded or drilled"} {
		one[name] = cmd.Flags().String(name, "", help)
	}
	return p.flags(cmd)
}

func (c *client) incidentNotice() *cobra.Command {
	return c.verb("notice NOTICE", "Show a notice, as it is sent, and who has it", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/incident-notices/"+id(args[0]), nil, c.showIncidentNotice)
	})
}

func (c *client) incidentDraft() *cobra.Command {
	var purpose, audience, regime string
	var customers []string
	cmd := c.verb("draft INCIDENT", "Draft the next notice to everybody who is to be told", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		body := map[string]any{"purpose": purpose, "customers": customers}
		for k, v := range map[string]string{"audience": audience, "regime": regime} {
			if v != "" {
				body[k] = v
			}
		}
		return posted(ctx, c, "/incidents/"+id(args[0])+"/notices", body, func(v struct {
			page[incidentNoticeView]
			Left map[string]string `json:"left_out"`
		}) error {
			for _, who := range slices.Sorted(maps.Keys(v.Left)) {
				c.say("%s is left out, and has to be called: %s", who, v.Left[who])
			}
			rows := make([][]cell, len(v.Items))
			for i, n := range v.Items {
				rows[i] = n.row()
			}
			if len(rows) == 0 {
				c.say("Nobody is to be told anything new.")
				return nil
			}
			return c.table([]string{"TO", "FOR", "STATE", "DUE", "SENT", "REACHED", "ID"}, rows)
		})
	})
	f := cmd.Flags()
	f.StringVar(&purpose, "for", "first", "first, update, withdrawal or final")
	f.StringVar(&audience, "audience", "", "customer, authority, csirt or people (default: customers)")
	f.StringVar(&regime, "regime", "", "gdpr, uk-gdpr or nis2")
	f.StringArrayVar(&customers, "customer", nil, "only to this one (again for more)")
	return cmd
}

func (c *client) incidentPreview() *cobra.Command {
	type preview struct {
		Notice     incidentNoticeView `json:"notice"`
		Recipients []struct {
			Name string `json:"name"`
			How  string `json:"how"`
			Note string `json:"note"`
		} `json:"recipients"`
		Checks []struct {
			Text  string `json:"text"`
			Stops bool   `json:"stops"`
		} `json:"checks"`
	}
	return c.verb("preview NOTICE", "A notice as it would be sent, to whom, and what to look at first", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/incident-notices/"+id(args[0])+"/preview", nil, func(v preview) error {
			if err := c.showIncidentNotice(v.Notice); err != nil {
				return err
			}
			for _, r := range v.Recipients {
				c.say("To: %s, by %s %s", r.Name, r.How, r.Note)
			}
			for _, k := range v.Checks {
				if k.Stops {
					c.say("It cannot be sent so: %s", k.Text)
				} else {
					c.say("Look at: %s", k.Text)
				}
			}
			return nil
		})
	})
}

// incidentFill writes into one draft, or with an incident's number into all of its drafts.
func (c *client) incidentFill() *cobra.Command {
	var words, lang string
	var facts, ranges []string
	var cmd *cobra.Command
	cmd = c.verb("fill NOTICE|INCIDENT", "Write into a draft, or into every draft of an incident", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		fields, err := noticeFields(facts, ranges)
		if err != nil {
			return err
		}
		body := map[string]any{}
		if len(fields) > 0 {
			body["fields"] = fields
		}
		if lang != "" {
			body["lang"] = lang
		}
		if cmd.Flags().Changed("words") {
			if body["words"], err = c.words(words); err != nil {
				return err
			}
		}
		if len(body) == 0 {
			return usagef("say what to write: --fact, --range, --words or --lang")
		}
		if strings.HasPrefix(args[0], "bnt_") {
			return changed(ctx, c, http.MethodPatch, "/incident-notices/"+id(args[0]), func(incidentNoticeView) (any, error) { return body, nil }, c.showIncidentNotice)
		}
		return posted(ctx, c, "/incidents/"+id(args[0])+"/notices/edit", body, func(v struct {
			Changed int64 `json:"changed"`
		}) error {
			c.say("%s written.", plural(v.Changed, "draft is", "drafts are"))
			return nil
		})
	})
	f := cmd.Flags()
	f.StringArrayVar(&facts, "fact", nil, "KEY=TEXT: nature, categories, people, record_categories, records, consequences, measures, contact or delay (again for more)")
	f.StringArrayVar(&ranges, "range", nil, "KEY=LOW-HIGH: of people or records")
	f.StringVar(&words, "words", "", "what else they should know (- reads standard input)")
	f.StringVar(&lang, "lang", "", "en or de")
	return cmd
}

// noticeFields reads --fact and --range.
func noticeFields(facts, ranges []string) (out []map[string]any, err error) {
	for _, fact := range facts {
		key, value, ok := strings.Cut(fact, "=")
		if !ok || value == "" {
			return nil, usagef("--fact is KEY=TEXT")
		}
		out = append(out, map[string]any{"key": key, "known": "known", "value": value})
	}
	for _, r := range ranges {
		var low, high int64
		key, value, _ := strings.Cut(r, "=")
		if n, err := fmt.Sscanf(value, "%d-%d", &low, &high); err != nil || n != 2 || low > high {
			return nil, usagef("--range is KEY=LOW-HIGH, as in people=100-500")
		}
		out = append(out, map[string]any{"key": key, "known": "range", "low": low, "high": high})
	}
	return out, nil
}

// incidentSend sends one draft, or all of an incident.
func (c *client) incidentSend() *cobra.Command {
	var alone, late string
	var seen seenFile
	var version int64
	cmd := c.verb("send NOTICE|INCIDENT", "Send a draft, or every draft of an incident; another person is asked first where there is one", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		body := map[string]any{}
		for k, v := range map[string]string{"alone_because": alone, "late_because": late} {
			if v != "" {
				body[k] = v
			}
		}
		if strings.HasPrefix(args[0], "bnt_") {
			if version != 0 {
				body["version"] = version
			}
			return posted(ctx, c, "/incident-notices/"+id(args[0])+"/send", body, c.showIncidentNotice)
		}
		versions, err := seen.versions()
		if err != nil {
			return err
		}
		body["seen"] = versions
		return posted(ctx, c, "/incidents/"+id(args[0])+"/notices/send", body, func(v struct {
			Sent int64             `json:"sent"`
			Kept map[string]string `json:"kept"`
		}) error {
			if v.Sent == 0 && len(v.Kept) == 0 {
				c.say("There is no draft to send: “ostler incident draft” makes them.")
				return nil
			}
			c.say("%s sent.", plural(v.Sent, "notice is", "notices are"))
			ids := make([]string, 0, len(v.Kept))
			for n := range v.Kept {
				ids = append(ids, n)
			}
			slices.Sort(ids)
			for _, n := range ids {
				c.say("%s is not: %s", n, v.Kept[n])
			}
			return nil
		})
	})
	cmd.Flags().StringVar(&alone, "alone", "", "without a second person: why")
	cmd.Flags().StringVar(&late, "late", "", "it is late: why it took longer")
	cmd.Flags().Int64Var(&version, "version", 0, "of the notice, as you looked at it; needed where somebody else wrote it")
	return seen.flag(cmd, "ostler incident notices INCIDENT --limit 0 --output json")
}

// incidentApprove sends what was looked at: a change meanwhile is a conflict.
func (c *client) incidentApprove() *cobra.Command {
	var version int64
	cmd := c.verb("approve NOTICE", "Send what another person drafted, as you looked at it", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return posted(ctx, c, "/incident-notices/"+id(args[0])+"/approve", map[string]int64{"version": version}, c.showIncidentNotice)
	})
	cmd.Flags().Int64Var(&version, "version", 0, "which version you looked at (ostler incident notice NOTICE)")
	_ = cmd.MarkFlagRequired("version")
	return cmd
}

// noticeAct is an act on a notice.
func (c *client) noticeAct(verb, path, short string, needs []string, flags ...textFlag) *cobra.Command {
	one := make([]*string, len(flags))
	cmd := c.verb(verb+" NOTICE", short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		var body any
		if len(flags) > 0 {
			fields := map[string]string{}
			for i, f := range flags {
				if *one[i] != "" {
					fields[f.key] = *one[i]
				}
			}
			body = fields
		}
		return posted(ctx, c, "/incident-notices/"+id(args[0])+"/"+path, body, c.showIncidentNotice)
	})
	for i, f := range flags {
		one[i] = cmd.Flags().String(f.name, "", f.help)
	}
	for _, n := range needs {
		_ = cmd.MarkFlagRequired(n)
	}
	return cmd
}

type incidentReportView struct {
	ID         string `json:"id"`
	Source     string `json:"source"`
	Name       string `json:"name"`
	Contact    string `json:"contact"`
	Text       string `json:"text"`
	ReceivedAt string `json:"received_at"`
	Incident   string `json:"incident"`
	SetAside   string `json:"set_aside_because"`
}

// who is who reported it, and how to reach them.
func (v incidentReportView) who() string {
	return strings.Join(slices.DeleteFunc([]string{v.Name, v.Contact}, func(s string) bool { return s == "" }), ", ")
}

func (v incidentReportView) became() string {
	switch {
	case v.Incident != "":
		return v.Incident
	case v.SetAside != "":
		return "none: " + v.SetAside
	}
	return "waiting"
}

func (c *client) showReport(v incidentReportView) error {
	return c.facts(pair{"Report", text(v.ID)}, pair{"From", text(v.Source)}, pair{"Who", text(v.who())}, pair{"Received", text(when(v.ReceivedAt))}, pair{"Text", text(v.Text)}, pair{"Became", text(v.became())})
}

func (c *client) incidentReport() *cobra.Command {
	var server string
	cmd := c.verb("report SENTENCE", "Say that something may be wrong; somebody looks at it", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		words, err := c.words(args[0])
		if err != nil {
			return err
		}
		return posted(ctx, c, "/incident-reports", map[string]string{"text": words, "server": server}, c.showReport)
	})
	cmd.Flags().StringVar(&server, "server", "", "on which server")
	return cmd
}

func (c *client) incidentReports() *cobra.Command {
	var waiting bool
	cmd := c.verb("reports", "List what was reported", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return list(ctx, c, "/incident-reports", url.Values{"waiting": {fmt.Sprint(waiting)}}, paging{whole: true}, []string{"RECEIVED", "FROM", "WHO", "TEXT", "BECAME", "ID"}, func(v incidentReportView) []cell {
			return []cell{text(when(v.ReceivedAt)), text(v.Source), text(firstLine(v.who())), text(firstLine(v.Text)), text(firstLine(v.became())), text(v.ID)}
		}, "Nothing was reported.")
	})
	cmd.Flags().BoolVar(&waiting, "waiting", false, "only what nobody has looked at")
	return cmd
}

func (c *client) incidentTriage() *cobra.Command {
	var incident, sentence, aside string
	cmd := c.verb("triage REPORT", "Say what becomes of a report: --incident, --open or --aside", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		body := map[string]any{}
		switch {
		case incident != "" && sentence == "" && aside == "":
			body["incident"] = incident
		case sentence != "" && incident == "" && aside == "":
			body["new"] = map[string]string{"title": sentence}
		case aside != "" && incident == "" && sentence == "":
			body["aside_because"] = aside
		default:
			return usagef("give one of --incident, --open and --aside")
		}
		return posted(ctx, c, "/incident-reports/"+id(args[0])+"/triage", body, c.showReport)
	})
	f := cmd.Flags()
	f.StringVar(&incident, "incident", "", "it belongs to this one")
	f.StringVar(&sentence, "open", "", "it begins one: say in a sentence what happened")
	f.StringVar(&aside, "aside", "", "it is none: why")
	return cmd
}
