package web_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// No text has the key of another one: the later would be read in place of both.
func TestNoTextTwice(t *testing.T) {
	files, err := filepath.Glob("text/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no texts: %v", err)
	}
	key := regexp.MustCompile(`(?m)^\s*"([a-z_.0-9]+)":`)
	for _, f := range files {
		seen := map[string]bool{}
		for _, m := range key.FindAllStringSubmatch(string(ok[[]byte](t)(os.ReadFile(f))), -1) {
			if seen[m[1]] {
				t.Errorf("%s has %s twice", f, m[1])
			}
			seen[m[1]] = true
		}
		if len(seen) < 100 {
			t.Errorf("%s: found %d keys", f, len(seen))
		}
	}
}
