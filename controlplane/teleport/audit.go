package teleport

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gravitational/teleport/api/client"
	auditlogpb "github.com/gravitational/teleport/api/gen/proto/go/teleport/auditlog/v1"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/teleport/api/types/events"
	"github.com/gravitational/trace"
)

// MaxEvents is how many events a cluster gives at once.
const MaxEvents = 1000

// Event is one event of the audit log, or of a recording.
type Event struct {
	// ID is the cluster's or, for an event without one (session.upload), the
	// SHA-256 of what it says, in hex.
	ID   string
	Type string // "session.start"
	At   time.Time
	Raw  []byte // JSON as the cluster has it, without spaces
	// Data are the terminal's bytes of a "print" event. One may end within a rune.
	Data []byte
	// Bad says why the event could not be read whole; what is there of it stands
	// in the other fields. The events around it are not touched by it.
	Bad error
}

// Events reads one page of the audit log, the oldest first: events from from
// (inclusive) to to (exclusive) of these types, all if there are none. limit is
// at most MaxEvents, and 0 is that. next is the key of the page after, "" if
// there is none. A key is good for one use and not for long: with one that it
// does not know a cluster finds nothing and says nothing, so keep times, not
// keys.
func (c *Client) Events(ctx context.Context, from, to time.Time, kinds []string, limit int, startKey string) (list []Event, next string, err error) {
	if limit <= 0 || limit > MaxEvents {
		limit = MaxEvents
	}
	err = c.do(ctx, "read events", func(ctx context.Context, api *client.Client) error {
		list, next = nil, ""
		raw, key, err := api.SearchUnstructuredEvents(ctx, from.UTC(), to.UTC(), "default", kinds, limit, types.EventOrderAscending, startKey)
		if trace.IsNotImplemented(err) {
			typed, key, err := api.SearchEvents(ctx, from.UTC(), to.UTC(), "default", kinds, limit, types.EventOrderAscending, startKey)
			for _, e := range typed {
				list = append(list, fromTyped(e))
			}
			next = key
			return err
		}
		for _, e := range raw {
			list = append(list, fromUnstructured(e))
		}
		next = key
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return list, next, nil
}

// Stream reads the recording of a session, event by event, until its end or
// take's error, which it returns as it is. ErrNotFound while the recording is
// not there (it comes some seconds after the session's end, or never),
// ErrUnreachable if nothing comes for CallTimeout.
func (c *Client) Stream(ctx context.Context, sid string, take func(Event) error) error {
	var taken error
	err := c.with(ctx, "read recording", func(l *link) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var heard bool
		each := func(e Event) error {
			heard = true
			taken = take(e)
			return taken
		}
		raw, errs := l.api.StreamUnstructuredSessionEvents(ctx, sid, 0)
		err := follow(c.opts.CallTimeout, raw, errs, func(e *auditlogpb.EventUnstructured) error { return each(fromUnstructured(e)) })
		if heard || !trace.IsNotImplemented(err) {
			return err
		}
		typed, errs := l.api.StreamSessionEvents(ctx, sid, 0)
		return follow(c.opts.CallTimeout, typed, errs, func(e events.AuditEvent) error { return each(fromTyped(e)) })
	})
	if taken != nil {
		return taken
	}
	return err
}

// follow takes what comes until the channel is closed: that is the end, and an
// error comes by the other channel alone.
func follow[T any](patience time.Duration, list <-chan T, errs <-chan error, take func(T) error) error {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	for {
		wait.Reset(patience)
		select {
		case e, more := <-list:
			if !more {
				return nil
			}
			if err := take(e); err != nil {
				return err
			}
		case err := <-errs:
			return err
		case <-wait.C:
			return context.DeadlineExceeded
		}
	}
}

func fromUnstructured(e *auditlogpb.EventUnstructured) Event {
	var at time.Time
	if e.GetTime() != nil {
		at = e.GetTime().AsTime()
	}
	raw, err := e.GetUnstructured().MarshalJSON()
	out := eventOf(e.GetId(), e.GetType(), at, raw, err)
	if out.Type == "print" && out.Bad == nil {
		data := e.GetUnstructured().GetFields()["data"].GetStringValue()
		if out.Data, err = base64.StdEncoding.DecodeString(data); err != nil {
			out.Bad = fmt.Errorf("its terminal data cannot be read: %w", err)
		}
	}
	return out
}

func fromTyped(e events.AuditEvent) Event {
	raw, err := json.Marshal(e)
	out := eventOf(e.GetID(), e.GetType(), e.GetTime(), raw, err)
	if p, ok := e.(*events.SessionPrint); ok {
		out.Data = p.Data
	}
	return out
}

func eventOf(id, kind string, at time.Time, raw []byte, bad error) Event {
	out := Event{ID: id, Type: kind, At: at.UTC(), Raw: raw, Bad: bad}
	var compact bytes.Buffer
	switch {
	case bad != nil:
	case json.Compact(&compact, raw) != nil:
		out.Bad = errors.New("it is not JSON")
	case kind == "" || at.IsZero() || len(raw) < len(`{"a":1}`):
		out.Bad = errors.New("it has no type, no time or nothing in it")
	default:
		out.Raw = compact.Bytes()
	}
	if id == "" && len(out.Raw) > 0 {
		sum := sha256.Sum256(out.Raw)
		out.ID = hex.EncodeToString(sum[:])
	}
	return out
}
