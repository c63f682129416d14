package sample

import "ostler/web"

const (
	print1 = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
	logKey = "log.harbour-hosting.example/ostler/g1+5c3a2b71+AZ2x7m0v9dkq3tznh8wyfar5c1be6gj4p2s7kx9m3tQw8="
)

func record(tx *web.Text) []Sample {
	page := func(say string, tone web.Tone) web.Page {
		p := customer("evidence", tx.T("evidence.title"), say)
		p.Tone, p.Viewer.Auditor, p.Viewer.Name = tone, true, "Helle Nyberg"
		return p
	}
	strip := func(checked web.State) []web.Fact {
		return []web.Fact{{Label: tx.T("strip.entries"), State: web.State{Word: "412"}, Note: tx.T("strip.entries_note")}, {Label: tx.T("strip.signed"), State: web.State{Word: "18 203 entries"}, Note: tx.T("strip.signed_note")},
			{Label: tx.T("strip.checked"), State: checked}}
	}
	unchecked := &web.Evidence{Page: page("412 entries are recorded for Maple Bakery. "+tx.T("evidence.unchecked"), web.ToneUnknown), Strip: strip(state(web.ToneUnknown, tx.T("evidence.not_checked"))), Check: "#", Bundle: "#",
		Command: "ostler ledger verify --bundle evidence-maple-bakery-2026-11-21.jsonl --key '" + logKey + "'",
		Signed:  "log.harbour-hosting.example/ostler/g1\n18203\n" + print1 + "\n\n— log.harbour-hosting.example/ostler/g1 XDorcVvMfWWaLqgxVrQFaOTxsrC4Is0V1sFbDwCgg9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15=\n",
		Pairs:   []web.Pair{{Label: "Log", Value: "log.harbour-hosting.example/ostler/g1", Mono: true}, {Label: "Covers", Value: "18 203 entries"}, {Label: "Print of the whole log", Value: print1, Mono: true}, {Label: "Our public key", Value: logKey, Mono: true}},
		Heads:   []web.HeadRow{{Day: "2026-11-21", Entries: 412, Hash: print1}, {Day: "2026-11-20", Entries: 407, Hash: print1}}}
	well := *unchecked
	well.Page, well.Strip, well.Personal = page("412 entries are recorded for Maple Bakery. "+tx.T("evidence.whole"), web.ToneGood), strip(state(web.ToneGood, tx.T("evidence.well"))), "#"
	well.Result = &web.Checked{State: state(web.ToneGood, tx.T("evidence.well")), At: at(0.01), Text: tx.T("evidence.well_text", "n", 18203, "m", 611)}
	broken := *unchecked
	broken.Page, broken.Strip, broken.Whole = page(tx.T("evidence.broken"), web.ToneBad), strip(state(web.ToneBad, tx.T("evidence.differs"))), "#"
	broken.Result = &web.Checked{State: state(web.ToneBad, tx.T("evidence.differs")), At: at(0.01), Text: tx.T("evidence.differs_text"), Next: tx.T("evidence.differs_next"),
		Problems: []web.Link{{Label: "entry led_06f2k0x9yqj6v3 (leaf 1203, 2026-11-20T02:14:07.000Z): its stored content does not match the tree", Href: "#"}, {Label: tx.T("evidence.others", "n", 2)}}}
	return append(entries(tx), Sample{"evidence-unchecked", unchecked}, Sample{"evidence-well", &well}, Sample{"evidence-broken", &broken})
}

func entries(tx *web.Text) []Sample {
	p := customer("activity", tx.T("entry.title"), "Backup of shop-1 complete: 18 412 files.")
	p.Tone, p.Sub, p.Crumbs = web.ToneGood, "today 03:14", []web.Link{{Label: tx.T("activity.title"), Href: "#"}}
	proven := &web.Entry{Page: p, Facts: []web.Pair{{Label: "When", Value: "2026-11-21 03:14:07.120 CET"}, {Label: "Kind", Value: "backup.complete", Mono: true}, {Label: "Done by", Value: tx.T("entry.by_agent")}},
		About: []web.Link{{Label: "Look into it", Href: "#"}, {Label: "shop-1", Href: "#"}}, Proof: state(web.ToneGood, tx.T("entry.proven")), Says: tx.T("entry.proven_note", "when", "today 03:14", "n", 18203),
		Proven: []web.Pair{{Label: "In this chain", Value: "number 408"}, {Label: "Print of the entry", Value: print1, Mono: true}}, Leaf: "{\n  \"kind\": \"backup.complete\",\n  \"data\": {\n    \"files\": 18412\n  }\n}"}
	pending := &web.Entry{Page: p, Facts: proven.Facts, Proof: state(web.ToneBusy, tx.T("entry.pending")), Says: tx.T("entry.pending_note")}
	pending.Refresh = 2
	bad := *proven
	bad.Tone, bad.Proof, bad.Says = web.ToneBad, state(web.ToneBad, tx.T("entry.unproven")), tx.T("entry.unproven_note")
	return []Sample{{"entry-proven", proven}, {"entry-pending", pending}, {"entry-unproven", &bad}}
}
