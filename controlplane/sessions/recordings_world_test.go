package sessions_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/customers"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport"
)

// tapes is a cluster that knows recordings only.
type tapes struct {
	mu    sync.Mutex
	tapes map[string][]teleport.Event
	// breaks ends a stream with an error after so many events; err is what every
	// stream ends with at once.
	breaks map[string]int
	err    error
	at     func(sid string, n int) // called before each event
}

func newTapes() *tapes {
	return &tapes{tapes: map[string][]teleport.Event{}, breaks: map[string]int{}}
}

// Events implements sessions.Cluster.
func (c *tapes) Events(context.Context, time.Time, time.Time, []string, int, string) ([]teleport.Event, string, error) {
	return nil, "", nil
}

// Observe implements sessions.Cluster.
func (c *tapes) Observe(context.Context) (teleport.State, error) { return teleport.State{}, nil }

// Stream implements sessions.Cluster.
func (c *tapes) Stream(_ context.Context, sid string, take func(teleport.Event) error) error {
	c.mu.Lock()
	tape, there := c.tapes[sid]
	breaks, short := c.breaks[sid]
	err, at := c.err, c.at
	c.mu.Unlock()
	switch {
	case err != nil:
		return err
	case !there:
		return fmt.Errorf("read recording: %w", teleport.ErrNotFound)
	}
	for n, e := range tape {
		if short && n == breaks {
			return fmt.Errorf("read recording: %w", teleport.ErrUnreachable)
		}
		if at != nil {
			at(sid, n)
		}
		if err := take(e); err != nil {
			return err
		}
	}
	return nil
}

func (c *tapes) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// tape is a recording on its way: an event a call.
type tape struct {
	began time.Time
	list  []teleport.Event
}

func newTape(began time.Time) *tape {
	t := &tape{began: began}
	return t.add(0, "session.start", `,"size":"100:30"`, nil)
}

func (t *tape) add(at time.Duration, kind, rest string, data []byte) *tape {
	when := t.began.Add(at)
	raw := fmt.Sprintf(`{"event":%q,"time":%q%s}`, kind, when.Format(time.RFC3339Nano), rest)
	t.list = append(t.list, teleport.Event{ID: strconv.Itoa(len(t.list)), Type: kind, At: when, Raw: []byte(raw), Data: data})
	return t
}

func (t *tape) print(at time.Duration, text string) *tape {
	return t.add(at, "print", fmt.Sprintf(`,"ms":%d,"data":%q`, at.Milliseconds(), base64.StdEncoding.EncodeToString([]byte(text))), []byte(text))
}

func (t *tape) end(at time.Duration) []teleport.Event { return t.add(at, "session.end", "", nil).list }

// typed is a recording in which somebody enters commands, one a second.
func typed(began time.Time, commands ...string) []teleport.Event {
	t := newTape(began)
	for i, c := range commands {
		at := time.Duration(i+1) * time.Second
		t.print(at, "root@maple-1:~# ").print(at+500*time.Millisecond, c+"\r\n").print(at+600*time.Millisecond, "done\r\n")
	}
	return t.end(time.Duration(len(commands)+1) * time.Second)
}

// recorded is a world whose cluster knows recordings only, and in which whoever
// is asked may look, unless look says otherwise.
type recorded struct {
	*world
	tapes *tapes
	look  error
	asked int
}

func newRecorded(t testing.TB, d *db.DB, clock *dbtest.Clock, change ...func(*sessions.Deps, *sessions.Options)) *recorded {
	t.Helper()
	r := &recorded{tapes: newTapes()}
	r.world = newWorld(t, d, clock, append([]func(*sessions.Deps, *sessions.Options){func(dep *sessions.Deps, _ *sessions.Options) { dep.Cluster = r.tapes }}, change...)...)
	r.sessions.LetLook(func(context.Context, string, string) error { r.asked++; return r.look })
	return r
}

// session is one of an hour ago, with a recording that the cluster has.
func (r *recorded) session(tape func(began time.Time) []teleport.Event, on ...customers.Customer) string {
	r.T.Helper()
	now := r.Clock.Now()
	return r.plant(sessions.Planted{Started: now.Add(-time.Hour), Ended: now.Add(-time.Minute), Due: now.Add(14 * time.Minute)}, tape, on...)
}

