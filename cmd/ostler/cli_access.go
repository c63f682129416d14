package main

import (
	"context"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// spanView is a time in a column of a list.
type spanView struct {
	From  string `json:"from"`
	Until string `json:"until"`
}

// accessLineView is what the command line reads of a line of a list.
type accessLineView struct {
	Person   string    `json:"person"`
	Name     string    `json:"name"`
	Unknown  string    `json:"unknown"`
	Way      string    `json:"way"`
	Role     string    `json:"role"`
	Place    string    `json:"place"`
	Listed   *spanView `json:"listed"`
	Enforced *spanView `json:"enforced"`
	Could    *spanView `json:"could"`
	Standing string    `json:"standing"`
	Attested bool      `json:"attested"`
	Grounds  []string  `json:"grounds"`
	Shared   bool      `json:"shared"`
	Reason   string    `json:"reason"`
	Ticket   string    `json:"ticket"`
	By       string    `json:"by"`
	Notified string    `json:"notified_at"`
	LastUsed string    `json:"last_used_at"`
	Trained  string    `json:"trained_until"`
	Briefed  bool      `json:"briefed"`
}

// who is the person, or what was found where nobody is known.
func (v accessLineView) who() string {
	if v.Name == "" {
		return "nobody known: " + v.Unknown
	}
	return v.Name
}

// until is the end of whatever holds, the widest column last.
func (v accessLineView) until() string {
	for _, s := range []*spanView{v.Listed, v.Enforced, v.Could} {
		if s != nil {
			return when(s.Until)
		}
	}
	return ""
}

// column is what one column says; what nobody confirmed is never "no".
func (v accessLineView) column(s *spanView) string {
	switch {
	case s != nil:
		return "since " + when(s.From)
	case !v.Attested:
		return "unattested"
	}
	return "no"
}

type accessListView struct {
	At          string           `json:"at"`
	KnownAt     string           `json:"known_at"`
	Persons     int64            `json:"persons"`
	Unnamed     int64            `json:"unnamed"`
	Differences int64            `json:"differences"`
	Lines       []accessLineView `json:"lines"`
}

func (c *client) accessCommand() *cobra.Command {
	return noun("access", "Who can reach customers' servers, and what was granted", c.accessList(), c.accessChanges(), c.accessGrants(), c.accessGrant(), c.accessAnswer(), c.accessExtend(),
		c.accessRevoke(), c.accessPeople(), c.accessLeave(), c.accessFound(), c.accessEnforcement(), c.accessMode(), c.accessLook(), c.accessNotices(), c.accessVerify(),
		c.accessPerson(), c.accessPaper(), c.accessTeams(), c.accessExplain(), c.accessBaseline(), c.accessAcceptRole(), c.accessAcknowledge(), c.accessTicket(), c.accessReview(),
		c.accessFacilities(), c.accessEntries(), c.accessVisit(), c.accessEntry(), c.accessRecertification(), c.accessAuthorisations(),
		c.accessWhy(), c.accessTerms(), c.accessMatrix(), c.accessTeam(), c.accessFacility(), c.accessNotice(), c.accessAuthorise(), c.accessAuthorisation())
}

func (c *client) accessList() *cobra.Command {
	var at asAt
	cmd := c.verb("list CUSTOMER", "Show who can reach a customer's servers, now or at any instant", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		q, err := at.query()
		if err != nil {
			return err
		}
		return show(ctx, c, "/customers/"+id(args[0])+"/access", q, func(v accessListView) error {
			if len(v.Lines) == 0 {
				c.say("Nobody stands on the list.")
				return nil
			}
			rows := make([][]cell, len(v.Lines))
			for i, l := range v.Lines {
				rows[i] = []cell{text(l.who()), text(l.Way), text(l.Role), text(l.Place), text(l.column(l.Listed)), text(l.column(l.Enforced)), text(l.column(l.Could)), text(l.until()),
					text(firstLine(strings.TrimSpace(l.Ticket + " " + l.Reason)))}
			}
			if err := c.table([]string{"WHO", "WAY", "ROLE", "WHERE", "LISTED", "ENFORCED", "COULD", "UNTIL", "WHY"}, rows); err != nil {
				return err
			}
			c.say("As it was at %s, as known at %s: %s.", when(v.At), when(v.KnownAt), plural(v.Persons, "person", "persons"))
			if v.Unnamed > 0 {
				c.say("%s: nobody knows whose.", plural(v.Unnamed, "key or account beside them is without a name", "keys or accounts beside them are without a name"))
			}
			if v.Differences > 0 {
				c.say("%s: see ostler finding list.", plural(v.Differences, "line has columns that do not agree", "lines have columns that do not agree"))
			}
			return nil
		})
	})
	return at.flags(cmd)
}

// asAt are the flags that read a list at another time.
type asAt struct{ at, known string }

func (a *asAt) flags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&a.at, "at", "", "as it was at this instant, such as 2026-11-01T08:00:00Z, “2026-11-01 08:00:00” in UTC, or a date (default: now)")
	cmd.Flags().StringVar(&a.known, "known-at", "", "as it was known at this instant (default: now)")
	return cmd
}

func (a *asAt) query() (url.Values, error) {
	q := url.Values{}
	for _, f := range []struct{ flag, key, typed string }{{"at", "at", a.at}, {"known-at", "known_at", a.known}} {
		if f.typed == "" {
			continue
		}
		instant, err := instantOf(f.flag, f.typed)
		if err != nil {
			return nil, err
		}
		q.Set(f.key, instant)
	}
	return q, nil
}

