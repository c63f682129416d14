package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// stalls is how often in a row a download may break off without one more byte.
const stalls = 5

func (c *client) restoreDownload() *cobra.Command {
	var file string
	var force, b64 bool
	cmd := c.verb("download SNAPSHOT PATH | download RESTORE", "Download one file of a snapshot, or what a restore has ready; goes on where an earlier try stopped, checks SHA-256", cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			if file == "-" && c.output == "json" {
				return usagef("standard output is the file's with -o -: leave --output json away")
			}
			var raw []byte
			switch {
			case len(args) == 2:
				var err error
				if raw, err = pathArg(args, 1, "", b64); err != nil {
					return err
				}
			case !strings.HasPrefix(args[0], controlplane.PrefixRestore):
				return usagef("name the file: ostler restore download SNAPSHOT PATH")
			}
			return c.download(ctx, args[0], raw, file, force)
		})
	f := cmd.Flags()
	f.StringVarP(&file, "file", "o", "", "where to: a file, a folder, or - for standard output (default: the file's own name, here)")
	f.BoolVar(&force, "force", false, "replace a file that is there")
	f.BoolVar(&b64, "base64", false, "PATH is base64 of the path's bytes (path_b64 of --output json)")
	return c.waits(cmd, nil)
}

// download fetches one file: path of a snapshot, or what the restore of that
// id has fetched already where path is nil.
func (c *client) download(ctx context.Context, from string, raw []byte, file string, force bool) error {
	var v restoreView
	var err error
	target := ""
	if raw != nil {
		if target, err = localName(file, raw, force); err != nil { // before a server is bothered
			return err
		}
		v, _, err = c.startRestore(ctx, "download", from, raw)
	} else {
		_, err = c.get(ctx, "/restores/"+id(from), nil, &v)
		if err == nil && !v.fetchable() {
			err = usagef("%s puts files on a server: there is nothing to download", from)
		}
	}
	if err != nil {
		return err
	}
	v, a, err := c.waitRestore(ctx, v.ID)
	if err != nil {
		return err
	}
	if target == "" { // an archive's name is known when it is there
		if target, err = localName(file, v.fileName(), force); err != nil {
			return err
		}
	}
	if err := c.save(ctx, v, target, file == "-", force); err != nil {
		return err
	}
	if c.output == "json" {
		if err := c.json(a.raw); err != nil {
			return err
		}
	}
	return v.whole()
}

// localName is where the file goes. A name that would not show as what it is
// is escaped, so that what is on the disk can be read.
func localName(file string, raw []byte, force bool) (string, error) {
	if file == "-" {
		return "", nil
	}
	own := path.Base("/" + string(raw))
	if own == "/" {
		return "", usagef("name a file, not the root folder")
	}
	own = strings.ReplaceAll(safe(own), "/", "_")
	if file == "" {
		file = own
	}
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, own)
	}
	switch _, err := os.Lstat(file); {
	case err == nil && !force:
		return "", controlplane.Errorf(controlplane.CodeConflict, "Name another one with -o, or replace it with --force.", "%s is there already", safe(file))
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return file, nil
}

// fetch writes the file beside its final name and renames it once its size and
// SHA-256 are right. What an earlier try left is taken up again.
func (c *client) fetch(ctx context.Context, v restoreView, target string, force bool) error {
	part := target + ".part-" + v.SHA256[:min(16, len(v.SHA256))]
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", part, err)
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	have, err := io.Copy(sum, f)
	if err != nil {
		return fmt.Errorf("%s: %w", part, err)
	}
	if have > v.Size { // not the beginning of this file
		have = 0
		sum.Reset()
		if err := errors.Join(f.Truncate(0), rewind(f)); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	if have > 0 {
		c.say("Going on after %s of %s.", size(have), size(v.Size))
	}
	err = c.fetchTo(ctx, v, f, have, sum)
	if errors.Is(err, errWrongFile) {
		_ = f.Close()
		return errors.Join(err, os.Remove(part))
	}
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", part, err)
	}
	return moveInto(part, target, force)
}

