//go:build slow

package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	staffs "ostler/controlplane/identity"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/mail/mailtest"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
	"ostler/controlplane/teleport"
	"ostler/controlplane/teleport/teleporttest"
	"ostler/e2e/world"
	"ostler/internal/pgtest"
)

const (
	// leaveLists is of how many customers somebody stands on the list who leaves.
	leaveLists = 2000
	// leaveLimit is how long anything may take on a machine that is very busy.
	leaveLimit = 15 * time.Minute
)

// A person leaves 2,000 customers, and the plane is killed at any instant of it,
// again and again: in the end they are on no list, their role reaches nobody, the
// lock is in force, and each customer was told once.
func TestSlowLeaveKilled(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func(testing.TB) string{"sqlite": func(testing.TB) string { return "" }, "postgres": pgtest.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newLeaveHouse(t, database(t))
			seed := uint64(time.Now().UnixNano())
			r := rand.New(rand.NewPCG(seed, 1))
			t.Logf("killed at instants of seed %d", seed)
			left := make(chan bool, 1)
			go func() { left <- h.leave() }()
			for kill := 0; kill < 8; kill++ {
				time.Sleep(time.Duration(50+r.IntN(2500)) * time.Millisecond) // where in the work, is what is random
				h.Plane.Kill()
				done := left != nil && <-left
				h.StartPlane()
				if done {
					left = nil
				} else if left != nil { // it was killed before it was said
					go func() { left <- h.leave() }()
				}
			}
			if left != nil && !<-left {
				world.Eventually(t, "the leave is taken", leaveLimit, h.leave)
			}
			h.told()
			h.out()
		})
	}
}

// leaveHouse is a plane with very many customers, each with one contact, and one
// person on all of their lists.
type leaveHouse struct {
	*world.World
	cluster *teleporttest.Cluster
	client  *teleport.Client
	sink    *mailtest.Sink
	person  string
	lists   []string // customers
}

func newLeaveHouse(t *testing.T, database string) *leaveHouse {
	t.Helper()
	cluster, enforced := world.Teleport(t)
	sink, letters := world.MailServer(t)
	h := &leaveHouse{cluster: cluster, sink: sink, World: world.New(t, world.Options{Database: database, Config: enforced + letters})}
	file, err := cluster.IdentityFile(t.TempDir(), "test", 24*time.Hour, teleporttest.RoleReader, teleporttest.RoleEnforcer)
	if err != nil {
		t.Fatal(err)
	}
	if h.client, err = teleport.Open(teleport.Options{Addr: cluster.Addr(), IdentityFile: file, DialTimeout: time.Minute, CallTimeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.client.Close() })
	if err := cluster.PutUser("tomas"); err != nil {
		t.Fatal(err)
	}
	h.Plane.Stop()
	start := time.Now()
	h.fill()
	t.Logf("filled in %s", time.Since(start).Round(time.Second))
	h.StartPlane()
	world.Eventually(t, "their role reaches every customer", leaveLimit, func() bool { return len(h.role().Allow.NodeLabels["customer"]) == leaveLists })
	return h
}

// fill stores what 2,000 calls each would, while no plane runs: nobody is told of
// how the lists came to be.
func (h *leaveHouse) fill() {
	h.T.Helper()
	must := func(err error) {
		h.T.Helper()
		if err != nil {
			h.T.Fatal(err)
		}
	}
	ctx := controlplane.System(h.T.Context(), "a test")
	url := h.Database()
	d, err := db.Open(ctx, db.Options{URL: url})
	must(err)
	defer func() { must(d.Close()) }()
	keeper, err := secrets.OpenFile(ctx, d, filepath.Join(h.Dir, "plane", "keyring"))
	must(err)
	log, err := ledger.New(d, keeper, ledger.Options{Origin: "ostler.internal/ledger"})
	must(err)
	people := customers.New(d, keeper, log)
	staff, err := staffs.New(ctx, d, keeper, log, people, staffs.Options{})
	must(err)
	lists, err := access.New(access.Deps{DB: d, Keeper: keeper, Ledger: log, Jobs: jobs.New(d, keeper, nil, jobs.Options{}), Findings: findings.New(d, keeper, log, nil), Customers: people, Identity: staff}, access.Options{Batch: time.Hour, Tick: 100 * time.Millisecond})
	must(err)
	all := policy.AllCustomers("a test")
	tomas, err := lists.AddPerson(ctx, all, access.NewPerson{Kind: access.KindContractor, Name: "Tomas Berg", Company: "Night GmbH", TeleportUsers: []string{"tomas"}})
	must(err)
	h.person = tomas.ID
	now := time.Now()
	for _, p := range []access.Paper{{Kind: access.PaperConfidentiality, From: now.AddDate(-1, 0, 0)}, {Kind: access.PaperTraining, From: now.AddDate(0, -1, 0), Until: now.AddDate(1, 0, 0)}} {
		p.Person = tomas.ID
		_, err := lists.AddPaper(ctx, all, p)
		must(err)
	}
	h.lists = make([]string, leaveLists)
	var group errgroup.Group
	group.SetLimit(1)
	if strings.HasPrefix(url, "sqlite:") {
		group.SetLimit(8) // writes that wait together are stored together
	}
	for i := range leaveLists {
		group.Go(func() error {
			slug := fmt.Sprintf("list-%04d", i)
			c, err := people.CreateCustomer(ctx, all, customers.NewCustomer{Slug: slug, Name: slug, Country: "DE", Zone: "Europe/Berlin"})
			if err != nil {
				return err
			}
			h.lists[i] = c.ID
			if _, err := people.AddContact(ctx, all, customers.NewContact{Customer: c.ID, Name: "Owner", Email: "owner@" + slug + ".example", Role: policy.RoleOwner}); err != nil {
				return err
			}
			_, err = lists.Grant(ctx, all, access.NewGrant{Customer: c.ID, Person: tomas.ID, Role: "operator", Reason: "Looks after the shop", Ticket: "OPS-7", Until: now.AddDate(0, 0, 30)})
			return err
		})
	}
	must(group.Wait())
	watching, stop := context.WithCancel(ctx)
	over := make(chan error, 1)
	go func() { over <- lists.Watch(watching) }()
	world.Eventually(h.T, "our own staff are on every list", leaveLimit, func() bool {
		var n int64
		must(d.Read(ctx, func(tx *db.Tx) error {
			return tx.Raw("SELECT COUNT(DISTINCT customer_id) FROM access_spans WHERE source = 'staff' AND col = 'enforced'").Scan(&n).Error
		}))
		return n == leaveLists
	})
	stop()
	must(<-over)
	must(d.Write(ctx, func(tx *db.Tx) error {
		if err := tx.Exec("DELETE FROM access_notice_items").Error; err != nil {
			return err
		}
		return tx.Exec("DELETE FROM access_notices").Error
	}))
}

