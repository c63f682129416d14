package ways

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ostler/agents/wire"
)

const sudoersFile = "/etc/sudoers"

// sudoers is what the files say, before aliases are put in.
type sudoers struct {
	users, runas, cmnds map[string][]string
	rules               []sudoRule
}

// sudoRule is one list of commands of a user specification.
type sudoRule struct {
	users      []string
	runas      []string
	cmnds      []string
	noPassword bool
	file       string
}

// readSudo reads who may become somebody else. The hosts that a rule names are
// not evaluated: it counts here.
func (s *scan) readSudo() {
	c := &sudoers{users: map[string][]string{}, runas: map[string][]string{}, cmnds: map[string][]string{}}
	s.sudoFile(sudoersFile, 0, c)
	for _, r := range c.rules {
		for _, who := range positive(c.users, r.users) {
			h := wire.HostSudo{Who: clip(who, 100), Runs: runs(positive(c.cmnds, r.cmnds)), As: as(positive(c.runas, r.runas)), NoPassword: r.noPassword, File: r.file}
			if h.Runs == "" {
				continue // nothing but what is forbidden
			}
			h.RunsHash = cutHash(h, positive(c.cmnds, r.cmnds), positive(c.runas, r.runas))
			if strings.HasPrefix(who, "+") || strings.HasPrefix(who, "%:") {
				s.unread(r.file + ": members of " + clip(who, 64))
			} else if strings.HasPrefix(who, "%") {
				var ok bool
				if h.Members, ok = s.members(named(who[1:])); !ok {
					s.unread(r.file + ": members of " + clip(who, 64))
				}
			}
			s.sudo(h)
		}
	}
	for _, name := range []string{"docker", "lxd"} { // whoever is in it is root by one command
		if members, ok := s.members(named(name)); ok && len(members) > 0 {
			s.sudo(wire.HostSudo{Who: "%" + name, Runs: "ALL", As: "root", NoPassword: true, Members: members, File: "/etc/group"})
		}
	}
	for _, f := range []string{"/etc/doas.conf", "/etc/sudo-ldap.conf"} {
		if s.exists(f) {
			s.unread(f)
		}
	}
}

func (s *scan) sudo(h wire.HostSudo) {
	if len(s.out.Sudo) == maxSudo {
		s.unread(h.File + ": more rules than are read")
		return
	}
	if len(h.Members) > maxLogins {
		s.unread(h.File + ": more members than are read")
		h.Members = h.Members[:maxLogins]
	}
	s.out.Sudo = append(s.out.Sudo, h)
}

// named matches a group by name, or by "#" and its number.
func named(who string) func(group) bool {
	if n, ok := strings.CutPrefix(who, "#"); ok {
		gid, err := strconv.Atoi(n)
		return func(g group) bool { return err == nil && g.gid == gid }
	}
	return func(g group) bool { return g.name == who }
}

// positive is a list with its aliases put in and without what it forbids: that
// is not taken away from the rest, so that the list is never too short.
func positive(aliases map[string][]string, list []string) (out []string) {
	var put func(list []string, depth int)
	put = func(list []string, depth int) {
		for _, x := range list {
			if x == "" || x[0] == '!' {
				continue
			}
			if members, ok := aliases[x]; ok && depth < maxIncludes {
				put(members, depth+1)
			} else if !slices.Contains(out, x) && len(out) < maxSudo {
				out = append(out, x)
			}
		}
	}
	put(list, 0)
	return out
}

func runs(cmnds []string) string {
	if slices.Contains(cmnds, "ALL") {
		return "ALL"
	}
	return clip(strings.Join(cmnds, ", "), 160)
}

func as(runas []string) string {
	switch {
	case len(runas) == 0:
		return "root"
	case slices.Contains(runas, "ALL"):
		return "ALL"
	}
	return clip(strings.Join(runas, ", "), 80)
}

// cutHash tells rights apart of which not all is shown; "" where all is.
func cutHash(h wire.HostSudo, cmnds, runas []string) string {
	all, who := strings.Join(cmnds, ", "), strings.Join(runas, ", ")
	if (h.Runs == "ALL" || h.Runs == all) && (len(runas) == 0 || h.As == "ALL" || h.As == who) {
		return ""
	}
	return digest(all + "\n" + who)
}

// sudoFile reads one file; what is included is read after it.
func (s *scan) sudoFile(name string, depth int, c *sudoers) {
	if depth > maxIncludes {
		s.unread(name + ": included too deep")
		return
	}
	data, ok := s.file(name, maxConfig)
	if !ok {
		return
	}
	text := strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\\\n", " ")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		if w, after, tab := strings.Cut(word, "\t"); tab {
			word, rest = w, strings.TrimSpace(after+" "+rest)
		}
		switch word {
		case "@include", "#include":
			s.sudoFile(include(name, rest), depth+1, c)
		case "@includedir", "#includedir":
			dir := include(name, rest)
			for _, f := range s.names(dir) {
				if !strings.Contains(f, ".") && !strings.HasSuffix(f, "~") {
					s.sudoFile(path.Join(dir, f), depth+1, c)
				}
			}
		default:
			if line = uncomment(line); line != "" && !c.line(line, name) {
				s.unread(name)
			}
		}
	}
}

