package access

import (
	"context"
	"errors"
	"time"
)

// TellDue does what is due of notices, entries and campaigns.
func (s *Service) TellDue(ctx context.Context) error {
	return errors.Join(s.entriesDue(ctx), s.campaignsDue(ctx), s.noticesDue(ctx))
}

// Stands is Facility.stands.
func Stands(f Facility, location, rack string) bool { return f.stands(location, rack) }

// SourceEntry is the source of what entries put on lists.
const SourceEntry = sourceEntry

// Sentence is Change.sentence.
func Sentence(c Change, server string, zone *time.Location) string { return c.sentence(server, zone) }
