package backups

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPutBackName(t *testing.T) {
	at := time.Date(2026, 11, 20, 2, 14, 59, 0, time.FixedZone("", 3600))
	for _, tt := range []struct{ file, want string }{
		{"/srv/shop/plan.ods", "plan.restored-20261120-0114.ods"},
		{"/srv/shop/.htaccess", ".htaccess.restored-20261120-0114"},
		{"/srv/backup.tar.gz", "backup.tar.restored-20261120-0114.gz"},
		{"/srv/README", "README.restored-20261120-0114"},
		{"/srv/bad\xff\nname.txt", "bad\xff\nname.restored-20261120-0114.txt"},
	} {
		if got := string(PutBackName([]byte(tt.file), at)); got != tt.want {
			t.Errorf("PutBackName(%q) = %q, want %q", tt.file, got, tt.want)
		}
	}
}

func TestCleanPath(t *testing.T) {
	for in, want := range map[string]string{
		"": "/", "/": "/", "srv": "/srv", "/srv//a/": "/srv/a", "/srv/../../etc": "/etc", "../x": "/x", "--target=/": "/--target=", "/a\nb": "/a\nb",
	} {
		if got := string(cleanPath([]byte(in))); got != want {
			t.Errorf("cleanPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestOverdue(t *testing.T) {
	day := func(d, h, m int) time.Time { return time.Date(2026, 11, d, h, m, 0, 0, time.UTC) }
	for _, tt := range []struct {
		name        string
		newest, now time.Time
		want        bool
	}{
		{"fresh", day(20, 2, 20), day(20, 9, 0), false},
		{"one start missed", day(19, 2, 20), day(20, 9, 0), false},
		{"second start just now", day(18, 2, 20), day(20, 2, 30), false},
		{"two starts missed", day(18, 2, 20), day(20, 3, 16), true},
		{"for a week", day(10, 2, 20), day(20, 9, 0), true},
	} {
		got, err := overdue("15 2 * * *", "UTC", tt.newest, tt.now)
		if err != nil || got != tt.want {
			t.Errorf("%s: overdue = %v, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

func TestWriteHtpasswd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "htpasswd")
	hash := func(c string) string { return "$2a$10$" + strings.Repeat(c, 53) }
	for _, step := range []struct{ user, hash string }{{"rep_a", hash("a")}, {"rep_b", hash("b")}, {"rep_a", hash("c")}, {"rep_a", hash("c")}} {
		if err := writeHtpasswd(file, step.user, step.hash); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := "rep_b:" + hash("b") + "\nrep_a:" + hash("c") + "\n"; string(got) != want {
		t.Errorf("htpasswd:\n%swant:\n%s", got, want)
	}
	for _, bad := range []string{"", "secret", "$2a$10$x\nroot:y", "{SHA}xyz"} {
		if err := writeHtpasswd(file, "rep_a", bad); err == nil {
			t.Errorf("writeHtpasswd accepted the hash %q", bad)
		}
	}
}

func TestLastGroup(t *testing.T) {
	for in, want := range map[string]string{"abcde-fghjk": "FGHJK", " fghjk ": "FGHJK", "FGHJK": "FGHJK", "": ""} {
		if got := lastGroup(in); got != want {
			t.Errorf("lastGroup(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestEnumsRefuseTheUnknown(t *testing.T) {
	if Custody("none").Valid() || RepositoryState("").Valid() || RunState("").Valid() || RestoreKind("").Valid() || RestoreState("done").Valid() {
		t.Error("an unknown value is valid")
	}
}
