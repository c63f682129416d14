package server

import (
	"context"

	"ostler/controlplane"
	"ostler/controlplane/mail"
	"ostler/controlplane/policy"
)

// Mail is a mail that we sent or will send, with what is known of its delivery.
// Its content stays with us and its recipient.
type Mail struct {
	ID             string       `json:"id"`
	Customer       string       `json:"customer,omitempty"`
	Person         string       `json:"person,omitempty"`
	To             string       `json:"to"`
	Template       string       `json:"template"`
	Title          string       `json:"title" doc:"Its subject line"`
	Path           string       `json:"path,omitempty" doc:"Page of the portal that it leads to"`
	Subject        string       `json:"subject,omitempty" doc:"Id of the thing that it tells of"`
	MessageID      string       `json:"message_id"`
	SHA256         string       `json:"sha256" doc:"Hex, of its exact bytes"`
	Size           int64        `json:"size"`
	State          string       `json:"state" enum:"queued,sending,deferred,accepted,bounced,failed,unsent,opened,acknowledged" doc:"accepted is a mail server's word for it, and never read"`
	Cause          string       `json:"cause,omitempty"`
	InDoubt        bool         `json:"in_doubt" doc:"It may have been delivered twice, under one Message-ID"`
	Content        string       `json:"content" enum:"full,notice" doc:"notice: one without content, which says that there is something in the portal"`
	CreatedAt      string       `json:"created_at" format:"date-time"`
	AcceptedAt     string       `json:"accepted_at,omitempty" format:"date-time"`
	EndedAt        string       `json:"ended_at,omitempty" format:"date-time" doc:"When it came back or was given up"`
	OpenedAt       string       `json:"opened_at,omitempty" format:"date-time" doc:"When its page was opened in the portal"`
	AcknowledgedAt string       `json:"acknowledged_at,omitempty" format:"date-time"`
	CalledAt       string       `json:"called_at,omitempty" format:"date-time" doc:"When a person reached the recipient another way"`
	CallNote       string       `json:"call_note,omitempty"`
	Last           *MailTry     `json:"last,omitempty" doc:"The latest try"`
	Attempts       []MailTry    `json:"attempts,omitempty" doc:"All tries; not in lists"`
	Reports        []MailReport `json:"reports,omitempty" doc:"What came back; not in lists"`
}

// MailTry is one try to hand a mail over, or several in a row that met the same
// obstacle.
type MailTry struct {
	N         int    `json:"n"`
	Tries     int    `json:"tries"`
	StartedAt string `json:"started_at" format:"date-time"`
	EndedAt   string `json:"ended_at,omitempty" format:"date-time"`
	Outcome   string `json:"outcome" doc:"accepted, deferred, refused, unknown (it may have been accepted), or empty: still at it"`
	Cause     string `json:"cause,omitempty"`
	Content   string `json:"content"`
	SHA256    string `json:"sha256,omitempty" doc:"Hex, of the bytes that were handed over"`
	Code      int    `json:"code,omitempty" doc:"SMTP"`
	Reply     string `json:"reply,omitempty"`
	QueueID   string `json:"queue_id,omitempty"`
	Server    string `json:"server"`
	TLS       string `json:"tls,omitempty"`
	Peer      string `json:"peer,omitempty" doc:"Hex SHA-256 of the server's certificate"`
	DSN       bool   `json:"dsn" doc:"Reports of failure were asked for"`
}

// MailReport is a delivery status notification.
type MailReport struct {
	ReceivedAt string `json:"received_at" format:"date-time"`
	Action     string `json:"action" doc:"failed, delayed, delivered, relayed or expanded (RFC 3464)"`
	Status     string `json:"status"`
	Reporter   string `json:"reporter,omitempty"`
	Diagnostic string `json:"diagnostic,omitempty"`
	SHA256     string `json:"sha256"`
}

func viewTry(a mail.Attempt) MailTry {
	return MailTry{N: a.N, Tries: a.Tries, StartedAt: controlplane.Instant(a.Start), EndedAt: controlplane.Instant(a.End), Outcome: string(a.Outcome), Cause: string(a.Cause),
		Content: string(a.Content), SHA256: a.SHA256, Code: a.Code, Reply: a.Reply, QueueID: a.QueueID, Server: a.Server, TLS: a.TLS, Peer: a.Peer, DSN: a.DSN}
}

func viewMail(d mail.Delivery) Mail {
	v := Mail{ID: d.ID, Customer: d.Customer, Person: d.Person, To: d.To, Template: d.Template, Title: d.Title, Path: d.Path, Subject: d.Subject, MessageID: d.MessageID,
		SHA256: d.SHA256, Size: d.Size, State: string(d.State), Cause: string(d.Cause), InDoubt: d.InDoubt, Content: string(d.Content),
		CreatedAt: controlplane.Instant(d.CreatedAt), AcceptedAt: controlplane.Instant(d.AcceptedAt), EndedAt: controlplane.Instant(d.EndedAt),
		OpenedAt: controlplane.Instant(d.OpenedAt), AcknowledgedAt: controlplane.Instant(d.AcknowledgedAt), CalledAt: controlplane.Instant(d.CalledAt), CallNote: d.CallNote}
	if d.Last.N > 0 {
		last := viewTry(d.Last)
		v.Last = &last
	}
	for _, a := range d.Attempts {
		v.Attempts = append(v.Attempts, viewTry(a))
	}
	for _, r := range d.Reports {
		v.Reports = append(v.Reports, MailReport{ReceivedAt: controlplane.Instant(r.ReceivedAt), Action: r.Action, Status: r.Status, Reporter: r.Reporter,
			Diagnostic: r.Diagnostic, SHA256: r.SHA256})
	}
	return v
}

type mailsIn struct {
	PageIn
	Customer string   `query:"customer" doc:"Slug or id"`
	Subject  string   `query:"subject" doc:"Id of the thing that they tell of"`
	Person   string   `query:"person"`
	Template string   `query:"template"`
	State    []string `query:"state"`
}

// registerMails adds what was mailed. Who may see people sees it: it holds addresses.
func (s *Server) registerMails() {
	Register(s.api, Op{Method: "GET", Path: "/mails", Name: "mail.list", Summary: "List mails with their latest try, newest first", Audience: policy.SignedIn, Permission: policy.PeopleRead},
		func(ctx context.Context, scope policy.Scope, in *mailsIn) (*ListOut[Mail], error) {
			f := mail.Filter{Customer: in.Customer, Subject: in.Subject, Person: in.Person, Template: in.Template, Limit: in.PageSize, PageToken: in.PageToken}
			for _, st := range in.State {
				f.States = append(f.States, mail.State(st))
			}
			if in.Customer != "" {
				if c, err := s.Customers.GetCustomer(ctx, scope, in.Customer); err == nil {
					f.Customer = c.ID
				} else if controlplane.ErrorCode(err) != controlplane.CodeNotFound {
					return nil, err
				}
			}
			items, next, err := s.Mail.List(ctx, scope, f)
			return listOf(items, next, viewMail), err
		})
	Register(s.api, Op{Method: "GET", Path: "/mails/{id}", Name: "mail.show", Summary: "Show a mail with all its tries and what came back", Audience: policy.SignedIn, Permission: policy.PeopleRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[Mail], error) {
			d, err := s.Mail.Get(ctx, scope, in.ID)
			return &One[Mail]{Body: viewMail(d)}, err
		})
}
