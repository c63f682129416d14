package main

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"ostler/controlplane"
)

// jobView is what the command line reads of a job.
type jobView struct {
	ID          string        `json:"id"`
	Kind        string        `json:"kind"`
	Executor    string        `json:"executor"`
	State       string        `json:"state"`
	Over        bool          `json:"over"`
	Server      string        `json:"server"`
	Customer    string        `json:"customer"`
	Subject     string        `json:"subject"`
	Attempt     int           `json:"attempt"`
	MaxAttempts int           `json:"max_attempts"`
	CreatedAt   string        `json:"created_at"`
	NotBefore   string        `json:"not_before"`
	ExpiresAt   string        `json:"expires_at"`
	StartedAt   string        `json:"started_at"`
	FinishedAt  string        `json:"finished_at"`
	Progress    *progressView `json:"progress"`
	Failure     *failureView  `json:"failure"`
}

type progressView struct {
	Step       string `json:"step"`
	Done       int64  `json:"done_bytes"`
	Total      int64  `json:"total_bytes"`
	Files      int64  `json:"files"`
	TotalFiles int64  `json:"total_files"`
	Errors     int64  `json:"errors"`
}

// failureView is why something did not succeed, in words.
type failureView struct {
	Message string `json:"message"`
	Next    string `json:"next"`
	Detail  string `json:"detail"`
}

// err is nil for a job that succeeded, and says cause and next step otherwise.
func (j jobView) err() error {
	if j.State == "succeeded" {
		return nil
	}
	message, next := "The job ended as "+j.State, "See ostler job show "+j.ID+"."
	if j.Failure != nil && j.Failure.Message != "" {
		message, next = j.Failure.Message, j.Failure.Next
	}
	return controlplane.Errorf(controlplane.CodeInternal, next, "%s", message)
}

// progress is how far a job is; one that is over has none.
func (j jobView) progress() string {
	if j.Over {
		return ""
	}
	return j.Progress.String()
}

func (p *progressView) String() string {
	if p == nil {
		return ""
	}
	var parts []string
	if p.Step != "" {
		parts = append(parts, p.Step)
	}
	switch {
	case p.Step == "list": // it counts things, not bytes
	case p.Total > 0:
		parts = append(parts, fmt.Sprintf("%s of %s (%d %%)", size(p.Done), size(p.Total), p.Done*100/p.Total))
	case p.Done > 0:
		parts = append(parts, size(p.Done))
	}
	if p.Files > 0 {
		parts = append(parts, fmt.Sprintf("%d files", p.Files))
	}
	if p.Errors > 0 {
		parts = append(parts, fmt.Sprintf("%d errors", p.Errors))
	}
	return strings.Join(parts, ", ")
}

// pollWait is how long the API is asked to hold one answer.
const pollWait = 30 * time.Second

// deadline bounds a wait by --wait-timeout.
func (c *client) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.waitTimeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, c.waitTimeout, errTimedOut)
}

// expired turns the end of --wait-timeout into its own error.
func expired(ctx context.Context, err error, what, next string) error {
	if err != nil && context.Cause(ctx) == errTimedOut { //nolint:errorlint // the cause is exactly this one
		return timedOut(what, next)
	}
	return err
}

// waitJob waits until a job has ended, with progress on standard error.
func (c *client) waitJob(ctx context.Context, job string) (jobView, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	m := c.meter()
	defer m.end()
	j, _, err := poll(ctx, c, "/jobs/"+id(job), nil, true, func(j jobView) bool {
		m.show(j.State, j.Progress.String())
		return j.Over
	})
	return j, expired(ctx, err, "The job "+job, "Go on waiting with ostler job wait "+job+"; ostler job why "+job+" says what it waits for.")
}

// The pauses between two looks at something: answers that the API held back
// need none.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = time.Second
	// patience is how long a wait goes on without an answer, once there was
	// one: a control plane may start again meanwhile.
	patience = time.Minute
)

// poll gets a path again and again until done. With hold the API is asked to
// hold its answer back while nothing has ended.
func poll[T any](ctx context.Context, c *client, path string, query url.Values, hold bool, done func(T) bool) (T, answer, error) {
	query = maps.Clone(query) // the first look is at once
	if query == nil {
		query = url.Values{}
	}
	var answered time.Time
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		asked := time.Now()
		var v T
		a, err := c.get(ctx, path, query, &v)
		switch {
		case err == nil && done(v):
			return v, a, nil
		case err == nil:
			answered = time.Now()
		case answered.IsZero() || !unanswered(err) || time.Since(answered) > patience:
			return v, a, err
		default:
			pause = maxPause
		}
		if rest := pause - time.Since(asked); rest > 0 {
			if err := sleep(ctx, rest); err != nil {
				return v, a, err
			}
		}
		if hold {
			wait := pollWait
			if d, ok := ctx.Deadline(); ok {
				wait = max(min(wait, time.Until(d).Truncate(time.Millisecond)), 0)
			}
			query.Set("wait", wait.String())
		}
	}
}

// meter shows progress: one line that is rewritten on a terminal, and a line
// for each new state elsewhere.
type meter struct {
	c     *client
	last  string
	drawn bool
}

func (c *client) meter() *meter { return &meter{c: c} }

func (m *meter) show(state, detail string) {
	line := state
	if m.c.errTerm {
		if detail != "" {
			line += ": " + detail
		}
		if line != m.last {
			_, _ = fmt.Fprint(m.c.errw, "\r\x1b[K"+safe(line))
			m.drawn = true
		}
	} else if line != m.last {
		m.c.say("%s", line)
	}
	m.last = line
}

// end finishes the line that was rewritten.
func (m *meter) end() {
	if m.drawn {
		_, _ = fmt.Fprintln(m.c.errw)
		m.drawn = false
	}
}
