package helper_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostler/agents/host/helper"
	"ostler/agents/wire"
	"ostler/backups/restic"
)

// realSite is a repository of the real restic with one snapshot of a site.
func realSite(t *testing.T) (r *restic.Repo, snapshot string) {
	t.Helper()
	r = realRepo(t)
	for name, data := range map[string]string{
		"srv/www/index.html": "hello\n", "srv/www/empty": "", "srv/www/conf/app.ini": "a=1\n", "srv/www/conf/deep/er/x": "x",
		"srv/www/odd/new\nline": "1", "srv/www/odd/\xff\xfe": "2", "srv/www/odd/--target=": "3", "srv/www/odd/*[a]\\": "4", "srv/www/same": "same",
	} {
		lay(t, r, name, data)
	}
	at := filepath.Join(r.Dir, "srv/www")
	err := errors.Join(os.Symlink("conf/app.ini", at+"/link"), os.Link(at+"/index.html", at+"/hard"), os.Chmod(at+"/conf", 0o750),
		os.Chmod(at+"/index.html", 0o755|fs.ModeSetuid), os.Chtimes(at+"/index.html", longAgo, longAgo), os.Chtimes(at+"/conf", longAgo, longAgo))
	if err != nil {
		t.Fatal(err)
	}
	return r, backUp(t, r)
}

