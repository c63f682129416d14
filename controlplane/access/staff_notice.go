package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
)

// StaffNotice is what staff are told of what is recorded of them.
type StaffNotice struct {
	Months int // recordings are kept at most so long
	Text   []string
	SHA256 string // of the text: an acknowledgement is of one text
	// AcknowledgedAt is when the actor took note of this text; zero has not yet.
	AcknowledgedAt time.Time
}

// recordingMonths is how long recordings are kept where nothing else was agreed.
const recordingMonths = 12

// staffNoticeText says what is recorded, why and for how long.
func staffNoticeText(months int) []string {
	return []string{
		"When you reach a customer's server, we record it: who you are, which server, when you came and went, by which way, for which reason and ticket, and what was shown and typed in the session.",
		"We record it because we promised customers a list of everybody who can reach their servers, and a record of what was done there. The law asks for it too: whoever works for a customer acts on their instructions only, and that has to be shown.",
		fmt.Sprintf("Recordings of sessions are kept for at most %d months, and then deleted. Who was on a list, and when, is kept as long as we work for the customer, and for as long after that as claims can be made.", months),
		"Customers see your name on their list, the role, the reason, and since and until when. Auditors whom a customer lets in see the same. Recordings are looked at by colleagues who review them, and each look is recorded too.",
		"Nothing of it is used to measure how fast or how much you work.",
		"You can see what is recorded about you, and have what is wrong put right. Ask the person who looks after data protection here.",
	}
}

// StaffNotice returns the notice for staff, and whether the actor has taken note
// of it. Permission: self.read.
func (s *Service) StaffNotice(ctx context.Context) (n StaffNotice, err error) {
	staff := actorOf(ctx).ID
	err = s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		months, err := longestRecording(tx)
		if err != nil {
			return err
		}
		n = staffNotice(months)
		n.AcknowledgedAt, err = staffNoticeSeen(tx, staff, n.SHA256)
		return err
	})
	return n, wrap("staff notice", err)
}

func staffNotice(months int) StaffNotice {
	text := staffNoticeText(months)
	sum := sha256.Sum256([]byte(strings.Join(text, "\n")))
	return StaffNotice{Months: months, Text: text, SHA256: hex.EncodeToString(sum[:])}
}

// AcknowledgeStaffNotice keeps that the actor took note of the text with this
// hash. Again changes nothing. Permission: self.write. Errors: conflict where the
// text is another one by now.
func (s *Service) AcknowledgeStaffNotice(ctx context.Context, sha256 string) error {
	if actorOf(ctx).Kind != controlplane.ActorStaff {
		return controlplane.Errorf(controlplane.CodeForbidden, "There is nothing to do.", "This notice is for the staff of the hosting company")
	}
	return wrap("acknowledge staff notice", s.db.Write(ctx, func(tx *db.Tx) error {
		months, err := longestRecording(tx)
		if err != nil {
			return err
		}
		if staffNotice(months).SHA256 != sha256 {
			return conflict("Load the page again and read it anew.", "The text has changed since you read it")
		}
		staff := actorOf(tx.Context()).ID
		seen, err := staffNoticeSeen(tx, staff, sha256)
		if err != nil || !seen.IsZero() {
			return err
		}
		if err := db.Insert(tx, &staffNoticeRow{StaffID: staff, TextSHA256: sha256, Months: int64(months), At: tx.NowMillis()}); err != nil {
			return err
		}
		return s.note(tx, ledger.Entry{Subject: staff, Kind: "staff.notice_acknowledged", Data: map[string]any{"sha256": sha256, "months": months}})
	}))
}
