package server

import (
	"context"
	"net/http"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/policy"
)

// AccessNotice is what a customer was told, with every change in it.
type AccessNotice struct {
	ID             string             `json:"id"`
	Customer       string             `json:"customer"`
	State          string             `json:"state" enum:"gathering,sent,accepted,bounced,acknowledged,unreachable,called" doc:"accepted: a mail server took it, which is not read"`
	Changes        []AccessChange     `json:"changes" nullable:"false"`
	OpenedAt       string             `json:"opened_at" format:"date-time" doc:"Of the first change"`
	DueAt          string             `json:"due_at" format:"date-time"`
	SentAt         string             `json:"sent_at,omitempty" format:"date-time"`
	AcceptedAt     string             `json:"accepted_at,omitempty" format:"date-time"`
	ReadAt         string             `json:"read_at,omitempty" format:"date-time" doc:"A contact opened it here"`
	AcknowledgedAt string             `json:"acknowledged_at,omitempty" format:"date-time"`
	AcknowledgedBy string             `json:"acknowledged_by,omitempty"`
	CalledAt       string             `json:"called_at,omitempty" format:"date-time" doc:"A person told them another way"`
	CallNote       string             `json:"call_note,omitempty"`
	Mails          []AccessNoticeMail `json:"mails" nullable:"false" doc:"In the order in which contacts were tried"`
	Late           bool               `json:"late"`
	Urgent         bool               `json:"urgent" doc:"Of emergency access: told at once"`
	Why            string             `json:"why,omitempty" doc:"Why nobody can be reached"`
}

// AccessNoticeMail is one mail of a notice.
type AccessNoticeMail struct {
	Mail    string `json:"mail"`
	Contact string `json:"contact"`
	Name    string `json:"name"`
	State   string `json:"state"`
	Cause   string `json:"cause,omitempty"`
	At      string `json:"at,omitempty" format:"date-time"`
}

func viewNotice(n access.Notice) AccessNotice {
	return AccessNotice{ID: n.ID, Customer: n.Customer, State: n.State, Changes: listOf(n.Items, "", viewAccessChange).Body.Items, OpenedAt: controlplane.Instant(n.OpenedAt),
		DueAt: controlplane.Instant(n.DueAt), SentAt: controlplane.Instant(n.SentAt), AcceptedAt: controlplane.Instant(n.AcceptedAt), ReadAt: controlplane.Instant(n.ReadAt),
		AcknowledgedAt: controlplane.Instant(n.AcknowledgedAt), AcknowledgedBy: n.AcknowledgedBy, CalledAt: controlplane.Instant(n.CalledAt), CallNote: n.CallNote,
		Mails: listOf(n.Mails, "", func(m access.NoticeMail) AccessNoticeMail {
			return AccessNoticeMail{m.Mail, m.Contact, m.Name, m.State, m.Cause, controlplane.Instant(m.At)}
		}).Body.Items, Late: n.Late, Urgent: n.Urgent, Why: n.Why}
}

func oneNotice(n access.Notice, err error) (*One[AccessNotice], error) {
	return &One[AccessNotice]{Body: viewNotice(n)}, err
}

// AccessCall is how a person told a customer another way than by mail.
type AccessCall struct {
	Who  string    `json:"who" doc:"Whom they reached"`
	At   time.Time `json:"at,omitzero" doc:"When (default: now)"`
	Said string    `json:"said" doc:"What was said"`
}

// StaffRecordingNotice is what staff are told of what is recorded of them.
type StaffRecordingNotice struct {
	Months         int      `json:"months" doc:"Recordings are kept at most so long"`
	Text           []string `json:"text" nullable:"false"`
	SHA256         string   `json:"sha256" doc:"Of the text: an acknowledgement is of one text"`
	AcknowledgedAt string   `json:"acknowledged_at,omitempty" format:"date-time"`
}

// StaffRecordingNoted takes note of one text.
type StaffRecordingNoted struct {
	SHA256 string `json:"sha256"`
}

func (x *accessAPI) registerNotices(a *API) {
	type ofCustomer struct {
		IDIn
		PageIn
	}
	Register(a, Op{Method: http.MethodGet, Path: "/customers/{id}/access/notices", Name: "access.notices", Summary: "List what a customer was told of changes in their list, newest first", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *ofCustomer) (*ListOut[AccessNotice], error) {
			items, next, err := x.Notices(ctx, scope, in.ID, in.PageSize, in.PageToken)
			return listOf(items, next, viewNotice), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/access/notices", Name: "notice.list", Summary: "List notices, newest first", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *PageIn) (*ListOut[AccessNotice], error) {
			items, next, err := x.Notices(ctx, scope, "", in.PageSize, in.PageToken)
			return listOf(items, next, viewNotice), err
		})
	Register(a, Op{Method: http.MethodGet, Path: "/access/notices/{id}", Name: "notice.show", Summary: "Show a notice; that a contact did is noted", Audience: policy.SignedIn, Permission: policy.AccessRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[AccessNotice], error) {
			return oneNotice(x.GetNotice(ctx, scope, in.ID))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/notices/{id}/acknowledge", Name: "notice.acknowledge", Summary: "Take note of a notice", Audience: policy.Customers, Permission: policy.AccessConfirm},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[AccessNotice], error) {
			if err := x.Acknowledge(ctx, scope, in.ID); err != nil {
				return nil, err
			}
			return oneNotice(x.GetNotice(ctx, scope, in.ID))
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/notices/{id}/call", Name: "notice.call", Summary: "Note that a person told the customer another way: whom, when, and what was said", Audience: policy.Staff, Permission: policy.AccessWrite},
		func(ctx context.Context, scope policy.Scope, in *withBody[AccessCall]) (*One[AccessNotice], error) {
			return oneNotice(x.RecordNoticeCall(ctx, scope, in.ID, access.NoticeCall{Who: in.Body.Who, At: in.Body.At, Said: in.Body.Said}))
		})
	Register(a, Op{Method: http.MethodGet, Path: "/access/recording-notice", Name: "recording.notice", Summary: "What is recorded of staff, and whether one has taken note of it", Audience: policy.Staff, Permission: policy.SelfRead},
		func(ctx context.Context, _ policy.Scope, _ *struct{}) (*One[StaffRecordingNotice], error) {
			n, err := x.StaffNotice(ctx)
			return &One[StaffRecordingNotice]{Body: StaffRecordingNotice{n.Months, some(n.Text), n.SHA256, controlplane.Instant(n.AcknowledgedAt)}}, err
		})
	Register(a, Op{Method: http.MethodPost, Path: "/access/recording-notice/acknowledge", Name: "recording.acknowledge", Summary: "Take note of what is recorded of staff", Audience: policy.Staff, Permission: policy.SelfWrite, Status: http.StatusNoContent},
		func(ctx context.Context, _ policy.Scope, in *bodyIn[StaffRecordingNoted]) (*Empty, error) {
			return &Empty{}, x.AcknowledgeStaffNotice(ctx, in.Body.SHA256)
		})
}
