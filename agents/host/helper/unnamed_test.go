package helper_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
)

func TestLogsHaveNoNamesOfFiles(t *testing.T) {
	path := &fs.PathError{Op: "mkdirat", Path: "srv/www/Will.odt", Err: syscall.EEXIST}
	link := &os.LinkError{Op: "rename", Old: "/srv/www/Will.odt", New: "/srv/www/Old.odt", Err: syscall.EXDEV}
	for name, err := range map[string]error{
		"one":     fmt.Errorf("helper: unpack a folder: %w", path),
		"two":     fmt.Errorf("helper: sweep: %w", errors.Join(path, fmt.Errorf("again: %w", link), path)),
		"of ours": helper.Fail(wire.CauseInternal, path, "a restored file cannot be opened"),
	} {
		got := helper.Unnamed(err)
		if strings.Contains(got, ".odt") || got == "" {
			t.Errorf("%s: got %q", name, got)
		}
	}
	if got := helper.Unnamed(fmt.Errorf("helper: unpack a folder: %w", path)); got != "helper: unpack a folder: mkdirat: file exists" {
		t.Errorf("got %q", got)
	}
	if got := helper.Unnamed(nil); got != "" {
		t.Errorf("of none: got %q", got)
	}
}
