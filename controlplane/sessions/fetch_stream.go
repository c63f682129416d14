package sessions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/sessions/cast"
	"ostler/controlplane/teleport"
)

// keepUnnamed is how long a blob is kept that no recording names: longer than a
// fetch may take.
const keepUnnamed = 6 * time.Hour

// maxRecording bounds what is kept of one session, in bytes of its events.
const maxRecording = 8 << 30

// errStream is a stream that ended with an error that has no name.
var errStream = errors.New("sessions: the recording's stream broke")

// fetching is one try to bring a recording.
type fetching struct {
	s    *Service
	row  sessionRow
	had  recordingRow // what is here of it; the zero row for nothing
	last bool         // what came is kept, even if it is not whole

	raw, cast, text *blobWriter // nil before the first event
	conv            *cast.Converter
	sum             cast.Summary
	events, bad     int
	bytes           int64
	before          hash.Hash // of as many bytes as are here of one that is not whole
	partial         string
	moments         string // SHA-256 of commands and all else that happened
	known           sums   // by the ledger
}

// errLarge ends a stream that is larger than what is kept.
var errLarge = errors.New("sessions: the recording is larger than what is kept")

// do brings the recording and keeps it. What was not kept is let go of.
func (f *fetching) do(ctx context.Context) error {
	err := f.s.cluster.Stream(ctx, f.row.SID, func(e teleport.Event) error { return f.take(ctx, e) })
	err = f.judge(err)
	if err == nil {
		err = f.finish(ctx)
	}
	if err != nil {
		err = errors.Join(err, f.discard(ctx))
	}
	return err
}

// judge says whether what came is kept, and what it lacks.
func (f *fetching) judge(err error) error {
	var full *storeError
	switch {
	case errors.Is(err, errLarge):
		f.partial = "It is larger than what is kept of one session"
	case errors.As(err, &full):
		return err
	case err == nil && f.events == 0:
		return teleport.ErrNotFound
	case err != nil && f.events == 0, err != nil && !f.last:
		if _, known := whyNot(err); !known {
			err = errors.Join(errStream, err)
		}
		return err
	case err != nil:
		f.partial = "The cluster stopped sending it before its end"
	case f.bad > 0:
		f.partial = strconv.Itoa(f.bad) + " of its events cannot be read"
	}
	return nil
}

// take keeps one event.
func (f *fetching) take(ctx context.Context, e teleport.Event) error {
	if f.raw == nil {
		if err := f.begin(ctx); err != nil {
			return err
		}
	}
	one := cast.Event{Type: e.Type, At: e.At, Raw: e.Raw, Data: e.Data}
	line := cast.Raw(one)
	if f.bytes+int64(len(line)) > maxRecording {
		return errLarge
	}
	f.events++
	if e.Bad != nil {
		f.bad++
	}
	if n := min(f.had.Bytes-f.bytes, int64(len(line))); n > 0 {
		_, _ = f.before.Write(line[:n]) // a hash never fails
	}
	f.bytes += int64(len(line))
	if _, err := f.raw.Write(line); err != nil {
		return err
	}
	return f.conv.Add(one)
}

// begin makes the blobs: their rows first, to be deleted unless a recording
// comes to name them.
func (f *fetching) begin(ctx context.Context) error {
	f.before = sha256.New()
	rows := make([]blobRow, 3)
	for i, kind := range []blobKind{blobRaw, blobCast, blobText} {
		rows[i] = blobRow{Name: controlplane.NewID(string(kind) + "_"), SessionID: f.row.ID, SealOwner: f.row.SealOwner, Kind: string(kind)}
	}
	err := f.s.db.Write(ctx, func(tx *db.Tx) error {
		for i := range rows {
			rows[i].CreatedAt, rows[i].DeleteAt = tx.NowMillis(), tx.Now.Add(keepUnnamed).UnixMilli()
			if err := db.Insert(tx, &rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, w := range []**blobWriter{&f.raw, &f.cast, &f.text} {
		if *w, err = f.s.newBlob(ctx, rows[i]); err != nil {
			return err
		}
	}
	f.conv = cast.New(f.cast, f.line)
	return nil
}

// line keeps a line of the transcript.
func (f *fetching) line(l cast.Line) error {
	text, err := json.Marshal(l.Text)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f.text, "[%d.%03d,%s]\n", l.At/time.Second, l.At%time.Second/time.Millisecond, text)
	return err
}

// finish stores the blobs and keeps the recording.
func (f *fetching) finish(ctx context.Context) (err error) {
	if f.sum, err = f.conv.Close(); err != nil {
		return err
	}
	if f.partial == "" && !f.sum.Ended && Kind(f.row.Kind) == Interactive {
		f.partial = "It has no end: the node did not write one"
	}
	for _, w := range []*blobWriter{f.raw, f.cast, f.text} {
		if err := w.close(); err != nil {
			return err
		}
	}
	if f.known, err = f.s.sumsOf(ctx, f.row.ID); err != nil {
		return err
	}
	commands, others := encodeMoments(f.sum.Moments)
	f.moments = momentsSum(commands, others)
	sealed := commandsRow{SessionID: f.row.ID, SealOwner: f.row.SealOwner, StartedAt: f.row.StartedAt}
	if sealed.Commands, err = f.s.sealMoments(sealed, "commands", commands); err != nil {
		return err
	}
	if sealed.Others, err = f.s.sealMoments(sealed, "others", others); err != nil {
		return err
	}
	return f.s.db.Write(ctx, func(tx *db.Tx) error { return f.keep(tx, sealed) })
}

// discard lets go of what was not kept.
func (f *fetching) discard(ctx context.Context) error {
	var names []string
	for _, w := range []*blobWriter{f.raw, f.cast, f.text} {
		if w != nil {
			w.discard()
			names = append(names, w.row.Name)
		}
	}
	if len(names) == 0 || ctx.Err() != nil {
		return nil // the sweep finds them
	}
	return f.s.db.Write(ctx, func(tx *db.Tx) error { return dropBlobs(tx, names...) })
}

func (f *fetching) beforeSum() string { return hex.EncodeToString(f.before.Sum(nil)) }
