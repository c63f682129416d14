package cast

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// maxLine bounds a line of the transcript, in characters; what is longer goes on
// in the next one.
const maxLine = 2000

// screen is as much of a terminal as a transcript needs: the line that is being
// written, over as many rows as it takes, and whether a full-screen program has
// the screen.
type screen struct {
	width int
	line  []rune
	row   int // where the cursor's row begins in line
	at    int // the cursor in line
	// full is since when a full-screen program has the screen; negative: none has.
	full    time.Duration
	inFull  bool
	blank   bool // the last line that was given was empty
	touched bool // something was written since the last end of line
}

// take acts on a token and gives each line that ends.
func (s *screen) take(t token, now time.Duration, give func(Line) error) error {
	enter, leave := t.alternate()
	switch {
	case enter && !s.inFull:
		err := s.endLine(now, give, false)
		s.inFull, s.full = true, now
		return err
	case leave && s.inFull:
		return s.leave(now, give)
	case s.inFull:
		return nil
	}
	switch t.what {
	case printed:
		return s.plain(clean(t.r), now, give)
	case control:
		return s.control(t.r, now, give)
	case csi:
		return s.csi(t, now, give)
	case escape:
		if t.r == 'c' && t.param == "" { // reset
			return s.endLine(now, give, false)
		}
		if t.r == 'E' || t.r == 'D' {
			return s.endLine(now, give, true)
		}
	case overlong:
		if err := s.endLine(now, give, false); err != nil {
			return err
		}
		return give(Line{At: now, Text: "(a control sequence without an end)"})
	}
	return nil
}

// plain writes a rune of a line.
func (s *screen) plain(r rune, now time.Duration, give func(Line) error) error {
	if s.inFull {
		return nil
	}
	if s.put(r); len(s.line) >= maxLine {
		return s.endLine(now, give, false)
	}
	return nil
}

func (s *screen) leave(now time.Duration, give func(Line) error) error {
	s.inFull = false
	s.line, s.row, s.at, s.touched = s.line[:0], 0, 0, false
	return give(Line{At: s.full, Text: fmt.Sprintf("(full-screen program for %s)", spoken(now-s.full))})
}

// spoken is a duration in words.
func spoken(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// clean is a rune as a line may have it: what cannot be seen or turns the
// direction of writing is "?".
func clean(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case !unicode.IsPrint(r):
		return '?'
	}
	return r
}

// put writes a rune at the cursor; beyond the last column the row wraps.
func (s *screen) put(r rune) {
	if s.at-s.row >= s.width {
		s.row += s.width
	}
	s.fill(s.at)
	if s.at < len(s.line) {
		s.line[s.at] = r
	} else {
		s.line = append(s.line, r)
	}
	s.at++
	s.touched = true
}

// fill makes the line reach to n with blanks.
func (s *screen) fill(n int) {
	for len(s.line) < n {
		s.line = append(s.line, ' ')
	}
}

func (s *screen) control(r rune, now time.Duration, give func(Line) error) error {
	switch r {
	case '\r':
		s.at = s.row
	case '\n', '\v', '\f':
		return s.endLine(now, give, true)
	case '\b':
		s.at = max(s.at-1, 0)
		s.row = min(s.row, s.at)
	case '\t':
		next := min(s.row+(s.at-s.row)/8*8+8, s.row+s.width-1)
		s.at = max(s.at, next)
	}
	return nil
}

func (s *screen) csi(t token, now time.Duration, give func(Line) error) error {
	n := t.number(0, 1)
	switch t.r {
	case 'C', 'a':
		s.at = min(s.at+n, s.row+s.width-1)
	case 'D':
		s.at = max(s.at-n, s.row)
	case 'A': // back into the row above, where the line has one
		up := min(n*s.width, s.row)
		s.at, s.row = s.at-up, s.row-up
	case 'B':
		if s.row+n*s.width <= len(s.line) {
			s.at, s.row = s.at+n*s.width, s.row+n*s.width
			return nil
		}
		return s.endLine(now, give, false)
	case 'G', '`':
		s.at = s.row + min(n, s.width) - 1
	case 'K', 'J':
		return s.erase(t, now, give)
	case 'P':
		if s.at < len(s.line) {
			s.line = append(s.line[:s.at], s.line[min(s.at+n, len(s.line)):]...)
		}
	case '@':
		if n = min(n, s.width); s.at < len(s.line) {
			s.line = slices.Insert(s.line, s.at, slices.Repeat([]rune{' '}, n)...)
			s.line = s.line[:min(len(s.line), maxLine)]
		}
	case 'X':
		for i := s.at; i < min(s.at+n, len(s.line)); i++ {
			s.line[i] = ' '
		}
	case 'H', 'f', 'd', 'E', 'F': // to another row: what follows is another line
		err := s.endLine(now, give, false)
		if t.r == 'H' || t.r == 'f' {
			s.at = min(t.number(1, 1), s.width) - 1
		}
		return err
	}
	return nil
}

// erase erases in the line (K) or the screen (J): after the cursor, before it,
// or all.
func (s *screen) erase(t token, now time.Duration, give func(Line) error) error {
	mode := t.number(0, 0)
	if t.r == 'J' && mode >= 2 {
		return s.endLine(now, give, false)
	}
	switch mode {
	case 0:
		s.line = s.line[:min(s.at, len(s.line))]
	case 1, 2:
		for i := s.row; i < len(s.line) && (mode == 2 || i <= s.at); i++ {
			s.line[i] = ' '
		}
	}
	return nil
}

// endLine gives the line that was written. An empty one is given where a real
// end of line made it, once.
func (s *screen) endLine(now time.Duration, give func(Line) error, real bool) error {
	end := len(s.line)
	for end > 0 && s.line[end-1] == ' ' {
		end--
	}
	text := string(s.line[:end])
	s.line, s.row, s.at = s.line[:0], 0, 0
	touched := s.touched
	s.touched = false
	if text == "" && (!real && !touched || s.blank) {
		return nil
	}
	s.blank = text == ""
	return give(Line{At: now, Text: text})
}

// end gives what is left at the recording's end.
func (s *screen) end(now time.Duration, give func(Line) error) error {
	if s.inFull {
		return s.leave(now, give)
	}
	if strings.TrimSpace(string(s.line)) == "" {
		return nil
	}
	return s.endLine(now, give, false)
}
