package incidents

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ostler/controlplane"
)

//go:embed text/*.json
var noticeFiles embed.FS

// regimes are the laws that notices are made under; noticeLanguages what they are
// written in. Any other language reads English.
func regimes() []string         { return []string{"gdpr", "uk-gdpr", "nis2"} }
func noticeLanguages() []string { return []string{"en", "de"} }

// noticeTexts are the words of each regime and language ("gdpr.en"), read once;
// they are embedded, and a test reads them.
var noticeTexts = sync.OnceValues(func() (map[string]map[string]controlplane.Words, error) {
	all := map[string]map[string]controlplane.Words{}
	for _, lang := range noticeLanguages() {
		common := map[string]controlplane.Words{}
		if err := readTexts("common."+lang, common); err != nil {
			return nil, err
		}
		for _, regime := range regimes() {
			t := maps.Clone(common)
			if err := readTexts(regime+"."+lang, t); err != nil {
				return nil, err
			}
			all[regime+"."+lang] = t
		}
	}
	return all, nil
})

func readTexts(name string, into map[string]controlplane.Words) error {
	raw, err := noticeFiles.ReadFile("text/" + name + ".json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &into); err != nil {
		return fmt.Errorf("text %s: %w", name, err)
	}
	return nil
}

// noticeLang is the language of notices to somebody who reads another one.
func noticeLang(lang string) string {
	lang, _, _ = strings.Cut(strings.ToLower(lang), "-")
	if slices.Contains(noticeLanguages(), lang) {
		return lang
	}
	return "en"
}

// facts are all that a notice is made of beside its fields and words. What is zero
// is left out of the text.
type facts struct {
	number, company, contact string
	servers                  []string // names, of the recipient alone
	kinds                    []Kind
	certain                  bool
	detected, known          time.Time
	occurred, contained      time.Time
	before                   time.Time // of the notice before
	actions                  []ActionKind
	role                     DataRole
	financial                bool
	why, ground              string
	until                    time.Time
	subject, text            string   // of an advisory
	grounds                  []ground // of an advisory
	zone                     *time.Location
	now                      time.Time
}

// ground is why somebody is told of software.
type ground struct {
	server, software, version string
	seen                      time.Time
	said                      string // by whoever chose them
}

// rendered is a notice in words.
type rendered struct {
	title, text string
	// own are the parts of it that stand in no template: what was written for this
	// notice, or comes from the case.
	own []string
}

// words are the texts of one regime and language.
type words struct {
	text map[string]controlplane.Words
	lang string
}

func wordsFor(regime, lang string) (words, error) {
	all, err := noticeTexts()
	if err != nil {
		return words{}, err
	}
	lang = noticeLang(lang)
	if !slices.Contains(regimes(), regime) {
		regime = regimes()[0]
	}
	return words{text: all[regime+"."+lang], lang: lang}, nil
}

// line is a text of one line with values in it.
func (w words) line(key string, values map[string]string) string {
	s, _ := controlplane.Fill(w.text[key].Line(), values)
	return s
}

// day and instant are times as people read them, in a zone.
func (w words) day(at time.Time, zone *time.Location) string {
	if at.IsZero() {
		return ""
	}
	return at.In(zone).Format(w.line("day", nil))
}

func (w words) instant(at time.Time, zone *time.Location) string {
	if at.IsZero() {
		return ""
	}
	return at.In(zone).Format(w.line("day", nil) + " 15:04 MST")
}

// render writes a notice in words: of its template, its fields, what was written
// beside them, and what is known of the case.
func (n Notice) render(f facts) (out rendered, err error) {
	w, err := wordsFor(n.Regime, n.Lang)
	if err != nil {
		return out, err
	}
	key := string(n.Audience) + "." + string(n.Purpose)
	body := w.text[key]
	if n.Audience == ToCSIRT && n.Purpose == Update && n.Phase > 2 {
		body = w.text["csirt.progress"] // after the notification
	}
	if len(body) == 0 {
		return out, fmt.Errorf("there is no text for %s", key)
	}
	values := n.values(w, f)
	out.title = w.line("title."+key, values)
	if may := w.line("title."+key+".possible", values); n.Audience == ToCustomer && !f.certain && may != "" {
		out.title = may
	}
	var parts []string
	for _, p := range body {
		if s, ok := controlplane.Fill(p, values); ok && s != "" {
			parts = append(parts, s)
		}
	}
	out.text = strings.Join(parts, "\n\n")
	out.own = append(out.own, n.Words, n.LateWhy, f.why, f.ground, f.subject, f.text)
	out.own = append(out.own, f.servers...)
	itself := []string{w.nature(f.kinds), w.measures(f.actions)}
	for _, x := range n.Fields {
		if !neverUnknown(x.Key) && !slices.Contains(itself, x.Value) {
			out.own = append(out.own, x.Value)
		}
	}
	for _, g := range f.grounds {
		out.own = append(out.own, g.server, g.said)
	}
	return out, nil
}

