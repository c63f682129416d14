package sessions

import (
	"ostler/controlplane/db"
)

// wantRecording has the recording of a session fetched from the cluster: the
// state machine calls it in the transaction that makes a session Uploaded, and
// again does no harm. It reads the session's row when it runs, not now.
func (s *Service) wantRecording(tx *db.Tx, session string) error { return nil }

// recordingMissing makes a session Missing, in its row and in the ledger
// (session.missing), opens the finding session.recording_missing, and tells
// onStored: when a fetch has given up, and when nothing came by the session's
// DueAt. The session's row is read and written here: save yours before. why is
// a plain sentence without its full stop. A session whose recording is stored, or
// that is Missing already, is left as it is.
func (s *Service) recordingMissing(tx *db.Tx, session, why string) error { return nil }
