package main

import (
	"context"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// termsView is what was agreed with a customer about access.
type termsView struct {
	NoticeHours      int64  `json:"notice_hours"`
	SecondPerson     bool   `json:"second_person"`
	CustomerApproves bool   `json:"customer_approves"`
	MaxDays          int64  `json:"max_days"`
	RecordingMonths  int64  `json:"recording_months"`
	Brief            string `json:"brief"`
	BriefVersion     string `json:"brief_version"`
}

func (c *client) showTerms(v termsView) error {
	return c.facts(pair{"A change is told within", text(plural(v.NoticeHours, "hour", "hours"))}, pair{"A second person of ours approves", text(yesNo(v.SecondPerson))}, pair{"The customer approves", text(yesNo(v.CustomerApproves))},
		pair{"Longest grant", text(plural(v.MaxDays, "day", "days"))}, pair{"Recordings are kept for", text(plural(v.RecordingMonths, "month", "months"))}, pair{"Version of the duty brief", text(v.BriefVersion)}, pair{"Duty brief", text(v.Brief)})
}

func (c *client) accessTerms() *cobra.Command {
	cmd := c.verb("terms CUSTOMER", "Show what was agreed with a customer about access, or change it", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/customers/"+id(args[0])+"/access/terms", nil, c.showTerms)
	})
	cmd.AddCommand(c.accessSetTerms())
	return cmd
}

func (c *client) accessSetTerms() *cobra.Command {
	var to termsView
	var file string
	var cmd *cobra.Command
	cmd = c.verb("set CUSTOMER", "Change what was agreed: only what is named changes", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		set := func(now *termsView) (any bool) {
			for flag, over := range map[string]func(){"notice-hours": func() { now.NoticeHours = to.NoticeHours }, "second-person": func() { now.SecondPerson = to.SecondPerson }, "customer-approves": func() { now.CustomerApproves = to.CustomerApproves },
				"max-days": func() { now.MaxDays = to.MaxDays }, "recording-months": func() { now.RecordingMonths = to.RecordingMonths }, "brief-file": func() { now.Brief = to.Brief }, "brief-version": func() { now.BriefVersion = to.BriefVersion }} {
				if cmd.Flags().Changed(flag) {
					over()
					any = true
				}
			}
			return any
		}
		if !set(&termsView{}) {
			return usagef("name what to change: --notice-hours, --second-person, --customer-approves, --max-days ...")
		}
		if file != "" {
			raw, err := os.ReadFile(file)
			if err != nil {
				return controlplane.Errorf(controlplane.CodeInvalid, "Name a file that can be read.", "The duty brief cannot be read").Because(err)
			}
			to.Brief = string(raw)
		}
		return changed(ctx, c, http.MethodPut, "/customers/"+id(args[0])+"/access/terms", func(now termsView) (any, error) {
			set(&now)
			return now, nil
		}, c.showTerms)
	})
	f := cmd.Flags()
	f.Int64Var(&to.NoticeHours, "notice-hours", 24, "a change is told within so many hours")
	f.BoolVar(&to.SecondPerson, "second-person", false, "a second person of ours approves each grant (--second-person=false: no more)")
	f.BoolVar(&to.CustomerApproves, "customer-approves", false, "the customer approves each grant; twelve hours of silence are a no")
	f.Int64Var(&to.MaxDays, "max-days", 92, "the longest grant, in days")
	f.Int64Var(&to.RecordingMonths, "recording-months", 12, "recordings are kept for so many months at most")
	f.StringVar(&file, "brief-file", "", "file with the duty brief: what staff must know before they work for this customer")
	f.StringVar(&to.BriefVersion, "brief-version", "", "version of the brief; a new one asks everybody to acknowledge it again, none asks nobody")
	return cmd
}

// wholeNoticeView is a notice with its mails.
type wholeNoticeView struct {
	noticeView
	SentAt   string `json:"sent_at"`
	ReadAt   string `json:"read_at"`
	CalledAt string `json:"called_at"`
	CallNote string `json:"call_note"`
	Why      string `json:"why"`
	Mails    []struct {
		Name  string `json:"name"`
		State string `json:"state"`
		Cause string `json:"cause"`
		At    string `json:"at"`
	} `json:"mails"`
}

func (c *client) showNotice(v wholeNoticeView) error {
	if err := c.facts(pair{"Notice", text(v.ID)}, pair{"State", state(v.State)}, pair{"Because", text(v.Why)}, pair{"First change", text(when(v.OpenedAt))}, pair{"Due", text(when(v.DueAt))}, pair{"Late", text(yesNo(v.Late))}, pair{"Sent", text(when(v.SentAt))},
		pair{"Accepted", text(when(v.AcceptedAt))}, pair{"Read", text(when(v.ReadAt))}, pair{"Called", text(when(v.CalledAt))}, pair{"The call", text(v.CallNote)}, pair{"Acknowledged", text(when(v.AcknowledgedAt))}); err != nil {
		return err
	}
	rows := make([][]cell, len(v.Changes))
	for i, x := range v.Changes {
		rows[i] = []cell{text(when(x.At)), text(x.Kind), text(x.Name + x.Unknown), text(x.Way), text(x.Role), text(firstLine(x.Why))}
	}
	if len(rows) > 0 {
		if err := c.table([]string{"FROM", "CHANGE", "WHO", "WAY", "ROLE", "WHY"}, rows); err != nil {
			return err
		}
	}
	for _, m := range v.Mails {
		c.say("%s  mail to %s: %s", when(m.At), m.Name, spaced(orWord(m.State+" "+m.Cause, m.State)))
	}
	return nil
}

