package main

import (
	"context"
	"net/url"

	"github.com/spf13/cobra"
)

// mailView is what the command line reads of a mail.
type mailView struct {
	ID         string     `json:"id"`
	Customer   string     `json:"customer"`
	To         string     `json:"to"`
	Title      string     `json:"title"`
	Template   string     `json:"template"`
	Subject    string     `json:"subject"`
	MessageID  string     `json:"message_id"`
	SHA256     string     `json:"sha256"`
	State      string     `json:"state"`
	Cause      string     `json:"cause"`
	InDoubt    bool       `json:"in_doubt"`
	Content    string     `json:"content"`
	CreatedAt  string     `json:"created_at"`
	AcceptedAt string     `json:"accepted_at"`
	EndedAt    string     `json:"ended_at"`
	OpenedAt   string     `json:"opened_at"`
	ConfirmAt  string     `json:"acknowledged_at"`
	CalledAt   string     `json:"called_at"`
	Attempts   []mailTry  `json:"attempts"`
	Reports    []mailBack `json:"reports"`
}

// mailTry is one try to hand a mail over.
type mailTry struct {
	N         int64  `json:"n"`
	Tries     int64  `json:"tries"`
	StartedAt string `json:"started_at"`
	Outcome   string `json:"outcome"`
	Cause     string `json:"cause"`
	Reply     string `json:"reply"`
	Server    string `json:"server"`
	TLS       string `json:"tls"`
	QueueID   string `json:"queue_id"`
}

// mailBack is a report that came back.
type mailBack struct {
	ReceivedAt string `json:"received_at"`
	Action     string `json:"action"`
	Status     string `json:"status"`
	Diagnostic string `json:"diagnostic"`
}

func (c *client) showMail(v mailView) error {
	doubt := ""
	if v.InDoubt {
		doubt = "it may have been delivered twice, under one Message-ID"
	}
	err := c.facts(pair{"Mail", text(v.ID)}, pair{"State", mailState(v.State)}, pair{"Because", text(spaced(v.Cause))}, pair{"In doubt", text(doubt)}, pair{"To", text(v.To)},
		pair{"Title", text(v.Title)}, pair{"Went out", text(v.Content)}, pair{"Queued", text(when(v.CreatedAt))}, pair{"Accepted", text(when(v.AcceptedAt))},
		pair{"Ended", text(when(v.EndedAt))}, pair{"Opened", text(when(v.OpenedAt))}, pair{"Acknowledged", text(when(v.ConfirmAt))}, pair{"Called", text(when(v.CalledAt))},
		pair{"Message-ID", text(v.MessageID)}, pair{"SHA-256", text(v.SHA256)}, pair{"Tells of", text(v.Subject)}, pair{"Customer", text(v.Customer)})
	if err != nil || len(v.Attempts)+len(v.Reports) == 0 {
		return err
	}
	var rows [][]cell
	for _, t := range v.Attempts {
		how := t.Server
		if t.TLS != "" {
			how += " over " + t.TLS
		}
		outcome := t.Outcome
		if outcome == "" {
			outcome = "at it"
		}
		rows = append(rows, []cell{text(when(t.StartedAt)), text(outcome), text(spaced(t.Cause)), number(count(t.Tries)), text(how), text(t.Reply)})
	}
	for _, r := range v.Reports {
		rows = append(rows, []cell{text(when(r.ReceivedAt)), text(r.Action), text(r.Status), number(""), text("came back"), text(r.Diagnostic)})
	}
	return c.table([]string{"AT", "OUTCOME", "BECAUSE", "TRIES", "SERVER", "REPLY"}, rows)
}

// mailState is the state of a mail with its tone: only what a person did in the
// portal shows that it was read.
func mailState(s string) cell {
	v := text(s)
	switch s {
	case "opened", "acknowledged":
		v.tone = toneGood
	case "deferred", "unsent":
		v.tone = toneWarn
	case "bounced", "failed":
		v.tone = toneBad
	}
	return v
}

func (c *client) mailCommand() *cobra.Command {
	var p paging
	var customer, subject, is string
	lst := c.verb("list", "List mails, newest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q := url.Values{"customer": {customer}, "subject": {subject}, "state": {is}}
		return list(ctx, c, "/mails", q, p, []string{"QUEUED", "STATE", "TO", "TITLE", "ID"}, func(v mailView) []cell {
			return []cell{text(when(v.CreatedAt)), mailState(v.State), text(v.To), text(v.Title), text(v.ID)}
		}, "There are no mails.")
	})
	lst.Flags().StringVar(&customer, "customer", "", "customer, by slug or id")
	lst.Flags().StringVar(&subject, "subject", "", "id of what they tell of: a restore, a request")
	lst.Flags().StringVar(&is, "state", "", "queued, sending, deferred, accepted, bounced, failed, unsent, opened or acknowledged")
	shw := c.verb("show MAIL", "Show one mail: every try, and what came back", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/mails/"+id(args[0]), nil, c.showMail)
	})
	return noun("mail", "What was mailed, and what is known of its delivery", p.flags(lst), shw)
}