// include is the path that a file includes; %h in it is the host's name, which
// is then read as it stands and is not there.
func include(from, to string) string {
	to = strings.ReplaceAll(strings.Trim(to, `"`), `\ `, " ")
	if !path.IsAbs(to) {
		to = path.Join(path.Dir(from), to)
	}
	return to
}

var comment = regexp.MustCompile(`(^|[^\\])#([^0-9-].*)?$`)

// uncomment cuts a comment off; "#" before a number is an id.
func uncomment(line string) string {
	if at := comment.FindStringSubmatchIndex(line); at != nil {
		line = line[:at[3]]
	}
	return strings.TrimSpace(line)
}

// line takes one line in; false is one that was not understood.
func (c *sudoers) line(line, file string) bool {
	word, rest, _ := strings.Cut(line, " ")
	if w, after, tab := strings.Cut(word, "\t"); tab {
		word, rest = w, after+" "+rest
	}
	switch {
	case strings.HasPrefix(word, "Defaults"):
		return true
	case word == "User_Alias":
		return aliases(c.users, rest)
	case word == "Runas_Alias":
		return aliases(c.runas, rest)
	case word == "Cmnd_Alias" || word == "Cmd_Alias":
		return aliases(c.cmnds, rest)
	case word == "Host_Alias":
		return true
	}
	left, right, ok := cut(line, '=')
	if !ok {
		return false
	}
	users := leading(left)
	if len(users) == 0 {
		return false
	}
	return c.specs(users, right, file)
}

var comma = regexp.MustCompile(`\s*,\s*`)

// leading is the list of users that a specification begins with: what stands
// before the first blank that is not beside a comma.
func leading(s string) []string {
	fields := strings.Fields(comma.ReplaceAllString(strings.ReplaceAll(s, `\ `, "\x00"), ","))
	if len(fields) < 2 { // no host
		return nil
	}
	return split(strings.ReplaceAll(fields[0], "\x00", " "))
}

// specs reads "(runas) TAG: cmnd, cmnd : host = cmnd".
func (c *sudoers) specs(users []string, s, file string) bool {
	r := sudoRule{users: users, file: file}
	for {
		var one string
		var more bool
		one, s, more = cut(s, ',')
		one = strings.TrimSpace(one)
		if strings.HasPrefix(one, "(") {
			in, after, closed := strings.Cut(one[1:], ")")
			if !closed { // a comma within
				in2, after2, closed2 := strings.Cut(s, ")")
				if !closed2 {
					return false
				}
				in, after = in+","+in2, after2
				after, s, more = cut(after, ',')
			}
			if len(r.cmnds) > 0 {
				c.rules = append(c.rules, r)
				r.cmnds = nil
			}
			as, _, _ := strings.Cut(in, ":")
			r.runas, one = split(as), strings.TrimSpace(after)
		}
		one = r.tags(one)
		cmnd, next, another := cut(one, ':')
		if cmnd = strings.TrimSpace(cmnd); cmnd != "" {
			r.cmnds = append(r.cmnds, cmnd)
		}
		if another {
			if more {
				next += "," + s
			}
			c.rules = append(c.rules, r)
			_, right, ok := cut(next, '=')
			return ok && c.specs(users, right, file)
		}
		if !more {
			break
		}
	}
	c.rules = append(c.rules, r)
	return true
}

var tag = regexp.MustCompile(`^((NO)?(PASSWD|EXEC|FOLLOW|LOG_INPUT|LOG_OUTPUT|MAIL|SETENV|INTERCEPT)\s*:|(ROLE|TYPE|PRIVS|LIMITPRIVS|TIMEOUT|NOTBEFORE|NOTAFTER|CWD|CHROOT|APPARMOR_PROFILE)\s*=\s*\S+)\s*`)

// tags takes what stands before a command off.
func (r *sudoRule) tags(s string) string {
	for {
		m := tag.FindString(s)
		if m == "" {
			return s
		}
		if strings.HasPrefix(m, "NOPASSWD") {
			r.noPassword = true
		}
		s = s[len(m):]
	}
}

// cut is strings.Cut at a separator that no backslash stands before.
func cut(s string, sep byte) (before, after string, found bool) {
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		} else if s[i] == sep {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// split is a list with commas.
func split(s string) (list []string) {
	for more := true; more; {
		var one string
		if one, s, more = cut(s, ','); strings.TrimSpace(one) != "" {
			list = append(list, strings.Trim(strings.TrimSpace(one), `"`))
		}
	}
	return list
}

// aliases reads "NAME = a, b : NAME2 = c".
func aliases(into map[string][]string, s string) bool {
	for more := true; more; {
		var one string
		one, s, more = cut(s, ':')
		name, list, ok := cut(one, '=')
		if !ok {
			return false
		}
		name = strings.TrimSpace(name)
		into[name] = append(into[name], split(list)...)
	}
	return true
}
