package access_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/planetest"
	"ostler/controlplane/policy"
)

// world is a plane without its edges, and people of ours with their papers.
type world struct {
	*planetest.Plane
	all    policy.Scope
	mail   *letters
	access *access.Service

	ada, bob, cleo access.Person // ada is an admin, bob and cleo are ops
}

// letters keeps what would be mailed.
type letters struct{ sent []access.Letter }

func (l *letters) Enqueue(_ *db.Tx, x access.Letter) (string, error) {
	l.sent = append(l.sent, x)
	return controlplane.NewID("mail_"), nil
}

func must[T any](t testing.TB) func(v T, err error) T { return planetest.Must[T](t) }

// newWorld is a world with one cluster at most.
func newWorld(t testing.TB, d *db.DB, clock *dbtest.Clock, change ...func(*access.Deps, *access.Options)) *world {
	t.Helper()
	w := &world{Plane: planetest.New(t, d, clock), all: planetest.All, mail: &letters{}}
	deps := access.Deps{DB: d, Keeper: w.Keeper, Ledger: w.Ledger, Jobs: w.Jobs, Findings: w.Findings, Customers: w.Customers, Identity: w.Identity, Mail: w.mail}
	opts := access.Options{Bus: w.Bus}
	for _, f := range change {
		f(&deps, &opts)
	}
	w.access = must[*access.Service](t)(access.New(deps, opts))
	w.ada = w.staff("Ada Admin", policy.RoleAdmin)
	w.Ctx = w.as(w.ada)
	w.bob, w.cleo = w.staff("Bob Builder", policy.RoleOps), w.staff("Cleo Clark", policy.RoleOps)
	return w
}

// staff is a member of our staff who stands in the list of people, with papers.
func (w *world) staff(name string, role policy.Role) access.Person {
	w.T.Helper()
	first := planetest.First(name)
	person := must[access.Person](w.T)(w.access.AddPerson(w.Ctx, w.all, access.NewPerson{Kind: access.KindStaff, Staff: w.Staff(name, role).ID, TeleportUsers: []string{first}, Logins: []string{first}}))
	w.papers(person)
	return person
}

// papers records an agreement and a training of a year for a person.
func (w *world) papers(p access.Person) {
	w.T.Helper()
	now := w.Clock.Now()
	must[access.Paper](w.T)(w.access.AddPaper(w.Ctx, w.all, access.Paper{Person: p.ID, Kind: access.PaperConfidentiality, From: now.AddDate(-1, 0, 0)}))
	must[access.Paper](w.T)(w.access.AddPaper(w.Ctx, w.all, access.Paper{Person: p.ID, Kind: access.PaperTraining, From: now.AddDate(0, -1, 0), Until: now.AddDate(1, 0, 0)}))
}

// as is the context of a member of our staff.
func (w *world) as(p access.Person) context.Context {
	role := policy.RoleOps
	if w.ada.ID == "" || p.ID == w.ada.ID {
		role = policy.RoleAdmin
	}
	return w.As(p.Staff, role)
}

// settle settles a part in a transaction of its own.
func (w *world) settle(p access.Part, wants ...access.Want) (out []access.Change) {
	w.T.Helper()
	w.Write(func(tx *db.Tx) (err error) { out, err = w.access.Settle(tx, p, wants); return err })
	return out
}

// told are changes in short: "added Bob Builder teleport operator".
func told(changes []access.Change) (out []string) {
	for _, c := range changes {
		out = append(out, strings.TrimSpace(string(c.Kind)+" "+c.Name+c.Unknown+" "+string(c.Way)+" "+c.Role))
	}
	return out
}

func same[T comparable](t testing.TB, what string, got, want []T) {
	t.Helper()
	planetest.Same(t, what, got, want)
}

// sequence gives all entries their places, as a plane does within a second.
func (w *world) sequence() error {
	_, err := w.Ledger.Sequence(w.Ctx)
	return err
}

// hours moves the clock on.
func (w *world) hours(n float64) { w.Clock.Advance(time.Duration(n * float64(time.Hour))) }
