//go:build slow

package helper_test

import (
	"fmt"
	"os"
	"testing"

	"ostler/agents/wire"
)

// A hundred thousand files in one folder, half of them there already.
func TestSlowApplyOfManyFiles(t *testing.T) {
	const many = 100_000
	w := newWorld(t)
	w.snap(www+"/many/first", "x")
	w.disk(www+"/many/first", "old")
	for i := range many {
		name := fmt.Sprintf("%s/many/%06d", www, i)
		if err := os.WriteFile(w.repo.dir+name, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			if err := os.WriteFile(w.root+name, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	a := ask(wire.ConflictOverwrite, www)
	plan, err := w.h.Preview(t.Context(), a.Preview, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := w.apply(a)
	for _, c := range []map[wire.Act]int64{plan.Counts, got.Counts} {
		if c[wire.ActCreate] != many/2 || c[wire.ActReplace] != many/2+1 || len(got.Changes.Changes) != wire.MaxChanges {
			t.Errorf("got %v, with %d in the result", c, len(got.Changes.Changes))
		}
	}
	if back := w.undo(); back.Counts[wire.ActRemoved] != many/2 || back.Counts[wire.ActReturned] != many/2+1 {
		t.Errorf("undo: got %v", back.Counts)
	}
	if left := names(t, w.root+www+"/many"); len(left) != (many/2+1)*7-2 {
		t.Errorf("got %d bytes of names", len(left))
	}
}
