package sessions

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
)

// TopicSessions is published when what is known of sessions changes.
const TopicSessions = "sessions"

// Kinds of entry in the ledger about a recording.
const (
	entryStored    = "session.recording_stored"
	entryCompleted = "session.recording_completed" // one that was not whole is whole now
	entryMended    = "session.recording_mended"    // fetched again, the same as it was
	entryChecked   = "session.recording_checked"   // a check came to another answer than the last
	entryDeleted   = "session.recording_deleted"
)

func (s *Service) registerRecordings() {
	s.sight.packer = newPacker()
	again := func(wire.Failure) bool { return true }
	s.jobs.Handle(jobFetch, jobs.Handler{Run: s.runFetch, Backoff: fetchBackoff, Retry: again})
	s.jobs.Handle(jobCheck, jobs.Handler{Run: s.runCheck, Retry: again})
	s.jobs.Handle(jobDelete, jobs.Handler{Run: s.runDelete, Retry: again})
	s.due = append(s.due, s.dueChecks, s.dueEnds, s.dueOrphans, s.dueForget)
}

// sound reports whether no check says that the recording is not what was stored.
func (r recordingRow) sound() bool {
	return Integrity(r.Integrity) != Changed && Integrity(r.Integrity) != Gone
}

// keep makes what came the session's recording, by what is here of it already.
func (f *fetching) keep(tx *db.Tx, commands commandsRow) error {
	row, err := f.s.sessionIn(tx, ofRecordings(), f.row.ID)
	if err != nil {
		return err
	}
	rec, has, err := recordingOf(tx, row.ID)
	if err != nil {
		return err
	}
	first, _ := f.known.first()
	sum := f.raw.sum()
	switch {
	case !has:
		return f.store(tx, row, commands, recordingRow{}, entryStored)
	case rec.DeletedAt > 0:
		return f.drop(tx)
	case !rec.sound() && sum == first:
		return f.store(tx, row, commands, rec, entryMended)
	case rec.Partial != "" && f.partial == "" && f.bytes > rec.Bytes && rec.Bytes == f.had.Bytes && f.beforeSum() == first:
		return f.store(tx, row, commands, rec, entryCompleted)
	case sum != first:
		why := "The cluster's copy is not what was stored either"
		if rec.sound() {
			why = "The cluster's copy is another one than what was stored, which is kept"
		}
		err = f.s.raiseRecording(tx, row, findings.SessionRecordingChanged, findings.Bad, why)
	default:
		err = f.s.closeRecording(tx, row.ID, findings.SessionRecordingChanged, "the cluster's copy is what was stored")
	}
	if err != nil {
		return err
	}
	return f.drop(tx)
}

// drop has the blobs of this fetch deleted.
func (f *fetching) drop(tx *db.Tx) error {
	return dropBlobs(tx, f.raw.row.Name, f.cast.row.Name, f.text.row.Name)
}

// store makes what came the recording: rows, ledger and findings say the same.
func (f *fetching) store(tx *db.Tx, row sessionRow, commands commandsRow, was recordingRow, kind string) error {
	for _, w := range []*blobWriter{f.raw, f.cast, f.text} {
		if err := nameBlob(tx, w.row.Name, w.next.plain, w.table()); err != nil {
			return err
		}
	}
	until, err := f.s.keptUntil(tx, row)
	if err != nil {
		return err
	}
	rec := recordingRow{SessionID: row.ID, SealOwner: f.row.SealOwner, RawBlob: f.raw.row.Name, CastBlob: f.cast.row.Name, TextBlob: f.text.row.Name,
		SHA256: f.raw.sum(), CastSHA256: f.cast.sum(), TextSHA256: f.text.sum(), Bytes: f.raw.next.plain, CastBytes: f.cast.next.plain,
		DurationMS: f.sum.Duration.Milliseconds(), Width: int64(f.sum.Width), Height: int64(f.sum.Height), Partial: f.partial,
		MomentsLeft: int64(f.sum.Left), CommandsLeft: int64(f.sum.CommandsLeft),
		StoredAt: tx.NowMillis(), KeptUntil: until.UnixMilli(), LookAt: until.UnixMilli(), CheckAt: tx.Now.Add(f.s.opts.CheckEvery).UnixMilli(), Integrity: string(Unchecked)}
	if was.SessionID != "" {
		rec.StoredAt = was.StoredAt
		if err := dropBlobs(tx, was.RawBlob, was.CastBlob, was.TextBlob); err != nil {
			return err
		}
	}
	if err := db.Upsert(tx, &rec, "session_id"); err != nil {
		return err
	}
	if err := db.Upsert(tx, &commands, "session_id"); err != nil {
		return err
	}
	row.State, row.Commands = string(Stored), countCommands(f.sum.Moments)
	if err := saveSession(tx, &row); err != nil {
		return err
	}
	err = f.s.enterRecording(tx, row, kind, map[string]any{"sha256": rec.SHA256, "cast_sha256": rec.CastSHA256, "text_sha256": rec.TextSHA256, "moments_sha256": f.moments, "bytes": rec.Bytes,
		"cast_bytes": rec.CastBytes, "duration_ms": rec.DurationMS, "partial": rec.Partial != "", "moments_left": rec.MomentsLeft, "commands_left": rec.CommandsLeft})
	if err != nil {
		return err
	}
	return f.s.told(tx, row, rec)
}

