package sessions

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"ostler/controlplane/secrets"
	"ostler/controlplane/sessions/cast"
)

// Moments are kept as lines of fields between tabs: milliseconds, kind, how it
// is known, exit code, how long in milliseconds, text. A text has no control
// characters. Commands stand apart from the rest: they are what is searched.

// encodeMoments returns the lines of commands, and those of everything else.
func encodeMoments(list []cast.Moment) (commands, others []byte) {
	for _, m := range list {
		into := &others
		if m.Kind == cast.Command {
			into = &commands
		}
		*into = fmt.Appendf(*into, "%d\t%s\t%s\t%s\t%d\t%s\n", m.At.Milliseconds(), m.Kind, m.Read, m.Exit, m.For.Milliseconds(), m.Text)
	}
	return commands, others
}

// momentsSum is the SHA-256 of both, in hex.
func momentsSum(commands, others []byte) string {
	sum := sha256.Sum256(slices.Concat(commands, []byte{0}, others))
	return hex.EncodeToString(sum[:])
}

// countCommands is how many commands there are.
func countCommands(list []cast.Moment) (n int64) {
	for _, m := range list {
		if m.Kind == cast.Command {
			n++
		}
	}
	return n
}

var errMoments = errors.New("sessions: what is kept of a recording cannot be read")

// decodeMoment reads one line.
func decodeMoment(line []byte) (m Moment, err error) {
	fields := bytes.SplitN(line, []byte{'\t'}, 6)
	if len(fields) != 6 {
		return m, errMoments
	}
	at, err := strconv.ParseInt(string(fields[0]), 10, 64)
	lasted, err2 := strconv.ParseInt(string(fields[4]), 10, 64)
	if err != nil || err2 != nil {
		return m, errMoments
	}
	return Moment{At: time.Duration(at) * time.Millisecond, Kind: string(fields[1]), Read: string(fields[2]), Exit: string(fields[3]),
		For: time.Duration(lasted) * time.Millisecond, Text: string(fields[5])}, nil
}

// decodeMoments reads the lines that are wanted; want nil is all.
func decodeMoments(lines []byte, want func(line []byte) bool) (out []Moment, err error) {
	for line := range bytes.Lines(lines) {
		line = bytes.TrimSuffix(line, []byte{'\n'})
		if want != nil && !want(line) {
			continue
		}
		m, err := decodeMoment(line)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func sortMoments(list []Moment) {
	slices.SortStableFunc(list, func(a, b Moment) int { return cmp.Compare(a.At, b.At) })
}

func momentsAD(row commandsRow, column string) secrets.AD {
	return secrets.AD{Table: "session_commands", Column: column, Row: row.SessionID}
}

// sealMoments packs and seals lines; none are nothing.
func (s *Service) sealMoments(row commandsRow, column string, lines []byte) ([]byte, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	return s.keeper.Seal(row.SealOwner, momentsAD(row, column), s.sight.packer.pack(lines))
}

// openMoments opens what sealMoments made.
func (s *Service) openMoments(row commandsRow, column string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	packed, err := s.keeper.Open(row.SealOwner, momentsAD(row, column), sealed)
	if err != nil {
		return nil, fmt.Errorf("session %s: %w", row.SessionID, err)
	}
	lines, err := s.sight.packer.unpack(packed)
	if err != nil {
		return nil, errors.Join(errMoments, err)
	}
	return lines, nil
}
