package web_test

import (
	"strings"
	"testing"

	"ostler/backups"
	"ostler/web"
)

var openKinds = []web.OpenKind{
	web.OpenIncident, web.OpenBad, web.OpenFailed, web.OpenSilent, web.OpenUnread, web.OpenWarn, web.OpenPartial, web.OpenKey,
	web.OpenExpired, web.OpenRevoked, web.OpenUnserved, web.OpenRenewal, web.OpenIssuing, web.OpenUnknown, web.OpenNever, web.OpenNoPlan, web.OpenNoBackup, web.OpenAccess, web.OpenTold, web.OpenUnconfirmed, web.OpenUnattested, web.OpenNoServers,
}

// No headline is better than the worst open fact: for every kind, alone or
// beside any other, whoever must act, the page says that something is open.
func TestHeadlineIsNeverBetterThanTheWorstOpenFact(t *testing.T) {
	tx := renderer(t).Text()
	kinds := append(openKinds, "something new")
	for _, a := range kinds {
		for _, b := range append(kinds, "") {
			for _, mine := range []bool{true, false} {
				open := []web.OpenFact{{Kind: a, What: "shop-1", Mine: mine}}
				if b != "" {
					open = append(open, web.OpenFact{Kind: b, What: "db-1"})
				}
				said := web.Headline(tx, web.HeadlineFacts{Servers: 3, Open: open})
				if said.Tone == web.ToneGood || strings.Contains(said.Sentence, "Nothing needs") || strings.Contains(said.Sentence, "«") {
					t.Errorf("%s with %q (mine %v): got %+v", a, b, mine, said)
				}
				for _, o := range open {
					if worse(o.Kind.Tone(), said.Tone) {
						t.Errorf("%s with %q: tone %s is better than %s", a, b, said.Tone, o.Kind.Tone())
					}
				}
			}
		}
	}
}

func worse(a, b web.Tone) bool {
	rank := map[web.Tone]int{web.ToneGood: 0, web.ToneUnknown: 1, web.ToneWarn: 2, web.ToneBad: 3}
	return rank[a] > rank[b]
}

func TestHeadline(t *testing.T) {
	tx := renderer(t).Text()
	for _, tc := range []struct {
		name  string
		facts web.HeadlineFacts
		want  string
		tone  web.Tone
	}{
		{"nothing", web.HeadlineFacts{Servers: 2}, "Nothing needs you. All 2 servers are looked after, and their latest backups are complete.", web.ToneGood},
		{"no servers", web.HeadlineFacts{}, "No server is looked after yet.", web.ToneUnknown},
		{"no servers and a finding", web.HeadlineFacts{Open: []web.OpenFact{{Kind: web.OpenBad, What: "The ledger is broken"}}}, "One thing is open, and we are at it: The ledger is broken.", web.ToneBad},
		{"ours", web.HeadlineFacts{Servers: 1, Open: []web.OpenFact{{Kind: web.OpenPartial, What: "db-1"}}}, "One thing is open, and we are at it: the latest backup of db-1 left files out.", web.ToneWarn},
		{"yours", web.HeadlineFacts{Servers: 1, Open: []web.OpenFact{{Kind: web.OpenKey, What: "db-1", Mine: true}}}, "One thing needs you: nobody has confirmed the recovery key of db-1.", web.ToneWarn},
		{"both", web.HeadlineFacts{Servers: 1, Open: []web.OpenFact{{Kind: web.OpenKey, What: "db-1", Mine: true}, {Kind: web.OpenSilent, What: "shop-1"}}}, "One thing needs you, and we are at one more. First: shop-1 has not been heard of.", web.ToneWarn},
		{"a title among others", web.HeadlineFacts{Servers: 1, Open: []web.OpenFact{{Kind: web.OpenWarn, What: "A folder of the plan is not on maple-1"}, {Kind: web.OpenKey, What: "db-1"}}}, "Two things are open, and we are at them. First: A folder of the plan is not on maple-1.", web.ToneWarn},
		{"all yours", web.HeadlineFacts{Servers: 1, Open: []web.OpenFact{{Kind: web.OpenKey, What: "db-1", Mine: true}, {Kind: web.OpenKey, What: "db-2", Mine: true}}}, "Two things need you. First: nobody has confirmed the recovery key of db-1.", web.ToneWarn},
		{"all theirs", web.HeadlineFacts{Servers: 1, Staff: true, Open: []web.OpenFact{{Kind: web.OpenKey, What: "db-1"}, {Kind: web.OpenKey, What: "db-2"}}}, "Two things are open, and wait for customers. First: nobody has confirmed the recovery key of db-1.", web.ToneWarn},
		{"an incident", web.HeadlineFacts{Servers: 1, Open: []web.OpenFact{{Kind: web.OpenIncident, What: "shop-1"}, {Kind: web.OpenBad, What: "The ledger is broken"}}}, "Two things are open, and we are at them. First: we are looking into something that may concern shop-1. We will tell you what we know.", web.ToneBad},
		{"an incident of ours", web.HeadlineFacts{Servers: 1, Staff: true, Open: []web.OpenFact{{Kind: web.OpenIncident, What: "shop-1", Mine: true}}}, "One thing needs you: an incident is open that touches shop-1.", web.ToneBad},
		{"no plan", web.HeadlineFacts{Servers: 1, Open: []web.OpenFact{{Kind: web.OpenNoPlan, What: "birch-1", Mine: true}}}, "One thing needs you: birch-1 has no backup plan.", web.ToneWarn},
		{"staff and a customer", web.HeadlineFacts{Servers: 1, Staff: true, Open: []web.OpenFact{{Kind: web.OpenKey, What: "db-1"}, {Kind: web.OpenSilent, What: "shop-1", Mine: true}}}, "One thing needs you, and customers have one more to do. First: shop-1 has not been heard of.", web.ToneWarn},
		{"a customer's turn", web.HeadlineFacts{Servers: 1, Staff: true, Open: []web.OpenFact{{Kind: web.OpenKey, What: "db-1"}}}, "One thing is open, and waits for a customer: nobody has confirmed the recovery key of db-1.", web.ToneWarn},
		{"a slice that cannot be asked", web.HeadlineFacts{Servers: 1, Open: []web.OpenFact{{Kind: web.OpenUnread, What: "Backups"}}}, "One thing is open, and we are at it: Backups could not be asked, so its state is not known.", web.ToneWarn},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := web.Headline(tx, tc.facts)
			if got.Sentence != tc.want || got.Tone != tc.tone {
				t.Errorf("got %+v, want %q %s", got, tc.want, tc.tone)
			}
		})
	}
}

