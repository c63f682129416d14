package server_test

import (
	"net/http"
	"strings"
	"testing"

	"ostler/controlplane/server"
)

// The ledger tells whoever reads it what happened; what a file or a person is
// called it tells only to those who may see that elsewhere.
func TestLedgerHidesWhatTheReaderMayNotSee(t *testing.T) {
	w := newWorld(t)
	o := w.newTenant("Mine") // its restore is of a file report.ods; its contact is Kim Sample
	if _, err := w.ledger.Sequence(w.ctx); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		who          string
		file, person bool
		bundle       int
	}{
		{"mine-owner", true, true, http.StatusOK},
		{"mine-restorer", true, false, http.StatusOK},
		{"mine-reader", false, false, http.StatusForbidden},
		{"admin", false, true, http.StatusForbidden},
	} {
		a := w.call(tt.who, "GET", server.Base+"/ledger?page_size=200&customer="+o.customer.ID, "")
		if a.status != http.StatusOK || strings.Contains(a.body, "report.ods") != tt.file || strings.Contains(a.body, "Kim Sample") != tt.person {
			t.Errorf("%s: got %d, file %v, person %v, want %v, %v", tt.who, a.status, strings.Contains(a.body, "report.ods"), strings.Contains(a.body, "Kim Sample"), tt.file, tt.person)
		}
		if !tt.file && !strings.Contains(a.body, `"hidden":["path"]`) {
			t.Errorf("%s: nothing says that the path is hidden", tt.who)
		}
		if a := w.call(tt.who, "GET", server.Base+"/ledger-bundle?personal=true&customer="+o.customer.ID, ""); a.status != tt.bundle {
			t.Errorf("%s: bundle with personal values: got %d, want %d", tt.who, a.status, tt.bundle)
		}
	}
}
