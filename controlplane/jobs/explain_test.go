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
		wire.CauseDamaged, wire.CauseSourceMissing, wire.CauseNotFound, wire.CauseDiskFull, wire.CausePlaneFull, wire.CausePolicy, wire.CauseSignature,
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
