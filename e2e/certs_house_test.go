package e2e_test

import (
	"crypto/x509"
	"testing"
	"time"

	"ostler/e2e/world"
	"ostler/internal/acmelab"
	"ostler/internal/pgtest"
)

// certLimit is how long one certificate may take on a machine that is very busy.
const certLimit = 3 * time.Minute

// labHouse is a world with an authority and one customer on one host with a web
// server at two addresses.
type labHouse struct {
	*world.World
	lab     *world.Lab
	maple   *world.Customer
	host    *world.Host
	web     *world.Web
	tenancy string
	ca      string
}

// newLabHouse makes such a world; sites are the names that the customer may
// have certificates for.
func newLabHouse(t *testing.T, database string, lab *world.Lab, sites ...string) *labHouse {
	t.Helper()
	h := bareLabHouse(t, database, lab, sites...)
	h.ca = h.AddAuthority("Test authority", "primary", "default")
	return h
}

// bareLabHouse is one whose plane does not know the authority yet.
func bareLabHouse(t *testing.T, database string, lab *world.Lab, sites ...string) *labHouse {
	t.Helper()
	h := &labHouse{lab: lab, World: world.New(t, world.Options{Database: database, Lab: lab})}
	h.maple = h.AddCustomers("maple")[0]
	h.web = lab.NewWeb(lab.Address(), lab.Address())
	h.host = h.AddHost("maple-1", lab.HostConfig(h.web)...)
	h.tenancy = h.AddTenancy(h.maple, h.host, "/srv/maple", sites...)
	return h
}

// eachLabHouse runs a test on SQLite, and on PostgreSQL unless -short.
func eachLabHouse(t *testing.T, sites []string, test func(t *testing.T, h *labHouse)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newLabHouse(t, "", world.NewLab(t, world.LabOptions{}), sites...))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, newLabHouse(t, pgtest.URL(t), world.NewLab(t, world.LabOptions{}), sites...))
	})
}

// ask has names looked after and served by the web server, and does not wait.
func (h *labHouse) ask(names ...string) world.Cert {
	h.T.Helper()
	h.site(names...)
	return h.maple.AddCert(world.NewCert{Tenancy: h.tenancy, Names: names, Services: []string{"nginx"}, Endpoints: h.web.Listen})
}

// site points names at the web server and has it serve them with what is going
// to be in the certificate's folder.
func (h *labHouse) site(names ...string) {
	h.T.Helper()
	h.lab.Point(names, h.web.Addr)
	live := h.host.Live(world.Cert{Folder: names[0]})
	if err := h.web.Put(acmelab.Site{Name: names[0], Names: names, Cert: live + "/fullchain.pem", Key: live + "/privkey.pem", Text: "the site " + names[0]}); err != nil {
		h.T.Fatal(err)
	}
}

// served has names looked after and waits until they are served.
func (h *labHouse) served(names ...string) world.Cert {
	h.T.Helper()
	x := h.maple.CertServed(h.ask(names...).ID, certLimit)
	h.shows(x)
	return x
}

// shows expects every address to serve what is installed for a certificate, and
// the authority's roots to vouch for it.
func (h *labHouse) shows(x world.Cert) {
	h.T.Helper()
	for _, addr := range h.web.Listen {
		for _, n := range x.Names {
			if got := world.Leaf(addr, n); got != x.Issued.Leaf {
				h.T.Errorf("%s at %s: served %.12s, want %.12s", n, addr, got, x.Issued.Leaf)
			}
			if err := h.lab.Trusted(addr, n); err != nil {
				h.T.Error(err)
			}
		}
	}
}

// soon has the plane ask the authority about a certificate's renewal when it is
// next started; the plane is stopped and started again.
func (h *labHouse) soon(x world.Cert) {
	h.T.Helper()
	h.Plane.Stop()
	h.Exec("UPDATE certificates SET poll_at = 1, due_at = 1 WHERE id = "+h.Arg(1), x.ID)
	h.StartPlane()
}

// wanted has the authority say that a certificate is to be renewed now, and the
// plane ask it.
func (h *labHouse) wanted(x world.Cert, explanation string) {
	h.T.Helper()
	h.lab.RenewNow(h.host.LeafPEM(x), explanation)
	h.soon(x)
	world.Eventually(h.T, "the plane knows the authority's wish", certLimit, func() bool {
		r := h.maple.Cert(x.ID).Renewal
		return len(h.maple.CertIssues(x.ID)) > 1 || r != nil && r.From == "ari" && r.Explanation == explanation
	})
}

// again waits until there are n attempts at a certificate and the newest is over.
func (h *labHouse) again(x world.Cert, n int) world.CertIssue {
	h.T.Helper()
	world.Eventually(h.T, "there is another attempt", certLimit, func() bool { return len(h.maple.CertIssues(x.ID)) >= n })
	return h.maple.CertOver(x.ID, certLimit)
}

// orders is how many orders for a name have reached the authority.
func (h *labHouse) orders(name string) int {
	return h.lab.Faults.Count(`"`+name+`"`, world.AskNewOrder)
}

// chain is what the web server shows for a name.
func (h *labHouse) chain(name string) []*x509.Certificate {
	h.T.Helper()
	chain := world.Shown(h.web.Endpoint(), name)
	if len(chain) == 0 {
		h.T.Fatalf("%s: no handshake at %s", name, h.web.Endpoint())
	}
	return chain
}

// why expects an attempt to have failed for a reason, told in plain words.
func (h *labHouse) why(where string, i world.CertIssue, state, code string) {
	h.T.Helper()
	if i.State != state || i.Why == nil {
		h.T.Fatalf("%s: got %s %+v, want %s for %s", where, i.State, i.Why, state, code)
	}
	if code != "" && i.Why.Code != code {
		h.T.Errorf("%s: code: got %s (%s), want %s", where, i.Why.Code, i.Why.Detail, code)
	}
	if len(i.Why.Message) < 20 {
		h.T.Errorf("%s: %s says %q: not in plain words", where, i.Why.Code, i.Why.Message)
	}
}
