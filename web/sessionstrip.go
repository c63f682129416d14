package web

import (
	"fmt"
	"html/template"
	"time"

	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

var momentTexts = map[string]string{
	"command": "moment.command", "idle": "moment.idle", "resize": "moment.resize", "join": "moment.join", "leave": "moment.leave", "file": "moment.file", "network": "moment.network", "note": "moment.note", "screen": "moment.screen", "left": "moment.left",
}

// momentRows are what happened in a recording, in words.
func (v *visit) momentRows(moments []sessions.Moment) []MomentRow {
	var out []MomentRow
	for _, m := range moments {
		if m.Kind == "note" {
			continue // they have a list of their own
		}
		row := MomentRow{At: m.At, Kind: m.Kind, Text: PlainName([]byte(m.Text)), Word: m.Kind}
		if key, ok := momentTexts[m.Kind]; ok {
			row.Word = v.t(key)
		}
		switch m.Kind {
		case "command":
			row.Code = true
			row.Note = v.readWord(m.Read)
			if m.Exit != "" && m.Exit != "0" {
				row.Note = join(v.t("commands.exit", "code", m.Exit), row.Note)
			}
		case "idle":
			row.Text = v.t("moment.idle_for", "span", span(v.p.tx, m.For))
		}
		out = append(out, row)
	}
	return out
}

// strip draws a recording's timeline: idle stretches, commands, remarks.
func (v *visit) strip(moments []sessions.Moment, notes []sessions.Note, length time.Duration) Strip {
	if length <= 0 {
		return Strip{Label: v.t("strip.empty")}
	}
	at := func(d time.Duration) float64 { return 1000 * float64(min(max(d, 0), length)) / float64(length) }
	var b []byte
	var idle time.Duration
	commands, drawn := 0, -1.0
	for _, m := range moments {
		if m.Kind != "idle" {
			continue
		}
		idle += m.For
		if w := at(m.At+m.For) - at(m.At); w >= 0.5 {
			b = fmt.Appendf(b, `<rect class="idle" x="%.1f" y="0" width="%.1f" height="36"/>`, at(m.At), w)
		}
	}
	for _, m := range moments {
		if m.Kind == "idle" || m.Kind == "note" || m.Kind == "resize" || m.Kind == "left" {
			continue
		}
		class, top := "other", 22
		if m.Kind == "command" {
			class, top = "command", 8
			commands++
		}
		if x := at(m.At); x-drawn >= 0.5 { // others would lie on it
			drawn = x
			b = fmt.Appendf(b, `<line class="%s" x1="%.1f" x2="%.1f" y1="%d" y2="36"/>`, class, x, x, top)
		}
	}
	for _, n := range notes {
		b = fmt.Appendf(b, `<line class="note" x1="%.1f" x2="%.1f" y1="0" y2="14"/>`, at(n.At), at(n.At))
	}
	return Strip{Marks: template.HTML(b), Label: v.t("strip.label", "commands", v.t("session.commands", "n", commands), "idle", span(v.p.tx, idle), "length", offset(length), "n", len(notes))} //nolint:gosec // numbers only
}

// replayKeys are what the keyboard does on the page.
func (v *visit) replayKeys() []Pair {
	var out []Pair
	for _, k := range [][2]string{{"Space", "replay.key_play"}, {"← →", "replay.key_seek"}, {"[ ]", "replay.key_command"}, {"< >", "replay.key_speed"}, {"i", "replay.key_skip"}, {"n", "replay.key_note"}, {"v", "replay.key_verdict"}, {"Home End", "replay.key_ends"}, {"Esc", "replay.key_leave"}} {
		if k[0] == "v" && !v.can(policy.SessionReview) {
			continue
		}
		out = append(out, Pair{Label: k[0], Value: v.t(k[1])})
	}
	return out
}
