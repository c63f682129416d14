package web_test

import (
	"strings"
	"testing"

	"ostler/web"
)

var openKinds = []web.OpenKind{
	web.OpenBad, web.OpenFailed, web.OpenSilent, web.OpenUnread, web.OpenWarn, web.OpenPartial, web.OpenKey,
	web.OpenUnknown, web.OpenNever, web.OpenNoBackup, web.OpenUnattested, web.OpenNoServers,
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
		{"no servers and a finding", web.HeadlineFacts{Open: []web.OpenFact{{Kind: web.OpenBad, What: "The ledger is broken"}}}, "Two things are open, and we are at them: first, The ledger is broken.", web.ToneBad},
		{"ours", web.HeadlineFacts{Servers: 1, Open: []web.OpenFact{{Kind: web.OpenPartial, What: "db-1"}}}, "One thing is open, and we are at it: the latest backup of db-1 left files out.", web.ToneWarn},
		{"yours", web.HeadlineFacts{Servers: 1, Open: []web.OpenFact{{Kind: web.OpenKey, What: "db-1", Mine: true}}}, "One thing needs you: nobody has confirmed the recovery key of db-1.", web.ToneWarn},
		{"both", web.HeadlineFacts{Servers: 1, Open: []web.OpenFact{{Kind: web.OpenKey, What: "db-1", Mine: true}, {Kind: web.OpenSilent, What: "shop-1"}}}, "One thing needs you, and we are at one more: first, shop-1 has not been heard of.", web.ToneWarn},
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
