package e2e_test

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostler/e2e/world"
)

// live has a customer live on a server, in some folders.
func live(w *world.World, host *world.Host, customer string, paths ...string) {
	w.T.Helper()
	args := []string{"tenancy", "add", "--server", host.Name, "--customer", customer}
	for _, p := range paths {
		args = append(args, "--path", p)
	}
	w.JSON(nil, args...)
}

// What one server has backed up goes to another of the same customer, with
// owners and modes; what carried it there is kept nowhere; and it can be undone.
func TestRestoreToAnotherServer(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	h := newHouse(t, w, "")
	const dir = folder + "/shop"
	large := noise(9 << 20) // two chunks
	h.host.Put(dir+"/index.html", "a shop\n")
	h.host.Put(dir+"/caf\xe9.txt", "in bytes\n")
	h.host.Put(dir+"/large.bin", large)
	h.host.Put(dir+"/empty", "")
	h.own(t, dir+"/index.html", 1501, 1502, 0o604)
	if err := os.Symlink("index.html", h.on(dir+"/home")); err != nil {
		t.Fatal(err)
	}
	snapshot := h.backUp().Snapshot
	second := w.AddHost("maple-2")
	live(w, second, "maple", "/srv/second")
	second.Put("/srv/second/new/shop/index.html", "the shop of today\n")
	before, wanted := state(t, filepath.Join(second.Root, "srv")), state(t, h.on(dir))
	target := world.Place{Server: "maple-2", Placement: "folder", Folder: []byte("/srv/second/new"), Conflict: "overwrite"}
	r := h.place(target, world.Of(snapshot, dir)...)
	same(t, "preview", filepath.Join(second.Root, "srv"), before)
	empty(t, filepath.Join(h.host.State, "staging"))
	r = h.confirm(r.ID)
	if got := state(t, filepath.Join(second.Root, "srv/second/new/shop")); got != wanted {
		t.Errorf("on the other server:\n%s\nwant\n%s", got, wanted)
	}
	if r.Result.Counts["replace"] != 1 || !safety(t, second.Root, "the shop of today\n") {
		t.Errorf("result: got %+v", r.Result)
	}
	h.maple.Step(r.ID, "undo")
	h.maple.Came(r.ID, "undone", backupLimit)
	same(t, "undo", filepath.Join(second.Root, "srv"), before)
	for _, host := range []*world.Host{h.host, second} {
		empty(t, filepath.Join(host.State, "staging"))
	}
	world.Eventually(t, "what carried it is deleted", backupLimit, func() bool {
		kept, err := filepath.Glob(filepath.Join(w.Downloads(), "downloads", r.ID, "*"))
		return err == nil && len(kept) == 0
	})

	w.Step(t, "without the key", func(t *testing.T) {
		key := filepath.Join(h.host.State, "helper", "keys", h.plan.Repository+".key")
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
		before := state(t, filepath.Join(second.Root, "srv"))
		for _, o := range []world.Order{{Kind: "archive"}, {Kind: "in_place"}, {Kind: "in_place", Target: &target}} {
			o.Picks = world.Of(snapshot, dir)
			r := h.maple.Came(h.maple.Order(o)[0].ID, "failed", backupLimit)
			w.Told(o.Kind, r.Failure, "no_key")
			if r.Failure != nil {
				w.Says(o.Kind, r.Failure.Next, "plan key return")
			}
		}
		same(t, "without the key", filepath.Join(second.Root, "srv"), before)
	})
	w.Step(t, "a server that is not theirs", func(t *testing.T) {
		other := w.AddHost("harbour-1")
		w.AddCustomers("harbour")
		live(w, other, "harbour", "/srv/second")
		for _, name := range []string{"harbour-1", other.ID, "never-was"} {
			target.Server = name
			if status, answer := h.maple.Refused(world.Order{Kind: "in_place", Picks: world.Of(snapshot, dir), Target: &target}); status != http.StatusNotFound {
				t.Errorf("to %s: status %d: %s", name, status, answer)
			}
		}
	})
}

