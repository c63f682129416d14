//go:build slow

package helper_test

import (
	"fmt"
	"testing"

	"ostler/agents/wire"
)

// A hundred thousand files in one folder: more than the old zip can count.
func TestSlowArchiveOfManyFiles(t *testing.T) {
	const many = 100_000
	for _, f := range []wire.ArchiveFormat{wire.ArchiveZip, wire.ArchiveTarGz} {
		s := &shelf{things: []thing{{path: "/srv", kind: wire.NodeDir}}}
		for i := range many {
			s.things = append(s.things, thing{path: fmt.Sprintf("/srv/%06d", i), data: "x"})
		}
		got, err := s.on(t, nil).Archive(t.Context(), asks(f, "/srv"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if entries, m := open(t, f, got.Path); len(entries) != many+1 || m.Files != many || !m.Complete {
			t.Errorf("%s: got %d entries, %d files", f, len(entries), m.Files)
		}
	}
}
