package jobs_test

import (
	"strings"
	"testing"

	"ostler/agents/wire"
	"ostler/controlplane/jobs"
)

// TestExplain holds that every cause has words of its own, and that an unknown
// one reads as internal.
func TestExplain(t *testing.T) {
	internal, _ := jobs.Explain(wire.Failure{Cause: wire.CauseInternal})
	for _, cause := range []wire.Cause{
		wire.CauseStoreUnreachable, wire.CauseStoreFull, wire.CauseStoreRefused, wire.CauseWrongPassword, wire.CauseNoRepository, wire.CauseLocked,
		wire.CauseDamaged, wire.CauseSourceMissing, wire.CauseNotFound, wire.CauseNothingToUndo, wire.CauseDiskFull, wire.CausePlaneFull, wire.CauseStoreUsers, wire.CauseMailServer, wire.CauseMailRefused, wire.CausePlane, wire.CausePolicy, wire.CauseSignature,
		wire.CauseUnsupported, wire.CauseTimeout, wire.CauseExists, wire.CauseUnsafePath, wire.CauseNoKey,
	} {
		got, next := jobs.Explain(wire.Failure{Cause: cause})
		if got == internal || !strings.HasSuffix(got, ".") || !strings.ContainsAny(next[max(0, len(next)-1):], ".?") {
			t.Errorf("%s: got %q, next %q", cause, got, next)
		}
	}
	if got, next := jobs.Explain(wire.Failure{Cause: "quantum"}); got != internal || next == "" {
		t.Errorf("an unknown cause: got %q, next %q", got, next)
	}
}

// TestCauseOf holds that how a job ended says more than a failure without a
// name, and that each such ending has words.
func TestCauseOf(t *testing.T) {
	unnamed, full := &wire.Failure{Cause: wire.CauseInternal}, &wire.Failure{Cause: wire.CauseDiskFull}
	internal, _ := jobs.Explain(*unnamed)
	for _, tt := range []struct {
		name string
		job  jobs.Job
		want wire.Cause
	}{
		{"succeeded", jobs.Job{State: jobs.Succeeded}, ""},
		{"not over", jobs.Job{State: jobs.Queued}, ""},
		{"an attempt failed", jobs.Job{State: jobs.Queued, Failure: full}, wire.CauseDiskFull},
		{"failed", jobs.Job{State: jobs.Failed, Failure: unnamed}, wire.CauseInternal},
		{"failed without a word", jobs.Job{State: jobs.Failed}, wire.CauseInternal},
		{"interrupted", jobs.Job{State: jobs.Interrupted, Failure: unnamed}, "interrupted"},
		{"rejected with a cause", jobs.Job{State: jobs.Rejected, Failure: full}, wire.CauseDiskFull},
		{"expired", jobs.Job{State: jobs.Expired}, "expired"},
		{"the plane's own failed", jobs.Job{Executor: jobs.Plane, State: jobs.Failed, Failure: unnamed}, wire.CausePlane},
		{"the plane's own was interrupted", jobs.Job{Executor: jobs.Plane, State: jobs.Interrupted}, wire.CausePlane},
		{"the plane's own with a cause", jobs.Job{Executor: jobs.Plane, State: jobs.Failed, Failure: full}, wire.CauseDiskFull},
		{"the plane's own was cancelled", jobs.Job{Executor: jobs.Plane, State: jobs.Cancelled}, "cancelled"},
	} {
		got := jobs.CauseOf(tt.job)
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if words, _ := jobs.Explain(wire.Failure{Cause: got}); words == internal && got != "" && got != wire.CauseInternal {
			t.Errorf("%s: %q has no words of its own", tt.name, got)
		}
	}
}

// TestExplainJob holds that only a job that will be tried again says so, and
// that no job of the plane sends anybody to an agent.
func TestExplainJob(t *testing.T) {
	down, unnamed := &wire.Failure{Cause: wire.CauseStoreUnreachable}, &wire.Failure{Cause: wire.CauseInternal}
	for _, tt := range []struct {
		name      string
		job       jobs.Job
		has, lack string
	}{
		{"over", jobs.Job{Executor: jobs.Agent, State: jobs.Failed, Failure: down, Attempt: 1, MaxAttempts: 1}, "start it again", "tried again"},
		{"waits for the next attempt", jobs.Job{Executor: jobs.Agent, State: jobs.Queued, Failure: down, Attempt: 2, MaxAttempts: 5}, "Attempt 2 of 5 failed; it is tried again", "start it"},
		{"the plane's own", jobs.Job{Executor: jobs.Plane, State: jobs.Failed, Failure: unnamed}, "control plane's log", "agent"},
	} {
		cause, next := jobs.ExplainJob(tt.job)
		if cause == "" || !strings.Contains(next, tt.has) || strings.Contains(cause+next, tt.lack) {
			t.Errorf("%s: got %q, next %q", tt.name, cause, next)
		}
	}
	if cause, next := jobs.ExplainJob(jobs.Job{State: jobs.Succeeded}); cause != "" || next != "" {
		t.Errorf("succeeded: got %q, next %q", cause, next)
	}
}