// Two customers share a server. Neither reads nor writes the other's folders:
// not by naming them, not by a way around, and not through a link that lies in
// their own or comes to lie there while it is restored.
func TestRestoreBounds(t *testing.T) {
	t.Parallel()
	w := world.New(t, world.Options{})
	both := w.AddCustomers("maple", "birch")
	maple, birch := both[0], both[1]
	w.AddStore("off-site", "")
	host := w.AddHost("shared-1")
	const theirs = "/srv/birch"
	host.Put(folder+"/office/plan.txt", "the first plan\n")
	host.Put(theirs+"/plan.txt", "birch's own plan\n")
	h := &house{World: w, maple: maple, host: host}
	h.plan = w.AddPlan(maple, host, "Everything", folder)
	live(w, host, "birch", theirs)
	snapshot := maple.Over(h.plan.ID, backupLimit).Snapshot
	before := state(t, h.on(theirs))

	w.Step(t, "targets", func(t *testing.T) {
		for _, to := range []string{"/", "//", "/etc", theirs, theirs + "/new", folder + "/../birch", folder + "/office/../../birch", folder + "x", "srv/maple", "--target=/", "", folder + "/a\x00b"} {
			target := world.Place{Placement: "folder", Folder: []byte(to), Conflict: "overwrite"}
			status, answer := maple.Refused(world.Order{Kind: "in_place", Picks: world.Of(snapshot, folder+"/office"), Target: &target})
			var p world.Problem
			if status != http.StatusUnprocessableEntity && status != http.StatusBadRequest || json.Unmarshal([]byte(answer), &p) != nil || p.Detail == "" {
				t.Errorf("to %q: status %d: %s", to, status, answer)
			}
		}
		for _, kind := range []string{"archive", "in_place"} {
			maple.Refused(world.Order{Kind: kind, Picks: world.Of(snapshot, folder+"/\x00")})
			maple.Refused(world.Order{Kind: kind, Picks: world.Of(snapshot, "")})
			maple.Refused(world.Order{Kind: kind}) // nothing ticked restores nothing
		}
		maple.Refused(world.Order{Kind: "in_place", Picks: world.Of(snapshot, theirs+"/plan.txt")})
		if n := len(list(t, maple.Caller)); n != 0 {
			t.Errorf("%d restores were made of what is refused", n)
		}
	})
	w.Step(t, "everything is one's own", func(t *testing.T) {
		_, a := h.archive(t, "tar.gz", world.Of(snapshot, "/")...)
		for _, name := range a.Names {
			if !strings.HasPrefix("/"+strings.TrimSuffix(name, "/")+"/", folder+"/") {
				t.Errorf("the archive has %q", name)
			}
		}
		if a.File(t, folder+"/office/plan.txt", "") != "the first plan\n" {
			t.Errorf("the archive has %q", a.Names)
		}
	})
	w.Step(t, "another customer", func(t *testing.T) {
		r := h.place(world.Place{}, world.Of(snapshot, folder+"/office")...)
		for _, o := range []world.Order{{Kind: "archive", Picks: world.Of(snapshot, folder)}, {Kind: "in_place", Picks: world.Of(snapshot, folder), Target: &world.Place{}}, {Kind: "archive", Customer: "maple", Picks: world.Of(snapshot, folder)}} {
			if status, answer := birch.Refused(o); status != http.StatusNotFound {
				t.Errorf("%+v: status %d: %s", o, status, answer)
			}
		}
		for _, path := range []string{"GET /restores/" + r.ID, "GET /restores/" + r.ID + "/changes", "GET /restores/" + r.ID + "/items", "GET /restores/" + r.ID + "/content", "POST /restores/" + r.ID + "/confirm",
			"POST /restores/" + r.ID + "/undo", "POST /restores/" + r.ID + "/cancel", "GET /files?q=plan&customer=maple", "GET /files?q=plan&plan=" + h.plan.ID,
			"GET /files/history?path=/srv&plan=" + h.plan.ID, "GET /plans/" + h.plan.ID + "/catalogue", "POST /plans/" + h.plan.ID + "/catalogue/rebuild", "GET /snapshots/" + snapshot + "/files"} {
			method, path, _ := strings.Cut(path, " ")
			if status, answer := birch.Do(method, path, nil); status != http.StatusNotFound {
				t.Errorf("%s %s: status %d: %s", method, path, status, answer)
			}
		}
		if f := birch.Find("q", "plan"); len(f.Items) != 0 {
			t.Errorf("birch finds %+v", f.Items)
		}
		maple.Step(r.ID, "cancel")
		maple.Came(r.ID, "cancelled", backupLimit)
	})
	link := func(at string) {
		t.Helper()
		if err := os.RemoveAll(h.on(at)); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(host.Root, theirs), h.on(at)); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(t *testing.T, r world.Restore, list string) {
		t.Helper()
		all := maple.Changes(r.ID, list)
		for _, c := range all {
			if c.Act != "refuse" && c.Act != "same" {
				t.Errorf("%s: got %+v, want it refused", list, c)
			} else if c.Act == "refuse" {
				w.Told(list, c.Why, "unsafe_path")
			}
		}
		if len(all) == 0 {
			t.Errorf("%s: it says nothing", list)
		}
		same(t, list, h.on(theirs), before)
	}
	w.Step(t, "a link on the way", func(t *testing.T) {
		link(folder + "/way")
		for _, to := range []string{folder + "/way", folder + "/way/in"} {
			r := h.place(world.Place{Placement: "folder", Folder: []byte(to), Conflict: "overwrite"}, world.Of(snapshot, folder+"/office/plan.txt")...)
			refused(t, r, "preview")
		}
	})
	w.Step(t, "a link since the preview", func(t *testing.T) {
		host.Put(folder+"/office/plan.txt", "changed\n")
		r := h.place(world.Place{Conflict: "overwrite"}, world.Of(snapshot, folder+"/office/plan.txt")...)
		if r.Preview.Counts["replace"] != 1 {
			t.Fatalf("preview: got %+v", r.Preview)
		}
		link(folder + "/office")
		maple.Step(r.ID, "confirm")
		if r = maple.Idle(r.ID, backupLimit); r.State == "ready" {
			refused(t, r, "result")
		} else {
			w.Told("confirmed", r.Failure, "unsafe_path")
		}
		same(t, "swapped", h.on(theirs), before)
	})
	w.Step(t, "the folder itself", func(t *testing.T) {
		link(folder)
		r := maple.Order(world.Order{Kind: "in_place", Picks: world.Of(snapshot, folder+"/office/plan.txt"), Target: &world.Place{Conflict: "overwrite"}})[0]
		if r = maple.Idle(r.ID, backupLimit); r.State == "previewed" {
			refused(t, r, "preview")
		} else {
			w.Told("preview", r.Failure, "unsafe_path")
		}
		same(t, "the folder is a link", h.on(theirs), before)
	})
	if err := filepath.WalkDir(host.Root, func(name string, _ fs.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(name), ".ostler-restore-") {
			t.Errorf("left behind: %s", name)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// list are the restores that a caller sees.
func list(t *testing.T, c world.Caller) []world.Restore {
	t.Helper()
	var out struct{ Items []world.Restore }
	if !c.Get("/restores", &out) {
		t.Fatal("restores cannot be listed")
	}
	return out.Items
}
