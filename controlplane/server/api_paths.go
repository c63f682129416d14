package server

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/jobs"
)

// pathText is the bytes of a path or name from a server as JSON can hold them.
// Valid UTF-8 stands in text as it is, and b64 is nil. Otherwise text has
// each bad byte as \xNN and each backslash doubled, so that nothing is lost,
// and b64 has the bytes.
func pathText(raw []byte) (text string, b64 []byte) {
	if utf8.Valid(raw) {
		return string(raw), nil
	}
	var b strings.Builder
	for i := 0; i < len(raw); {
		r, n := utf8.DecodeRune(raw[i:])
		switch {
		case r == utf8.RuneError && n <= 1:
			fmt.Fprintf(&b, `\x%02x`, raw[i])
			n = 1
		case r == '\\':
			b.WriteString(`\\`)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String(), raw
}

// pathBytes is the path that a request names: as text or as bytes.
func pathBytes(text string, b64 []byte) ([]byte, error) {
	if text != "" && len(b64) > 0 {
		return nil, controlplane.Invalid(controlplane.Field{Pointer: "/path", Message: "Send path or path_b64, not both."})
	}
	if len(b64) > 0 {
		return b64, nil
	}
	return []byte(text), nil
}

// FailureCause says in words why something did not succeed, and what to do.
type FailureCause struct {
	Cause   string `json:"cause" doc:"The machine's word: store_unreachable, disk_full ..."`
	Message string `json:"message" doc:"The cause in plain words"`
	Next    string `json:"next" doc:"What to do about it"`
}

// failureOf explains a wire.Cause or the state that a job ended in. "" and an
// unknown word read as internal: they are never passed off as fine.
func failureOf(cause string) *FailureCause {
	if cause == "" {
		cause = string(wire.CauseInternal)
	}
	message, next := jobs.Explain(wire.Failure{Cause: wire.Cause(cause)})
	return &FailureCause{Cause: cause, Message: message, Next: next}
}

// whyJob explains why a job did not succeed, or why its latest attempt failed;
// nil where there is nothing to explain.
func whyJob(j jobs.Job) *FailureCause {
	cause := jobs.CauseOf(j)
	if cause == "" {
		return nil
	}
	message, next := jobs.ExplainJob(j)
	return &FailureCause{Cause: string(cause), Message: message, Next: next}
}
