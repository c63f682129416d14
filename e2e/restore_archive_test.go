package e2e_test

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/text/unicode/norm"

	"ostler/e2e/world"
)

// odd are more names and kinds that an archive and a server must get through,
// beside names.
var odd = map[string]string{
	"--target=":              "an option",
	"-":                      "a dash",
	"empty":                  "",
	"README":                 "large",
	"readme":                 "small",
	"Stra\u00dfe.txt":        "composed",
	"cafe\u0301.txt":         "decomposed",
	"caf\u00e9.txt":          "composed too",
	"$(reboot)`id`;'\".txt":  "a shell's",
	" leading and trailing ": "spaces",
}

// bomb is a zip of 64 MiB of zeros in 64 KiB.
func bomb(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create("zeros")
	if err == nil {
		_, err = io.Copy(f, io.LimitReader(zeros{}, 64<<20))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// Whatever files are called, an archive has each of them with its bytes, a zip
// has no name that any computer trips over, and a restore on the server gives
// them their own names.
func TestRestoreNames(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "")
	const dir = folder + "/odd"
	want := map[string]string{dir + "/bomb.zip": bomb(t), dir + "/deep/-rf/--help": "deep"}
	for name := range names {
		want[dir+"/"+name] = "in " + name
	}
	for name, text := range odd {
		want[dir+"/"+name] = text
	}
	for name, text := range want {
		h.host.Put(name, text)
	}
	if err := os.Symlink("../../../../etc/passwd", h.on(dir+"/link")); err != nil {
		t.Fatal(err)
	}
	snapshot := h.backUp().Snapshot
	h.maple.Listed(h.plan.ID, 2)
	w.Step(t, "found", func(t *testing.T) {
		var got []string
		for _, f := range h.maple.Find("beneath", dir, "type", "file").Items {
			got = append(got, f.Name())
		}
		slices.Sort(got)
		if all := slices.Sorted(maps.Keys(want)); !slices.Equal(got, all) {
			t.Errorf("found: got %q\nwant %q", got, all)
		}
		for _, page := range []string{"/find?q=onerror", "/snapshots/" + snapshot + "?path=" + dir} {
			if html := h.maple.Portal.Page(page); strings.Contains(html, "<img src=x") || strings.Contains(html, "\u202e") || !strings.Contains(html, "&lt;img src=x onerror=alert(1)&gt;.txt") {
				t.Errorf("%s does not show the name of a file as it is", page)
			}
		}
	})
	for _, format := range []string{"zip", "tar.gz"} {
		w.Step(t, format, func(t *testing.T) {
			r, a := h.archive(t, format, world.Of(snapshot, dir)...)
			for name, text := range want {
				if got := a.File(t, name, ""); got != text {
					t.Errorf("%q: got %.100q, want %.100q", name, got, text)
				}
			}
			if link := a.Entries["srv/maple/odd/link"]; link.Mode.Type() != fs.ModeSymlink || link.Data != "../../../../etc/passwd" {
				t.Errorf("the link: got %+v", link)
			}
			if !a.Manifest.Complete || r.Incomplete || r.Files != int64(len(want)) {
				t.Errorf("complete: %v, %+v", a.Manifest.Complete, r)
			}
			if format == "zip" {
				portable(t, a.Names)
			}
		})
	}
	w.Step(t, "in place", func(t *testing.T) {
		before := state(t, h.on(dir))
		r := h.place(world.Place{Placement: "folder", Folder: []byte(folder + "/back")}, world.Of(snapshot, dir)...)
		r = h.confirm(r.ID)
		if got := state(t, h.on(folder+"/back/odd")); got != before {
			t.Errorf("restored:\n%s\nwant\n%s", got, before)
		}
		h.undo(r.ID)
		if _, err := os.Lstat(h.on(folder + "/back")); err == nil {
			t.Error("undone: the folder is there")
		}
		same(t, "undo", h.on(dir), before)
	})
	w.Step(t, "one of them", func(t *testing.T) { // each chosen by itself
		var picks []world.Pick
		for name := range want {
			picks = append(picks, world.Of(snapshot, name)...)
		}
		if _, a := h.archive(t, "tar.gz", picks...); a.Manifest.Files != int64(len(want)) {
			t.Errorf("got %d files, want %d", a.Manifest.Files, len(want))
		}
	})
}

// portable fails the test for names of a zip that are not names everywhere, or
// not two names everywhere.
func portable(t *testing.T, names []string) {
	t.Helper()
	seen := map[string]string{}
	for _, n := range names {
		if !fs.ValidPath(strings.TrimSuffix(n, "/")) || strings.ContainsAny(n, "\\\n") || strings.Contains(n, "\u202e") {
			t.Errorf("a zip has the name %q", n)
		}
		key := norm.NFC.String(strings.ToLower(n))
		if other, twice := seen[key]; twice {
			t.Errorf("a zip has %q and %q", n, other)
		}
		seen[key] = n
	}
}

// One name is a folder in one copy, a link in the next and a file in the last.
// Each is fetched as it was, and put back over the others without following.
func TestFolderThenLinkThenFile(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "")
	const name, outside = folder + "/thing", "/srv/others"
	h.host.Put(outside+"/secret.txt", "not maple's\n")
	h.host.Put(name+"/inside.txt", "a folder once\n")
	var copies []string
	for _, next := range []func() error{
		func() error { return nil },
		func() error {
			return os.Symlink(filepath.Join(h.host.Root, outside), h.on(name))
		},
		func() error { return os.WriteFile(h.on(name), []byte("a file at last\n"), 0o600) },
	} {
		if len(copies) > 0 {
			if err := os.RemoveAll(h.on(name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := next(); err != nil {
			t.Fatal(err)
		}
		copies = append(copies, h.backUp().Snapshot)
	}
	h.maple.Listed(h.plan.ID, 4)
	var types []string
	for _, v := range h.maple.History(h.plan.ID, name).Versions {
		types = append(types, v.Type)
	}
	if got := strings.Join(types, " "); got != "file symlink dir" {
		t.Errorf("history: got %s", got)
	}
	if f := h.maple.Look(copies[1], name); f.Found == nil || *f.Found {
		t.Errorf("a look into the link: got %+v", f)
	}
	_, a := h.archive(t, "tar.gz", append(append(world.Of(copies[0], name), world.Of(copies[1], name)...), world.Of(copies[2], name)...)...)
	if a.Manifest.Files != 2 || a.File(t, name, h.resticID(t, copies[2])) != "a file at last\n" || a.File(t, name+"/inside.txt", "") != "a folder once\n" || !a.Manifest.Complete {
		t.Errorf("archive: got %q", a.Names)
	}
	others := state(t, h.on(outside))
	before := state(t, h.on(folder))
	r := h.confirm(h.place(world.Place{Conflict: "overwrite"}, world.Of(copies[1], name)...).ID) // the link over the file
	if to, err := os.Readlink(h.on(name)); err != nil || to != filepath.Join(h.host.Root, outside) || r.Result.Counts["replace"] != 1 {
		t.Errorf("the link over the file: got %q, %v, %+v", to, err, r.Result)
	}
	h.undo(r.ID)
	same(t, "undo", h.on(folder), before)
	h.confirm(h.place(world.Place{Conflict: "overwrite"}, world.Of(copies[1], name)...).ID)
	before = state(t, h.on(folder))
	for _, conflict := range []string{"overwrite", "keep", "beside"} { // the folder where the link leads to others
		r = h.place(world.Place{Conflict: conflict}, world.Of(copies[0], name)...)
		for _, c := range h.maple.Changes(r.ID, "preview") {
			if c.Act != "refuse" {
				t.Errorf("%s: got %+v, want it refused", conflict, c)
				continue
			}
			w.Told(conflict, c.Why, "unsafe_path")
		}
		if status, answer := h.maple.Do("POST", "/restores/"+r.ID+"/confirm", nil); status != 409 {
			t.Errorf("%s: confirm: status %d: %s", conflict, status, answer)
		}
		if r.Preview.Counts["refuse"] != 2 {
			t.Errorf("%s: got %+v", conflict, r.Preview)
		}
	}
	same(t, "refused", h.on(folder), before)
	r = h.confirm(h.place(world.Place{Conflict: "overwrite"}, world.Of(copies[2], name)...).ID) // the file over the link
	if read(t, h.on(name)) != "a file at last\n" || r.Result.Counts["replace"] != 1 {
		t.Errorf("the file over the link: got %+v", r.Result)
	}
	h.undo(r.ID)
	same(t, "undo", h.on(folder), before)
	same(t, "what the link led to", h.on(outside), others)
}

// The store lost a pack, and another is damaged. What can be had is fetched; the
// manifest, the API, the command line and the name say what is missing.
func TestRestoreOfDamagedBackup(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(file string) error{
		"lost": os.Remove,
		"damaged": func(file string) error {
			b, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			for i := range b[:len(b)/2] {
				b[i] ^= 0x55
			}
			return os.WriteFile(file, b, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, world.New(t, world.Options{}), "")
			const lost, kept = folder + "/photos/large.raw", folder + "/photos/small.jpg"
			h.host.Put(kept, "a small one\n")
			h.backUp()
			before := packs(t, h)
			h.host.Put(lost, noise(20<<20))
			snapshot := h.backUp().Snapshot
			h.maple.Listed(h.plan.ID, 3)
			for file, size := range packs(t, h) {
				if _, old := before[file]; !old && size > 1<<20 {
					if err := os.Chmod(file, 0o600); err != nil {
						t.Fatal(err)
					}
					if err := harm(file); err != nil {
						t.Fatal(err)
					}
					break
				}
			}
			incomplete(t, h, snapshot, lost, kept)
		})
	}
}

// packs are the packs of the store with their sizes.
func packs(t *testing.T, h *house) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	err := filepath.WalkDir(filepath.Join(h.Store.Dir, "data"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(filepath.Dir(name))) != "data" {
			return err
		}
		info, err := d.Info()
		found[name] = info.Size()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// incomplete expects that one file of a folder is missing, and everybody told.
func incomplete(t *testing.T, h *house, snapshot, lost, kept string) {
	t.Helper()
	r, a := h.archive(t, "zip", world.Of(snapshot, filepath.Dir(lost))...)
	if !r.Incomplete || r.MissingCount != 1 || len(r.Missing) != 1 || r.Missing[0].Path != lost || !strings.HasSuffix(r.Name, "-INCOMPLETE.zip") {
		t.Fatalf("archive: got %+v", r)
	}
	h.Told("missing", &r.Missing[0].Why, "repository_damaged")
	if a.Manifest.Complete || len(a.Manifest.Missing) != 1 || string(a.Manifest.Missing[0].Path) != lost || a.File(t, kept, "") != "a small one\n" || a.Manifest.Files != 1 {
		t.Errorf("manifest: got %+v", a.Manifest)
	}
	h.Says("the page", h.maple.Portal.Page("/restores/"+r.ID), "-INCOMPLETE.zip", "1 thing is missing from it", lost)
	if f := h.Staff().Findings("restore.incomplete"); len(f) != 1 || f[0].Next == "" {
		t.Errorf("findings: got %+v, want one", f)
	}
	file := filepath.Join(t.TempDir(), "got.zip")
	out, errs, code := h.maple.CLI("restore", "archive", snapshot+":"+filepath.Dir(lost), "-o", file, "--wait-timeout", "60s")
	if code != 1 || world.OpenArchive(t, "zip", []byte(read(t, file))).Manifest.Complete {
		t.Errorf("restore archive: exit %d, want 1\n%s", code, out)
	}
	h.Says("restore archive", errs, "INCOMPLETE", lost, "damaged", "not complete: 1 file or folder is missing", "Next: ")
	before := state(t, h.on(folder))
	p := h.place(world.Place{Placement: "folder", Folder: []byte(folder + "/back")}, world.Of(snapshot, filepath.Dir(lost))...)
	p = h.confirm(p.ID)
	if !p.Incomplete || p.MissingCount != 1 || read(t, h.on(folder+"/back/photos/small.jpg")) != "a small one\n" {
		t.Errorf("in place: got %+v", p)
	}
	if _, err := os.Lstat(h.on(folder + "/back/photos/large.raw")); err == nil {
		t.Error("in place: a damaged file was put on the server")
	}
	h.undo(p.ID)
	same(t, "undo", h.on(folder), before)
	_, errs, code = h.maple.CLI("restore", "in-place", snapshot+":"+filepath.Dir(lost), "--folder", folder+"/again", "--yes", "--wait-timeout", "60s")
	if code != 1 {
		t.Errorf("restore in-place: exit %d, want 1", code)
	}
	h.Says("restore in-place", errs, "INCOMPLETE", lost, "Next: ")
	one := h.maple.Idle(h.maple.Order(world.Order{Kind: "archive", Format: "tar.gz", Picks: world.Of(snapshot, lost)})[0].ID, backupLimit)
	if one.State != "failed" { // nothing of what was asked for can be had
		t.Errorf("only the lost file: got %+v", one)
	}
	h.Told("only the lost file", one.Failure, "repository_damaged")
	empty(t, filepath.Join(h.host.State, "staging"))
}

// Pipes and devices are in no archive. The manifest says so, and the
// archive is complete all the same: every file is in it.
func TestArchiveOfPipesAndDevices(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "")
	if err := syscall.Mkfifo(h.on(folder+"/office/pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := syscall.Mknod(h.on(folder+"/office/null"), syscall.S_IFCHR|0o600, 1<<8|3); err != nil {
			t.Fatal(err)
		}
	}
	snapshot := h.backUp().Snapshot
	for _, format := range []string{"zip", "tar.gz"} {
		r, a := h.archive(t, format, world.Of(snapshot, folder)...)
		if r.Incomplete || r.MissingCount != 0 || strings.Contains(r.Name, "INCOMPLETE") {
			t.Errorf("%s: it is called incomplete: %+v", format, r)
		}
		for _, p := range a.Manifest.Missing {
			if p.Cause != "unsupported" {
				t.Errorf("%s: the manifest misses %s: %s", format, p.Path, p.Cause)
			}
		}
		if !a.Manifest.Complete || len(a.Manifest.Missing) == 0 || a.Manifest.Files != 2 {
			t.Errorf("%s: manifest: got %+v", format, a.Manifest)
		}
	}
	if f := h.Staff().Findings("restore.incomplete"); len(f) != 0 {
		t.Errorf("findings: %+v", f)
	}
	one := h.maple.Idle(h.maple.Order(world.Order{Kind: "archive", Format: "tar.gz", Picks: world.Of(snapshot, folder+"/office/pipe")})[0].ID, backupLimit)
	if one.State != "failed" {
		t.Errorf("only the pipe: got %+v", one)
	}
	w.Told("only the pipe", one.Failure, "unsupported")
}
