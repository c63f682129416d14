package e2e_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// within waits for what a gate or a pipe reports.
func within(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(backupLimit):
		t.Fatalf("%s: not after %s", what, backupLimit)
	}
}

func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("left behind: %s", filepath.Join(dir, e.Name()))
	}
}
