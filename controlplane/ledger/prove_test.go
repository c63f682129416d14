package ledger_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

func TestProveEveryEntry(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		w := newWorld(t, d)
		for n := range 5 {
			w.append(n)
			w.sequence()
		}
		for n, id := range w.ids {
			p, err := w.l.Prove(w.ctx, all, id)
			w.must(err)
			if err := p.Verify(w.l.PublicKey()); err != nil {
				t.Error(err)
			}
			bad := p
			bad.Leaf = strings.Replace(p.Leaf, fmt.Sprintf(`"bytes":%d`, n), `"bytes":99`, 1)
			if bad.Verify(w.l.PublicKey()) == nil {
				t.Errorf("entry %d: a changed leaf verifies", n)
			}
			bad = p
			bad.Entry = w.ids[(n+1)%len(w.ids)]
			if bad.Verify(w.l.PublicKey()) == nil {
				t.Errorf("entry %d: a proof of another entry verifies", n)
			}
			bad = p
			bad.Index++
			if bad.Verify(w.l.PublicKey()) == nil {
				t.Errorf("entry %d: another place verifies", n)
			}
			other, _ := note.NewEd25519VerifierKey(w.l.Origin(), make([]byte, 32))
			if p.Verify(other) == nil {
				t.Errorf("entry %d: another key verifies", n)
			}
		}
	})
}

func TestConsistency(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	var signed [][]byte
	for n := range 6 {
		w.append(n)
		w.sequence()
		c, err := w.l.Checkpoint(w.ctx)
		w.must(err)
		signed = append(signed, c)
	}
	newest, err := ledger.OpenCheckpoint(signed[5], w.l.PublicKey())
	w.must(err)
	for i, old := range signed {
		c, err := ledger.OpenCheckpoint(old, w.l.PublicKey())
		w.must(err)
		p, err := w.l.Consistency(w.ctx, c.Size, 0)
		w.must(err)
		if p.New != newest.Size {
			t.Errorf("new size: got %d, want %d", p.New, newest.Size)
		}
		if err := p.Verify(old, w.l.PublicKey()); err != nil {
			t.Error(err)
		}
		if i > 1 && p.Verify(signed[i-1], w.l.PublicKey()) == nil {
			t.Errorf("the proof from %d serves another size", c.Size)
		}
	}
	for name, sizes := range map[string][2]int64{"no such checkpoint": {1, 3}, "newer": {99, 0}, "nothing": {0, 0}} {
		if _, err := w.l.Consistency(w.ctx, sizes[0], sizes[1]); controlplane.ErrorCode(err) == controlplane.CodeInternal || err == nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestCheckpointFormat(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	w.append(2)
	w.sequence()
	signed, err := w.l.Checkpoint(w.ctx)
	w.must(err)
	v, err := note.NewVerifier(w.l.PublicKey())
	w.must(err)
	n, err := note.Open(signed, note.VerifierList(v))
	w.must(err)
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 || lines[0] != origin+"/g1" || lines[1] != "3" || len(lines[2]) != 44 || lines[3] != "" {
		t.Errorf("text: %q", n.Text)
	}
	if len(n.Sigs) != 1 || n.Sigs[0].Name != lines[0] {
		t.Errorf("signatures: %+v", n.Sigs)
	}
	for i := range signed {
		bad := bytes.Clone(signed)
		bad[i] ^= 4 // not 1: the last character of base64 has two bits that mean nothing
		if c, err := ledger.OpenCheckpoint(bad, w.l.PublicKey()); err == nil {
			t.Errorf("byte %d changed: it still says %+v", i, c)
		}
	}
}

func TestDailyHeads(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		w := newWorld(t, d)
		for range 3 {
			w.append(8)
			w.sequence()
			clock.Advance(24 * time.Hour)
		}
		heads, err := w.l.DailyHeads(w.ctx, policy.OneCustomer("cus_a"), "cus_a", time.Time{})
		w.must(err)
		for i, h := range heads {
			if want := dbtest.Start.AddDate(0, 0, i).Format(time.DateOnly); h.Day != want || h.Seq != int64(2*i+1) || h.Generation != 1 {
				t.Errorf("head %d: got %+v, want day %s", i, h, want)
			}
		}
		if len(heads) != 3 {
			t.Errorf("got %d heads, want 3", len(heads))
		}
		if since, err := w.l.DailyHeads(w.ctx, all, "cus_a", dbtest.Start.AddDate(0, 0, 2)); err != nil || len(since) != 1 {
			t.Errorf("since: got %d heads, %v", len(since), err)
		}
		for _, customer := range []string{"cus_b", ""} {
			if _, err := w.l.DailyHeads(w.ctx, policy.OneCustomer("cus_a"), customer, time.Time{}); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
				t.Errorf("customer %q outside the scope: got %v", customer, err)
			}
		}
	})
}

func bundle(w *world, scope policy.Scope, o ledger.BundleOptions) string {
	w.t.Helper()
	var b bytes.Buffer
	w.must(w.l.ExportBundle(w.ctx, scope, &b, o))
	return b.String()
}

