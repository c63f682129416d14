package sessions

import (
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// recordingsOf returns what is held of these sessions' recordings, with the
// holds that stand; a session without a recording is not in it.
func (s *Service) recordingsOf(tx *db.Tx, ids []string) (map[string]Recording, error) {
	rows, err := recordingRows(tx, ids)
	if err != nil || len(rows) == 0 {
		return map[string]Recording{}, err
	}
	holds, err := s.holdsOn(tx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Recording, len(rows))
	for _, r := range rows {
		why, err := s.open(r.SealOwner, "session_recordings", "deleted_why", r.SessionID, r.DeletedWhy)
		if err != nil {
			return nil, err
		}
		at := controlplane.FromMillis
		out[r.SessionID] = Recording{SHA256: r.SHA256, CastSHA256: r.CastSHA256, Bytes: r.Bytes, CastBytes: r.CastBytes, Duration: time.Duration(r.DurationMS) * time.Millisecond,
			Width: int(r.Width), Height: int(r.Height), StoredAt: at(r.StoredAt), KeptUntil: at(r.KeptUntil), Holds: holds[r.SessionID], DeletedAt: at(r.DeletedAt), DeletedWhy: why,
			Integrity: Integrity(r.Integrity), CheckedAt: at(r.CheckedAt), Partial: r.Partial,
			MomentsLeft: int(r.MomentsLeft), CommandsLeft: int(r.CommandsLeft)}
	}
	return out, nil
}
