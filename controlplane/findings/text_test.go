package findings_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

func TestSentences(t *testing.T) {
	for _, c := range []struct {
		name               string
		x                  findings.Finding
		audience           policy.Audience
		title, cause, next string
	}{
		{
			"a store without room, to staff",
			findings.Finding{Kind: findings.BackupMissed, Args: map[string]string{"server": "orchard-db1", "for": "27 hours", "cause": "store_full", "detail": "507 Insufficient Storage"}},
			policy.Staff,
			"orchard-db1 has had no backup for 27 hours", "The store answers “507 Insufficient Storage”: it has no room.", "Make room",
		},
		{
			"the same to the customer: no technical line",
			findings.Finding{Kind: findings.BackupMissed, Args: map[string]string{"server": "orchard-db1", "for": "27 hours", "cause": "store_full", "detail": "507 Insufficient Storage"}},
			policy.Customers,
			"orchard-db1 has had no backup for 27 hours", "The place where your backups are kept has no room left.", "Nothing to do: we look into it",
		},
		{
			"nothing is known",
			findings.Finding{Kind: findings.ServerSilent}, policy.Staff,
			"A server has not been heard of", "Its agent is not connected. Jobs for it wait.", "Open the server",
		},
		{
			"another step",
			findings.Finding{Kind: findings.ServerSilent, Next: "step.open_job"}, policy.Staff,
			"A server has not been heard of", "Its agent is not connected. Jobs for it wait.", "Open the job",
		},
		{
			"what the kind does not show to customers",
			findings.Finding{Kind: findings.AgentCloned, Args: map[string]string{"server": "vineyard-web1"}}, policy.Customers,
			"Something needs attention", "We know of it and look into it.", "Nothing to do: we look into it",
		},
		{
			"an argument is never a template",
			findings.Finding{Kind: findings.BackupPartial, Args: map[string]string{"server": "{path}", "count": "3 files", "path": "/srv/{server}/<img onerror=1>"}}, policy.Staff,
			"3 files on {path} could not be read by the backup", "The first is /srv/{server}/<img onerror=1>. Everything else is in the snapshot.", "Open the run",
		},
		{
			"a detail that ends with a full stop",
			findings.Finding{Kind: findings.LedgerBroken, Args: map[string]string{"entry": "41", "detail": "Leaf 41 is not what was signed."}}, policy.Staff,
			"The ledger does not verify from entry 41 on", "Leaf 41 is not what was signed.", "Open the ledger",
		},
		{
			"a cause of a newer agent",
			findings.Finding{Kind: findings.BackupFailed, Args: map[string]string{"server": "a", "cause": "quantum", "detail": "no qubits"}}, policy.Staff,
			"The backup of a failed", "The server reports: no qubits.", "Open the run",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			title, cause, next := findings.SentenceFor(c.audience, "en", c.x)
			if title != c.title || cause != c.cause || next != c.next {
				t.Errorf("got  %q | %q | %q\nwant %q | %q | %q", title, cause, next, c.title, c.cause, c.next)
			}
		})
	}
}

// causesOfTheWire are all causes that a host reports.
var causesOfTheWire = []wire.Cause{
	wire.CauseStoreUnreachable, wire.CauseStoreFull, wire.CauseStoreRefused, wire.CauseWrongPassword, wire.CauseNoRepository, wire.CauseLocked,
	wire.CauseDamaged, wire.CauseSourceMissing, wire.CauseNotFound, wire.CauseDiskFull, wire.CauseStoreUsers, wire.CausePlane, wire.CausePolicy, wire.CauseSignature, wire.CauseUnsupported,
	wire.CauseTimeout, wire.CauseExists, wire.CauseUnsafePath, wire.CauseNoKey, wire.CauseInternal,
}

var template = regexp.MustCompile(`[{}]`)

// TestEverySentence renders every kind for every audience, cause and set of
// arguments: none is empty, and no argument stays open.
func TestEverySentence(t *testing.T) {
	want := []string{"vault.sealed", "vault.unreachable", "vault.refuses", "vault.token_ending", "vault.left_behind", "vault.not_removed", "backup.missed", "backup.failed", "backup.partial", "server.silent", "server.never_connected", "server.clock_skew", "server.disk_low",
		"agent.cloned", "enrolment.reused", "key.unconfirmed", "store.unreachable", "store.full", "store.refused", "repository.damaged",
		"repository.wrong_password", "ledger.broken", "job.stuck", "restic.old", "signer.down", "inventory.failed", "backup.folder_missing", "store.users_failed", "snapshot.gone", "catalogue.damaged",
		"mail.unreachable", "mail.unconfigured", "mail.failed", "mail.bounced", "mail.notice", "restore.asked", "restore.incomplete",
		"certificate.ari_bad", "certificate.expiring", "certificate.failed", "certificate.key_blocked", "certificate.not_covered", "certificate.not_served",
		"certificate.renewer", "certificate.revoked",
		"access.drift", "access.unexplained", "access.foreign_role", "access.cluster_unreachable", "access.cluster_identity", "access.locks_refused",
		"access.host_unread", "access.same_login", "access.grant_expiring", "access.break_glass_review", "access.ticket_missing", "access.last_on_call",
		"access.notice_undelivered", "access.notice_late", "access.paper_expiring", "access.baseline_review", "access.facility_certificate",
		"access.instruction_flagged", "access.not_confirmed", "access.role_put_back",
		"session.ungrounded", "session.recording_missing", "session.unrecorded", "session.endless", "session.login_outside", "session.recording_changed",
		"session.not_stored", "session.feed_stopped", "session.feed_identity", "session.quarantined", "session.logins_unread", "session.person_unknown",
		"session.violation", "session.review_overdue", "session.review_void", "session.review_impossible", "session.unchecked", "session.draw_missed", "session.clock_off", "session.recording_partial", "session.hold_alone",
		"incident.due", "incident.late", "incident.assess", "incident.unreachable", "incident.second", "incident.report", "incident.task_late", "incident.frozen_end"}
	slices.Sort(want)
	if got := findings.Kinds(); !slices.Equal(got, want) {
		t.Errorf("kinds: got %v, want %v: a new kind stands here too", got, want)
	}
	for _, kind := range want {
		args := findings.Args(kind)
		for _, audience := range []policy.Audience{policy.Staff, policy.Customers} {
			for subset := range 1 << len(args) {
				x := findings.Finding{Kind: kind, Args: map[string]string{}}
				for i, name := range args {
					if subset&(1<<i) != 0 {
						x.Args[name] = "value"
					}
				}
				for _, cause := range append([]wire.Cause{""}, causesOfTheWire...) {
					if _, takes := x.Args["cause"]; takes {
						x.Args["cause"] = string(cause)
					} else if cause != "" {
						break
					}
					title, because, next := findings.SentenceFor(audience, "en", x)
					if title == "" || because == "" || next == "" || template.MatchString(title+because+next) {
						t.Fatalf("%s to %s with %v: %q | %q | %q", kind, audience, x.Args, title, because, next)
					}
					if strings.HasSuffix(title, ".") || !strings.HasSuffix(because, ".") || strings.HasSuffix(next, ".") || strings.Contains(because, "..") {
						t.Fatalf("%s to %s: full stops: %q | %q | %q", kind, audience, title, because, next)
					}
				}
			}
		}
	}
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "less than a minute", time.Minute: "1 minute", 41*time.Minute + 59*time.Second: "41 minutes", time.Hour: "1 hour",
		27 * time.Hour: "27 hours", 48 * time.Hour: "2 days", 80 * time.Hour: "3 days",
	} {
		if got := findings.Ago("en", d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}