func (c *client) accessNotice() *cobra.Command {
	cmd := c.verb("notice NOTICE", "Show a notice with every change in it and what became of its mails, or note a call", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/access/notices/"+id(args[0]), nil, c.showNotice)
	})
	var b bodyFlags
	call := c.verb("call NOTICE", "Note that you told the customer another way, where no mail reached them", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		sent, err := b.sent(ctx)
		if err != nil {
			return err
		}
		return posted(ctx, c, "/access/notices/"+id(args[0])+"/call", sent, c.showNotice)
	})
	cmd.AddCommand(b.add(call, bodyFlag{name: "who", help: "whom you reached", must: true}, bodyFlag{name: "said", help: "what was said, in a sentence; the customer reads it", must: true},
		bodyFlag{name: "at", help: "when, an instant (default: now)", instant: true}))
	return cmd
}

func (c *client) showAuthorisation(v authorisationView) error {
	return c.facts(pair{"Authorisation", text(v.ID)}, pair{"Who", text(v.Name)}, pair{"Capacity", text(v.Capacity)}, pair{"May instruct", text(v.may())}, pair{"From", text(when(v.From))}, pair{"Until", text(when(v.Until))}, pair{"Document", text(v.Document)})
}

func (c *client) accessAuthorise() *cobra.Command {
	var b bodyFlags
	var contact string
	var acts []string
	cmd := c.verb("authorise CUSTOMER", "Register who may instruct us for a customer", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		sent, err := b.sent(ctx)
		if err != nil {
			return err
		}
		if (sent["name"] == nil) == (contact == "") {
			return usagef("name a contact of theirs with --contact, or with --name somebody who does not sign in here")
		}
		sent["acts"], sent["capacity"] = acts, "designee"
		if contact != "" {
			if sent["contact"], err = c.findContact(ctx, args[0], contact); err != nil {
				return err
			}
			sent["capacity"] = "contact"
		}
		return posted(ctx, c, "/customers/"+id(args[0])+"/access/authorisations", sent, c.showAuthorisation)
	})
	cmd.Flags().StringVar(&contact, "contact", "", "one of their contacts, by id, e-mail or name")
	cmd.Flags().StringArrayVar(&acts, "act", nil, "restore, session, change, access or all (again for more)")
	_ = cmd.MarkFlagRequired("act")
	return b.add(cmd, bodyFlag{name: "name", help: "somebody who does not sign in here"}, bodyFlag{name: "from", help: "instant or date (default: now)", instant: true},
		bodyFlag{name: "until", help: "instant or date (default: no end)", instant: true}, bodyFlag{name: "document", help: "where the letter or contract is kept that says so"})
}

func (c *client) accessAuthorisation() *cobra.Command {
	return noun("authorisation", "End somebody's right to instruct us", c.verb("end AUTHORISATION", "End somebody's right to instruct us for a customer", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if _, err := c.post(ctx, "/access/authorisations/"+id(args[0])+"/end", nil, nil); err != nil {
			return err
		}
		c.say("They may instruct us no more.")
		return nil
	}))
}

func (c *client) accessFoundConfirm() *cobra.Command {
	var name string
	var not bool
	cmd := c.verb("confirm FOUND", "Say as the customer whom you let in, or that you did not", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if (name == "") == !not {
			return usagef("say whom you let in with --whose, or with --not-ours that you did not")
		}
		return posted(ctx, c, "/access/found/"+id(args[0])+"/confirm", map[string]any{"yes": !not, "name": name}, c.showWayIn)
	})
	cmd.Flags().StringVar(&name, "whose", "", "whom you let in")
	cmd.Flags().BoolVar(&not, "not-ours", false, "you did not let them in")
	return cmd
}

func (c *client) accessEntryAdd() *cobra.Command {
	var b bodyFlags
	cmd := c.verb("add", "Put somebody on lists by another ground than a grant; without customer, server and facility it is all customers", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		sent, err := b.sent(ctx)
		if err != nil {
			return err
		}
		return posted(ctx, c, "/access/entries", sent, c.showEntry)
	})
	return b.add(cmd, bodyFlag{name: "way", help: "physical (keys to racks), visit, admin (hypervisor, console), backup_key, service, login or customer", must: true},
		bodyFlag{name: "person", help: "who, by id, e-mail or name", must: true, find: c.findPerson}, bodyFlag{name: "customer", help: "only this one, by slug or id"}, bodyFlag{name: "server", help: "only this one, by name or id"},
		bodyFlag{name: "facility", help: "where, by id or name", find: c.findFacility}, bodyFlag{name: "rack", help: "which rack (default: all there)"}, bodyFlag{name: "role", help: "what exactly, such as “hypervisor pve-1”"},
		bodyFlag{name: "escort", help: "of a visit: who goes with them, by id, e-mail or name", find: c.findPerson}, bodyFlag{name: "reason", help: "why; customers read it", must: true}, bodyFlag{name: "ticket", help: "the ticket"},
		bodyFlag{name: "from", help: "instant or date (default: now)", instant: true}, bodyFlag{name: "until", help: "instant or date; leave it out only with --review", instant: true}, bodyFlag{name: "review", key: "review_by", help: "instant or date of the next look", instant: true})
}

func (c *client) accessEntryReview() *cobra.Command {
	var b bodyFlags
	cmd := c.verb("review ENTRY", "Keep somebody else's entry until it is looked at again", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		sent, err := b.sent(ctx)
		if err != nil {
			return err
		}
		return posted(ctx, c, "/access/entries/"+id(args[0])+"/review", sent, c.showEntry)
	})
	return b.add(cmd, bodyFlag{name: "next", key: "review_by", help: "instant or date of the next look, within a year", must: true, instant: true}, bodyFlag{name: "note", help: "what you looked at, and why it is still needed", must: true})
}
