package sessions

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
	"ostler/controlplane/secrets"
)

// Moment is something that happened in a recording.
type Moment struct {
	At   time.Duration // since its beginning
	Kind string        // "command", "idle", "resize", "join", "leave", "file", "network", "note", "left" (what was left out of the list, at its beginning)
	Text string        // one clean line
	For  time.Duration // idle: how long
	// Read says how it is known: "kernel" (enhanced recording) or "screen" (read
	// off what the terminal showed).
	Read string
	Exit string // command: exit code, "" is not known
	ID   string // note: nte_
}

// Line is a line of the transcript: what the terminal showed, without any of its
// control sequences.
type Line struct {
	At   time.Duration
	Text string
}

// maxLines is how many lines of a transcript are given at once.
const maxLines = 2000

// Timeline returns what happened in a recording, in order; looking at it is a
// viewing like any other. Permission: session.watch.
func (s *Service) Timeline(ctx context.Context, scope policy.Scope, session, viewing string) ([]Moment, error) {
	x, err := s.Get(ctx, scope, session)
	if err == nil {
		err = s.mayLook(ctx, scope, session, viewing)
	}
	if err == nil {
		err = playable(x)
	}
	if err != nil {
		return nil, wrap("timeline", err)
	}
	list, err := s.momentsOf(ctx, session, true)
	if err != nil {
		return nil, wrap("timeline", err)
	}
	notes, err := s.Notes(ctx, scope, session)
	if err != nil {
		return nil, wrap("timeline", err)
	}
	if text := leftOut(*x.Recording); text != "" {
		list = append([]Moment{{Kind: "left", Text: text}}, list...)
	}
	for _, n := range notes {
		list = append(list, Moment{At: n.At, Kind: "note", Text: controlplane.Line(n.Text, 500), ID: n.ID})
	}
	sortMoments(list)
	return list, nil
}

// leftOut says what of a recording no list has, "" where each has all.
func leftOut(r Recording) string {
	var parts []string
	if n := r.CommandsLeft; n > 0 {
		parts = append(parts, strconv.Itoa(n)+" commands")
	}
	if n := r.MomentsLeft; n > 0 {
		parts = append(parts, strconv.Itoa(n)+" other moments, as files and connections")
	}
	if len(parts) == 0 {
		return ""
	}
	return joined(parts) + ", were too many for this list. They are in the recording."
}

// momentsOf are a session's commands, and all else that happened where it is asked for.
func (s *Service) momentsOf(ctx context.Context, session string, all bool) ([]Moment, error) {
	var row commandsRow
	if err := s.db.Read(ctx, func(tx *db.Tx) (err error) { row, err = commandsOf(tx, session); return err }); err != nil {
		return nil, err
	}
	type column struct {
		name   string
		sealed []byte
	}
	columns := []column{{"commands", row.Commands}}
	if all {
		columns = append(columns, column{"others", row.Others})
	}
	var list []Moment
	for _, c := range columns {
		lines, err := s.openMoments(row, c.name, c.sealed)
		if errors.Is(err, secrets.ErrErased) {
			return nil, conflict("Its SHA-256 stays in the ledger.", "The key of this recording was destroyed, and nobody reads it any more")
		}
		if err != nil {
			return nil, err
		}
		moments, err := decodeMoments(lines, nil)
		if err != nil {
			return nil, err
		}
		list = append(list, moments...)
	}
	sortMoments(list)
	return list, nil
}

// Transcript returns the text of a recording from a line on. Permission:
// session.watch. Errors: as OpenCast.
func (s *Service) Transcript(ctx context.Context, scope policy.Scope, session, viewing string, from, limit int) (lines []Line, more bool, err error) {
	if from < 0 {
		return nil, false, controlplane.Invalid(controlplane.Field{Pointer: "/from", Message: "A line's number, from 0 on."})
	}
	if limit <= 0 || limit > maxLines {
		limit = maxLines
	}
	_, r, err := s.openPart(ctx, scope, session, viewing, blobText)
	if err != nil {
		return nil, false, wrap("transcript", err)
	}
	start := r.line(int64(from))
	if _, err := r.Seek(start.plain, io.SeekStart); err != nil {
		return nil, false, wrap("transcript", err)
	}
	at := start.line
	for n := start.plain; n < r.size(); n += int64(len(r.buf)) { // a block a time
		if err := r.hold(n); err != nil {
			return nil, false, wrap("transcript", unreadable(err))
		}
		for raw := range bytes.Lines(r.buf) {
			if at++; at <= int64(from) {
				continue
			}
			if len(lines) == limit {
				return lines, true, nil
			}
			l, err := parseLine(raw)
			if err != nil {
				return nil, false, wrap("transcript", unreadable(err))
			}
			lines = append(lines, l)
		}
	}
	return lines, false, nil
}

// parseLine reads a line as it is kept: [seconds,"text"].
func parseLine(raw []byte) (l Line, err error) {
	var text string
	_, rest, ok := bytes.Cut(raw, []byte{','})
	if !ok {
		return l, errDamaged
	}
	rest = bytes.TrimRight(rest, "]\n")
	if err := json.Unmarshal(rest, &text); err != nil {
		return l, errors.Join(errDamaged, err)
	}
	return Line{At: lineTime(raw), Text: text}, nil
}

// Commands returns the commands of a session for somebody who may see them
// without watching: contacts where the customer's terms say so and the server is
// theirs alone. For our own people to read what was run is to look at the
// recording: they need session.watch, and it is on record as a viewing.
// Permission: session.read. Errors: not found, forbidden, conflict where they
// are not known.
func (s *Service) Commands(ctx context.Context, scope policy.Scope, session string) ([]Moment, error) {
	x, err := s.Get(ctx, scope, session)
	if err != nil {
		return nil, wrap("commands", err)
	}
	var agreed bool
	err = s.db.Read(controlplane.System(ctx, "sessions.commands"), func(tx *db.Tx) (err error) {
		agreed, err = s.agreed(tx, scope, session, func(t Terms) bool { return t.Commands })
		return err
	})
	if err != nil {
		return nil, wrap("commands", err)
	}
	actor, _ := controlplane.ActorFrom(ctx)
	if !scope.All() && (!agreed || actor.Kind != controlplane.ActorContact) {
		return nil, controlplane.Errorf(controlplane.CodeForbidden, "Ask us to agree on it with you, or to look for you.", "What was run in a session is not shown here")
	}
	if err := mayGlance(actor, scope); err != nil {
		return nil, err
	}
	if x.Recording == nil || !x.Recording.DeletedAt.IsZero() {
		return nil, wrap("commands", playable(x))
	}
	list, err := s.momentsOf(ctx, session, false)
	if err == nil && scope.All() {
		err = s.glance(ctx, scope, session, wayCommands)
	}
	if err != nil {
		return nil, wrap("commands", err)
	}
	return list, nil
}

// agreed reports whether all customers of a session are the scope's and have
// agreed to something. Nobody sees on a shared server what may be a neighbour's:
// tx reads all customers, so it is the plane's own.
func (s *Service) agreed(tx *db.Tx, scope policy.Scope, session string, to func(Terms) bool) (bool, error) {
	if scope.All() {
		return true, nil
	}
	customers, err := customerIDs(tx, session)
	if err != nil || len(customers) == 0 {
		return false, err
	}
	for _, c := range customers {
		if !scope.Allows(c) {
			return false, nil
		}
		t, err := s.termsOf(tx, c)
		if err != nil || !to(t) {
			return false, err
		}
	}
	return true, nil
}
