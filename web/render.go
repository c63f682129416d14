// Package web is the portal: one file for each page, which turns a slice's
// answer into a page struct and renders it. It keeps true that every page says
// its sentence first, that no headline is better than the worst open fact,
// that everything can be read and sent without JavaScript, and that nothing on
// a page breaks its Content-Security-Policy.
package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/url"
	"path"
	"strings"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

// ContentSecurityPolicy is sent with every answer: no inline script or style,
// nothing from elsewhere, no framing.
const ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Renderer turns page structs into HTML.
type Renderer struct {
	text   *Text
	pages  map[string]*template.Template
	assets map[string]Asset
}

// NewRenderer parses the templates for a language ("en").
func NewRenderer(lang string) (*Renderer, error) {
	text, err := LoadText(lang)
	if err != nil {
		return nil, err
	}
	assets, err := loadAssets()
	if err != nil {
		return nil, err
	}
	r := &Renderer{text: text, assets: assets, pages: map[string]*template.Template{}}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("web: templates: %w", err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(path.Base(f), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		t, err := template.New("layout").Funcs(r.funcs()).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", f)
		if err != nil {
			return nil, fmt.Errorf("web: template %s: %w", name, err)
		}
		r.pages[name] = t
	}
	return r, nil
}

// Text returns the renderer's texts.
func (r *Renderer) Text() *Text { return r.text }

// Asset returns a static file by its name below /static/.
func (r *Renderer) Asset(name string) (Asset, bool) { a, ok := r.assets[name]; return a, ok }

// Render writes v as a whole page; where it fails nothing is written.
func (r *Renderer) Render(w io.Writer, v View) error {
	t, ok := r.pages[v.Template()]
	if !ok {
		return fmt.Errorf("web: render: no template %q", v.Template())
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", v); err != nil {
		return fmt.Errorf("web: render %s: %w", v.Template(), err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("web: render %s: %w", v.Template(), err)
	}
	return nil
}

type navItem struct{ Filter }

// topicsQuery writes the topics of a live page for the address of its stream.
func topicsQuery(topics []string) template.URL {
	return template.URL(url.Values{"topic": topics}.Encode()) //nolint:gosec // encoded
}

// paged is a page or anything that embeds one.
type paged interface{ base() *Page }

// part is a part's data together with the page around it.
type part struct {
	P *Page
	V any
}

func (r *Renderer) funcs() template.FuncMap {
	tx := r.text
	return template.FuncMap{
		"t":      tx.T,
		"lang":   func() string { return tx.Lang },
		"part":   func(p paged, v any) part { return part{p.base(), v} },
		"asset":  r.assetPath,
		"icon":   r.icon,
		"topics": topicsQuery,
		"navitem": func(current, key, href, label string) navItem {
			return navItem{Filter{Label: label, Href: href, Current: current == key}}
		},
		"zonename": func(v paged) string { return v.base().zone().String() },
		"bytes":    Bytes,
		"n":        group,
		"count":    func(n int) string { return group(int64(n)) },
		"name":     NameParts,
		"plain":    PlainName,
		"span":     func(d time.Duration) string { return span(tx, d) },
		"offset":   offset,
		"good":     func(w string) State { return State{ToneGood, w} },
		"warn":     func(w string) State { return State{ToneWarn, w} },
		"bad":      func(w string) State { return State{ToneBad, w} },
		"none":     func(w string) State { return State{ToneUnknown, w} },
		"busy":     func(w string) State { return State{ToneBusy, w} },
		"field":    newField,
		"selectof": func(id, label, hint string, options []Choice) selectView { return selectView{id, label, hint, options} },
		"strip":    func(c Calendar) stripView { return stripOf(tx, c) },
		"ago": func(v paged, t time.Time) template.HTML {
			p := v.base()
			return timeTag(ago(tx, t, p.Now, p.zone()), t, p.zone())
		},
		"moment": func(v paged, t time.Time) template.HTML {
			p := v.base()
			return timeTag(moment(tx, t, p.Now, p.zone()), t, p.zone())
		},
		"day": func(v paged, t time.Time) string { p := v.base(); return day(tx, t, p.Now, p.zone()) },
		"clock": func(v paged, t time.Time) template.HTML {
			z := v.base().zone()
			return timeTag(t.In(z).Format("15:04"), t, z)
		},
		"needline":    func(v paged, n Need) template.HTML { return needLine(tx, v.base(), n) },
		"eventline":   func(v paged, e Event) template.HTML { return eventLine(tx, v.base(), e) },
		"serverrow":   func(v paged, r ServerRow) template.HTML { return serverRow(tx, v.base(), r) },
		"customerrow": func(v paged, r CustomerRow) template.HTML { return customerRow(tx, v.base(), r) },
		"gridrows":    func(v paged, g Grid) template.HTML { return gridRows(tx, v.base(), g) },
		"matrixrow":   func(v paged, r MatrixRow) template.HTML { return matrixRow(tx, v.base(), r) },
		"formfield":   formField,
		"days":        func(v paged, events []Event) []eventDay { return byDay(events, v.base().zone()) },
	}
}

// assetPath is the address of a static file with its hash, so that it can be
// cached for ever; "" where the file is not there (a clone without make web).
func (r *Renderer) assetPath(name string) string {
	a, ok := r.assets[name]
	if !ok {
		return ""
	}
	return "/static/" + name + "?v=" + a.Hash
}

// icon is one drawing of the sprite, hidden from screen readers: words stand
// beside it.
func (r *Renderer) icon(name string) template.HTML {
	src := r.assetPath("vendor/icons.svg")
	if src == "" {
		return ""
	}
	return template.HTML(`<svg class="icon" aria-hidden="true" focusable="false"><use href="` + src + `#` + template.HTMLEscapeString(name) + `"/></svg>`) //nolint:gosec // no outside input
}

// selectView is a choice of one among several, with its label and hint.
type selectView struct {
	ID, Label, Hint string
	Options         []Choice
}

// fieldView is one input of a form with its label, hint and error.
type fieldView struct {
	P           *Page
	ID, Label   string
	Hint, Value string
	Type        string // of the input
	Complete    string // autocomplete
	Rows        int    // of a text area; 0 is an input
	Required    bool
}

// newField makes a field from a page, an id, a label, and pairs of option and value.
func newField(v paged, id, label string, pairs ...any) (fieldView, error) {
	f := fieldView{P: v.base(), ID: id, Label: label, Type: "text", Required: true}
	for i := 0; i+1 < len(pairs); i += 2 {
		s := fmt.Sprint(pairs[i+1])
		switch pairs[i] {
		case "hint":
			f.Hint = s
		case "value":
			f.Value = s
		case "type":
			f.Type = s
		case "complete":
			f.Complete = s
		case "rows":
			_, _ = fmt.Sscan(s, &f.Rows)
		case "optional":
			f.Required = false
		default:
			return f, fmt.Errorf("web: field %s: unknown option %v", id, pairs[i])
		}
	}
	return f, nil
}