func realHelper(t *testing.T, root string, e helper.Engine) *helper.Local {
	t.Helper()
	h, err := helper.NewLocal(helper.Options{State: t.TempDir(), Root: root, Engine: func(helper.Repo) helper.Engine { return e }})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestApplyWithRestic(t *testing.T) {
	r, snapshot := realSite(t)
	h := realHelper(t, r.Dir, r)
	at := filepath.Join(r.Dir, "srv/www")
	whole := contents(t, at)
	err := errors.Join(os.RemoveAll(at+"/conf"), os.RemoveAll(at+"/odd"), os.Remove(at+"/hard"), os.Remove(at+"/index.html"), os.WriteFile(at+"/index.html", []byte("defaced"), 0o644),
		os.Remove(at+"/link"), os.Symlink("/etc/passwd", at+"/link"), os.WriteFile(at+"/mine", []byte("mine"), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	broken := contents(t, at)
	a := ask(wire.ConflictOverwrite, www)
	a.Selections[0].Snapshot = snapshot
	plan, err := h.Preview(t.Context(), a.Preview, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `
		create /srv/www/conf
		create /srv/www/conf/app.ini
		create /srv/www/conf/deep
		create /srv/www/conf/deep/er
		create /srv/www/conf/deep/er/x
		create /srv/www/hard (setuid_removed)
		create /srv/www/odd
		create /srv/www/odd/*[a]\
		create /srv/www/odd/--target=
		create /srv/www/odd/new
		line
		create /srv/www/odd/` + "\xff\xfe" + `
		replace /srv/www/index.html (setuid_removed)
		replace /srv/www/link
		same /srv/www
		same /srv/www/empty
		same /srv/www/same`
	sorted := strings.Replace(acts(t, plan), "create /srv/www/odd/new\nline", "create /srv/www/odd/new|line", 1)
	wantText(t, "preview", sorted, strings.Replace(want, "new\n\t\tline", "new|line", 1))
	if contents(t, at) != broken {
		t.Error("the preview changed something")
	}
	done, err := h.Apply(t.Context(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	if done.Counts[wire.ActCreate] != plan.Counts[wire.ActCreate] || done.Counts[wire.ActReplace] != 2 || done.Counts[wire.ActRefuse] != 0 {
		t.Errorf("got\n%s", acts(t, done))
	}
	if err := os.Remove(at + "/mine"); err != nil {
		t.Fatal(err)
	}
	var lines []string // without the safety copy, and as customers get it
	for line := range strings.Lines(contents(t, at)) {
		if !strings.Contains(line, ".ostler-restore-") {
			lines = append(lines, line)
		}
	}
	if got, want := strings.TrimSuffix(strings.Join(lines, ""), "\n"), strings.ReplaceAll(whole, "urwxr-xr-x", "-rwxr-xr-x"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := os.WriteFile(at+"/mine", []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	back, err := h.Undo(t.Context(), undoAsk(), nil)
	if err != nil || back.Counts[wire.ActChanged]+back.Counts[wire.ActRefuse] != 0 {
		t.Fatalf("undo: %v\n%+v", err, back.Counts)
	}
	if got := stripTimes(contents(t, at)); got != stripTimes(broken) {
		t.Errorf("undone:\n%s\nwas\n%s", got, broken)
	}
}

// stripTimes leaves out what a test's own rewriting changes.
func stripTimes(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		if strings.HasPrefix(line, "/mine ") {
			line = "/mine"
		}
		out = append(out, strings.TrimSuffix(line, "\n"))
	}
	return strings.Join(out, "\n")
}

func TestApplyFromAnotherServer(t *testing.T) {
	r, snapshot := realSite(t)
	from := realHelper(t, r.Dir, r)
	pack := func(h *helper.Local, format wire.ArchiveFormat, paths ...string) string {
		t.Helper()
		in := helper.Archive{Job: "job_pack", Format: format, Selections: []helper.Labelled{{Selected: helper.Selected{Snapshot: snapshot}}}}
		for _, p := range paths {
			in.Selections[0].Paths = append(in.Selections[0].Paths, []byte(p))
		}
		packed, err := h.Archive(t.Context(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		return packed.Path
	}
	archive := pack(from, wire.ArchiveTarGz, www+"/conf", www+"/odd", www+"/link", www+"/index.html", www+"/hard")
	w := newWorld(t)
	w.disk(www+"/conf/app.ini", "another")
	w.disk(www+"/conf/own", "own")
	before := contents(t, w.root)
	a := ask(wire.ConflictOverwrite)
	a.Selections, a.Archive = nil, archive
	plan, err := w.h.Preview(t.Context(), a.Preview, nil)
	if err != nil {
		t.Fatal(err)
	}
	if after := contents(t, w.root); after != before {
		t.Errorf("the preview changed:\n%s", after)
	}
	wanted := acts(t, plan)
	done := w.apply(a)
	if got := acts(t, done); got != wanted || done.Counts[wire.ActReplace] != 1 || done.Counts[wire.ActCreate] != 11 {
		t.Errorf("got\n%s\nthe preview said\n%s", got, wanted)
	}
	for _, name := range []string{"/conf/app.ini", "/conf/deep/er/x", "/odd/new\nline", "/odd/\xff\xfe", "/link", "/index.html", "/hard"} {
		got, err1 := os.ReadFile(w.root + www + name)
		want, err2 := os.ReadFile(r.Dir + www + name)
		if err1 != nil || err2 != nil || string(got) != string(want) {
			t.Errorf("%q: got %q, want %q (%v, %v)", name, got, want, err1, err2)
		}
	}
	w.undo()
	if after := contents(t, w.root); after != before {
		t.Errorf("undone:\n%s\nwas\n%s", after, before)
	}

	b, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"cut short": b[:len(b)-40], "with a tail": append(append([]byte{}, b...), "more"...), "not one of ours": []byte("PK")} {
		bad := filepath.Join(t.TempDir(), "archive")
		if err := os.WriteFile(bad, data, 0o600); err != nil {
			t.Fatal(err)
		}
		a := ask(wire.ConflictOverwrite)
		a.Selections, a.Archive, a.Restore = nil, bad, "rst_2"
		_, err = w.h.Apply(t.Context(), a, nil)
		if f := helper.Failure(err); err == nil || f.Cause != wire.CauseDamaged {
			t.Errorf("%s: got %v", name, err)
		}
		if after := contents(t, w.root); after != before {
			t.Errorf("%s: changed\n%s", name, after)
		}
	}
	zip := ask(wire.ConflictOverwrite)
	zip.Selections, zip.Archive, zip.Restore = nil, pack(from, wire.ArchiveZip, www+"/conf"), "rst_3"
	if _, err := w.h.Apply(t.Context(), zip, nil); err == nil || helper.Failure(err).Cause != wire.CauseDamaged {
		t.Errorf("a zip: got %v", err)
	}
}
