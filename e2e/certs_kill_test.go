package e2e_test

import (
	"net/http"
	"testing"

	"ostler/e2e/world"
	"ostler/internal/pgtest"
)

// killStep is where in an order the plane is killed: when a request is about to
// reach the authority, or when it has and its answer is on the way.
type killStep struct {
	name  string
	ask   world.Ask
	after bool
}

// killPlane has a certificate issued, kills the plane at a step, and expects one
// order and one certificate in the end. The name is a new one: Pebble sometimes
// takes one for valid that was so before.
func killPlane(t *testing.T, h *labHouse, name string, step killStep) {
	t.Helper()
	h.lab.Faults.Forget()
	reached := h.lab.Faults.Hold(step.ask, step.after)
	x := h.ask(name)
	within(t, step.name, reached)
	h.Plane.Kill()
	h.Passed("plane")
	h.lab.Faults.OpenAll()
	h.StartPlane()
	h.shows(h.maple.CertServed(x.ID, certLimit))
	if got := len(h.maple.CertIssues(x.ID)); got != 1 {
		t.Errorf("%s: attempts: got %d, want 1", step.name, got)
	}
	if got := h.finalized(); got > 1 {
		t.Errorf("%s: certificates: got %d, want 1", step.name, got)
	}
	if got := h.answeredOrders(name); got > 1 && !(step.ask == world.AskNewOrder && step.after) {
		t.Errorf("%s: orders: got %d, want 1", step.name, got)
	}
}

// finalized is how many orders the authority was sent a signing request for,
// and took.
func (h *labHouse) finalized() int {
	paths := map[string]bool{}
	for _, a := range h.lab.Faults.Asked() {
		if a.Ask == world.AskFinalize && a.Status == http.StatusOK {
			paths[a.Path] = true
		}
	}
	return len(paths)
}

// answeredOrders is how many new orders for a name the authority made.
func (h *labHouse) answeredOrders(name string) (n int) {
	for _, a := range h.lab.Faults.Asked() {
		if a.Ask == world.AskNewOrder && a.Status == http.StatusCreated {
			n++
		}
	}
	return n
}

// The plane is killed in the middle of an order: the next one goes on with the
// same order.
func TestPlaneKilledInOrder(t *testing.T) {
	t.Parallel()
	h := newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), "a.example", "b.example")
	for _, step := range []struct {
		site string
		killStep
	}{
		{"a.example", killStep{"before the names are looked at", world.AskAuthz, false}},
		{"b.example", killStep{"after the signing request", world.AskFinalize, true}},
	} {
		h.Step(t, step.name, func(t *testing.T) { killPlane(t, h, step.site, step.killStep) })
	}
}

// Two planes on one database make one order for each certificate.
func TestTwoReplicasOneOrder(t *testing.T) {
	t.Parallel()
	sites := []string{"a.example", "b.example", "c.example", "d.example", "e.example", "f.example"}
	h := newLabHouse(t, pgtest.URL(t), world.NewLab(t, world.LabOptions{}), sites...)
	live := h.lab.NewLive(t, h.host, h.lab.Address())
	h.StartReplica("second")
	var all []world.Cert
	for _, s := range sites {
		h.lab.Point([]string{s}, h.web.Addr)
		all = append(all, h.maple.AddCert(world.NewCert{Tenancy: h.tenancy, Names: []string{s}, Endpoints: []string{live.Endpoint}}))
	}
	for i, x := range all {
		h.maple.CertServed(x.ID, certLimit)
		if got := h.orders(sites[i]); got != 1 {
			t.Errorf("%s: orders: got %d, want 1", sites[i], got)
		}
		if got := len(h.maple.CertIssues(x.ID)); got != 1 {
			t.Errorf("%s: attempts: got %d, want 1", sites[i], got)
		}
	}
	if got := h.lab.Faults.Count("", world.AskAccount); got > 2 {
		t.Errorf("accounts asked for: got %d, want 1 (and one look at most)", got)
	}
}
