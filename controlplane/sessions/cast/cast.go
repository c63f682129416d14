// Package cast makes of a recording's events what people look at: an asciicast
// v2, a transcript, and moments (commands, idle gaps, who joined). It is pure and
// streams: its memory does not grow with a recording, but for the moments, which
// are bounded. It keeps true that text never changes with where a chunk ends,
// that time never runs backwards, that every command is kept or counted, that nothing of a recording acts on the
// terminal or page of whoever looks at it (no title, clipboard, link or answer
// of the terminal), and that a transcript has no control characters at all.
package cast

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Event is one event of a recording.
type Event struct {
	Type string // "print"
	At   time.Time
	Raw  []byte // JSON in one line
	Data []byte // of "print": the terminal's bytes
}

// Line is a line of the transcript, without control characters.
type Line struct {
	At   time.Duration
	Text string
}

// Kind is what a moment is.
type Kind string

// The kinds of moment.
const (
	Command Kind = "command"
	Idle    Kind = "idle"
	Resize  Kind = "resize"
	Join    Kind = "join"
	Leave   Kind = "leave"
	File    Kind = "file"
	Network Kind = "network"
)

// Valid reports whether k is a known kind.
func (k Kind) Valid() bool {
	switch k {
	case Command, Idle, Resize, Join, Leave, File, Network:
		return true
	}
	return false
}

// Source is how a command is known.
type Source string

// The sources.
const (
	Kernel Source = "kernel" // the node's kernel told (enhanced recording)
	Screen Source = "screen" // read off what the terminal showed
)

// Valid reports whether s is a known source.
func (s Source) Valid() bool { return s == Kernel || s == Screen }

// Moment is something that happened.
type Moment struct {
	At   time.Duration
	Kind Kind
	Text string        // one clean line
	For  time.Duration // of an idle gap
	Read Source        // of a command
	Exit string        // of a command: its code, "" is not known
}

// Limits.
const (
	MinIdle = 5 * time.Second
	// MaxMoments is how many moments are kept that are no commands; what is beyond
	// is counted. Commands are all kept: they are what is searched.
	MaxMoments = 50_000
	// MaxCommandBytes is the one bound of commands, in bytes of text and some for
	// each: the memory of whoever keeps them. Some 500,000 fit.
	MaxCommandBytes = 32 << 20
	maxMomentBytes  = 16 << 20
	perMoment       = 40 // bytes beside the text
	// MaxLength is the longest recording; what claims to be later is at the last
	// instant that made sense.
	MaxLength = 31 * 24 * time.Hour
	// maxOutput bounds one line of the asciicast, in bytes of text.
	maxOutput = 8 << 10
	// maxSide bounds a terminal's width and height: a page has to draw it.
	maxSide = 1000
)

// Summary is what a recording is as a whole.
type Summary struct {
	Duration      time.Duration
	Width, Height int // at the beginning
	Prints        int
	Ended         bool // it has a session.end
	Moments       []Moment
	Left          int // moments beyond MaxMoments
	CommandsLeft  int // commands beyond MaxCommandBytes
}

// Converter converts one recording.
type Converter struct {
	out     *bufio.Writer
	line    func(Line) error
	started bool
	begin   time.Time
	now     time.Duration // of the latest event
	printed time.Duration // of the latest print
	summary Summary
	text    decoder
	parser  parser
	screen  screen
	pending []byte // text of the asciicast's next line
	prompts []Moment
	others  int // moments that are no commands
	// How much of their memory commands and all else have taken, in bytes.
	commandBytes, otherBytes int
}

// New returns a converter that writes the asciicast to out, one JSON line a
// time, none longer than 64 KiB, and gives line every line of the transcript.
func New(out io.Writer, line func(Line) error) *Converter {
	c := &Converter{out: bufio.NewWriterSize(out, 16<<10), line: line}
	c.screen.width = 80
	return c
}

// Raw is an event as one line of JSON, its end of line included: with the
// terminal's bytes also where the cluster left them out.
func Raw(e Event) []byte {
	if e.Type == "print" && e.Data != nil {
		var has struct {
			Data *json.RawMessage `json:"data"`
		}
		if json.Unmarshal(e.Raw, &has) == nil && has.Data == nil && len(e.Raw) > 2 && e.Raw[0] == '{' {
			out := append(make([]byte, 0, len(e.Raw)+len(e.Data)*4/3+16), `{"data":"`...)
			out = base64.StdEncoding.AppendEncode(out, e.Data)
			return append(append(append(out, `",`...), e.Raw[1:]...), '\n')
		}
	}
	return append(append(make([]byte, 0, len(e.Raw)+1), e.Raw...), '\n')
}

// Add takes the next event. Errors are those of the writers.
func (c *Converter) Add(e Event) error {
	f := fieldsOf(e)
	if !c.started {
		if err := c.start(e, f); err != nil {
			return err
		}
	}
	c.tick(e, f)
	switch e.Type {
	case "print":
		return c.print(e.Data)
	case "resize":
		return c.resize(f)
	case "session.end":
		c.summary.Ended = true
	default:
		c.note(e.Type, f)
	}
	return nil
}

// start writes the header.
func (c *Converter) start(e Event, f fields) error {
	c.started = true
	c.begin = e.At
	if e.Type == "print" {
		c.begin = e.At.Add(-f.millis())
	}
	w, h := 80, 25
	if e.Type == "session.start" {
		if sw, sh, ok := size(f.Size); ok {
			w, h = sw, sh
		}
	}
	c.summary.Width, c.summary.Height, c.screen.width = w, h, w
	var stamp int64
	if !c.begin.IsZero() {
		stamp = c.begin.Unix()
	}
	_, err := fmt.Fprintf(c.out, `{"version":2,"width":%d,"height":%d,"timestamp":%d,"env":{"TERM":"xterm-256color"}}`+"\n", w, h, stamp)
	return err
}

