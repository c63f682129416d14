package sessions

import (
	"cmp"
	"regexp"
	"slices"
	"time"
)

// reviewFrom is the risk from which a session waits for a review.
const reviewFrom = 50

// riskFacts are what the risk of a session is made of. Nothing else counts.
type riskFacts struct {
	Lacks      []string // parts of the ground, as in Ground
	BreakGlass bool
	Login      string
	Start      time.Time
	Zone       *time.Location // where nights and weekends are
	Length     time.Duration
	Names      int  // how many took part
	SharedName bool // several persons use one of them
	Commands   []string
	Missing    bool // no recording came, or none is made
	Partial    bool // the recording is not whole
	NewAddress bool // the person never came from there before, and came before
}

// A risk is one thing that makes a session want a look, what it adds, and when.
type risk struct {
	key    string
	adds   int
	text   string
	when   func(f riskFacts) bool
	within string // what a command looks like; "" where when says it
}

// start is what a program's name may follow in a line of a shell.
const start = "(?:^|[\\s;|&(`]|bin/)"

// risks are all that there are, the gravest first; of equal ones the order here counts.
var risks = []risk{
	{key: "risk.blinded", adds: 60, text: "Something that keeps records was turned off or wiped: the shell’s history, the audit log, Teleport, or a log file.",
		within: `HISTFILE=|unset\s+HISTFILE|HIST(?:FILE)?SIZE=0|history\s+-c|set\s+\+o\s+history|auditctl\s+(?:-e\s*0|-D)` +
			`|systemctl\s+(?:\S+\s+)*(?:stop|disable|mask|kill)\s+.*(?:auditd|teleport|rsyslog|journald)|service\s+(?:auditd|teleport|rsyslog)\s+stop` +
			`|` + start + `(?:pkill|killall|kill)\s.*(?:auditd|teleport)|journalctl\s.*--vacuum|(?:rm|truncate|shred)\s.*(?:/var/log/|_history)|>\s*/var/log/`},
	{key: "risk.no_person", adds: 50, text: "Nobody on the lists uses the name of this session.", when: lacks("person")},
	{key: "risk.no_grant", adds: 50, text: "Whoever it was had no grant for this server at the time.", when: lacks("grant")},
	{key: "risk.break_glass", adds: 50, text: "It was under emergency access.", when: func(f riskFacts) bool { return f.BreakGlass }},
	{key: "risk.secrets", adds: 40, text: "Password hashes or private keys were read.",
		within: `/etc/g?shadow\b|id_(?:rsa|dsa|ecdsa|ed25519)(?:\s|$)|` + start + `(?:cat|less|more|head|tail|cp|base64|xxd|strings|vim?|nano|view)\s.*\.(?:key|pem|p12|pfx)(?:\s|$)`},
	{key: "risk.missing", adds: 40, text: "There is no recording of it.", when: func(f riskFacts) bool { return f.Missing }},
	{key: "risk.copied_out", adds: 30, text: "Data may have been copied to somewhere else.",
		within: start + `scp\s|` + start + `rsync\s.*(?:\S:|rsync://)|` + start + `sftp\s|curl(?:\s.*)?\s(?:-T|--upload-file|-F|--form|(?:-d|--data\S*)[\s=]*@)` +
			`|wget\s.*--post-file|` + start + `(?:nc|ncat|netcat)\s|rclone\s+(?:copy|sync|move)|aws\s+s3\s+(?:cp|sync|mv)`},
	{key: "risk.dumped", adds: 30, text: "A database was dumped.",
		within: start + `(?:mysqldump|mariadb-dump|pg_dump|pg_dumpall|mongodump)(?:\s|$)|redis-cli\s.*--rdb|sqlite3\s.*\.dump|(?i:into\s+outfile)`},
	{key: "risk.shared_name", adds: 30, text: "Several persons use the name of somebody who took part: who it was cannot be told.", when: func(f riskFacts) bool { return f.SharedName }},
	{key: "risk.no_ticket", adds: 25, text: "No ticket says why.", when: lacks("ticket")},
	{key: "risk.no_authorisation", adds: 25, text: "No instruction of the customer covers it.", when: lacks("authorisation")},
	{key: "risk.accounts", adds: 25, text: "Users, passwords, keys that let people in, or rights to become root were changed.",
		within: start + `(?:useradd|usermod|userdel|adduser|deluser|groupadd|groupmod|gpasswd|passwd|chpasswd|visudo)(?:\s|$)|/etc/sudoers|authorized_keys`},
	{key: "risk.partial", adds: 25, text: "Its recording is not whole.", when: func(f riskFacts) bool { return f.Partial }},
	{key: "risk.deleted", adds: 20, text: "Files, disks or tables were deleted as a whole.",
		within: start + `rm\s+(?:\S+\s+)*(?:-[a-zA-Z]*[rR]|--recursive)|` + start + `find\s.*-delete|` + start + `(?:shred|wipefs|mkfs\S*)\s|` + start + `dd\s.*of=/dev/|(?i:drop\s+(?:table|database|schema)\s)`},
	{key: "risk.defences", adds: 20, text: "The firewall or the settings of SSH were changed.",
		within: start + `ip6?tables\s+(?:.*\s)?-(?:[ADIFPRX]|-(?:append|delete|insert|flush|policy))|` + start + `nft\s+(?:add|delete|flush|insert|replace|-f)|` + start + `ufw\s+(?:--force\s+)?(?:allow|deny|delete|disable|enable|reset|reject|limit)` +
			`|firewall-cmd\s.*--(?:add|remove|set|panic)|sshd_config|setenforce\s+0`},
	{key: "risk.new_address", adds: 20, text: "The person came from an address that they had not come from before.", when: func(f riskFacts) bool { return f.NewAddress }},
	{key: "risk.root", adds: 15, text: "They were root from the beginning.", when: func(f riskFacts) bool { return f.Login == "root" }},
	{key: "risk.night", adds: 15, text: "It began at night, between 22:00 and 06:00.", when: riskFacts.atNight},
	{key: "risk.weekend", adds: 15, text: "It began on a weekend.", when: riskFacts.onWeekend},
	{key: "risk.long", adds: 15, text: "It lasted more than two hours.", when: func(f riskFacts) bool { return f.Length > 2*time.Hour }},
	{key: "risk.joined", adds: 10, text: "More than one person took part.", when: func(f riskFacts) bool { return f.Names > 1 }},
}

