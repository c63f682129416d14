package web

import (
	"html/template"
	"strings"
	"time"
)

// Rows of long lists are written here, not by a template: a page has fifty of
// them with as many places each, and each place in a template costs half a
// microsecond. Everything that is not a constant goes through text.
type markup struct {
	tx  *Text
	now time.Time
	at  *time.Location
	b   []byte
}

func (m *markup) raw(s string) *markup { m.b = append(m.b, s...); return m }

func (m *markup) text(s string) *markup { return m.raw(template.HTMLEscapeString(s)) }

// cell begins a cell; label is its column's, for narrow screens.
func (m *markup) cell(label string, numeric bool) *markup {
	m.raw(`<td data-label="`).text(m.tx.T(label))
	if numeric {
		return m.raw(`" class="num">`)
	}
	return m.raw(`">`)
}

// link leads to one of our own pages.
func (m *markup) link(l Link) *markup {
	if l.Href == "" {
		return m.text(l.Label)
	}
	return m.raw(`<a href="`).address(l.Href).raw(`">`).text(l.Label).raw(`</a>`)
}

func (m *markup) strong(l Link) *markup {
	return m.raw(`<a href="`).address(l.Href).raw(`"><b>`).text(l.Label).raw(`</b></a>`)
}

// address is one of our own; any other leads nowhere.
func (m *markup) address(href string) *markup {
	if !strings.HasPrefix(href, "/") || strings.HasPrefix(href, "//") {
		href = "#"
	}
	return m.text(href)
}

func (m *markup) soft(s string) *markup { return m.raw(`<span class="soft">`).text(s).raw(`</span>`) }

func (m *markup) state(s State, since time.Time) *markup {
	if s.Word != "" {
		m.raw(`<span class="state `).text(string(s.Tone)).raw(`">`).text(s.Word).raw(`</span>`)
	}
	if !since.IsZero() {
		m.raw(` <span class="soft">`).raw(string(timeTag(ago(m.tx, since, m.now, m.at), since, m.at))).raw(`</span>`)
	}
	return m
}

func newMarkup(tx *Text, p *Page) *markup {
	return &markup{tx: tx, now: p.Now, at: p.zone(), b: make([]byte, 0, 1024)}
}

func (m *markup) html() template.HTML { return template.HTML(m.b) } //nolint:gosec // all but constants was escaped

// eventLine is one line of a timeline.
func eventLine(tx *Text, p *Page, e Event) template.HTML {
	m := newMarkup(tx, p).raw("<li")
	if e.Tone != "" {
		m.raw(` class="`).text(string(e.Tone)).raw(`"`)
	}
	clock := string(timeTag(e.At.In(m.at).Format("15:04"), e.At, m.at))
	if e.Href != "" {
		m.raw(`><a class="at" href="`).address(e.Href).raw(`">`).raw(clock).raw("</a><div>")
	} else {
		m.raw(">").raw(clock).raw("<div>")
	}
	m.text(e.Text)
	if e.WhoHref != "" {
		m.raw(` <a class="by" href="`).address(e.WhoHref).raw(`">`).text(e.Who).raw("</a>")
	} else if e.Who != "" {
		m.raw(` <span class="by">`).text(e.Who).raw("</span>")
	}
	if e.Link.Href != "" {
		m.raw(" ").link(e.Link)
	}
	if e.Detail != "" {
		m.raw(`<p class="soft">`).text(e.Detail).raw("</p>")
	}
	return m.raw("</div></li>").html()
}

// needLine is one line of what needs a person.
func needLine(tx *Text, p *Page, n Need) template.HTML {
	quiet := ` class="quiet"`
	m := newMarkup(tx, p).raw("<li")
	if n.Strong {
		m.raw(` class="first"`)
		quiet = ""
	}
	m.raw(">").state(n.State, time.Time{}).raw("\n<div><h3>").text(n.Title).raw("</h3>")
	if n.Cause != "" {
		m.raw("<p>").text(n.Cause).raw("</p>")
	}
	m.raw("\n" + `<p class="meta">`)
	if n.Where.Label != "" {
		m.link(n.Where)
	}
	if !n.Since.IsZero() {
		m.raw("<span>").text(tx.T("need.since")).raw(" ").raw(string(timeTag(ago(tx, n.Since, m.now, m.at), n.Since, m.at))).raw("</span>")
	}
	if n.Count > 1 {
		m.raw("<span>").text(tx.T("need.count", "n", n.Count)).raw("</span>")
	}
	if n.Also.Href != "" {
		m.link(n.Also)
	}
	m.raw("</p></div>\n")
	switch {
	case n.Action.Href == "":
	case n.Post:
		m.raw(`<form method="post" action="`).address(n.Action.Href).raw(`"><button` + quiet + `>`).text(n.Action.Label).raw("</button></form>")
	case n.Strong:
		m.raw(`<a class="act" href="`).address(n.Action.Href).raw(`">`).text(n.Action.Label).raw("</a>")
	default:
		m.raw(`<a class="act quiet" href="`).address(n.Action.Href).raw(`">`).text(n.Action.Label).raw("</a>")
	}
	return m.raw("</li>").html()
}

// serverRow is one row of the list of servers.
func serverRow(tx *Text, p *Page, r ServerRow) template.HTML {
	m := newMarkup(tx, p).raw("<tr>").cell("col.server", false).strong(Link{r.Name, r.Href}).raw(" ").soft(r.Location).raw("</td>\n").
		cell("col.state", false).state(r.State, r.Seen).raw("</td>\n").cell("col.customers", false)
	for i, c := range r.Customers {
		if i > 0 {
			m.raw(", ")
		}
		m.link(c)
	}
	if len(r.Customers) == 0 {
		m.soft(tx.T("servers.no_customer"))
	}
	m.raw("</td>\n").cell("col.latest_backup", false).state(r.Backup, r.BackupAt).raw("</td>\n").cell("col.findings", true)
	if r.Findings > 0 {
		m.raw("<b>").text(group(int64(r.Findings))).raw("</b>")
	} else {
		m.soft("0")
	}
	return m.raw("</td></tr>").html()
}

// customerRow is one row of the list of customers.
func customerRow(tx *Text, p *Page, r CustomerRow) template.HTML {
	m := newMarkup(tx, p).raw("<tr>").cell("col.customer", false).strong(Link{r.Name, r.Href}).raw("</td>").
		cell("col.state", false).state(r.State, time.Time{}).raw("</td>").cell("col.parent", false)
	if r.Parent.Label != "" {
		m.link(r.Parent)
	} else {
		m.soft("–")
	}
	return m.raw("</td>").cell("col.servers", true).text(group(int64(r.Servers))).raw("</td>").
		cell("col.since", false).text(day(tx, r.Since, p.Now, p.zone())).raw("</td></tr>").html()
}
