package restic

import (
	"fmt"
	"regexp"
	"strings"

	"ostler/agents/wire"
	"ostler/controlplane"
)

// Error is how every call of this package fails.
type Error struct {
	wire.Failure
	// Exit is restic's exit code; -1 where it did not run or was killed.
	Exit int
	// Lines are the last things restic said, for the server's own log only:
	// they may hold file names. Bounded.
	Lines []string
	err   error
}

// Error returns the cause and its detail; both may leave the server.
func (e *Error) Error() string {
	if e.Detail == "" {
		return "restic: " + string(e.Cause)
	}
	return fmt.Sprintf("restic: %s: %s", e.Cause, e.Detail)
}

// Unwrap returns the technical cause, for the log.
func (e *Error) Unwrap() error { return e.err }

func (e *Error) because(err error) *Error { e.err = err; return e }

func failure(c wire.Cause, detail string) *Error {
	return &Error{Failure: wire.Failure{Cause: c, Detail: detail}, Exit: -1}
}

// rule maps a pattern in restic's words to a cause and to our words for it.
type rule struct {
	pattern *regexp.Regexp
	wire.Failure
}

func say(pattern string, c wire.Cause, detail string) rule {
	return rule{regexp.MustCompile(pattern), wire.Failure{Cause: c, Detail: detail}}
}

const detailNoPath = "there is no such path in the snapshot"

// rules are tried in order on lower-case text. The words are those of restic
// 0.17 to 0.19; testdata/messages.txtar has what it really said.
var rules = []rule{
	say(`\(507\)|insufficient storage|\(413\)`, wire.CauseStoreFull, "the store has no space left"),
	say(`\(40[13]\)|unauthorized|forbidden`, wire.CauseStoreRefused, "the store refused the request"),
	say(`no space left on device|disk quota exceeded`, wire.CauseDiskFull, "the server's own disk is full"),
	say(`wrong password or no key found`, wire.CauseWrongPassword, "the password does not open the repository"),
	say(`repository does not exist`, wire.CauseNoRepository, "there is no repository at the store"),
	say(`already locked`, wire.CauseLocked, "another operation holds the repository's lock"),
	say(`all source directories/files do not exist`, wire.CauseSourceMissing, "none of the paths exists on the server"),
	say(`(find|load) snapshot.*(does not exist|no matching id)`, wire.CauseNotFound, "there is no such snapshot"),
	say(`^path .*: not (found|a directory)$|not found in snapshot$`, wire.CauseNotFound, detailNoPath),
	say(`ciphertext verification failed|invalid data returned|integrity|repository contains errors|`+
		`hash does not match|data hash|damaged|not found in (the )?(index|repository)|`+
		`(pack|data|index|tree|snapshot|key)/[0-9a-f.]+> does not exist|blob not found|`+
		`(load|loading) (tree|index|blob|pack)|not a valid|invalid character|slice bounds out of range|`+
		`unknown blob|failed to decrypt|unable to unmarshal|errors? detected|pack .* (not referenced|missing)`,
		wire.CauseDamaged, "data in the repository is missing or damaged"),
	say(`connection (refused|reset)|broken pipe|no such host|i/o timeout|deadline exceeded|timed? ?out|`+
		`network is unreachable|no route to host|\(5[0-9][0-9]\)|\(429\)|tls:|x509:|connect: |stuck request|\beof\b`,
		wire.CauseStoreUnreachable, "the store does not answer"),
}

// match returns the first rule that fits text, the word own (a path or name
// that a user chose) taken out first.
func match(text, own string) (wire.Failure, bool) {
	if own != "" {
		text = strings.ReplaceAll(text, own, "...")
	}
	text, _, _ = strings.Cut(text, "\n")
	text = strings.TrimSpace(strings.ToLower(text))
	for _, r := range rules {
		if r.pattern.MatchString(text) {
			return r.Failure, true
		}
	}
	return wire.Failure{}, false
}

// exitCauses are restic's exit codes that say the cause by themselves.
var exitCauses = map[int]wire.Failure{
	10: {Cause: wire.CauseNoRepository, Detail: "there is no repository at the store"},
	11: {Cause: wire.CauseLocked, Detail: "another operation holds the repository's lock"},
	12: {Cause: wire.CauseWrongPassword, Detail: "the password does not open the repository"},
}

// classify says why restic ended with a code that is not 0. said is what it
// wrote: the exit message first, then loose lines, the newest first. store is
// what the relay knows, which is worth more than words.
func classify(exit int, said []string, own string, store *wire.Failure) wire.Failure {
	if f, ok := exitCauses[exit]; ok {
		return f
	}
	if store != nil && store.Cause != wire.CauseStoreUnreachable {
		return *store
	}
	var found *wire.Failure
	for _, s := range said {
		if f, ok := match(s, own); ok {
			found = &f
			break
		}
	}
	switch {
	case found != nil && (store == nil || found.Cause != wire.CauseDamaged):
		return *found
	case store != nil: // words about damage may only be the echo of a lost connection
		return *store
	case exit == 2:
		return wire.Failure{Cause: wire.CauseInternal, Detail: "restic crashed"}
	}
	detail := fmt.Sprintf("restic ended with exit code %d", exit)
	if len(said) > 0 && said[0] != "" {
		detail += ": " + redact(said[0])
	}
	return wire.Failure{Cause: wire.CauseInternal, Detail: detail}
}

// redact makes one short line of a message and takes out everything from the
// first sign of a path or a quoted name up to the last ": ", behind which the
// system's reason stands.
func redact(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, "/\\\"'`<"); i >= 0 {
		tail := ""
		if j := strings.LastIndex(s, ": "); j > i && !strings.ContainsAny(s[j:], "/\\\"'`<") {
			tail = s[j:]
		}
		s = strings.TrimSpace(s[:i]) + " ..." + tail
	}
	return controlplane.Line(s, 160)
}
