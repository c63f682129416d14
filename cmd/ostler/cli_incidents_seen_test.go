package main

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// What was looked at is a file with the list, as it was printed.
func TestSeenFile(t *testing.T) {
	dir := t.TempDir()
	for name, x := range map[string]struct {
		text string
		want map[string]int64
		bad  bool
	}{
		"a list":     {`{"items":[{"id":"bnt_1","version":2,"state":"waiting"},{"id":"bnt_2","version":1}]}`, map[string]int64{"bnt_1": 2, "bnt_2": 1}, false},
		"none":       {`{"items":[]}`, nil, true},
		"no list":    {`TO  FOR`, nil, true},
		"one notice": {`{"id":"bnt_1","version":2}`, nil, true},
	} {
		file := filepath.Join(dir, "seen.json")
		if err := os.WriteFile(file, []byte(x.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := seenFile(file).versions()
		if (err != nil) != x.bad || !maps.Equal(got, x.want) {
			t.Errorf("%s: got %v, %v, want %v", name, got, err, x.want)
		}
	}
	if _, err := seenFile(filepath.Join(dir, "absent")).versions(); err == nil {
		t.Error("no file: got no error")
	}
	if got, err := seenFile("").versions(); err != nil || len(got) != 0 {
		t.Errorf("nothing said: got %v, %v", got, err)
	}
}