// accessChangeView is what the command line reads of a change.
type accessChangeView struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Unknown    string `json:"unknown"`
	Way        string `json:"way"`
	Role       string `json:"role"`
	At         string `json:"at"`
	Why        string `json:"why"`
	EnforcedAt string `json:"enforced_at"`
	NotifiedAt string `json:"notified_at"`
}

func (c *client) accessChanges() *cobra.Command {
	var p paging
	var column, since, before string
	cmd := c.verb("changes CUSTOMER", "List what changed in a customer's list, newest first", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		q := url.Values{"column": {column}}
		for flag, typed := range map[string]string{"since": since, "before": before} {
			if typed == "" {
				continue
			}
			instant, err := instantOf(flag, typed)
			if err != nil {
				return err
			}
			q.Set(flag, instant)
		}
		return list(ctx, c, "/customers/"+id(args[0])+"/access/changes", q, p, []string{"FROM", "CHANGE", "WHO", "WAY", "ROLE", "ENFORCED", "NOTIFIED", "WHY"}, func(v accessChangeView) []cell {
			return []cell{text(when(v.At)), text(v.Kind), text(v.Name + v.Unknown), text(v.Way), text(v.Role), text(orNotYet(v.EnforcedAt)), text(orNotYet(v.NotifiedAt)), text(firstLine(v.Why))}
		}, "Nothing has changed.")
	})
	cmd.Flags().StringVar(&column, "column", "", "listed, enforced or could (default: listed)")
	cmd.Flags().StringVar(&since, "since", "", "only from this instant or date on")
	cmd.Flags().StringVar(&before, "before", "", "only before this instant or date")
	return p.flags(cmd)
}

func orNotYet(instant string) string {
	if instant == "" {
		return "not yet"
	}
	return when(instant)
}

// accessPersonView is what the command line reads of a person on lists.
type accessPersonView struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Company string `json:"company"`
	LeftAt  string `json:"left_at"`
}

func (c *client) accessPeople() *cobra.Command {
	var p paging
	return p.flags(c.verb("people", "List the people who can stand on lists", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		return list(ctx, c, "/access/people", nil, p, []string{"NAME", "KIND", "COMPANY", "LEFT", "ID"}, func(v accessPersonView) []cell {
			return []cell{text(v.Name), text(v.Kind), text(v.Company), text(when(v.LeftAt)), text(v.ID)}
		}, "There are no people yet.")
	}))
}

// foundAccessView is what the command line reads of a way in.
type foundAccessView struct {
	ID         string `json:"id"`
	ServerName string `json:"server_name"`
	Kind       string `json:"kind"`
	Account    string `json:"account"`
	Rights     string `json:"rights"`
	PersonName string `json:"person_name"`
	Customer   string `json:"customer"`
	Confirmed  string `json:"confirmed"`
	Baseline   bool   `json:"baseline"`
	SeenAt     string `json:"seen_at"`
}

// whose is who answers for a way in.
func (v foundAccessView) whose() string {
	switch {
	case v.Confirmed == "no":
		return "the customer says: not ours"
	case v.PersonName != "":
		return v.PersonName
	case v.Customer != "":
		return "the customer's"
	case v.Baseline:
		return "accepted as found"
	}
	return "nobody known"
}

func (c *client) accessFound() *cobra.Command {
	var p paging
	var server, customer string
	var unexplained bool
	cmd := c.verb("found", "List the ways in that scans found on hosts", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		path := "/access/found"
		if customer != "" {
			path = "/customers/" + id(customer) + "/access/found"
		}
		q := url.Values{"server": {server}}
		if unexplained {
			q.Set("unexplained", "true")
		}
		return list(ctx, c, path, q, p, []string{"SERVER", "KIND", "ACCOUNT", "RIGHTS", "WHOSE", "SEEN", "ID"}, func(v foundAccessView) []cell {
			return []cell{text(v.ServerName), text(v.Kind), text(v.Account), text(firstLine(v.Rights)), text(v.whose()), text(when(v.SeenAt)), text(v.ID)}
		}, "No way in was found, as far as was seen.")
	})
	addFilter(cmd, &server, &customer)
	cmd.Flags().BoolVar(&unexplained, "unexplained", false, "only those that nobody answers for")
	cmd.AddCommand(c.accessFoundConfirm())
	return p.flags(cmd)
}

// noticeView is what the command line reads of a notice.
type noticeView struct {
	ID             string             `json:"id"`
	State          string             `json:"state"`
	Late           bool               `json:"late"`
	OpenedAt       string             `json:"opened_at"`
	DueAt          string             `json:"due_at"`
	AcceptedAt     string             `json:"accepted_at"`
	AcknowledgedAt string             `json:"acknowledged_at"`
	Changes        []accessChangeView `json:"changes"`
}

func (c *client) accessNotices() *cobra.Command {
	var p paging
	cmd := c.verb("notices [CUSTOMER]", "List what customers were told of changes, newest first", cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
		path := "/access/notices"
		if len(args) == 1 {
			path = "/customers/" + id(args[0]) + "/access/notices"
		}
		return list(ctx, c, path, nil, p, []string{"OPENED", "CHANGES", "STATE", "DUE", "ACCEPTED", "ACKNOWLEDGED", "LATE", "ID"}, func(v noticeView) []cell {
			return []cell{text(when(v.OpenedAt)), number(count(int64(len(v.Changes)))), state(v.State), text(when(v.DueAt)), text(orNotYet(v.AcceptedAt)), text(orNotYet(v.AcknowledgedAt)), text(yesNo(v.Late)), text(v.ID)}
		}, "There was nothing to tell yet.")
	})
	return p.flags(cmd)
}