// patterns are what commands are held against, by the key of the risk.
var patterns = func() map[string]*regexp.Regexp {
	out := map[string]*regexp.Regexp{}
	for _, r := range risks {
		if r.within != "" {
			out[r.key] = regexp.MustCompile(r.within)
		}
	}
	return out
}()

func lacks(part string) func(riskFacts) bool {
	return func(f riskFacts) bool { return slices.Contains(f.Lacks, part) }
}

func (f riskFacts) local() time.Time {
	if f.Zone == nil {
		return f.Start.UTC()
	}
	return f.Start.In(f.Zone)
}

func (f riskFacts) atNight() bool {
	h := f.local().Hour()
	return h < 6 || h >= 22
}

func (f riskFacts) onWeekend() bool {
	d := f.local().Weekday()
	return d == time.Saturday || d == time.Sunday
}

// riskOf is how much a session wants a look, by nothing but its facts: what each
// risk adds, at most 100 together, and their keys, the gravest first.
func riskOf(f riskFacts) Risk {
	var out Risk
	for _, r := range risks {
		if r.when != nil && r.when(f) || r.within != "" && slices.ContainsFunc(f.Commands, patterns[r.key].MatchString) {
			out.Score += r.adds
			out.Why = append(out.Why, r.key)
		}
	}
	out.Score = min(out.Score, 100)
	return out
}

// isRisky reports whether a command makes a session risky by itself.
func isRisky(command string) bool {
	for _, p := range patterns {
		if p.MatchString(command) {
			return true
		}
	}
	return false
}

// RiskText is the sentence of a risk's text key, in English; "" for an unknown key.
func RiskText(key string) string {
	i := slices.IndexFunc(risks, func(r risk) bool { return r.key == key })
	if i < 0 {
		return ""
	}
	return risks[i].text
}

// RiskKeys are the text keys of all risks, the gravest first.
func RiskKeys() []string {
	sorted := slices.Clone(risks)
	slices.SortStableFunc(sorted, func(a, b risk) int { return cmp.Compare(b.adds, a.adds) })
	keys := make([]string, len(sorted))
	for i, r := range sorted {
		keys[i] = r.key
	}
	return keys
}