func rewind(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// moveInto gives a whole file its name. Without force a file that came to be
// there meanwhile stays.
func moveInto(part, target string, force bool) error {
	if force {
		return os.Rename(part, target)
	}
	switch err := os.Link(part, target); {
	case errors.Is(err, os.ErrExist):
		return controlplane.Errorf(controlplane.CodeConflict, "Name another one with -o, or replace it with --force.", "%s is there already", safe(target))
	case err != nil: // no hard links here
		return os.Rename(part, target)
	}
	return os.Remove(part)
}

var errWrongFile = errors.New("not the file that was asked for")

// fetchTo appends the file's bytes from have on to w, over as many connections
// as it takes. sum has hashed the first have bytes.
func (c *client) fetchTo(ctx context.Context, v restoreView, w io.Writer, have int64, sum hash.Hash) error {
	m := c.meter()
	defer m.end()
	wait := c.retryWait
	stalled := 0
	for empty := v.Size == 0; empty || have < v.Size; empty = false { // an empty file is fetched too: it counts as fetched
		n, err := c.fetchOnce(ctx, v, io.MultiWriter(w, sum), have, m)
		have += n
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
		case n > 0 && retryable(err):
			stalled, wait = 0, c.retryWait
		case stalled == stalls || !retryable(err):
			return err
		default:
			stalled++
			if err := sleep(ctx, wait); err != nil {
				return err
			}
			wait *= 2
		}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != v.SHA256 {
		return controlplane.Errorf(controlplane.CodeInternal, "Download it again. If it happens again, tell us: something on the way changes data.",
			"What arrived is not the file that the server read (its SHA-256 differs); nothing was kept").Because(errWrongFile)
	}
	return nil
}

// brokenOff is a connection that ended before the file did.
type brokenOff struct{ error }

func (e brokenOff) Unwrap() error { return e.error }

func retryable(err error) bool {
	var b brokenOff
	return errors.As(err, &b) || unanswered(err)
}

// localError is a failure on our own side: the disk, a pipe.
type localError struct{ error }

type localWriter struct{ w io.Writer }

func (l localWriter) Write(p []byte) (int, error) {
	n, err := l.w.Write(p)
	if err != nil {
		err = localError{err}
	}
	return n, err
}

// fetchOnce asks for the bytes from have on and writes what comes.
func (c *client) fetchOnce(ctx context.Context, v restoreView, w io.Writer, have int64, m *meter) (int64, error) {
	header := http.Header{"Accept": {"application/octet-stream, application/problem+json"}}
	if have > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		header.Set("If-Range", `"`+v.SHA256+`"`)
	}
	resp, err := c.do(ctx, http.MethodGet, "/restores/"+id(v.ID)+"/content", nil, nil, header)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := begins(resp, have, v); err != nil {
		return 0, err
	}
	counting := &countingWriter{w: localWriter{w}, seen: func(n int64) { m.progress(have+n, v.Size) }}
	n, err := io.Copy(counting, io.LimitReader(resp.Body, v.Size-have))
	var local localError
	switch {
	case errors.As(err, &local):
		return n, fmt.Errorf("writing the file: %w", local.error)
	case err != nil || have+n < v.Size:
		return n, brokenOff{controlplane.Errorf(controlplane.CodeUnavailable, v.goOn(),
			"The connection broke off after %s of %s", size(have+n), size(v.Size)).Because(err)}
	}
	return n, nil
}

// goOn says how a download that broke off is taken up.
func (v restoreView) goOn() string {
	if v.Kind == "archive" {
		return "Go on from there with ostler restore download " + v.ID + ", and the same -o."
	}
	return "Run the same command again: it goes on from there."
}

// begins checks that an answer is the rest of this file, from have on.
func begins(resp *http.Response, have int64, v restoreView) error {
	wrong := controlplane.Errorf(controlplane.CodeUnavailable, "Try again; if it stays, check with ostler doctor what answers at this address.",
		"The control plane sent something else than the rest of the file")
	if tag := resp.Header.Get("ETag"); tag != "" && tag != `"`+v.SHA256+`"` {
		return wrong
	}
	if have == 0 {
		if resp.StatusCode != http.StatusOK {
			return wrong
		}
		return nil
	}
	if resp.StatusCode != http.StatusPartialContent ||
		!strings.HasPrefix(resp.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(have, 10)+"-") {
		return wrong
	}
	return nil
}

type countingWriter struct {
	w    io.Writer
	n    int64
	seen func(int64)
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	w.n += int64(n)
	w.seen(w.n)
	return n, err
}

// progress shows how much of a file is here; on a terminal only, and not more
// often than the shown figure changes.
func (m *meter) progress(done, total int64) {
	if m.c.errTerm && total > 0 {
		m.show("downloading", fmt.Sprintf("%s of %s (%d %%)", size(done), size(total), done*100/total))
	}
}
