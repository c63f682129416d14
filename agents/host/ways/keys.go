package ways

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"path"
	"strconv"
	"strings"
	"time"

	"ostler/agents/wire"
)

// readKeys reads the keys that open an account, by sshd's patterns.
func (s *scan) readKeys(a account, patterns []string) {
	read := map[string]bool{}
	for _, pattern := range patterns {
		name, ok := expand(pattern, a)
		if !ok {
			s.unread("AuthorizedKeysFile " + clip(pattern, 64))
			continue
		}
		if read[name] {
			continue
		}
		read[name] = true
		data, ok := s.file(name, maxKeyFile)
		if !ok {
			continue
		}
		keys, whole := parseKeys(data)
		if !whole {
			s.unread(name + notAKey)
		}
		for _, k := range keys {
			if len(s.out.Keys) == maxKeys {
				s.unread(name + ": more keys than are read")
				return
			}
			k.Account, k.File = a.name, clip(name, 200)
			s.out.Keys = append(s.out.Keys, k)
		}
	}
}

// expand fills in a pattern of AuthorizedKeysFile; ok is false where it has a
// token that sshd may know and we do not.
func expand(pattern string, a account) (name string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			b.WriteByte(pattern[i])
			continue
		}
		if i++; i == len(pattern) {
			return "", false
		}
		switch pattern[i] {
		case '%':
			b.WriteByte('%')
		case 'h':
			b.WriteString(a.home)
		case 'u':
			b.WriteString(a.name)
		case 'U':
			b.WriteString(strconv.Itoa(a.uid))
		default:
			return "", false
		}
	}
	name = b.String()
	if !path.IsAbs(name) {
		name = path.Join("/", a.home, name)
	}
	return path.Clean(name), true
}

// readCAs reads the authorities whose user certificates sshd takes.
func (s *scan) readCAs(name string) {
	data, ok := s.file(name, maxKeyFile)
	if !ok {
		s.unread(name) // sshd was told of it
		return
	}
	keys, whole := parseKeys(data)
	if !whole {
		s.unread(name + notAKey)
	}
	for _, k := range keys {
		s.out.CAs = append(s.out.CAs, wire.HostCA{Fingerprint: k.Fingerprint, File: clip(name, 200), Teleport: strings.Contains(path.Base(name), "teleport") || strings.HasPrefix(name, "/var/lib/teleport/")})
	}
}

// notAKey follows a file's name where it has more than keys and comments.
const notAKey = ": a line that is neither a key nor a comment"

// parseKeys reads lines of an authorized_keys file, each up to its first NUL, as
// sshd does. Comments and blank lines are passed over; whole is false where any
// other line is not understood: sshd may know a key in it.
func parseKeys(data []byte) (keys []wire.HostKey, whole bool) {
	whole = true
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "\x00")
		line = strings.TrimLeft(strings.TrimRight(line, "\r\n"), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		k, ok := parseKey(line)
		if !ok {
			options, rest := cutOptions(line)
			if k, ok = parseKey(strings.TrimLeft(rest, " \t")); ok {
				k.Options, k.Authority, k.ExpiresAt = readOptions(options)
				k.OptionsHash = digest(options)
			}
		}
		if !ok {
			whole = false
			continue
		}
		keys = append(keys, k)
	}
	return keys, whole
}

// digest tells one text from another without saying what it is.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawStdEncoding.EncodeToString(sum[:])
}

// parseKey reads "type base64 comment". The type stands in the key again.
func parseKey(s string) (wire.HostKey, bool) {
	kind, rest, _ := strings.Cut(s, " ")
	if i := strings.IndexByte(kind, '\t'); i >= 0 {
		kind, rest = kind[:i], kind[i+1:]+" "+rest
	}
	if kind == "rsa-sha2-256" || kind == "rsa-sha2-512" {
		kind = "ssh-rsa" // names of signatures, which sshd takes for the key's
	}
	rest = strings.TrimLeft(rest, " \t")
	end := strings.IndexAny(rest, " \t")
	comment := ""
	if end >= 0 {
		rest, comment = rest[:end], strings.TrimSpace(rest[end:])
	}
	blob, err := base64.StdEncoding.DecodeString(rest)
	if err != nil {
		if blob, err = base64.RawStdEncoding.DecodeString(rest); err != nil {
			return wire.HostKey{}, false
		}
	}
	if len(blob) < 4 || len(kind) > 100 {
		return wire.HostKey{}, false
	}
	n := binary.BigEndian.Uint32(blob)
	if uint64(n) != uint64(len(kind)) || int(n) > len(blob)-4 || string(blob[4:4+n]) != kind {
		return wire.HostKey{}, false
	}
	sum := sha256.Sum256(blob)
	return wire.HostKey{Type: kind, Fingerprint: "SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:]), Comment: clip(strings.ToValidUTF8(comment, "?"), 120)}, true
}

// cutOptions splits a line at the first blank outside of quotes.
func cutOptions(line string) (options, rest string) {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line) && line[i+1] == '"':
			i++
		case line[i] == '"':
			quoted = !quoted
		case !quoted && (line[i] == ' ' || line[i] == '\t'):
			return line[:i], line[i:]
		}
	}
	return line, ""
}

// readOptions returns the names of options that restrict a key, whether it is an
// authority, and when it ends. Values stay on the host.
func readOptions(s string) (names []string, authority bool, expires int64) {
	for len(s) > 0 {
		one := s
		s = ""
		quoted := false
		for i := 0; i < len(one); i++ {
			if one[i] == '\\' && i+1 < len(one) && one[i+1] == '"' {
				i++
			} else if one[i] == '"' {
				quoted = !quoted
			} else if one[i] == ',' && !quoted {
				one, s = one[:i], one[i+1:]
				break
			}
		}
		name, value, _ := strings.Cut(one, "=")
		name = strings.ToLower(name)
		switch name {
		case "cert-authority":
			authority = true
		case "expiry-time":
			expires = expiry(strings.Trim(value, `"`))
			names = append(names, name)
		case "command", "from", "restrict", "no-pty", "no-port-forwarding", "no-agent-forwarding", "no-x11-forwarding", "no-user-rc",
			"permitopen", "permitlisten", "principals", "no-touch-required", "verify-required", "tunnel", "environment",
			"port-forwarding", "agent-forwarding", "x11-forwarding", "pty", "user-rc":
			names = append(names, name)
		}
	}
	return names, authority, expires
}

// expiry reads sshd's YYYYMMDD[HHMM[SS]][Z]; 0 where it is none: such a key is
// refused by sshd, and counts as one that does not end.
func expiry(s string) int64 {
	zone := time.Local
	if t, ok := strings.CutSuffix(strings.ToUpper(s), "Z"); ok {
		s, zone = t, time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t.UnixMilli()
		}
	}
	return 0
}
