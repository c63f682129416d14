package catalogue_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"ostler/agents/wire"
	"ostler/backups/catalogue"
)

func TestSearchText(t *testing.T) {
	t.Parallel()
	names := []string{
		"/index.php", "/INDEX.PHP", "/index.php.bak", "/.php", "/php", "/photo[1].jpg", "/photo1.jpg", "/photo*.jpg",
		"/Über.txt", "/u\u0308BER.TXT", "/Kelvin \u212a.txt", "/straße", "/ΣΑΣ", "/日本.txt", "/\xff\xfe.bin", "/caf\xe9.doc",
		"/www/a/config.php", "/www/b/config.php", "/www/a/x/config.php", "/www2/config.php", "/www/a/Config/readme", "/archive.tar.gz",
	}
	all := tree{}
	for _, n := range names {
		all.file(n, 1, 1)
	}
	p := newPlan(t)
	p.block = 64
	p.append(0, all)
	tests := []struct {
		name string
		q    catalogue.Query
		want []string
	}{
		{"part", catalogue.Query{Text: "index"}, []string{"/INDEX.PHP", "/index.php", "/index.php.bak"}},
		{"any case", catalogue.Query{Text: "InDeX.pHp.B"}, []string{"/index.php.bak"}},
		{"dot first", catalogue.Query{Text: ".php", Beneath: []byte("/www")}, []string{"/www/a/config.php", "/www/a/x/config.php", "/www/b/config.php"}},
		{"bracket is itself", catalogue.Query{Text: "o[1]"}, []string{"/photo[1].jpg"}},
		{"umlaut, however composed", catalogue.Query{Text: "über"}, []string{"/u\u0308BER.TXT", "/Über.txt"}},
		{"umlaut, decomposed", catalogue.Query{Text: "U\u0308ber"}, []string{"/u\u0308BER.TXT", "/Über.txt"}},
		{"folds to ASCII", catalogue.Query{Text: "kelvin k."}, []string{"/Kelvin \u212a.txt"}},
		{"three sigmas", catalogue.Query{Text: "σας"}, []string{"/ΣΑΣ"}},
		{"no letters with case", catalogue.Query{Text: "本"}, []string{"/日本.txt"}},
		{"not UTF-8", catalogue.Query{Text: "F\xe9"}, []string{"/caf\xe9.doc"}},
		{"invalid alone", catalogue.Query{Text: "\xfe"}, []string{"/\xff\xfe.bin"}},
		{"no such", catalogue.Query{Text: "nothing"}, nil},
		{"across names", catalogue.Query{Text: ".php\x00index"}, nil},
		{"across names in glob", catalogue.Query{Text: ".php\x00i*"}, nil},
		{"across names in extension", catalogue.Query{Ext: "php\x00index.php"}, nil},
		{"extension", catalogue.Query{Ext: "PHP"}, []string{"/INDEX.PHP", "/index.php", "/www/a/config.php", "/www/a/x/config.php", "/www/b/config.php", "/www2/config.php"}},
		{"extension with dot", catalogue.Query{Ext: ".bak"}, []string{"/index.php.bak"}},
		{"double extension", catalogue.Query{Ext: "tar.gz"}, []string{"/archive.tar.gz"}},
		{"extension and text", catalogue.Query{Ext: "php", Text: "x"}, []string{"/INDEX.PHP", "/index.php"}},
		{"extension and longer text", catalogue.Query{Ext: "php", Text: "index.p"}, []string{"/INDEX.PHP", "/index.php"}},
		{"extension and path", catalogue.Query{Ext: "php", Text: "a/x/"}, []string{"/www/a/x/config.php"}},
		{"extension and glob", catalogue.Query{Ext: "jpg", Text: "?hoto?.*"}, []string{"/photo*.jpg", "/photo1.jpg"}},
		{"glob is whole", catalogue.Query{Text: "*.php"}, []string{"/.php", "/INDEX.PHP", "/index.php", "/www/a/config.php", "/www/a/x/config.php", "/www/b/config.php", "/www2/config.php"}},
		{"glob any case", catalogue.Query{Text: "INDEX.?hp"}, []string{"/INDEX.PHP", "/index.php"}},
		{"glob class", catalogue.Query{Text: "photo[0-9*]*"}, []string{"/photo*.jpg", "/photo1.jpg"}},
		{"glob not class", catalogue.Query{Text: "photo[!0-9[]*"}, []string{"/photo*.jpg"}},
		{"glob star itself", catalogue.Query{Text: "photo[*]*"}, []string{"/photo*.jpg"}},
		{"glob one letter of several bytes", catalogue.Query{Text: "?ber.txt"}, []string{"/u\u0308BER.TXT", "/Über.txt"}},
		{"glob one invalid byte", catalogue.Query{Text: "??.bin"}, []string{"/\xff\xfe.bin"}},
		{"glob unended class", catalogue.Query{Text: "photo[1*"}, []string{"/photo[1].jpg"}},
		{"only stars and marks", catalogue.Query{Text: "???"}, []string{"/php", "/www", "/ΣΑΣ"}},
		{"path part", catalogue.Query{Text: "a/config"}, []string{"/www/a/Config", "/www/a/config.php", "/www/a/Config/readme"}},
		{"path part in folder", catalogue.Query{Text: "/a/config/"}, []string{"/www/a/Config/readme"}},
		{"path from root", catalogue.Query{Text: "/index"}, []string{"/INDEX.PHP", "/index.php", "/index.php.bak"}},
		{"path glob", catalogue.Query{Text: "/www/*/config.php"}, []string{"/www/a/config.php", "/www/b/config.php"}},
		{"path glob in depth", catalogue.Query{Text: "/www/**/config.php"}, []string{"/www/a/config.php", "/www/a/x/config.php", "/www/b/config.php"}},
		{"path glob none or more folders", catalogue.Query{Text: "/**/index.php"}, []string{"/INDEX.PHP", "/index.php"}},
		{"path glob relative", catalogue.Query{Text: "a/*.php"}, []string{"/www/a/config.php"}},
		{"path glob deep end", catalogue.Query{Text: "/www2/**"}, []string{"/www2/config.php"}},
		{"path glob class", catalogue.Query{Text: "/www/[!a]/*"}, []string{"/www/b/config.php"}},
		{"path glob backs up", catalogue.Query{Text: "**/*/c*g.p?p"}, []string{"/www/a/config.php", "/www/a/x/config.php", "/www/b/config.php", "/www2/config.php"}},
		{"folders", catalogue.Query{Type: wire.NodeDir}, []string{"/www", "/www2", "/www/a", "/www/b", "/www/a/Config", "/www/a/x"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hits, more, err := p.open().Search(context.Background(), tt.q, nil)
			if err != nil || more {
				t.Fatalf("more %v, %v", more, err)
			}
			var got []string
			for _, h := range hits {
				got = append(got, string(h.Path))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSearchStops(t *testing.T) {
	t.Parallel()
	p := newPlan(t)
	p.block = 64
	p.append(0, sample())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := p.open().Search(ctx, catalogue.Query{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	// in the middle: the blocks that come are enough for it to notice
	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	p.cache = nil
	p.store.onGet = func(w where, b []byte) ([]byte, error) {
		if w.block == 3 {
			cancel()
		}
		return b, nil
	}
	if _, _, err := p.open().Search(ctx, catalogue.Query{Text: "no such"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in the middle: got %v", err)
	}
}

func TestUnknownSnapshot(t *testing.T) {
	t.Parallel()
	p := newPlan(t)
	p.append(1, sample())
	p.append(3, sample())
	c := p.open()
	for _, ord := range []catalogue.Ordinal{0, 2, 4} {
		if _, _, _, err := c.Folder(t.Context(), ord, []byte("/"), 0); !errors.Is(err, catalogue.ErrUnknown) {
			t.Errorf("folder of %d: got %v", ord, err)
		}
		if _, _, err := c.Stat(t.Context(), ord, []byte("/srv")); !errors.Is(err, catalogue.ErrUnknown) {
			t.Errorf("stat in %d: got %v", ord, err)
		}
		if err := c.Walk(t.Context(), ord, nil, nil); !errors.Is(err, catalogue.ErrUnknown) {
			t.Errorf("walk of %d: got %v", ord, err)
		}
		if _, _, err := c.Search(t.Context(), catalogue.Query{At: &ord}, nil); !errors.Is(err, catalogue.ErrUnknown) {
			t.Errorf("search in %d: got %v", ord, err)
		}
	}
	one := catalogue.Ordinal(1)
	if _, _, err := c.Search(t.Context(), catalogue.Query{At: &one}, func(o catalogue.Ordinal) bool { return o != 1 }); !errors.Is(err, catalogue.ErrUnknown) {
		t.Errorf("search in one that is gone: got %v", err)
	}
}

func TestFolderThenLink(t *testing.T) {
	t.Parallel()
	p := newPlan(t)
	p.append(0, tree{}.file("/srv/now/index.php", 1, 1))
	p.append(1, tree{}.link("/srv/now", "release-2"))
	p.append(2, tree{}.file("/srv/now/index.php", 1, 1))
	c := p.open()
	for ord, want := range []bool{true, false, true} {
		entries, found, _, err := c.Folder(t.Context(), catalogue.Ordinal(ord), []byte("/srv/now/"), 0)
		if err != nil || found != want || len(entries) > 0 != want {
			t.Errorf("folder at %d: got %v %v %v, want found %v", ord, entries, found, err, want)
		}
	}
	got, err := c.History(t.Context(), []byte("/srv/now"), nil)
	if err != nil || len(got) != 2 || got[0].Type != wire.NodeDir || got[0].Copies != 2 || len(got[0].Spans) != 2 ||
		got[1].Type != wire.NodeSymlink || string(got[1].Link) != "release-2" || got[1].First != 1 || got[1].Last != 1 {
		t.Errorf("history: got %+v %v", got, err)
	}
}