// Only a plan whose repository is ready, with a copy, is an all-clear.
func TestCovered(t *testing.T) {
	ready := backups.RepositoryReady
	for _, tc := range []struct {
		name string
		c    web.Covered
		want web.OpenKind
	}{
		{"no plan", web.Covered{}, web.OpenNoPlan},
		{"no choice", web.Covered{Repository: backups.RepositoryChoosing}, web.OpenKey},
		{"no key", web.Covered{Repository: backups.RepositoryUnconfirmed}, web.OpenKey},
		{"preparing", web.Covered{Repository: backups.RepositoryPreparing}, web.OpenNoBackup},
		{"registering", web.Covered{Repository: backups.RepositoryRegistering}, web.OpenNoBackup},
		{"initialising", web.Covered{Repository: backups.RepositoryInitialising}, web.OpenNoBackup},
		{"an unknown repository", web.Covered{Repository: "new", Latest: backups.RunComplete, Copy: true}, web.OpenNoBackup},
		{"repository failed", web.Covered{Repository: backups.RepositoryFailed}, web.OpenFailed},
		{"no run, no copy", web.Covered{Repository: ready}, web.OpenNoBackup},
		{"cancelled, no copy", web.Covered{Repository: ready, Latest: backups.RunCancelled}, web.OpenNoBackup},
		{"cancelled, a copy", web.Covered{Repository: ready, Latest: backups.RunCancelled, Copy: true}, ""},
		{"partial", web.Covered{Repository: ready, Latest: backups.RunPartial, Copy: true}, web.OpenPartial},
		{"failed", web.Covered{Repository: ready, Latest: backups.RunFailed, Copy: true}, web.OpenFailed},
		{"missed", web.Covered{Repository: ready, Latest: backups.RunMissed, Copy: true}, web.OpenFailed},
		{"an unknown outcome", web.Covered{Repository: ready, Latest: "new", Copy: true}, web.OpenFailed},
		{"a copy, and no run lately", web.Covered{Repository: ready, Copy: true}, ""},
		{"complete", web.Covered{Repository: ready, Latest: backups.RunComplete, Copy: true}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.c.Open(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