// leave says once that the person left, and reports whether that was taken.
func (h *leaveHouse) leave() bool {
	status, _ := h.Staff().Do(http.MethodPost, "/access/people/"+h.person+"/leave", map[string]string{"why": "A new employer"})
	return status == http.StatusOK
}

// role is the person's role in the cluster, the zero one where there is none.
func (h *leaveHouse) role() (r teleport.Role) {
	s := h.state()
	if i := slices.IndexFunc(s.Roles, func(r teleport.Role) bool { return r.Ours && r.Owner == h.person }); i >= 0 {
		return s.Roles[i]
	}
	return r
}

func (h *leaveHouse) state() (s teleport.State) {
	h.T.Helper()
	world.Eventually(h.T, "the cluster says what it enforces", leaveLimit, func() bool {
		var err error
		s, err = h.client.Observe(h.T.Context())
		return err == nil
	})
	return s
}

// told waits until each customer has a mail that the person can come no more, and
// checks that none has two.
func (h *leaveHouse) told() {
	h.T.Helper()
	by := func() map[string]map[string]int { // copies by customer's address and Message-ID
		out := map[string]map[string]int{}
		for _, m := range h.sink.Messages() {
			if out[m.To] == nil {
				out[m.To] = map[string]int{}
			}
			out[m.To][m.MessageID]++
		}
		return out
	}
	world.Eventually(h.T, "every customer is told", leaveLimit, func() bool { return len(by()) >= leaveLists })
	world.Eventually(h.T, "nothing waits to be sent", leaveLimit, func() bool {
		var open struct {
			Items []struct {
				State string `json:"state"`
			} `json:"items"`
		}
		return h.Staff().Get("/access/notices?page_size=200", &open) && !slices.ContainsFunc(open.Items, func(n struct {
			State string `json:"state"`
		}) bool {
			return n.State != access.NoticeAccepted
		})
	})
	again := 0
	for to, ids := range by() {
		if len(ids) != 1 || !strings.HasPrefix(to, "owner@list-") {
			h.T.Errorf("%s: got %d mails, want one: %v", to, len(ids), ids)
		}
		for id, n := range ids {
			// A mail that was on its way when the plane was killed goes out again under
			// its own Message-ID: whoever has it knows it again.
			if n > 1 {
				again += n - 1
			}
			if n > 9 {
				h.T.Errorf("%s: %s came %d times", to, id, n)
			}
		}
	}
	h.T.Logf("%d customers told, %d mails came again under their own Message-ID", len(by()), again)
	for _, m := range h.sink.Messages() {
		if !strings.Contains(unfolded(m.Raw), "Tomas Berg can no longer") {
			h.T.Fatalf("a mail does not say that they can come no more:\n%s", m.Raw)
		}
	}
}

// out waits until the person is out everywhere: what a plane that was killed had
// taken up is taken up again once its lease is over.
func (h *leaveHouse) out() {
	h.T.Helper()
	world.Eventually(h.T, "their role reaches nobody", leaveLimit, func() bool { return len(h.role().Allow.NodeLabels) == 0 })
	world.Eventually(h.T, "their user is locked for good", leaveLimit, func() bool {
		return slices.ContainsFunc(h.state().Locks, func(l teleport.Lock) bool { return l.User == "tomas" && l.Expires.IsZero() })
	})
	world.Eventually(h.T, "their user has no role", leaveLimit, func() bool { return len(h.cluster.RolesOf("tomas")) == 0 })
	world.Eventually(h.T, "they are on no list, whatever the source", leaveLimit, func() bool { return !h.listed(h.lists[0]) })
	for _, i := range rand.Perm(leaveLists)[:50] {
		if h.listed(h.lists[i]) {
			h.T.Errorf("%s: they are still on the list", h.lists[i])
		}
	}
	if out, errs, code := h.CLI("access", "verify"); code != 0 {
		h.T.Errorf("access verify: exit %d\n%s%s", code, out, errs)
	}
}

// listed reports whether the person stands on a customer's list, in any column.
func (h *leaveHouse) listed(customer string) bool {
	h.T.Helper()
	for _, l := range (&world.Customer{ID: customer, Caller: h.Staff()}).AccessList(time.Time{}, time.Time{}) {
		if strings.Contains(fmt.Sprintf("%+v", l), "Tomas") {
			return true
		}
	}
	return false
}