func (r *recorded) plant(p sessions.Planted, tape func(began time.Time) []teleport.Event, on ...customers.Customer) (id string) {
	r.T.Helper()
	for _, c := range on {
		p.Customers = append(p.Customers, c.ID)
	}
	p.SID, p.Host, p.Server, p.Name = controlplane.NewID("sid-"), "maple-1", r.MapleOne.ID, "Bob Builder"
	if p.Kind == "" {
		p.Kind = sessions.Interactive
	}
	if p.State == "" {
		p.State = sessions.Uploaded
	}
	if p.Person == "" {
		p.Person = r.bobPerson.ID
	}
	if tape != nil {
		r.tapes.set(func() { r.tapes.tapes[p.SID] = tape(p.Started) })
	}
	r.Write(func(tx *db.Tx) (err error) { id, err = r.sessions.Plant(tx, p); return err })
	return id
}

// stored is a session whose recording is here.
func (r *recorded) stored(tape func(began time.Time) []teleport.Event, on ...customers.Customer) sessions.Session {
	r.T.Helper()
	id := r.session(tape, on...)
	r.run()
	x := r.get(id)
	if x.State != sessions.Stored || !x.Recording.Playable() {
		r.T.Fatalf("got %s and %+v, want a recording", x.State, x.Recording)
	}
	return x
}

func (r *recorded) get(id string) sessions.Session {
	r.T.Helper()
	return must[sessions.Session](r.T)(r.sessions.Get(r.Ctx, r.all, id))
}

func (r *recorded) sid(id string) string { return r.get(id).SID }

// again has the cluster asked once more for a recording.
func (r *recorded) again(id string) {
	r.T.Helper()
	must[string](r.T)(r.sessions.Fetch(r.Ctx, r.all, id))
	r.run()
}

// check has a recording read back now.
func (r *recorded) check(id string) sessions.Integrity {
	r.T.Helper()
	r.Clock.Advance(time.Millisecond)
	must[string](r.T)(r.sessions.Check(r.Ctx, r.all, id))
	r.run()
	return r.get(id).Recording.Integrity
}

// played is all of a recording.
func (r *recorded) played(id string) string {
	r.T.Helper()
	c := must[*sessions.Cast](r.T)(r.sessions.OpenCast(r.Ctx, r.all, id, "vwg_1"))
	defer func() { _ = c.Close() }() // it was read only
	b := must[[]byte](r.T)(io.ReadAll(c))
	if int64(len(b)) != c.Size {
		r.T.Errorf("got %d bytes, want %d", len(b), c.Size)
	}
	return string(b)
}

// keys are the blobs that there are.
func (r *recorded) keys() (keys []string) {
	r.T.Helper()
	it := r.blobs.List(nil)
	for {
		o, err := it.Next(r.T.Context())
		if err == io.EOF {
			return keys
		}
		if err != nil {
			r.T.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
}

// jobs counts jobs of a kind that have not ended.
func (r *recorded) pending(kind string) int {
	r.T.Helper()
	return must[int](r.T)(r.Jobs.Count(r.Ctx, r.all, jobs.Filter{Kinds: []string{kind}, Open: true}))
}

// open are the kinds of the open findings, but for what hosts did not tell.
func (r *recorded) open(customer string) (kinds []string) {
	r.T.Helper()
	return slices.DeleteFunc(r.world.open(customer), func(k string) bool { return k == "session.logins_unread" })
}

// found are those findings.
func (r *recorded) found(customer string) []findings.Finding {
	r.T.Helper()
	return slices.DeleteFunc(r.world.found(customer), func(f findings.Finding) bool { return f.Kind == "session.logins_unread" })
}

// texts are commands in short.
func texts(list []sessions.Moment) (out []string) {
	for _, m := range list {
		out = append(out, m.Text)
	}
	return out
}

// wants checks what code an error has, and that it says something of the cause.
func wants(t testing.TB, what string, err error, code controlplane.Code, says string) {
	t.Helper()
	if controlplane.ErrorCode(err) != code || code != "" && !strings.Contains(err.Error(), says) {
		t.Errorf("%s: got %v (%s), want %s and %q", what, err, controlplane.ErrorCode(err), code, says)
	}
}

// enter writes to the ledger what nobody of us did.
func (r *recorded) enter(x sessions.Session, kind string, data map[string]any) {
	r.T.Helper()
	r.Write(func(tx *db.Tx) error {
		_, err := r.Ledger.Append(tx, ledger.Entry{Customer: x.Customers[0], Subject: x.ID, Kind: kind, Data: data})
		return err
	})
}
