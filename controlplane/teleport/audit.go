package teleport

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
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
				one, bad := fromTyped(e)
				if bad != nil {
					return bad
				}
				list = append(list, one)
			}
			next = key
			return err
		}
		for _, e := range raw {
			one, bad := fromUnstructured(e)
			if bad != nil {
				return bad
			}
			list = append(list, one)
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
		each := func(e Event, err error) error {
			if err != nil {
				return err
			}
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

func fromUnstructured(e *auditlogpb.EventUnstructured) (Event, error) {
	raw, err := e.Unstructured.MarshalJSON()
	if err != nil {
		return Event{}, fmt.Errorf("event %s cannot be read: %w", e.Id, err)
	}
	out, err := eventOf(e.Id, e.Type, e.Time.AsTime(), raw)
	if data := e.Unstructured.GetFields()["data"].GetStringValue(); e.Type == "print" && err == nil {
		if out.Data, err = base64.StdEncoding.DecodeString(data); err != nil {
			return Event{}, fmt.Errorf("event %s has no terminal data that can be read: %w", e.Id, err)
		}
	}
	return out, err
}

func fromTyped(e events.AuditEvent) (Event, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return Event{}, fmt.Errorf("event %s cannot be read: %w", e.GetID(), err)
	}
	out, err := eventOf(e.GetID(), e.GetType(), e.GetTime(), raw)
	if p, ok := e.(*events.SessionPrint); ok {
		out.Data = p.Data
	}
	return out, err
}

func eventOf(id, kind string, at time.Time, raw []byte) (Event, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return Event{}, fmt.Errorf("event %s cannot be read: %w", id, err)
	}
	if id == "" {
		sum := sha256.Sum256(compact.Bytes())
		id = hex.EncodeToString(sum[:])
	}
	return Event{ID: id, Type: kind, At: at.UTC(), Raw: compact.Bytes()}, nil
}