// values are what stands in a notice's template.
func (n Notice) values(w words, f facts) map[string]string {
	v := map[string]string{
		"number": f.number, "company": f.company, "contact": f.contact, "servers": strings.Join(f.servers, ", "), "phase": strconv.Itoa(max(n.Phase, 1)),
		"detected": w.instant(f.detected, f.zone), "known": w.instant(f.known, f.zone), "occurred": w.instant(f.occurred, f.zone), "before": w.instant(f.before, f.zone),
		"words": n.Words, "late": n.lateReasons(), "why": f.why, "ground": f.ground, "until": w.day(f.until, f.zone), "subject": f.subject, "text": f.text,
		"grounds": w.grounds(f), "fields": w.fields(n, f),
	}
	if n.Drill {
		v["drill"] = w.line("drill", nil)
	}
	if f.certain {
		v["sure.certain"] = w.line("sure.certain", nil)
	} else {
		v["sure.possible"] = w.line("sure.possible", nil)
	}
	if f.contained.IsZero() {
		v["open"] = w.line("open", nil)
	} else {
		v["contained"] = w.line("contained", map[string]string{"at": w.instant(f.contained, f.zone)})
	}
	role := f.role
	if !role.Valid() {
		role = RoleUnknown
	}
	v["role."+string(role)] = w.line("role."+string(role), map[string]string{"at": w.instant(f.now.Add(72*time.Hour), f.zone)})
	if f.financial {
		v["dora"] = w.line("dora", nil)
	}
	for k := range w.text {
		if strings.HasPrefix(k, "law.") {
			v[k] = w.line(k, nil)
		}
	}
	return v
}

// lateReasons are why a notice comes late: what was said when it was sent or handed
// in, or what stands in its field.
func (n Notice) lateReasons() string {
	if x := fieldOf(n.Fields, "delay"); n.LateWhy == "" && x != nil && x.Known == IsKnown {
		return x.Value
	}
	return n.LateWhy
}

// fields says each field under its heading. The reasons of a delay stand apart.
func (w words) fields(n Notice, f facts) string {
	var parts []string
	for _, x := range n.Fields {
		if x.Key == "delay" {
			continue
		}
		said := w.field(x, f)
		if x.Key == "contact" {
			said = f.contact
		}
		if said != "" {
			parts = append(parts, w.line("field."+x.Key, nil)+"\n"+said)
		}
	}
	return strings.Join(parts, "\n\n")
}

// field says what is known of a fact.
func (w words) field(x Field, f facts) string {
	switch x.Known {
	case IsKnown:
		return x.Value
	case IsRange:
		key := "range"
		if x.Low == x.High {
			key = "range.same"
		}
		return w.line(key, map[string]string{"low": w.number(x.Low), "high": w.number(x.High)})
	case IsUnknown:
		return w.line("unknown", map[string]string{"at": w.day(x.By, f.zone)})
	}
	return w.line("empty", nil)
}

// number is a number as people read it: 12,000 or 12.000.
func (w words) number(n int64) string {
	s := strconv.FormatInt(n, 10)
	by := ","
	if w.lang == "de" {
		by = "."
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + by + s[i:]
	}
	return s
}

// grounds says why somebody is told of software, one line each.
func (w words) grounds(f facts) string {
	var lines []string
	for _, g := range f.grounds {
		v := map[string]string{"server": g.server, "package": g.software, "version": g.version, "at": w.day(g.seen, f.zone), "ground": g.said}
		key := "ground.told"
		switch {
		case g.said != "":
		case g.software == "":
			key = "ground.silent"
		case g.version == "":
			key = "ground.runs_any"
		default:
			key = "ground.runs"
		}
		if s := w.line(key, v); s != "" {
			lines = append(lines, s)
		}
	}
	return strings.Join(lines, "\n")
}

// nature and measures are what a case says by itself, in no words that anybody
// wrote in it: those may name others.
func (w words) nature(kinds []Kind) string {
	var said []string
	for _, k := range Kinds() {
		if slices.Contains(kinds, k) {
			said = append(said, w.line("kind."+string(k), nil))
		}
	}
	if len(said) == 0 {
		return ""
	}
	list := said[0]
	if last := len(said) - 1; last > 0 {
		list = strings.Join(said[:last], ", ") + " " + w.line("and", nil) + " " + said[last]
	}
	return w.line("nature", map[string]string{"kinds": list})
}

// doneKinds are what may have been done, in the order in which it is told.
func doneKinds() []ActionKind {
	return []ActionKind{ActRevoke, ActLock, ActRotate, ActSnapshot, ActDone}
}

func (w words) measures(actions []ActionKind) string {
	var said []string
	for _, k := range doneKinds() {
		if slices.Contains(actions, k) {
			said = append(said, w.line("act."+string(k), nil))
		}
	}
	return strings.Join(said, "\n")
}
