package server

import (
	"context"
	"net/http"

	"ostler/controlplane"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
)

// JobView is a job as the API shows it, without its parameters and result:
// those are for the operations of the thing it works for.
type JobView struct {
	ID          string       `json:"id"`
	Kind        string       `json:"kind"`
	State       string       `json:"state" enum:"queued,offered,accepted,running,succeeded,failed,interrupted,expired,cancelled,superseded,rejected"`
	Over        bool         `json:"over"`
	Executor    string       `json:"executor" enum:"plane,agent"`
	Server      string       `json:"server,omitempty"`
	Customer    string       `json:"customer,omitempty"`
	Subject     string       `json:"subject,omitempty"`
	Attempt     int          `json:"attempt"`
	MaxAttempts int          `json:"max_attempts"`
	CreatedAt   string       `json:"created_at" format:"date-time"`
	NotBefore   string       `json:"not_before,omitempty" format:"date-time"`
	ExpiresAt   string       `json:"expires_at,omitempty" format:"date-time"`
	StartedAt   string       `json:"started_at,omitempty" format:"date-time"`
	FinishedAt  string       `json:"finished_at,omitempty" format:"date-time"`
	CancelAsked bool         `json:"cancel_asked"`
	Progress    *progressOut `json:"progress,omitempty"`
	Failure     *failureOut  `json:"failure,omitempty" doc:"Why it did not succeed; on a waiting job, why the attempt before failed"`
}

type progressOut struct {
	Step       string `json:"step"`
	Done       int64  `json:"done_bytes"`
	Total      int64  `json:"total_bytes"`
	Files      int64  `json:"files"`
	TotalFiles int64  `json:"total_files"`
	Errors     int64  `json:"errors"`
}

type failureOut struct {
	FailureCause
	Detail string `json:"detail,omitempty" doc:"One line for whoever looks into it"`
}

// ViewJob makes the API's view of a job.
func ViewJob(j jobs.Job) JobView {
	v := JobView{ID: j.ID, Kind: j.Kind, State: string(j.State), Over: j.State.Terminal(), Executor: string(j.Executor), Server: j.Server,
		Customer: j.Customer, Subject: j.Subject, Attempt: j.Attempt, MaxAttempts: j.MaxAttempts, CreatedAt: controlplane.Instant(j.CreatedAt),
		NotBefore: controlplane.Instant(j.NotBefore), ExpiresAt: controlplane.Instant(j.ExpiresAt), StartedAt: controlplane.Instant(j.StartedAt),
		FinishedAt: controlplane.Instant(j.FinishedAt), CancelAsked: j.CancelAsked}
	if p := j.Progress; p != nil {
		v.Progress = &progressOut{Step: p.Step, Done: p.Done, Total: p.Total, Files: p.Files, TotalFiles: p.TotalFiles, Errors: p.Errors}
	}
	if why := whyJob(j); why != nil {
		v.Failure = &failureOut{FailureCause: *why}
		if j.Failure != nil {
			v.Failure.Detail = j.Failure.Detail
		}
	}
	return v
}

// JobAccepted is the output of an operation that takes time: 202 with the
// job's Location.
func JobAccepted(j jobs.Job) *One[JobView] {
	return &One[JobView]{Location: Base + "/jobs/" + j.ID, Body: ViewJob(j)}
}

type jobsIn struct {
	PageIn
	Server   string   `query:"server"`
	Customer string   `query:"customer"`
	Subject  string   `query:"subject"`
	Kind     []string `query:"kind"`
	Open     bool     `query:"open" doc:"Only jobs that are not over"`
}

type jobIn struct {
	IDIn
	Wait string `query:"wait" doc:"Wait until the job is over, at most this long: 30s"`
}

type reasonView struct {
	Reason string            `json:"reason"`
	Text   string            `json:"text"`
	Args   map[string]string `json:"args,omitempty"`
	Until  string            `json:"until,omitempty" format:"date-time"`
}

func (s *Server) registerJobs() {
	Register(s.api, Op{Method: "GET", Path: "/jobs", Name: "job.list", Summary: "List jobs, newest first", Audience: policy.SignedIn, Permission: policy.JobRead},
		func(ctx context.Context, scope policy.Scope, in *jobsIn) (*ListOut[JobView], error) {
			items, next, err := s.Jobs.List(ctx, scope, jobs.Filter{Server: in.Server, Customer: in.Customer, Subject: in.Subject, Kinds: in.Kind, Open: in.Open, Limit: in.PageSize, PageToken: in.PageToken})
			return listOf(items, next, ViewJob), err
		})
	Register(s.api, Op{Method: "GET", Path: "/jobs/{id}", Name: "job.show", Summary: "Show a job, or wait for it", Audience: policy.SignedIn, Permission: policy.JobRead},
		func(ctx context.Context, scope policy.Scope, in *jobIn) (*One[JobView], error) {
			d, err := waited(in.Wait)
			if err != nil {
				return nil, err
			}
			j, err := s.Jobs.Get(ctx, scope, in.ID)
			if err == nil && d > 0 {
				j, err = s.Jobs.Wait(ctx, scope, in.ID, d)
			}
			return &One[JobView]{Body: ViewJob(j)}, err
		})
	Register(s.api, Op{Method: "GET", Path: "/jobs/{id}/why", Name: "job.why", Summary: "Why a job waits", Audience: policy.SignedIn, Permission: policy.JobRead},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*ListOut[reasonView], error) {
			reasons, err := s.Jobs.Why(ctx, scope, in.ID)
			return listOf(reasons, "", func(r jobs.Reason) reasonView {
				return reasonView{Reason: r.Key, Text: r.Text("en", nil), Args: r.Args, Until: controlplane.Instant(r.Until)}
			}), err
		})
	Register(s.api, Op{Method: "POST", Path: "/jobs/{id}/cancel", Name: "job.cancel", Summary: "Cancel a job", Audience: policy.SignedIn, Permission: policy.JobCancel, Status: http.StatusAccepted},
		func(ctx context.Context, scope policy.Scope, in *IDIn) (*One[JobView], error) {
			if err := s.Jobs.Cancel(ctx, scope, in.ID); err != nil {
				return nil, err
			}
			j, err := s.Jobs.Get(ctx, scope, in.ID)
			return JobAccepted(j), err
		})
}
