package restic_test

import (
	"flag"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

var update = flag.Bool("update", false, "write the golden files again")

// What restic said, and the one line that we make of it.
func TestMessages(t *testing.T) {
	t.Parallel()
	const name = "testdata/messages.txtar"
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range a.Files {
		var exit int
		head, rest, _ := strings.Cut(string(f.Data), "\n")
		want, said, _ := strings.Cut(rest, "\n")
		if _, err := fmt.Sscanf(head, "exit %d", &exit); err != nil {
			t.Fatal(err)
		}
		w := restic.Explain(exit, said)
		got := fmt.Sprintf("want %s: %s", w.Cause, w.Detail)
		if got != want && !*update {
			t.Errorf("%s:\ngot  %s\n%s", f.Name, got, want)
		}
		a.Files[i].Data = []byte(head + "\n" + got + "\n" + said)
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A name that a person chose does not choose the cause.
func TestMatchWithoutTheUsersWords(t *testing.T) {
	t.Parallel()
	name := "srv/(507) insufficient storage"
	f, ok := restic.Match("path "+name+": not found", name)
	if !ok || f.Cause != wire.CauseNotFound {
		t.Errorf("got %+v, %v", f, ok)
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", restic.MaxLine+10)
	for _, c := range []struct {
		name, text string
		want       []string
		cut        []bool
	}{
		{"none", "", nil, nil},
		{"plain", "a\nbc\n", []string{"a", "bc"}, []bool{false, false}},
		{"no last newline", "a\nbc", []string{"a", "bc"}, []bool{false, false}},
		{"empty lines", "\n\na\n\n", []string{"a"}, []bool{false}},
		{"as long as may be", long[:restic.MaxLine] + "\nb", []string{long[:restic.MaxLine], "b"}, []bool{false, false}},
		{"longer", long + "\nb\n", []string{long[:restic.MaxLine], "b"}, []bool{true, false}},
		{"long at the end", "b\n" + long, []string{"b", long[:restic.MaxLine]}, []bool{false, true}},
	} {
		for _, n := range []int{1, 3, 4096, 2 << 20} {
			if n == 1 && len(c.text) > 4096 {
				continue
			}
			got, cut := restic.Lines(c.text, n)
			if !slices.Equal(got, c.want) || !slices.Equal(cut, c.cut) {
				t.Errorf("%s, in pieces of %d: got %d lines, %v", c.name, n, len(got), cut)
			}
		}
	}
}

func TestReadTree(t *testing.T) {
	t.Parallel()
	const mtime = `"mtime":"2026-01-02T03:04:05.678Z"`
	ids := strings.Repeat(`"252f10c83610ebca1a059c0bae8255eba2f95be4d1d7bcfa89d7248a82d9f111",`, 50_000)
	for _, c := range []struct {
		name, text string
		want       []wire.Node
		bad        bool
	}{
		{name: "empty", text: `{"nodes":[]}`},
		{
			name: "a file larger than a line may be",
			text: `{"nodes":[{"name":"big","type":"file","mode":420,` + mtime + `,"uid":1,"gid":2,"size":9,"content":[` + ids + `"x"]}]}`,
			want: []wire.Node{{Name: []byte("big"), Type: wire.NodeFile, Size: 9, Mode: 0o644, MTime: 1767323045678, UID: 1, GID: 2}},
		},
		{
			name: "bytes, modes and links",
			text: `{"nodes":[{"name":"\\xff\\n\\u202e\\\"","type":"dir","mode":2155872749,` + mtime + `,"content":null,"subtree":"x"},` +
				`{"name":"l","type":"symlink","linktarget":"t\ufffd","linktarget_raw":"dP8=","extended_attributes":[{"name":"a","value":"eA=="}]}],"more":{"a":[1]}}`,
			want: []wire.Node{
				{Name: []byte("\xff\n\u202e\""), Type: wire.NodeDir, Mode: 0o755 | 1<<23, MTime: 1767323045678},
				{Name: []byte("l"), Type: wire.NodeSymlink, LinkTarget: []byte("t\xff"), MTime: -62135596800000},
			},
		},
		{name: "half a tree", text: `{"nodes":[{"name":"a"},`, bad: true},
		{name: "nothing", text: ``, bad: true},
		{name: "a name without end", text: `{"nodes":[{"name":"` + strings.Repeat("x", 3<<20) + `"}]}`, bad: true},
		{name: "a name that is not quoted right", text: `{"nodes":[{"name":"\\xZZ"}]}`, bad: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := restic.ReadTree(strings.NewReader(c.text))
			if (err != nil) != c.bad {
				t.Fatalf("got error %v, want one: %v", err, c.bad)
			}
			if d := cmp.Diff(c.want, got); d != "" && !c.bad {
				t.Errorf("want -, got +\n%s", d)
			}
		})
	}
}

func TestPatternLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pattern, root, want string }{
		{"*.log", "/", "*.log"},
		{"/var/cache", "/", "/var/cache"},
		{"/var/cache", "/tmp/r[1]", `/tmp/r\[1]/var/cache`},
		{"!/keep", "/r", "!/r/keep"},
		{"$HOME", "/", "$$HOME"},
		{"#tmp#", "/", "[#]tmp#"},
		{" a b\t", "/", "[ ]a b[\t]"},
		{"", "/", ""},
	} {
		if got, err := restic.PatternLine(c.pattern, c.root); err != nil || got != c.want {
			t.Errorf("%q: got %q, %v, want %q", c.pattern, got, err, c.want)
		}
	}
	for _, bad := range []string{"a\nb", "[", "!", "a\x00", strings.Repeat("x", 5000)} {
		if got, err := restic.PatternLine(bad, "/"); err == nil {
			t.Errorf("%.20q: got %.20q, want an error", bad, got)
		}
	}
}

func TestEscape(t *testing.T) {
	t.Parallel()
	for _, name := range awkward {
		if ok, err := path.Match(restic.Escape(name), name); err != nil || !ok {
			t.Errorf("%q: its own pattern does not match it: %v", name, err)
		}
	}
	if ok, _ := path.Match(restic.Escape("*"), "x"); ok {
		t.Error("the pattern of * matches x")
	}
}
