package catalogue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"ostler/agents/wire"
	"ostler/backups/catalogue"
)

// A few bytes can stand for very many: folders share what their paths begin with.
func TestBlockOfDeepFolders(t *testing.T) {
	t.Parallel()
	if b := catalogue.DeepBlock(100, 50_000); catalogue.TryBlock(b) != nil {
		t.Error("100 deep folders: refused")
	}
	b := catalogue.DeepBlock(1000, 50_000)
	if err := catalogue.TryBlock(b); err == nil {
		t.Errorf("%d bytes that stand for 50 MB of paths: taken", len(b))
	}
}

func TestListingOfDeepFolders(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("/"+strings.Repeat("d", 199), 50)
	var out bytes.Buffer
	w := catalogue.NewListingWriter(&out, catalogue.ListingOptions{TempDir: t.TempDir()})
	const n = 1500
	for i := range n {
		if err := w.Add(catalogue.Entry{Path: fmt.Appendf(nil, "%s/%04d/f", deep, i), Type: wire.NodeFile}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := readAll(out.Bytes())
	if !errors.Is(err, io.EOF) || len(got) != n {
		t.Errorf("got %d entries, %v", len(got), err)
	}
}

// A pattern of many stars on long names is given up when its time is over, in
// the middle of a block, and never answered in part.
func TestSearchOfManyStarsStops(t *testing.T) {
	t.Parallel()
	p := newPlan(t)
	files := tree{}
	dir := "/" + strings.Repeat("a/", 1900)
	for i := range 40 {
		path := fmt.Sprintf("%sa%03d", dir, i)
		files[path] = catalogue.Entry{Path: []byte(path), Type: wire.NodeFile}
	}
	p.append(0, files)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	hits, _, err := p.open().Search(ctx, catalogue.Query{Text: "/**/" + strings.Repeat("*a/", 900) + "*0*[z]"}, nil)
	if !errors.Is(err, context.DeadlineExceeded) || hits != nil {
		t.Errorf("got %d hits, %v", len(hits), err)
	}
}

// A file that is another one in each of very many snapshots, and sometimes one
// that it was before.
func TestHistoryOfManyVersions(t *testing.T) {
	t.Parallel()
	p := newPlan(t)
	const n = 100
	for i := range n {
		files := tree{}
		files.file("/log", int64(i), int64(i))
		if i%10 == 9 {
			files.file("/log", 0, 0)
		}
		p.append(catalogue.Ordinal(i), files)
	}
	got, err := p.open().History(context.Background(), []byte("/log"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != n-n/10 {
		t.Fatalf("got %d versions, want %d", len(got), n-n/10)
	}
	if v := got[0]; v.Size != 0 || v.First != 0 || v.Last != n-1 || v.Copies != 1+n/10 || len(v.Spans) != 1+n/10 {
		t.Errorf("the newest: got %+v", v)
	}
	for i := 1; i < len(got); i++ {
		if got[i-1].Last <= got[i].Last {
			t.Fatalf("not sorted: %d before %d", got[i-1].Last, got[i].Last)
		}
	}
}