// tick moves the recording's time on, never back.
func (c *Converter) tick(e Event, f fields) {
	at := e.At.Sub(c.begin).Truncate(time.Millisecond)
	if e.Type == "print" {
		at = f.millis()
	}
	if at > c.now && at <= MaxLength {
		c.now = at
	}
}

func (c *Converter) print(data []byte) error {
	if gap := c.now - c.printed; gap >= MinIdle {
		c.keep(Moment{At: c.printed, Kind: Idle, For: gap})
	}
	c.printed = c.now
	c.summary.Prints++
	if err := c.show(c.text.decode(data)); err != nil {
		return err
	}
	return c.flush()
}

// show puts clean text on the screen and into the asciicast's pending line.
func (c *Converter) show(text string) error {
	for _, r := range text {
		if c.parser.state == ground && r >= ' ' && r <= '~' { // nearly all of it
			c.pending = append(c.pending, byte(r))
			if err := c.screen.plain(r, c.now, c.ended); err != nil {
				return err
			}
		} else if err := c.act(r); err != nil {
			return err
		}
		if len(c.pending) >= maxOutput {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// act takes a rune that is more than a letter, or may be.
func (c *Converter) act(r rune) error {
	for _, t := range c.parser.next(r) {
		if t.what == printed && unicode.Is(unicode.Bidi_Control, t.r) {
			t.r = utf8.RuneError // it would turn what stands beside it
		}
		if t.shown() {
			c.pending = t.append(c.pending)
		}
		if err := c.screen.take(t, c.now, c.ended); err != nil {
			return err
		}
	}
	return nil
}

// flush writes what is pending as one event.
func (c *Converter) flush() error {
	if len(c.pending) == 0 {
		return nil
	}
	err := c.event('o', string(c.pending))
	c.pending = c.pending[:0]
	return err
}

func (c *Converter) event(code byte, text string) error {
	b := append(c.out.AvailableBuffer(), '[')
	b = strconv.AppendInt(b, int64(c.now/time.Second), 10)
	b = append(b, '.')
	ms := int64(c.now%time.Second) / 1e6
	b = append(b, byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	b = append(b, `,"`...)
	b = append(b, code)
	b = append(b, `",`...)
	b = appendJSON(b, text)
	_, err := c.out.Write(append(b, "]\n"...))
	return err
}

// ended is told of every line that the terminal has finished.
func (c *Converter) ended(l Line) error {
	if text, ok := typed(l.Text); ok {
		if m := (Moment{At: l.At, Kind: Command, Text: text, Read: Screen}); c.room(m) {
			c.prompts = append(c.prompts, m)
		}
	}
	if c.line == nil {
		return nil
	}
	return c.line(l)
}

func (c *Converter) resize(f fields) error {
	w, h, ok := size(f.Size)
	if !ok {
		return nil
	}
	text := strconv.Itoa(w) + "x" + strconv.Itoa(h)
	c.screen.width = w
	c.keep(Moment{At: c.now, Kind: Resize, Text: text})
	return c.event('r', text)
}

// keep keeps a moment, or counts it.
func (c *Converter) keep(m Moment) {
	switch {
	case m.Kind == Command:
		if c.room(m) {
			c.summary.Moments = append(c.summary.Moments, m)
		}
	case c.others >= MaxMoments || c.otherBytes+len(m.Text)+len(m.Exit)+perMoment > maxMomentBytes:
		c.summary.Left++
	default:
		c.others++
		c.otherBytes += len(m.Text) + len(m.Exit) + perMoment
		c.summary.Moments = append(c.summary.Moments, m)
	}
}

// room reports whether there is room for one more command, and counts it where
// there is none.
func (c *Converter) room(m Moment) bool {
	if c.commandBytes+len(m.Text)+len(m.Exit)+perMoment > MaxCommandBytes {
		c.summary.CommandsLeft++
		return false
	}
	c.commandBytes += len(m.Text) + len(m.Exit) + perMoment
	return true
}

// Close ends the asciicast and the transcript and returns the whole. A recording
// without any event has a header all the same.
func (c *Converter) Close() (Summary, error) {
	if !c.started {
		if err := c.start(Event{}, fields{}); err != nil {
			return Summary{}, err
		}
	}
	if err := c.show(c.text.rest()); err != nil {
		return Summary{}, err
	}
	if err := c.flush(); err != nil {
		return Summary{}, err
	}
	if err := c.screen.end(c.now, c.ended); err != nil {
		return Summary{}, err
	}
	if gap := c.now - c.printed; gap >= MinIdle && c.summary.Prints > 0 {
		c.keep(Moment{At: c.printed, Kind: Idle, For: gap})
	}
	c.summary.Duration = c.now
	c.summary.Moments = merge(c.summary.Moments, c.prompts)
	return c.summary, c.out.Flush()
}

// size reads "80:25".
func size(s string) (w, h int, ok bool) {
	a, b, _ := strings.Cut(s, ":")
	w, err := strconv.Atoi(a)
	h, err2 := strconv.Atoi(b)
	if err != nil || err2 != nil || w < 1 || h < 1 {
		return 0, 0, false
	}
	return min(w, maxSide), min(h, maxSide), true
}
