package web_test

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
)

var (
	rowName  = regexp.MustCompile(`<tr><td data-label="[^"]*"><a href="[^"]*"><b>([^<]*)</b>`)
	nextPage = regexp.MustCompile(`<a href="([^"]*)" rel="next">`)
)

// leaf follows a list from an address to its end and returns its rows.
func (p *person) leaf(path string) (rows []string, pages int) {
	p.h.t.Helper()
	for path != "" && pages < 20 {
		body := p.page(path)
		for _, m := range rowName.FindAllStringSubmatch(body, -1) {
			rows = append(rows, m[1])
		}
		path, pages = "", pages+1
		if m := nextPage.FindStringSubmatch(body); m != nil {
			path = html.UnescapeString(m[1])
		}
	}
	return rows, pages
}

// A list leads through all its rows, each once: those about which something is
// open first, worst first, and then the others by name.
func TestListsLeadThroughAll(t *testing.T) {
	h := newSQLite(t)
	ada := h.browser(h.admin.ID)
	const n = 120
	var servers, owners []string
	for i := range n {
		servers = append(servers, ok[customers.Server](t)(h.customers.CreateServer(h.ctx, all, customers.NewServer{Name: fmt.Sprintf("s-%03d", i), Country: "DE"})).ID)
		owners = append(owners, ok[customers.Customer](t)(h.customers.CreateCustomer(h.ctx, all, customers.NewCustomer{Name: fmt.Sprintf("C %03d", i), Country: "DE", Zone: "Europe/Berlin"})).ID)
	}
	connect := func(i int) string {
		return fmt.Sprintf(`INSERT INTO presence (server, agent, epoch, connected, replica, instance, superseded, boot_id, machine_id, version, actions, seal_key,
			connected_at, disconnected_at, heard_at, skew_ms, disk_free, disk_size, silent_at, skewed_at, frozen_at) VALUES ('%s', 'agt_%d', 1, 1, 'one', 'i', '', 'b', 'm', '1', '[]', x'01', 1, 0, 1, 0, 1, 1, 0, 0, 0)`, servers[i], i)
	}
	if err := h.d.Write(h.ctx, func(tx *db.Tx) error {
		for i := range n {
			if i != 70 { // that one is not enrolled
				if err := tx.Exec(connect(i)).Error; err != nil {
					return err
				}
			}
		}
		if err := tx.Exec("UPDATE presence SET connected = 0, silent_at = 1 WHERE server = ?", servers[30]).Error; err != nil {
			return err
		}
		return h.findings.Raise(tx, findings.Finding{Key: "x", Customer: owners[99], Server: servers[99], Subject: "pln_x", Kind: findings.BackupFailed, Severity: findings.Bad, Owner: findings.Ops, Args: map[string]string{"server": "s-099"}})
	}); err != nil {
		t.Fatal(err)
	}
	got, pages := ada.leaf("/servers")
	if len(got) != n+2 || pages != 3 || len(slices.Compact(slices.Sorted(slices.Values(got)))) != n+2 {
		t.Errorf("servers: %d rows on %d pages", len(got), pages)
	}
	if want := "[s-099 s-030"; !strings.HasPrefix(fmt.Sprint(got), want) || !slices.IsSorted(got[5:]) {
		t.Errorf("servers: the order is %v", got[:10])
	}
	got, pages = ada.leaf("/customers")
	if len(got) != n+2 || pages != 3 || got[0] != "C 099" || len(slices.Compact(slices.Sorted(slices.Values(got)))) != n+2 {
		t.Errorf("customers: %d rows on %d pages, first %v", len(got), pages, got[:3])
	}
	for path, want := range map[string]string{
		"/servers?state=silent": "[s-030]", "/servers?state=missing&q=S-07": "[s-070]", "/servers?state=connected&q=s-03": "[s-031 s-032 s-033 s-034 s-035 s-036 s-037 s-038 s-039]",
		"/servers?q=s-11": "[s-110 s-111 s-112 s-113 s-114 s-115 s-116 s-117 s-118 s-119]", "/servers?state=open&q=s-": "[s-099 s-030 s-070]", "/servers?q=zebra": "[]",
		"/customers?q=c+11": "[C 110 C 111 C 112 C 113 C 114 C 115 C 116 C 117 C 118 C 119]", "/customers?q=C-09&state=open": "[C 099]", "/customers?q=zebra": "[]", "/servers?state=silent&from=7": "[]",
	} {
		if got, _ := ada.leaf(path); fmt.Sprint(got) != want {
			t.Errorf("%s: got %v, want %s", path, got, want)
		}
	}
	body := ada.page("/servers?q=s-0")
	for _, want := range []string{`All <span class="soft">100</span>`, `Connected <span class="soft">98</span>`, `Silent <span class="soft">1</span>`, `Never heard of <span class="soft">1</span>`, `Needs attention <span class="soft">3</span>`, "122 servers are looked after; 1 silent."} {
		if !strings.Contains(body, want) {
			t.Errorf("the choices do not say %q: %s", want, between(body, `class="filters"`, "</nav>"))
		}
	}
	if body := ada.page("/servers?state=silent&q=s"); !strings.Contains(body, `<input type="hidden" name="state" value="silent">`) {
		t.Error("another name would lose the choice")
	}
}