// told settles the findings of a recording that has come, and tells.
func (s *Service) told(tx *db.Tx, row sessionRow, rec recordingRow) error {
	if err := s.closeRecording(tx, row.ID, findings.SessionRecordingMissing, "the recording came"); err != nil {
		return err
	}
	if err := s.closeRecording(tx, row.ID, findings.SessionRecordingChanged, "it was fetched again, and is what was stored"); err != nil {
		return err
	}
	if err := s.findings.Close(tx, findings.SessionNotStored, "recordings are stored again"); err != nil {
		return err
	}
	var err error
	if rec.Partial != "" {
		err = s.raiseRecording(tx, row, findings.SessionRecordingPartial, findings.Warn, rec.Partial)
	} else {
		err = s.closeRecording(tx, row.ID, findings.SessionRecordingPartial, "the whole recording came")
	}
	if err != nil {
		return err
	}
	return s.stored(tx, row.ID)
}

// keptUntil is when a session's recording is let go of.
func (s *Service) keptUntil(tx *db.Tx, row sessionRow) (time.Time, error) {
	customers, err := customerIDs(tx, row.ID)
	if err != nil {
		return time.Time{}, err
	}
	least, err := s.leastMonths(tx, customers)
	if err != nil {
		return time.Time{}, err
	}
	return controlplane.FromMillis(max(row.StartedAt, row.EndedAt)).AddDate(0, least, 0), nil
}

// months is for how many months a customer's recordings are kept at most.
func (s *Service) months(tx *db.Tx, customer string) (int, error) {
	n, err := s.lists.Months(tx, customer)
	if err != nil {
		return 0, fmt.Errorf("months of recordings: %w", err)
	}
	if n <= 0 {
		n = s.opts.Months
	}
	return n, nil
}

// sums are what the ledger says of a session's recording, the oldest entry first.
type sums []sum

type sum struct {
	kind, raw string
	made      made
	partial   bool
}

// made are the SHA-256 of what was made of a recording's events: what is played,
// read, and searched.
type made struct{ cast, text, moments string }

// first is the SHA-256 of the events that counts: of what was stored first, or of
// the whole where that was a part. Whoever writes entries behind it changes nothing.
func (l sums) first() (sha256 string, ok bool) {
	part := false
	for _, x := range l {
		switch {
		case !ok && x.kind == entryStored:
			sha256, part, ok = x.raw, x.partial, true
		case part && x.kind == entryCompleted:
			return x.raw, true
		}
	}
	return sha256, ok
}

// has reports whether the ledger has this as what was made of the events.
func (l sums) has(m made) bool {
	return slices.ContainsFunc(l, func(x sum) bool { return x.made == m })
}

// sumsOf reads the ledger's entries about a session's recording.
func (s *Service) sumsOf(ctx context.Context, session string) (out sums, err error) {
	for token := ""; ; {
		items, next, err := s.ledger.List(ctx, ofRecordings(), ledger.Filter{Subject: session, Kinds: []string{entryStored, entryCompleted, entryMended}, Limit: ledger.MaxLimit, PageToken: token})
		if err != nil {
			return nil, err
		}
		for _, i := range items {
			text := func(name string) string { v, _ := i.Data[name].(string); return v }
			partial, _ := i.Data["partial"].(bool)
			out = append(out, sum{i.Kind, text("sha256"), made{text("cast_sha256"), text("text_sha256"), text("moments_sha256")}, partial})
		}
		if token = next; token == "" {
			slices.Reverse(out)
			return out, nil
		}
	}
}
