package mail_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"crypto/x509"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/mail"
	"ostler/controlplane/mail/mailtest"
)

// TestProcessEndsAtEachStep has a try end at each of its moments, and another
// process go on: the mail arrives, at most twice, and if twice it says so.
func TestProcessEndsAtEachStep(t *testing.T) {
	for _, c := range []struct {
		moment  string
		arrived int
		doubt   bool
	}{
		{mail.MomentConnected, 1, false},
		{mail.MomentStored, 1, true}, // it was not handed over, and nobody can know
		{mail.MomentHanded, 2, true},
		{mail.MomentRecorded, 1, false},
	} {
		t.Run(c.moment, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
				s := sink(t, mailtest.Options{})
				keys := filepath.Join(t.TempDir(), "keys")
				h := newHouse(t, d, clock, keys, s.Options())
				h.SetHook(func(moment string) error {
					if moment == c.moment {
						return errors.New("the process ends")
					}
					return nil
				})
				id := h.enqueue(h.ready())
				h.tick()
				if c.moment == mail.MomentStored || c.moment == mail.MomentHanded {
					h.want(id, mail.Sending, "")
				}
				h = newHouse(t, d, clock, keys, s.Options())
				h.after(2 * time.Minute)
				got := h.want(id, mail.Accepted, "")
				counts := s.Counts()
				if len(counts) != 1 || counts[got.MessageID] != c.arrived || got.InDoubt != c.doubt {
					t.Errorf("arrived: got %v (want %d under one Message-ID), in doubt %v", counts, c.arrived, got.InDoubt)
				}
				for _, m := range s.Messages()[1:] {
					if string(m.Raw) != string(s.Messages()[0].Raw) {
						t.Error("the second one has other bytes")
					}
				}
				if got, want := slices.Contains(h.entries(), "mail.in_doubt"), c.doubt; got != want {
					t.Errorf("ledger says in doubt: %v, want %v", got, want)
				}
				h.after(time.Hour)
				if n := s.Counts()[got.MessageID]; n != c.arrived {
					t.Errorf("an hour later: %d", n)
				}
			})
		})
	}
}

// TestTakenAndTheAnswerLost has a server take mails and hang up: each is sent
// again under the same Message-ID, once.
func TestTakenAndTheAnswerLost(t *testing.T) {
	each(t, mailtest.Options{}, nil, func(h *house, s *mailtest.Sink) {
		s.Play(drop(mailtest.Taken))
		id := h.enqueue(h.ready())
		h.tick()
		s.Play(nil)
		h.after(2 * time.Minute)
		d := h.want(id, mail.Accepted, "")
		if n := s.Counts()[d.MessageID]; n != 2 || !d.InDoubt || len(h.get(id).Attempts) != 2 {
			h.t.Errorf("got %d, in doubt %v, %+v", n, d.InDoubt, h.get(id).Attempts)
		}
	})
}

// TestStoppedWhileWaitingForTheAnswer has a process stop in order: it waits a
// moment for the answer to what it has handed over.
func TestStoppedWhileWaitingForTheAnswer(t *testing.T) {
	each(t, mailtest.Options{}, nil, func(h *house, s *mailtest.Sink) {
		ctx, stop := context.WithCancel(h.ctx)
		answer := make(chan struct{})
		s.Play(func(at mailtest.Moment, _ mailtest.Message) mailtest.Action {
			if at != mailtest.Taken {
				return mailtest.Action{}
			}
			stop()
			time.AfterFunc(20*time.Millisecond, func() { close(answer) })
			return mailtest.Action{Wait: answer}
		})
		id := h.enqueue(h.ready())
		_ = h.jobs.Tick(ctx) // it ends with ctx
		if d := h.want(id, mail.Accepted, ""); d.InDoubt {
			h.t.Error("in doubt")
		}
		s.Play(nil)
		h.after(time.Hour)
		if n := len(s.Messages()); n != 1 {
			h.t.Errorf("messages: got %d, want 1", n)
		}
	})
}

// The variables of the process that TestKill kills.
const (
	killDB   = "OSTLERTEST_MAIL_DB"
	killPort = "OSTLERTEST_MAIL_PORT"
	killCA   = "OSTLERTEST_MAIL_CA"
	killMany = "OSTLERTEST_MAIL_MANY" // how many mails the process sends
)

// TestKill kills a process with SIGKILL in the middle of 40 mails; the next
// one sends the rest. Each arrives; what arrives twice is marked so.
func TestKill(t *testing.T) {
	if twice := killed(t, 40, true, 20); twice == 0 {
		t.Error("nothing was on its way when the process was killed")
	}
}

