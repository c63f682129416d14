package web

import (
	"bytes"
	"encoding/json"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// entry is one line of the record by itself.
func (p *Portal) entry(v *visit) error {
	scope, err := v.scope(policy.LedgerRead)
	if err != nil {
		return err
	}
	it, err := p.Ledger.Get(v.ctx, scope, v.c.Param("id"))
	if err != nil {
		return err
	}
	told, err := v.tell([]ledger.Item{it})
	if err != nil {
		return err
	}
	e := told[0]
	page := &Entry{Page: v.page("activity", v.t("entry.title"), e.Text)}
	page.Tone, page.Crumbs = e.Tone, []Link{{v.t("activity.title"), "/activity"}}
	if page.Sub = v.moment(it.At); e.Who != "" {
		page.Sub += " · " + e.Who
	}
	page.Facts = []Pair{{Label: v.t("col.when"), Value: it.At.In(v.zone).Format("2006-01-02 15:04:05.000 MST")}, {Label: v.t("entry.kind"), Value: it.Kind, Mono: true},
		{Label: v.t("entry.by"), Value: v.byWords(it.Actor, e.Who)}}
	if e.Detail != "" {
		page.Facts = append(page.Facts, Pair{Label: v.t("entry.detail"), Value: e.Detail})
	}
	if len(it.Forgotten) > 0 {
		page.Facts = append(page.Facts, Pair{Label: v.t("entry.forgotten"), Value: v.t("entry.forgotten_note", "n", len(it.Forgotten))})
	}
	page.Facts = append(page.Facts, Pair{Label: "Id", Value: it.ID, Mono: true})
	if e.Link.Href != "" {
		page.About = append(page.About, e.Link)
	}
	if it.Server != "" && v.can(policy.PlanRead) { // the page of a server is about its backups too
		page.About = append(page.About, Link{v.serverName(it.Server), "/servers/" + it.Server})
	}
	return v.entryProof(page, scope, it)
}

// byWords names who did it: a person, or what acted by itself.
func (v *visit) byWords(a controlplane.Actor, name string) string {
	switch {
	case name != "":
		return name
	case a.Kind == controlplane.ActorSystem:
		return v.t("entry.by_ostler")
	case a.Kind == controlplane.ActorAgent:
		return v.t("entry.by_agent")
	}
	return v.t("word.somebody")
}

// entryProof proves the entry now, under the newest checkpoint.
func (v *visit) entryProof(page *Entry, scope policy.Scope, it ledger.Item) error {
	if !it.Sequenced() {
		page.Proof, page.Says, page.Refresh = State{ToneBusy, v.t("entry.pending")}, v.t("entry.pending_note"), 2
		return v.render(page)
	}
	proof, err := v.p.Ledger.Prove(v.ctx, scope, it.ID)
	if err != nil {
		return err
	}
	checkpoint, err := ledger.OpenCheckpoint([]byte(proof.Checkpoint), proof.Key)
	if err == nil {
		err = proof.Verify(proof.Key)
	}
	page.Proof, page.Says = State{ToneGood, v.t("entry.proven")}, v.t("entry.proven_note", "when", v.moment(it.At), "n", checkpoint.Size)
	if err != nil {
		v.p.log.ErrorContext(v.ctx, "web.entry.proof", "entry", it.ID, "error", err)
		page.Proof, page.Says = State{ToneBad, v.t("entry.unproven")}, v.t("entry.unproven_note")
		page.Tone = ToneBad
	}
	page.Proven = []Pair{{Label: v.t("entry.seq"), Value: v.t("entry.seq_of", "n", it.Seq+1)}, {Label: v.t("entry.leaf"), Value: v.t("entry.leaf_of", "i", it.Leaf)},
		{Label: v.t("entry.hash"), Value: proof.LeafHash().String(), Mono: true}, {Label: v.t("evidence.root"), Value: checkpoint.Root.String(), Mono: true}}
	page.Leaf = spread(proof.Leaf)
	return v.render(page)
}

// spread writes JSON on lines of its own, for reading.
func spread(s string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(s), "", "  "); err != nil {
		return s
	}
	return b.String()
}

// day reads a day of a form in the reader's zone; ok is false for "" and for
// what is no day.
func (v *visit) day(s string) (time.Time, bool) {
	t, err := time.ParseInLocation(time.DateOnly, s, v.zone)
	return t, err == nil
}
