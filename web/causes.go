package web

import (
	"time"

	"ostler/agents/wire"
	"ostler/controlplane/jobs"
)

// What went wrong, and why something waits, is written for who looks after the
// servers. A customer's people read it in words of their own: what it means for
// their files, and what they can do.

// ownWords are a cause and a next step for a customer's people.
type ownWords struct{ what, next string }

var ownCauses = map[wire.Cause]ownWords{
	wire.CauseStoreUnreachable: {"own.store_unreachable", "own.again_later"},
	wire.CauseStoreFull:        {"own.store_full", "own.ours"},
	wire.CauseStoreRefused:     {"own.store_refused", "own.ours"},
	wire.CauseStoreUsers:       {"own.store_refused", "own.ours"},
	wire.CauseWrongPassword:    {"own.no_key", "own.key_next"},
	wire.CauseNoKey:            {"own.no_key", "own.key_next"},
	wire.CauseNoRepository:     {"own.no_repository", "own.ours"},
	wire.CauseLocked:           {"own.locked", "own.again_soon"},
	wire.CauseDamaged:          {"own.damaged", "own.other_day"},
	wire.CauseNotFound:         {"own.not_found", "own.other_copy"},
	wire.CauseNothingToUndo:    {"own.nothing_to_undo", "own.nothing_to_undo_next"},
	wire.CauseDiskFull:         {"own.disk_full", "own.disk_full_next"},
	wire.CausePlaneFull:        {"own.plane_full", "own.plane_full_next"},
	wire.CausePlane:            {"own.internal", "own.again_ask"},
	wire.CausePolicy:           {"own.policy", "own.other_way"},
	wire.CauseSignature:        {"own.signature", "own.ours"},
	wire.CauseUnsupported:      {"own.unsupported", "own.other_way"},
	wire.CauseTimeout:          {"own.timeout", "own.timeout_next"},
	wire.CauseExists:           {"own.exists", "own.exists_next"},
	wire.CauseUnsafePath:       {"own.unsafe_path", "own.unsafe_path_next"},
	wire.CauseInternal:         {"own.internal", "own.again_ask"},

	wire.Cause(jobs.Interrupted): {"own.interrupted", "own.again_ask"},
	wire.Cause(jobs.Expired):     {"own.expired", "own.again_later"},
	wire.Cause(jobs.Rejected):    {"own.rejected", "own.other_way"},
}

// explain is a cause of failure and the next step, in the reader's words. What a
// customer has no part in has no words of theirs; a cause that nobody knows has.
func (v *visit) explain(cause wire.Cause) (what, next string) {
	what, next = jobs.Explain(wire.Failure{Cause: cause})
	if v.staff() {
		return what, next
	}
	w, ok := ownCauses[cause]
	if unnamed, _ := jobs.Explain(wire.Failure{Cause: wire.CauseInternal}); !ok && what == unnamed {
		w, ok = ownCauses[wire.CauseInternal], true
	}
	if ok {
		return v.t(w.what), v.t(w.next)
	}
	return what, next
}

// cause is a cause of failure in one sentence without its full stop, in the
// reader's words.
func (v *visit) cause(cause string) string {
	what, _ := v.explain(wire.Cause(cause))
	return trimDot(what)
}

// problem is a cause of failure with its next step.
func (v *visit) problem(cause wire.Cause) *Problem {
	what, next := v.explain(cause)
	return &Problem{Cause: trimDot(what), Next: next}
}

// ownReasons say why something waits, to a customer's people.
var ownReasons = map[string]string{
	jobs.WhyNotBefore: "own.why_not_before", jobs.WhyBackoff: "own.why_backoff", jobs.WhySilent: "own.why_silent", jobs.WhyNeverSeen: "own.why_never",
	jobs.WhyBusy: "own.why_busy", jobs.WhyBehind: "own.why_busy", jobs.WhyOther: "own.why_other", jobs.WhyOffered: "own.why_offered", jobs.WhyAccepted: "own.why_accepted",
	jobs.WhyCancelAsked: "own.why_cancel_asked", jobs.WhyLost: "own.why_lost", jobs.WhyRunningQuiet: "own.why_quiet", jobs.WhySoon: "own.why_soon",
}

// why says why a job waits, each reason with its times as the reader reads them.
func (v *visit) why(reasons []jobs.Reason) []string {
	var out []string
	for _, r := range reasons {
		key, ok := ownReasons[r.Key]
		s := ""
		if ok && !v.staff() {
			var args []any
			for name, value := range r.Args {
				args = append(args, name, v.reasonArg(name, value))
			}
			s = v.t(key, args...)
		} else {
			s = r.Text(v.p.tx.Lang, v.reasonArg)
		}
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// reasonArg writes an argument of a reason as people say it.
func (v *visit) reasonArg(name, value string) string {
	if t, err := time.Parse(time.RFC3339, value); err == nil {
		return v.moment(t)
	}
	switch name {
	case "title":
		if key, ok := jobTitles[value]; ok {
			return v.t(key)
		}
	case "cause":
		return v.cause(value)
	}
	return value
}
