package rooted_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ostler/agents/host/rooted"
)

// tree is a root with files ("name": "text"), folders ("name/": "") and links
// ("name": "-> target") in it, beside a secret that is outside.
func tree(t *testing.T, files map[string]string) rooted.Tree {
	t.Helper()
	outside := t.TempDir()
	at := filepath.Join(outside, "root")
	must(t, os.Mkdir(at, 0o755))
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600))
	for name, text := range files {
		full := filepath.Join(at, name)
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		target, link := strings.CutPrefix(text, "-> ")
		switch {
		case link:
			must(t, os.Symlink(strings.ReplaceAll(target, "$root", at), full))
		case strings.HasSuffix(name, "/"):
			must(t, os.MkdirAll(full, 0o755))
		default:
			must(t, os.WriteFile(full, []byte(text), 0o600))
		}
	}
	root, err := os.OpenRoot(at)
	must(t, err)
	t.Cleanup(func() { _ = root.Close() })
	return rooted.Tree{Root: root, Alias: at}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestResolve(t *testing.T) {
	tr := tree(t, map[string]string{
		"etc/ssl/cert.pem": "pem", "etc/live": "-> ssl", "etc/abs": "-> /etc/ssl/cert.pem", "etc/up": "-> ../etc/./live/../ssl/cert.pem", "etc/named": "-> $root/etc/ssl/cert.pem",
		"etc/loop": "-> loop2", "etc/loop2": "-> /etc/loop", "etc/gone": "-> /nowhere", "etc/out": "-> ../../../secret", "etc/far": "-> /../../secret", "etc/file": "text",
		"deep/a": "-> b/c", "deep/b/c": "-> ../d", "deep/d/": "", "var/run": "-> /run", "run/": "", "run/pid": "7",
	})
	for _, tt := range []struct {
		name, want string
		err        error
	}{
		{"/", "/", nil},
		{"/etc/ssl/cert.pem", "/etc/ssl/cert.pem", nil},
		{"//etc/./ssl//cert.pem", "/etc/ssl/cert.pem", nil},
		{"/etc/live/cert.pem", "/etc/ssl/cert.pem", nil},
		{"/etc/abs", "/etc/ssl/cert.pem", nil},
		{"/etc/up", "/etc/ssl/cert.pem", nil},
		{"/etc/named", "/etc/ssl/cert.pem", nil},
		{tr.Alias + "/etc/abs", "/etc/ssl/cert.pem", nil},
		{"/var/run/pid", "/run/pid", nil},
		{"/var/run/../etc/file", "/etc/file", nil}, // ".." is above /run, not above /var/run
		{"/deep/a", "/deep/d", nil},
		{"/../../../etc/file", "/etc/file", nil},
		{"/etc/loop", "", rooted.ErrLinks},
		{"/etc/gone", "", fs.ErrNotExist},
		{"/etc/out", "", fs.ErrNotExist},
		{"/etc/far", "", fs.ErrNotExist},
		{"/etc/file/below", "", syscall.ENOTDIR},
	} {
		got, err := tr.Resolve(tt.name)
		if got != tt.want || !errors.Is(err, tt.err) || (tt.err == nil) != (err == nil) {
			t.Errorf("%s: got %q, %v, want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

func TestRead(t *testing.T) {
	tr := tree(t, map[string]string{"a": "text", "folder/": "", "link": "-> a", "out": "-> ../secret", "pipes/": ""})
	at := filepath.Join(tr.Alias, "pipes", "p")
	must(t, syscall.Mkfifo(at, 0o600)) // nobody writes to it
	for _, tt := range []struct {
		name, want string
		limit      int64
		err        error
	}{
		{"/a", "text", 4, nil},
		{"/link", "text", 100, nil},
		{"/a", "", 3, rooted.ErrBig},
		{"/folder", "", 100, rooted.ErrNotRegular},
		{"/pipes/p", "", 100, rooted.ErrNotRegular},
		{"/out", "", 100, fs.ErrNotExist},
		{"/nothing", "", 100, fs.ErrNotExist},
	} {
		got, err := tr.Read(tt.name, tt.limit)
		if string(got) != tt.want || !errors.Is(err, tt.err) || (tt.err == nil) != (err == nil) {
			t.Errorf("%s: got %q, %v, want %q, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

// A link that takes the place of a folder once it was looked at leads nowhere.
func TestLinkThatAppears(t *testing.T) {
	tr := tree(t, map[string]string{"dir/secret": "mine"})
	at, err := tr.Resolve("/dir/secret")
	must(t, err)
	must(t, os.RemoveAll(filepath.Join(tr.Alias, "dir")))
	must(t, os.Symlink("..", filepath.Join(tr.Alias, "dir")))
	if f, err := tr.Root.Open(rooted.Rel(at)); err == nil {
		_ = f.Close()
		t.Error("what lies outside of the root was opened")
	}
}

func TestNamesAndGlob(t *testing.T) {
	tr := tree(t, map[string]string{"c/b.conf": "", "c/a.conf": "", "c/.hidden.conf": "", "c/x.txt": "", "d/e/f": "", "live": "-> c", "gone": "-> nowhere"})
	names, err := tr.Names("/live", 10)
	if want := []string{".hidden.conf", "a.conf", "b.conf", "x.txt"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("names: got %v, %v, want %v", names, err, want)
	}
	if names, err := tr.Names("/c", 2); !errors.Is(err, rooted.ErrBig) || len(names) != 2 {
		t.Errorf("more than are read: got %v, %v, want two and ErrBig", names, err)
	}
	if _, err := tr.Names("/gone", 2); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("not there: got %v", err)
	}
	read := func(dir string) []string { names, _ := tr.Names(dir, 10); return names }
	for pattern, want := range map[string][]string{
		"/c/*.conf":        {"/c/a.conf", "/c/b.conf"},
		"/live/?.conf":     {"/live/a.conf", "/live/b.conf"},
		"/[cd]/*":          {"/c/a.conf", "/c/b.conf", "/c/x.txt", "/d/e"},
		"/c/.*":            {"/c/.hidden.conf"},
		"/c/[":             nil, // no pattern
		"/*/e/f":           {"/c/e/f", "/d/e/f", "/gone/e/f", "/live/e/f"},
		"/gone/*":          nil,
		"/c/a.conf":        {"/c/a.conf"},
		"/nowhere/nothing": {"/nowhere/nothing"},
	} {
		if got := rooted.Glob(pattern, read); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", pattern, got, want)
		}
	}
}

func TestInside(t *testing.T) {
	for _, tt := range []struct{ alias, name, want string }{
		{"/", "/etc/x", "/etc/x"}, {"", "etc/../x", "/x"}, {"/srv/host", "/srv/host/etc/x", "/etc/x"}, {"/srv/host/", "/srv/host/etc/x", "/etc/x"},
		{"/srv/host", "/srv/hostile/x", "/srv/hostile/x"}, {"/srv/host", "/srv/host/../x", "/x"},
	} {
		if got := (rooted.Tree{Alias: tt.alias}).Inside(tt.name); got != tt.want {
			t.Errorf("%q in %q: got %q, want %q", tt.name, tt.alias, got, tt.want)
		}
	}
}
