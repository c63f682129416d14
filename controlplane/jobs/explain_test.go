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
		wire.CauseDamaged, wire.CauseSourceMissing, wire.CauseNotFound, wire.CauseDiskFull, wire.CausePolicy, wire.CauseSignature,
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
