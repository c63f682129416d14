package restic

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"ostler/agents/wire"
)

var (
	snapshotID = regexp.MustCompile(`^[0-9a-f]{8,64}$`)
	// word is what a tag or a host name may be: it cannot be an option, and it
	// has no comma, which divides tags.
	word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:=@/-]{0,199}$`)
)

func checkID(id string) error {
	if !snapshotID.MatchString(id) {
		return failure(wire.CauseNotFound, "that is not a snapshot's id")
	}
	return nil
}

// snapshotPath checks and cleans an absolute path in a snapshot. It is raw
// bytes; only what would mean another path, or end the argument, is refused.
func snapshotPath(p []byte) (string, error) {
	s := string(p)
	if !strings.HasPrefix(s, "/") || strings.Contains(s, "\x00") {
		return "", failure(wire.CauseUnsafePath, "a path in a snapshot starts with a slash and has no zero byte")
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "." || part == ".." {
			return "", failure(wire.CauseUnsafePath, "a path in a snapshot has no . and .. in it")
		}
	}
	return path.Clean(s), nil
}

// escape makes a pattern that matches name and nothing else.
func escape(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// patternFile writes patterns in the form of --exclude-file into the session's
// folder. That file's reader expands variables, trims spaces, skips comments
// and decodes byte order marks: each is undone, so a pattern means the same as
// after --exclude. Patterns with a leading slash start at the agent's root.
func (s *session) patternFile(patterns []string) (string, error) {
	var b strings.Builder
	b.WriteByte('\n') // what comes first is no byte order mark
	for _, p := range patterns {
		line, err := patternLine(p, s.Dir)
		if err != nil {
			return "", err
		}
		b.WriteString(line + "\n")
	}
	name := filepath.Join(s.dir, "excludes")
	if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
		return "", localFailure("the file of patterns cannot be written", err)
	}
	if c := s.Credential; c != nil {
		if err := os.Chown(name, int(c.Uid), int(c.Gid)); err != nil {
			return "", localFailure("the file of patterns cannot be handed to restic's user", err)
		}
	}
	return name, nil
}

func patternLine(p, root string) (string, error) {
	bad := failure(wire.CauseInternal, "an exclude pattern of the plan cannot be used")
	if len(p) > 4096 || strings.ContainsAny(p, "\n\x00") {
		return "", bad
	}
	not := ""
	if strings.HasPrefix(p, "!") {
		not, p = "!", p[1:]
	}
	if p == "" {
		if not != "" {
			return "", bad
		}
		return "", nil
	}
	for part := range strings.SplitSeq(p, "/") {
		if _, err := path.Match(part, "x"); err != nil {
			return "", bad
		}
	}
	switch first, n := utf8.DecodeRuneInString(p); {
	case first == '/' && root != "/":
		p = escape(root) + p
	case first == '#' || unicode.IsSpace(first):
		p = "[" + p[:n] + "]" + p[n:]
	}
	if last, n := utf8.DecodeLastRuneInString(p); unicode.IsSpace(last) {
		p = p[:len(p)-n] + "[" + p[len(p)-n:] + "]"
	}
	return not + strings.ReplaceAll(p, "$", "$$"), nil
}
