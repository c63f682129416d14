package ways

import (
	"path"
	"slices"
	"strings"
)

const (
	sshdConfig  = "/etc/ssh/sshd_config"
	maxIncludes = 16 // files in files
	maxSettings = 5000
)

// sshd is what sshd's configuration lets in. Match blocks count as if each of
// them could apply: what any of them allows is allowed to somebody.
type sshd struct {
	passwords   bool
	rootLogin   string
	keyFiles    []string
	caFiles     []string
	keysCommand bool
}

// setting is one line that counts; some is that it stands in a Match block.
type setting struct {
	key  string
	args []string
	some bool
}

// readSSHD reads the configuration with everything that it includes.
func (s *scan) readSSHD() sshd {
	var all []setting
	there := s.settings(sshdConfig, false, 0, &all)
	if !there && s.exists("/usr/sbin/sshd") {
		s.unread(sshdConfig)
	}
	c := sshd{
		rootLogin: rootLogin(values(all, "permitrootlogin", "prohibit-password")),
		keyFiles:  []string{},
	}
	pam := slices.Contains(first(values(all, "usepam", "no")), "yes")
	c.passwords = there && (slices.Contains(first(values(all, "passwordauthentication", "yes")), "yes") ||
		pam && (slices.Contains(first(values(all, "kbdinteractiveauthentication", "yes")), "yes") ||
			slices.Contains(first(values(all, "challengeresponseauthentication", "no")), "yes")))
	if slices.Contains(first(values(all, "pubkeyauthentication", "yes")), "no") && !slices.Contains(first(values(all, "pubkeyauthentication", "yes")), "yes") {
		return c
	}
	for _, args := range values(all, "authorizedkeysfile", ".ssh/authorized_keys .ssh/authorized_keys2") {
		c.keyFiles = append(c.keyFiles, args...)
	}
	for _, args := range values(all, "trustedusercakeys", "none") {
		c.caFiles = append(c.caFiles, args[:min(1, len(args))]...)
	}
	for _, args := range values(all, "authorizedkeyscommand", "none") {
		c.keysCommand = c.keysCommand || len(args) > 0 && args[0] != "none"
	}
	c.keyFiles, c.caFiles = unique(c.keyFiles), unique(c.caFiles)
	return c
}

// unique drops "none" and repetitions.
func unique(list []string) []string {
	out := []string{}
	for _, x := range list {
		if x != "none" && x != "" && !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// values are what a key may be: the first one outside of Match blocks (def where
// there is none), and what stands in any Match block.
func values(all []setting, key, def string) (out [][]string) {
	global := strings.Fields(def)
	for _, x := range all {
		if x.key == key && !x.some {
			global = x.args
			break
		}
	}
	out = append(out, global)
	for _, x := range all {
		if x.key == key && x.some {
			out = append(out, x.args)
		}
	}
	return out
}

// first are the first words of each.
func first(list [][]string) (out []string) {
	for _, args := range list {
		if len(args) > 0 {
			out = append(out, strings.ToLower(args[0]))
		}
	}
	return out
}

// rootLogin is the most that any of them allows.
func rootLogin(list [][]string) string {
	order := []string{"no", "forced-commands-only", "prohibit-password", "yes"}
	best := 0
	for _, v := range first(list) {
		if v == "without-password" {
			v = "prohibit-password"
		}
		if i := slices.Index(order, v); i > best {
			best = i
		}
	}
	return order[best]
}

// counted are the keys that decide who gets in.
var counted = []string{"permitrootlogin", "passwordauthentication", "kbdinteractiveauthentication", "challengeresponseauthentication", "usepam",
	"pubkeyauthentication", "authorizedkeysfile", "trustedusercakeys", "authorizedkeyscommand"}

// settings appends what a file says; it reports whether the file was read. A
// Match block ends with its file.
func (s *scan) settings(name string, some bool, depth int, all *[]setting) bool {
	if depth > maxIncludes {
		s.unread(name + ": included too deep")
		return false
	}
	data, ok := s.file(name, maxConfig)
	if !ok {
		return false
	}
	for line := range strings.Lines(string(data)) {
		key, args, ok := words(line)
		switch {
		case !ok:
			s.unread(name)
		case key == "":
		case key == "match":
			some = true
		case key == "include":
			for _, pattern := range args {
				if !path.IsAbs(pattern) {
					pattern = "/etc/ssh/" + pattern
				}
				for _, f := range s.glob(pattern) {
					s.settings(f, some, depth+1, all)
				}
			}
		case slices.Contains(counted, key):
			if len(*all) == maxSettings {
				s.unread(name + ": more settings than are read")
				return true
			}
			*all = append(*all, setting{key, args, some})
		}
	}
	return true
}

// words splits a line: keyword, blanks or "=", arguments that may be quoted. ok
// is false where a quote does not end.
func words(line string) (key string, args []string, ok bool) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", nil, true
	}
	i := strings.IndexAny(line, " \t=\"")
	if i < 0 {
		return strings.ToLower(line), nil, true
	}
	key, line = strings.ToLower(line[:i]), strings.TrimLeft(line[i:], " \t")
	line = strings.TrimLeft(strings.TrimPrefix(line, "="), " \t")
	for line != "" && line[0] != '#' {
		var arg strings.Builder
		n, open := 0, false
		for ; n < len(line) && (open || line[n] != ' ' && line[n] != '\t'); n++ {
			if line[n] == '"' {
				open = !open
				continue
			}
			arg.WriteByte(line[n])
		}
		if open {
			return key, args, false
		}
		args = append(args, arg.String())
		line = strings.TrimLeft(line[n:], " \t")
	}
	return key, args, true
}
