package ways

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// account is a line of passwd, with what shadow says of it.
type account struct {
	name      string
	uid, gid  int
	home      string
	shell     bool // one that lets somebody in
	password  bool // usable
	locked    bool // expired for any sign-in
	passField string
}

// group is a line of group.
type group struct {
	name    string
	gid     int
	members []string
}

// noShells are the shells that let nobody in.
var noShells = []string{"nologin", "false", "sync", "halt", "shutdown"}

func (s *scan) readAccounts() {
	data, ok := s.file("/etc/passwd", maxConfig)
	if !ok {
		s.unread("/etc/passwd") // a host has one
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimRight(line, "\r\n"), ":")
		if strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-") {
			s.unread("/etc/passwd: accounts of a directory")
			continue
		}
		if len(f) != 7 || f[0] == "" {
			continue
		}
		uid, err1 := strconv.Atoi(f[2])
		gid, err2 := strconv.Atoi(f[3])
		if err1 != nil || err2 != nil {
			s.unread("/etc/passwd")
			continue
		}
		if len(s.accounts) == maxAccounts {
			s.unread("/etc/passwd: more accounts than are read")
			break
		}
		shell := f[6][strings.LastIndexByte(f[6], '/')+1:]
		s.accounts = append(s.accounts, account{name: f[0], uid: uid, gid: gid, home: f[5], shell: !slices.Contains(noShells, shell), passField: f[1]})
	}
	s.readShadow()
	s.readDirectories()
}

// readShadow fills in passwords and expiry. The hash goes no further.
func (s *scan) readShadow() {
	data, ok := s.file("/etc/shadow", maxConfig)
	byName := map[string][]string{}
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimRight(line, "\r\n"), ":")
		if len(f) >= 8 {
			byName[f[0]] = f
		}
	}
	today := s.o.Now().Unix() / int64(24*time.Hour/time.Second)
	for i := range s.accounts {
		a := &s.accounts[i]
		f := byName[a.name]
		switch {
		case a.passField != "x": // an old form: the password stands in passwd
			a.password = usable(a.passField)
		case f != nil:
			a.password = usable(f[1])
			if day, err := strconv.ParseInt(f[7], 10, 64); err == nil && day >= 0 && day <= today {
				a.locked = true
			}
		case !ok:
			s.unread("/etc/shadow")
		}
	}
}

// usable reports whether a field of passwd or shadow lets a password in; an
// empty one lets in without.
func usable(field string) bool {
	return field == "" || len(field) > 2 && field[0] != '!' && field[0] != '*'
}

// readDirectories says where accounts may come from that no file lists.
func (s *scan) readDirectories() {
	data, ok := s.file("/etc/nsswitch.conf", maxConfig)
	if !ok {
		return
	}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		db, sources, _ := strings.Cut(line, ":")
		if d := strings.TrimSpace(db); d != "passwd" && d != "group" && d != "sudoers" {
			continue
		}
		for _, f := range strings.Fields(sources) {
			if !strings.HasPrefix(f, "[") && !slices.Contains([]string{"files", "compat", "systemd", "[NOTFOUND=return]"}, f) {
				s.unread("/etc/nsswitch.conf: " + strings.TrimSpace(db) + " from " + clip(f, 32))
			}
		}
	}
}

func (s *scan) readGroups() {
	data, ok := s.file("/etc/group", maxConfig)
	if !ok {
		s.unread("/etc/group")
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimRight(line, "\r\n"), ":")
		if len(f) != 4 {
			continue
		}
		gid, err := strconv.Atoi(f[2])
		if err != nil {
			continue
		}
		g := group{name: f[0], gid: gid}
		for _, m := range strings.Split(f[3], ",") {
			if m = strings.TrimSpace(m); m != "" {
				g.members = append(g.members, m)
			}
		}
		s.groups = append(s.groups, g)
	}
}

// members are the accounts of a group, those whose first group it is too,
// sorted; ok is false where there is no such group here.
func (s *scan) members(match func(group) bool) (names []string, ok bool) {
	for _, g := range s.groups {
		if !match(g) {
			continue
		}
		ok = true
		names = append(names, g.members...)
		for _, a := range s.accounts {
			if a.gid == g.gid {
				names = append(names, a.name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), ok
}

// clip shortens a text of the host.
func clip(s string, max int) string {
	if len(s) <= max {
		return s
	}
	return strings.ToValidUTF8(s[:max], "") + "..."
}
