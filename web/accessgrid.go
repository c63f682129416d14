package web

import (
	"html/template"
	"strings"
)

// gridRows writes the rows of a table; see markup for why no template does.
func gridRows(tx *Text, p *Page, g Grid) template.HTML {
	m := newMarkup(tx, p)
	for _, r := range g.Rows {
		if m.raw("<tr"); r.ID != "" {
			m.raw(` id="`).text(r.ID).raw(`"`)
		}
		m.raw(">")
		for i, c := range r.Cells {
			if i < len(g.Heads) && g.Heads[i] != "" {
				m.raw(`<td data-label="`).text(g.Heads[i]).raw(`">`)
			} else {
				m.raw("<td>")
			}
			if was := len(m.b); i < len(g.Heads) && g.Heads[i] != "" {
				if m.gridCell(c); len(m.b) == was {
					m.soft("–")
				}
			} else {
				m.gridCell(c)
			}
			m.raw("</td>")
		}
		m.raw("</tr>\n")
	}
	return m.html()
}

func (m *markup) gridCell(c Cell) {
	switch label := c.Link.Label; {
	case label == "":
	case c.Away:
		m.away(c.Link)
	case c.Strong && c.Link.Href == "":
		m.raw("<b>").text(label).raw("</b>")
	case c.Strong:
		m.strong(c.Link)
	case c.Code:
		m.raw("<code>").text(label).raw("</code>")
	default:
		m.link(c.Link)
	}
	if c.Link.Label != "" && (c.State.Word != "" || !c.At.IsZero()) {
		m.raw(" ")
	}
	if c.State.Word != "" {
		m.raw(`<span class="state `).text(string(c.State.Tone)).raw(`">`).text(c.State.Word).raw(`</span> `)
	}
	if !c.At.IsZero() {
		m.raw(string(timeTag(moment(m.tx, c.At, m.now, m.at), c.At, m.at)))
	}
	for _, n := range c.Notes {
		if n != "" {
			m.raw(`<p class="soft">`).text(n).raw("</p>")
		}
	}
	if len(c.Acts) > 0 {
		m.raw(`<div class="acts">`)
		for _, a := range c.Acts {
			m.act(a, "plain")
		}
		m.raw("</div>")
	}
	if c.Ask != nil {
		m.ask(*c.Ask)
	}
}

// away leads to somebody else's page, such as a ticket.
func (m *markup) away(l Link) {
	if !strings.HasPrefix(l.Href, "https://") && !strings.HasPrefix(l.Href, "http://") {
		m.text(l.Label)
		return
	}
	m.raw(`<a rel="noreferrer" href="`).text(l.Href).raw(`">`).text(l.Label).raw("</a>")
}

// act is a link, or a form's button with a class.
func (m *markup) act(a Act, class string) {
	if !a.Post {
		m.raw(`<a href="`).address(a.Href).raw(`">`).text(a.Label).raw("</a>")
		return
	}
	m.raw(`<form method="post" action="`).address(a.Href).raw(`"><button class="` + class + `">`).text(a.Label).raw("</button></form>")
}

// ask is a small form with a label, an input and its answers.
func (m *markup) ask(a Ask1) {
	m.raw(`<form class="ask" method="post" action="`).address(a.Action).raw(`"><label for="`).text(a.ID).raw(`">`).text(a.Label).raw(`</label><input id="`).text(a.ID).
		raw(`" name="words" autocomplete="off"><div class="acts"><button class="quiet" name="answer" value="yes">`).text(a.Yes).raw("</button>")
	if a.No != "" {
		m.raw(`<button class="plain" name="answer" value="no">`).text(a.No).raw("</button>")
	}
	m.raw("</div></form>")
}

// formField is a field as its template wants it.
func formField(v paged, f FormField) fieldView {
	out := fieldView{P: v.base(), ID: f.ID, Label: f.Label, Hint: f.Hint, Value: f.Value, Type: f.Type, Rows: f.Rows, Required: !f.Optional, Complete: "off"}
	if out.Type == "" {
		out.Type = "text"
	}
	return out
}
