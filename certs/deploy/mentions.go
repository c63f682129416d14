package deploy

import (
	"path"
	"slices"
	"strings"
)

// Where the services beside nginx and Apache are configured, and folders and
// lists of certificates that their configurations lead to by custom. Tables of
// Postfix are read as text: those that were made of them are not.
var otherConfigs = []string{
	"/etc/haproxy/*", "/etc/haproxy/*/*", "/etc/haproxy/*/*/*",
	"/etc/postfix/*", "/etc/postfix/*/*",
	"/etc/dovecot/*", "/etc/dovecot/*/*", "/usr/local/etc/dovecot/*",
	"/etc/caddy/*", "/etc/caddy/*/*", "/etc/caddy/*/*/*",
}

// namedBy is a file of a service's configuration that leads to a certificate of
// ours, "" where none does. nginx and Apache are read as they read themselves; of
// the others any mention counts that is not a comment, and a link that leads to
// it: a key too many is better than one too few.
func (e *Engine) namedBy(folder string) string {
	home := path.Join(e.o.Folder, folder)
	leads := func(name string) bool {
		if strings.HasPrefix(name, home+"/") {
			return true
		}
		resolved, err := e.resolve(name)
		own, err2 := e.resolve(home)
		return err == nil && err2 == nil && strings.HasPrefix(resolved, own+"/")
	}
	for _, use := range e.uses() {
		if leads(use.path) {
			return use.config
		}
	}
	configs := slices.Concat(nginxConfigs, apacheConfigs, otherConfigs)
	for _, pattern := range configs {
		for _, config := range e.glob(pattern) {
			if leads(config) {
				return config
			}
			if text, err := e.read(config); err == nil && mentions(string(text), folder) {
				return config
			}
		}
	}
	return ""
}

// mentions reports whether a text names a file of a folder in a line that is not
// a comment: by its whole path, or by its last parts where a setting such as
// HAProxy's crt-base holds the first.
func mentions(text, folder string) bool {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for rest := line; ; {
			i := strings.Index(rest, folder+"/"+liveLink)
			if i < 0 {
				break
			}
			before, after := rest[:i], rest[i+len(folder)+1+len(liveLink):]
			if (before == "" || !partOfName(before[len(before)-1])) && (after == "" || !partOfName(after[0])) {
				return true
			}
			rest = after
		}
	}
	return false
}

// partOfName reports whether a byte can go on the name of a folder.
func partOfName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}
