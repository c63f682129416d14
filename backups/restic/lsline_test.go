package restic_test

import (
	"encoding/json"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

// lsLine is a line of ls as restic writes it.
type lsLine struct {
	Name        string      `json:"name"`
	Type        string      `json:"type"`
	Path        string      `json:"path"`
	UID         uint32      `json:"uid"`
	GID         uint32      `json:"gid"`
	Size        *uint64     `json:"size,omitempty"`
	Mode        os.FileMode `json:"mode,omitempty"`
	Permissions string      `json:"permissions,omitempty"`
	ModTime     time.Time   `json:"mtime"`
	AccessTime  time.Time   `json:"atime"`
	Inode       uint64      `json:"inode,omitempty"`
	MessageType string      `json:"message_type"`
	StructType  string      `json:"struct_type"`
}

// The fast reader says what encoding/json and time would say.
func TestLsLine(t *testing.T) {
	t.Parallel()
	size := uint64(1) << 40
	times := []time.Time{
		{}, time.Unix(0, 0).UTC(), time.Date(2026, 11, 22, 0, 40, 46, 504627554, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(2000, 2, 29, 12, 0, 0, 1000, time.UTC), time.Date(1900, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 1, 2, 3, 0, time.UTC),
		time.Date(2024, 2, 29, 23, 0, 0, 5_000_000, time.FixedZone("", -5*3600-1800)), time.Date(2026, 6, 1, 0, 0, 0, 0, time.FixedZone("", 7200)),
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		times = append(times, time.Unix(r.Int64N(1<<35)-1<<34, r.Int64N(1e9)).UTC())
	}
	names := append([]string{"plain", "\u2028", "\U0001f600", "tab\there", "\x01\x1f\x7f", "\ufffd", "<&>", "ünï"}, awkward...)
	for i, at := range times {
		name := names[i%len(names)]
		want := lsLine{Name: name, Path: "/srv/" + name, Type: "file", UID: 1, GID: 1<<32 - 1, Size: &size, Mode: 0o640 | fs.ModeSetuid | fs.ModeIrregular,
			Permissions: "urw", ModTime: at, AccessTime: at, Inode: 1 << 60, MessageType: "node", StructType: "node"}
		line, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		path, n, lost, isNode, err := restic.ReadLine(string(line))
		if err != nil || !isNode {
			t.Fatalf("%s: %v", line, err)
		}
		if !restic.SameShown([]byte(want.Path), []byte(path)) || lost != lostBytes(want.Path) {
			t.Errorf("%q: got %q, %d bytes lost", want.Path, path, lost)
		}
		if n.MTime != at.UnixMilli() || n.Size != 1<<40 || n.UID != 1 || n.GID != 1<<32-1 || fs.FileMode(n.Mode) != 0o640|fs.ModeSetuid || n.Type != wire.NodeFile {
			t.Errorf("%s: got %+v", line, n)
		}
	}
	for _, line := range []string{
		``, `{`, `nonsense`, `{"name":"a"`, `{"name":"a","path":"/srv/b","message_type":"node"}`, `{"name":"..","path":"/srv","message_type":"node"}`,
		`{"name":"a/b","path":"/a/b","mode":x,"message_type":"node"}`, `{"name":"b","path":"b","message_type":"node"}`, `{"name":"\u12","path":"/\u12","message_type":"node"}`,
		`{"name":"a","path":"/a","mtime":"yesterday","message_type":"node"}`, `{"name":"","path":"/","message_type":"node"}`, `{"name":"\u0000","path":"/\u0000","message_type":"node"}`,
	} {
		if path, n, _, _, err := restic.ReadLine(line); err == nil {
			t.Errorf("%s: got %q %+v, want an error", line, path, n)
		}
	}
	if _, _, _, isNode, err := restic.ReadLine(`{"time":"2026","paths":["/a","}{"],"summary":{"a":{"b":[1,2]}},"id":"x","message_type":"snapshot","struct_type":"snapshot"}`); isNode || err != nil {
		t.Errorf("the snapshot itself: got %v, %v", isNode, err)
	}
}

func lostBytes(s string) int {
	n := 0
	for _, r := range s {
		if r == '\ufffd' {
			n++
		}
	}
	return n - strings.Count(s, "\ufffd")
}

func TestIncludeLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/srv/a": "/srv/a", "/a ": "/a[ ]", "/a\r": "/a[\r]", "/a\u00a0": "/a[\u00a0]", "/$HOME": "/$$HOME", "/a\xa0": "/a\xa0", "/a\xff ": "/a\xff[ ]",
	} {
		if got := restic.IncludeLine(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// BenchmarkLsLine reads lines as restic writes them.
func BenchmarkLsLine(b *testing.B) {
	line := `{"name":"IMG_20261122_004046.jpg","type":"file","path":"/srv/www/shop/wp-content/uploads/2026/11/IMG_20261122_004046.jpg","uid":33,"gid":33,"size":123456,"mode":420,"permissions":"-rw-r--r--","mtime":"2026-11-22T00:40:46.504627554Z","atime":"2026-11-22T00:40:46.504627554Z","ctime":"2026-11-22T00:40:46.504627554Z","inode":10002674,"message_type":"node","struct_type":"node"}`
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, _, err := restic.ReadLine(line); err != nil {
			b.Fatal(err)
		}
	}
}