// killed has processes send mails to as many people, kills each with SIGKILL when the
// mail server has taken so many, and has another one send the rest. Where hang is
// said, the answers to what was on its way then come too late. Each mail arrives
// under one Message-ID, again only where it was on its way; it answers how many did.
func killed(t *testing.T, mails int, hang bool, at ...int) (twice int) {
	t.Helper()
	if os.Getenv(killDB) != "" {
		t.Skip("this is the process")
	}
	dir, s := t.TempDir(), sink(t, mailtest.Options{})
	ca := filepath.Join(dir, "ca.pem")
	if err := s.WriteCA(ca); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	for _, n := range at {
		killOne(ctx, t, s, dir, ca, mails, n, hang)
		t.Logf("killed when %d of %d had arrived", len(s.Messages()), mails)
	}
	h := killHouse(t, dir, s.Options())
	for range 10 {
		h.after(5 * time.Minute)
	}
	var items []mail.Delivery
	for token := ""; ; {
		page, next, err := h.List(h.ctx, h.all, mail.Filter{Limit: 200, PageToken: token})
		h.must(err)
		items = append(items, page...)
		if token = next; token == "" {
			break
		}
	}
	counts, ids := s.Counts(), map[string]string{}
	for _, m := range s.Messages() {
		if was := ids[m.To]; was != "" && was != m.MessageID {
			t.Errorf("%s got %s and %s", m.To, was, m.MessageID)
		}
		ids[m.To] = m.MessageID
	}
	for _, d := range items {
		n := counts[d.MessageID]
		if d.State != mail.Accepted || n < 1 || n > 1+len(at) || n > 1 && !d.InDoubt || ids[d.To] != d.MessageID {
			t.Errorf("%s: %s, arrived %d times, in doubt %v", d.ID, d.State, n, d.InDoubt)
		}
		if n > 1 {
			twice++
		}
	}
	accepted := slices.DeleteFunc(h.entries(), func(kind string) bool { return kind != "mail.accepted" })
	if len(items) != mails || len(counts) != mails || len(ids) != mails || len(accepted) != mails || twice > 8*len(at) {
		t.Errorf("got %d mails to %d people, %d Message-IDs, %d twice, %d accepted in the ledger", len(items), len(ids), len(counts), twice, len(accepted))
	}
	t.Logf("%d mails, killed %d times: %d arrived twice, all of them marked so; %d accepted in the ledger", len(items), len(at), twice, len(accepted))
	return twice
}

// killOne kills one process when the sink has taken as many messages as are said.
func killOne(ctx context.Context, t *testing.T, s *mailtest.Sink, dir, ca string, mails, at int, hang bool) {
	t.Helper()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestKilled$", "-test.timeout=30m")
	cmd.Env = append(os.Environ(), killDB+"="+dir, killPort+"="+strconv.Itoa(s.Options().Port), killCA+"="+ca, killMany+"="+strconv.Itoa(mails))
	hung := make(chan struct{})
	s.Play(func(m mailtest.Moment, _ mailtest.Message) mailtest.Action {
		if hang && m == mailtest.Taken && len(s.Messages()) >= at {
			return mailtest.Action{Wait: hung} // taken, and the answer comes too late
		}
		return mailtest.Action{}
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err := s.Wait(ctx, at)
	if kerr := cmd.Process.Kill(); err != nil || kerr != nil {
		t.Fatal(err, kerr)
	}
	_ = cmd.Wait() // killed
	close(hung)
	s.Play(nil)
}

// killHouse is a house on a database that outlives its process.
func killHouse(t *testing.T, dir string, o mail.Options) *house {
	t.Helper()
	clock := &dbtest.Clock{}
	d, err := db.Open(t.Context(), db.Options{URL: "sqlite:" + filepath.Join(dir, "ostler.db"), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if _, err := d.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return newHouse(t, d, clock, filepath.Join(dir, "keys"), o)
}

// TestKilled is the process that TestKill kills.
func TestKilled(t *testing.T) {
	dir := os.Getenv(killDB)
	if dir == "" {
		t.Skip("run by TestKill")
	}
	port, err := strconv.Atoi(os.Getenv(killPort))
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(os.Getenv(killCA))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	h := killHouse(t, dir, mail.Options{Host: "127.0.0.1", Port: port, Roots: roots})
	mails, err := strconv.Atoi(os.Getenv(killMany))
	if err != nil {
		t.Fatal(err)
	}
	for i := range mails {
		m := h.ready()
		m.Key, m.To = strconv.Itoa(i), fmt.Sprintf("reader%04d@orchard.example", i)
		h.enqueue(m)
	}
	for range 10 { // what the one before had begun is due again
		h.after(5 * time.Minute)
	}
	t.Fatal("nobody killed it")
}
