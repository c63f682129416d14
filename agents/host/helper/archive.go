package helper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ostler/agents/wire"
	"ostler/backups/restic"
)

// Archive asks for files and folders of snapshots as one archive in private
// staging. MaxBytes bounds the files, unpacked; 0 means no limit but the disk's.
type Archive struct {
	Job        string
	Selections []Labelled
	Format     wire.ArchiveFormat
	MaxBytes   int64
}

// Labelled is a selection whose files lie in a folder of that name in the
// archive; "" is for an archive of one selection.
type Labelled struct {
	Selected
	Label string
}

// Archived is an archive in private staging, and what is in it.
type Archived struct {
	Staged
	Files   int64
	Folders int64
	Others  int64 // links
	Bytes   int64 // of the files, unpacked
	// Missing are what was asked for and could not be had, at most
	// wire.MaxProblems of them. What no archive can hold (devices, pipes and
	// sockets) stands in the manifest only, as CauseUnsupported.
	Missing      []wire.Problem
	MissingCount int64
}

// Archive implements Helper. The same snapshots give the same bytes, so that an
// upload that was broken off goes on. Space is checked before the first file.
func (h *Local) Archive(ctx context.Context, a Archive, report Report) (_ Archived, err error) {
	if err := checkArchive(a); err != nil {
		return Archived{}, err
	}
	dir, err := h.emptyStaging(a.Job)
	if err != nil {
		return Archived{}, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	p := &packing{h: h, ctx: ctx, Archive: a, dir: dir, report: quiet(report)}
	defer p.close()
	if err := p.list(); err != nil {
		return Archived{}, err
	}
	done, err := h.promise(a.Job, p.room())
	if err != nil {
		return Archived{}, err
	}
	defer done()
	if err := p.restore(); err != nil {
		return Archived{}, err
	}
	return p.pack()
}

// quiet makes a report that may be called always.
func quiet(r Report) Report {
	if r == nil {
		return func(wire.Progress) {}
	}
	return r
}

// emptyStaging makes a job's private folder anew.
func (h *Local) emptyStaging(job string) (string, error) {
	if !idForm.MatchString(job) {
		return "", Fail(wire.CausePolicy, nil, "the job's id has a form that none has")
	}
	dir := filepath.Join(h.stagingDir(), job)
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("helper: clear staging: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", fmt.Errorf("helper: make staging: %w", err)
	}
	return dir, nil
}

func checkArchive(a Archive) error {
	if !a.Format.Valid() {
		return Fail(wire.CauseUnsupported, nil, "this agent does not know the archive's format")
	}
	if len(a.Selections) == 0 {
		return Fail(wire.CausePolicy, nil, "nothing was selected")
	}
	labels := map[string]bool{folded(manifestName): true, folded(sumsName): true, folded(".."): true}
	for _, s := range a.Selections {
		switch {
		case len(s.Paths) == 0:
			return Fail(wire.CausePolicy, nil, "nothing was selected")
		case s.Label == "" && len(a.Selections) == 1:
		case s.Label == "" || zipName([]byte(s.Label)) != s.Label || strings.Contains(s.Label, "/") || labels[folded(s.Label)]:
			return Fail(wire.CausePolicy, nil, "the selections' labels do not tell them apart")
		}
		labels[folded(s.Label)] = true
	}
	return nil
}

// packing is an archive in the making.
type packing struct {
	Archive
	h      *Local
	ctx    context.Context // of the one call
	dir    string          // private staging
	report Report
	parts  []*part
}

// part is one selection of an archive.
type part struct {
	Labelled
	engine Engine
	list   *restic.Contents // nil where nothing of it is to be had
	lost   []wire.Problem   // then
	tree   string           // what was restored
	why    error            // why nothing could be restored
}

func (p *packing) close() {
	for _, s := range p.parts {
		if s.list != nil {
			_ = s.list.Close()
		}
	}
}

// list finds out what the selections hold.
func (p *packing) list() error {
	var bytes int64
	for i, s := range p.Selections {
		p.report(wire.Progress{Step: "list", Done: int64(i), Total: int64(len(p.Selections))})
		e, err := p.h.repo(p.ctx, s.Repo)
		if err != nil {
			return err
		}
		t := &part{Labelled: s, engine: e, tree: filepath.Join(p.dir, fmt.Sprintf("tree-%d", i))}
		p.parts = append(p.parts, t)
		t.list, err = e.Contents(p.ctx, s.Snapshot, s.Paths, filepath.Join(p.dir, fmt.Sprintf("list-%d", i)))
		if err != nil {
			if err := t.giveUp(err); err != nil {
				return err
			}
			continue
		}
		bytes += t.list.Bytes
	}
	if p.MaxBytes > 0 && bytes > p.MaxBytes {
		return Fail(wire.CausePolicy, nil, "the files have %d bytes, and %d are allowed for one archive", bytes, p.MaxBytes)
	}
	return p.anything()
}

// giveUp notes that nothing of a selection is to be had, if that is the reason;
// other errors end the whole.
func (t *part) giveUp(err error) error {
	f := Failure(err)
	if f.Cause != wire.CauseNotFound && f.Cause != wire.CauseDamaged && f.Cause != wire.CauseUnsupported {
		return err
	}
	t.why = err
	if t.list == nil {
		for _, path := range t.Paths {
			t.lost = append(t.lost, wire.Problem{Path: path, Cause: f.Cause})
		}
	}
	return nil
}

// anything is the first selection's error where there is nothing of any.
func (p *packing) anything() error {
	for _, t := range p.parts {
		if t.why == nil {
			return nil
		}
	}
	return p.parts[0].why
}

// perEntry is the room for one entry's names, in lists, manifest and archive.
const perEntry = 1 << 10

// room is what the archive needs in staging at most: the files, and beside them
// the largest one once more, for each is deleted once it is packed. What cannot
// be compressed grows by a little.
func (p *packing) room() int64 {
	need := int64(1 << 20)
	for _, t := range p.parts {
		if t.list == nil {
			continue
		}
		largest := t.list.Largest
		if t.list.Unlisted {
			largest = t.list.Bytes
		}
		need += t.list.Bytes + t.list.Bytes/1000 + largest + perEntry*(t.list.Files+t.list.Folders+t.list.Others)
	}
	return need
}

// restore puts every selection into a folder of its own.
func (p *packing) restore() error {
	var before, total int64
	for _, t := range p.parts {
		if t.list != nil {
			total += t.list.Bytes
		}
	}
	for _, t := range p.parts {
		if t.list == nil {
			continue
		}
		if err := os.Mkdir(t.tree, 0o700); err != nil {
			return fmt.Errorf("helper: make staging: %w", err)
		}
		err := t.engine.Restore(p.ctx, t.list, restic.RestoreOptions{Target: t.tree, Progress: func(g wire.Progress) {
			g.Done, g.Total = before+g.Done, total
			p.report(g)
		}})
		before += t.list.Bytes
		if err != nil {
			if err := t.giveUp(err); err != nil {
				return err
			}
		}
	}
	return p.anything()
}

// each calls f for what is there, part by part.
func (p *packing) each(f func(t *part, it restic.Item) error) error {
	for _, t := range p.parts {
		if t.list == nil {
			continue
		}
		err := t.list.Each(func(it restic.Item) error {
			if it.Cause != "" && it.Node.Type != wire.NodeDir {
				return nil
			}
			if err := p.ctx.Err(); err != nil {
				return context.Cause(p.ctx)
			}
			return f(t, it)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachMissing calls f for what is not there.
func (p *packing) eachMissing(f func(wire.Problem) error) error {
	var errs []error
	for _, t := range p.parts {
		for _, l := range t.lost {
			errs = append(errs, f(l))
		}
		if t.list != nil {
			errs = append(errs, t.list.EachMissing(f))
		}
	}
	return errors.Join(errs...)
}