func TestBundles(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB, _ *dbtest.Clock) {
		w := newWorld(t, d)
		w.append(300)
		w.sequence()
		w.append(3)
		w.sequence()
		w.append(1) // has no place and goes into no bundle
		tests := []struct {
			name  string
			scope policy.Scope
			o     ledger.BundleOptions
			want  ledger.Report
		}{
			{"whole", all, ledger.BundleOptions{}, ledger.Report{Leaves: 304, Chains: 4, Checkpoints: 4}},
			{"whole, with values", all, ledger.BundleOptions{Personal: true}, ledger.Report{Leaves: 304, Chains: 4, Checkpoints: 4, Personal: 303}},
			{"a customer's", policy.OneCustomer("cus_a"), ledger.BundleOptions{Customer: "cus_a"}, ledger.Report{Leaves: 76, Chains: 1, Checkpoints: 1}},
			{"a customer's, with values", all, ledger.BundleOptions{Customer: "cus_a", Personal: true}, ledger.Report{Leaves: 76, Chains: 1, Checkpoints: 1, Personal: 76}},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				got, err := ledger.VerifyBundle(strings.NewReader(bundle(w, tt.scope, tt.o)), w.l.PublicKey())
				if err != nil || !got.OK() {
					t.Fatalf("got %q, %v", got.First(), err)
				}
				if got.Leaves != tt.want.Leaves || got.Chains != tt.want.Chains || got.Checkpoints != tt.want.Checkpoints || got.Personal != tt.want.Personal || got.Size != 304 {
					t.Errorf("report: got %+v, want %+v", got, tt.want)
				}
			})
		}
		if err := w.l.ExportBundle(w.ctx, policy.OneCustomer("cus_a"), &bytes.Buffer{}, ledger.BundleOptions{}); controlplane.ErrorCode(err) != controlplane.CodeForbidden {
			t.Errorf("the whole log for a customer: %v", err)
		}
		if err := w.l.ExportBundle(w.ctx, policy.OneCustomer("cus_a"), &bytes.Buffer{}, ledger.BundleOptions{Customer: "cus_b"}); controlplane.ErrorCode(err) != controlplane.CodeNotFound {
			t.Errorf("another customer's chain: %v", err)
		}
	})
}

func TestChangedBundles(t *testing.T) {
	w := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	w.append(20)
	w.sequence()
	w.append(4)
	w.sequence()
	whole, one := bundle(w, all, ledger.BundleOptions{Personal: true}), bundle(w, all, ledger.BundleOptions{Customer: "cus_a", Personal: true})
	lines := strings.SplitAfter(strings.TrimSuffix(whole, "\n"), "\n")
	var rehashed []string // a leaf changed and its hash with it
	for _, line := range lines {
		if strings.Contains(line, `\"bytes\":9,`) {
			line = rehash(t, strings.Replace(line, `\"bytes\":9,`, `\"bytes\":8,`, 1))
		}
		rehashed = append(rehashed, line)
	}
	tests := []struct{ name, text, want string }{
		{"a leaf of the whole", strings.Replace(whole, `\"bytes\":9,`, `\"bytes\":8,`, 1), "entry " + w.ids[9] + " (leaf 10, 2026-11-20T09:00:00.000Z): its content does not match its hash"},
		{"a leaf and its hash", strings.Join(rehashed, ""), "the root is not the one signed at size 21"},
		{"a leaf of a customer's", strings.Replace(one, `\"bytes\":9,`, `\"bytes\":8,`, 1), "entry " + w.ids[9]},
		{"a personal value", strings.Replace(whole, "p9@example.com", "x9@example.com", 1), "entry " + w.ids[9] + " (leaf 10, 2026-11-20T09:00:00.000Z): its personal value email is not the one it commits to"},
		{"a leaf left out", strings.Join(append(append([]string{}, lines[:7]...), lines[9:]...), ""), "was left out before it"},
		{"the end cut off", strings.Join(lines[:len(lines)-6], ""), "leaves were left out"},
		{"the last line torn", whole[:len(whole)-20], "cut off or damaged"},
		{"the checkpoint", strings.Replace(whole, `g1\n25\n`, `g1\n24\n`, 1), "forged, damaged, or by another key"},
		{"a line of another sort", whole + `{"type":"x"}` + "\n", `a line of type "x"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ledger.VerifyBundle(strings.NewReader(tt.text), w.l.PublicKey())
			if err != nil {
				t.Fatal(err)
			}
			if got.OK() || !strings.Contains(got.First(), tt.want) {
				t.Errorf("got %q, want %q", got.First(), tt.want)
			}
		})
	}
	for _, text := range []string{"", "x", "{}", `{"type":"bundle","version":2}`, `{"type":"bundle","version":1,"scope":"x"}`} {
		if _, err := ledger.VerifyBundle(strings.NewReader(text), ""); controlplane.ErrorCode(err) != controlplane.CodeInvalid {
			t.Errorf("%q: got %v, want invalid", text, err)
		}
	}
	if got, err := ledger.VerifyBundle(strings.NewReader(whole), ""); err != nil || !got.OK() {
		t.Errorf("by its own key: %q, %v", got.First(), err)
	}
	other := newWorld(t, dbtest.SQLite(t, &dbtest.Clock{}))
	if got, err := ledger.VerifyBundle(strings.NewReader(whole), other.l.PublicKey()); err != nil || got.OK() {
		t.Errorf("by another log's key: %q, %v", got.First(), err)
	}
}

// rehash gives a leaf line the hash of its text.
func rehash(t *testing.T, line string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatal(err)
	}
	hash := tlog.RecordHash([]byte(m["leaf"].(string)))
	m["hash"] = hash[:]
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b) + "\n"
}
