package web

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
)

// Sizes of a page of A4, across, in millimetres.
const (
	pdfWidth  = 297.0
	pdfHeight = 210.0
	pdfEdge   = 12.0
	pdfLine   = 4.2
)

// accessPDF is a list as a document, made of the same rows as its page.
func (p *Portal) accessPDF(v *visit) error {
	x, err := v.exported()
	if err != nil {
		return err
	}
	body, err := v.listPDF(x)
	if err != nil {
		return err
	}
	return v.attachment(x.name()+".pdf", "application/pdf", body)
}

// listPDF lays a list out. The same list at the same instant is the same bytes.
func (v *visit) listPDF(x listExport) ([]byte, error) {
	d := fpdf.New("L", "mm", "A4", "")
	d.SetCreationDate(x.written)
	d.SetModificationDate(x.written)
	d.SetCatalogSort(true)
	d.SetMargins(pdfEdge, pdfEdge, pdfEdge)
	d.SetAutoPageBreak(false, pdfEdge)
	d.AddUTF8FontFromBytes("go", "", goregular.TTF)
	d.AddUTF8FontFromBytes("go", "B", gobold.TTF)
	d.SetTitle(printable(x.c.Name+": "+v.t("access.title")), true)
	d.SetLang(v.p.tx.Lang)
	d.SetFooterFunc(func() {
		d.SetY(pdfHeight - pdfEdge + 2)
		d.SetFont("go", "", 7)
		d.SetTextColor(90, 90, 90)
		d.CellFormat(0, 4, printable(v.t("export.foot", "at", stampOf(x.list.At), "known", stampOf(x.list.KnownAt), "log", x.log.Origin, "n", x.log.Size, "page", d.PageNo())), "", 0, "L", false, 0, "")
	})
	d.AddPage()
	pdfText(d, "B", 14, x.say)
	pdfText(d, "", 9, x.c.Name+". "+x.sub)
	pdfText(d, "", 9, v.t("export.position", "log", x.log.Origin, "n", x.log.Size, "root", x.log.Root.String()))
	for _, s := range x.groups {
		pdfSection(d, s, v)
	}
	var b bytes.Buffer
	if err := d.Output(&b); err != nil {
		return nil, fmt.Errorf("web: pdf: %w", err)
	}
	return b.Bytes(), nil
}

func pdfText(d *fpdf.Fpdf, style string, size float64, s string) {
	d.SetFont("go", style, size)
	d.SetTextColor(20, 20, 20)
	d.MultiCell(0, size*0.5, printable(s), "", "L", false)
	d.Ln(1)
}

// pdfSection is one table of the page: its heads again on every sheet.
func pdfSection(d *fpdf.Fpdf, s Section, v *visit) {
	d.Ln(3)
	pdfRoom(d, 24, nil)
	pdfText(d, "B", 11, s.Title)
	if len(s.Grid.Rows) == 0 {
		pdfText(d, "", 9, s.Empty)
		return
	}
	n := len(s.Grid.Heads)
	width := (pdfWidth - 2*pdfEdge) / float64(n)
	heads := func() { pdfRow(d, width, s.Grid.Heads, "B") }
	heads()
	for _, r := range s.Grid.Rows {
		var cells []string
		for _, c := range r.Cells {
			cells = append(cells, v.cellText(c))
		}
		pdfRoom(d, pdfTall(d, width, cells), heads)
		pdfRow(d, width, cells, "")
	}
}

// pdfRoom begins a new sheet where this one has no room left.
func pdfRoom(d *fpdf.Fpdf, tall float64, heads func()) {
	if d.GetY()+tall <= pdfHeight-pdfEdge-2 {
		return
	}
	if d.AddPage(); heads != nil {
		heads()
	}
}

func pdfTall(d *fpdf.Fpdf, width float64, cells []string) float64 {
	d.SetFont("go", "", 8)
	most := 1
	for _, c := range cells {
		most = max(most, len(d.SplitText(printable(c), width-2)))
	}
	return float64(most)*pdfLine + 1.5
}

func pdfRow(d *fpdf.Fpdf, width float64, cells []string, style string) {
	tall, y := pdfTall(d, width, cells), d.GetY()
	d.SetFont("go", style, 8)
	d.SetTextColor(20, 20, 20)
	for i, c := range cells {
		d.SetXY(pdfEdge+float64(i)*width, y+0.5)
		d.MultiCell(width-1, pdfLine, printable(c), "", "L", false)
	}
	d.SetDrawColor(200, 200, 200)
	d.Line(pdfEdge, y+tall, pdfWidth-pdfEdge, y+tall)
	d.SetXY(pdfEdge, y+tall)
}

// cellText is a cell without a page around it.
func (v *visit) cellText(c Cell) string {
	var parts []string
	if c.Link.Label != "" {
		parts = append(parts, c.Link.Label)
	}
	if c.State.Word != "" {
		parts = append(parts, c.State.Word)
	}
	if !c.At.IsZero() {
		parts = append(parts, c.At.In(v.zone).Format("2006-01-02 15:04"))
	}
	for _, n := range c.Notes {
		if n != "" {
			parts = append(parts, n)
		}
	}
	return strings.Join(parts, "\n")
}

// printable writes what the document's letters do not have as their numbers,
// so that nothing is left out in silence: they have Latin, Greek and Cyrillic.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n', unicode.IsPrint(r) && (r < 0x250 || r >= 0x370 && r < 0x500 || r >= 0x1e00 && r < 0x1f00 || r >= 0x2010 && r < 0x2040 && r != 0x202f):
			b.WriteRune(r)
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		default:
			fmt.Fprintf(&b, "[U+%04X]", r)
		}
	}
	return b.String()
}
