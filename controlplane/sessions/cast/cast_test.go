package cast_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/txtar"

	"ostler/controlplane/sessions/cast"
)

var update = flag.Bool("update", false, "write the golden files again")

var began = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// event is one at a time since the beginning; rest are members of its JSON.
func event(at time.Duration, kind, rest string) cast.Event {
	when := began.Add(at)
	raw := fmt.Sprintf(`{"event":%q,"time":%q%s}`, kind, when.Format(time.RFC3339Nano), rest)
	return cast.Event{Type: kind, At: when, Raw: []byte(raw)}
}

func shown(at time.Duration, data []byte) cast.Event {
	e := event(at, "print", fmt.Sprintf(`,"ms":%d,"data":%q`, at.Milliseconds(), base64.StdEncoding.EncodeToString(data)))
	e.Data = data
	return e
}

// scripted reads a recording: a line is milliseconds, a type and, for print, a
// quoted string; for others, members of JSON.
func scripted(t *testing.T, script string) (out []cast.Event) {
	t.Helper()
	for l := range strings.Lines(script) {
		ms, rest, _ := strings.Cut(strings.TrimSpace(l), " ")
		n, err := strconv.Atoi(ms)
		if err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		at := time.Duration(n) * time.Millisecond
		kind, what, _ := strings.Cut(rest, " ")
		if kind != "print" {
			out = append(out, event(at, kind, strings.TrimSuffix(","+what, ",")))
			continue
		}
		data, err := strconv.Unquote(what)
		if err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		out = append(out, shown(at, []byte(data)))
	}
	return out
}

// converted is all that is made of events.
func converted(t testing.TB, events []cast.Event) (asciicast string, lines []cast.Line, sum cast.Summary) {
	t.Helper()
	var out bytes.Buffer
	c := cast.New(&out, func(l cast.Line) error { lines = append(lines, l); return nil })
	for _, e := range events {
		if err := c.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := c.Close()
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), lines, sum
}

func transcript(lines []cast.Line) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%8.3f %s\n", l.At.Seconds(), l.Text)
	}
	return b.String()
}

func moments(sum cast.Summary) string {
	var b strings.Builder
	for _, m := range sum.Moments {
		fmt.Fprintf(&b, "%8.3f %s", m.At.Seconds(), m.Kind)
		for _, x := range []string{string(m.Read), m.Text, m.Exit} {
			if x != "" {
				b.WriteString(" | " + x)
			}
		}
		if m.For > 0 {
			b.WriteString(" | " + m.For.String())
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%s, %dx%d, ended %v\n", sum.Duration, sum.Width, sum.Height, sum.Ended)
	return b.String()
}

// What is made of a recording, as files next to what came.
func TestRecordings(t *testing.T) {
	t.Parallel()
	const name = "testdata/recordings.txtar"
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out txtar.Archive
	out.Comment = a.Comment
	want := map[string]string{}
	for _, f := range a.Files {
		want[f.Name] = string(f.Data)
	}
	for _, f := range a.Files {
		of, ok := strings.CutSuffix(f.Name, "/in")
		if !ok {
			continue
		}
		asciicast, lines, sum := converted(t, scripted(t, string(f.Data)))
		out.Files = append(out.Files, f)
		for _, part := range []struct{ name, got string }{{"cast", asciicast}, {"transcript", transcript(lines)}, {"moments", moments(sum)}} {
			file := of + "/" + part.name
			if part.got != want[file] && !*update {
				t.Errorf("%s:\ngot\n%s\nwant\n%s", file, part.got, want[file])
			}
			out.Files = append(out.Files, txtar.File{Name: file, Data: []byte(part.got)})
		}
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(&out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// hostile is what would act on the terminal or the page of whoever looks.
var hostile = []string{
	"\x1b]0;a title\x07", "\x1b]52;c;cm0gLXJmIC8=\x07", "\x1b]8;;http://evil.invalid/\x1b\\here\x1b]8;;\x1b\\", "\x1bP$q\"p\x1b\\", "\x1b_an application\x1b\\",
	"\x1b[c", "\x1b[6n", "\x1b[>c", "\x1b[21t", "\x1b[3;0;0t", "\x1bZ", "\x05", "\x07", "\u009d0;C1 title\u009c", "\u009b31m", "\x1b]0;no end", "\x1b[?1000h",
	"\x1b[?2004h", "\x1b[999999999b", "\x1bktitle\x1b\\", "\x1b[1;2;3", "\u202egnp.exe", "\x1b^private\x1b\\", "\x1bXsos\x1b\\", "\xff\xfe\xc3", "\x1b[\xff31m",
	"\x1b[?1049h\x1b[2Jvim\x1b[?1049l", "\x00\x0e\x0f", "\x1b(0qqq\x1b(B", "\x1b[1K\x1b[2K\x1b[3J", "a\rb\bc\x1b[5@\x1b[3P\x1b[4X\x1b[9D\x1b[2Ax",
}

// safe reports what in text a terminal would act on.
func unsafe(text string) string {
	for _, r := range text {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || !unicode.IsPrint(r) {
			return strconv.QuoteRune(r)
		}
	}
	if !utf8.ValidString(text) {
		return "no UTF-8"
	}
	return ""
}

// check holds a conversion to what is true of all.
func check(t testing.TB, events []cast.Event) {
	t.Helper()
	asciicast, lines, sum := converted(t, events)
	for _, l := range lines {
		if bad := unsafe(l.Text); bad != "" {
			t.Fatalf("a line of the transcript has %s: %q", bad, l.Text)
		}
	}
	for _, m := range sum.Moments {
		if bad := unsafe(m.Text); bad != "" || len([]rune(m.Text)) > cast.MaxText {
			t.Fatalf("a moment has %s: %q", bad, m.Text)
		}
	}
	last := -1.0
	in := bufio.NewScanner(strings.NewReader(asciicast))
	in.Buffer(nil, 256<<10)
	for i := 0; in.Scan(); i++ {
		if i == 0 {
			var header struct{ Version, Width, Height int }
			if err := json.Unmarshal(in.Bytes(), &header); err != nil || header.Version != 2 || header.Width < 1 {
				t.Fatalf("header %s: %v", in.Bytes(), err)
			}
			continue
		}
		var row []any
		if err := json.Unmarshal(in.Bytes(), &row); err != nil || len(row) != 3 {
			t.Fatalf("line %s: %v", in.Bytes(), err)
		}
		if at := row[0].(float64); at < last {
			t.Fatalf("time runs backwards: %v after %v", at, last)
		} else {
			last = at
		}
		for _, bad := range []string{"\x1b]", "\x1bP", "\x1b_", "\x1b^", "\x1bX", "\x1bk", "\x1bZ", "\x1b[c", "\x1b[6n", "\x1b[21t", "\x1b[?1000h", "\x05", "\x07", "\u009b", "\u009d", "\u202e", "[999999999"} {
			if strings.Contains(row[2].(string), bad) {
				t.Fatalf("the asciicast has %q in %q", bad, row[2])
			}
		}
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestNothingActsOnWhoLooks(t *testing.T) {
	t.Parallel()
	for _, h := range hostile {
		check(t, []cast.Event{shown(0, []byte("before "+h+" after\r\n")), shown(time.Second, []byte("the next line\r\n"))})
	}
	var all []cast.Event
	for i, b := range []byte(strings.Join(hostile, "")) {
		all = append(all, shown(time.Duration(i)*time.Millisecond, []byte{b}))
	}
	check(t, all)
}

// A string without an end hides nothing that comes behind it.
func TestNothingHidesTheRest(t *testing.T) {
	t.Parallel()
	_, lines, _ := converted(t, []cast.Event{shown(0, []byte("\x1b]0;no end")), shown(1, []byte(strings.Repeat("x", 10_000))), shown(2, []byte("\r\nroot@web-1:~# rm -rf /srv\r\n"))})
	if !slices.ContainsFunc(lines, func(l cast.Line) bool { return l.Text == "root@web-1:~# rm -rf /srv" }) {
		t.Errorf("got %q", lines)
	}
}

// Where chunks end makes no difference.
func TestChunks(t *testing.T) {
	t.Parallel()
	const text = "root@wéb:~# echo 'grüße 日本語 🐎'\r\n\x1b[31mgrüße\x1b[0m 日本語 🐎\r\n\xff\xe6\x97 end"
	show := func(n int) (out, lines string) {
		var events []cast.Event
		for part := range slices.Chunk([]byte(text), n) {
			events = append(events, shown(0, part))
		}
		asciicast, l, _ := converted(t, events)
		for line := range strings.Lines(asciicast) {
			var row []any
			if json.Unmarshal([]byte(line), &row) == nil {
				out += row[2].(string)
			}
		}
		return out, transcript(l)
	}
	wantOut, wantLines := show(len(text))
	if !strings.Contains(wantOut, "\ufffd\ufffd") || !strings.Contains(wantOut, "🐎") {
		t.Errorf("got %q", wantOut)
	}
	for n := 1; n < 9; n++ {
		if out, lines := show(n); out != wantOut || lines != wantLines {
			t.Errorf("chunks of %d: got %q\n%s\nwant %q\n%s", n, out, lines, wantOut, wantLines)
		}
	}
}

// Eight hours, and an output as a build makes it, in memory that does not grow.
func TestEightHours(t *testing.T) {
	t.Parallel()
	n, lines := 0, 0
	c := cast.New(counter(func(b []byte) { n += len(b) }), func(cast.Line) error { lines++; return nil })
	for i := range 8 * 3600 {
		if err := c.Add(shown(time.Duration(i)*time.Second, []byte("building something, step after step\r\n"))); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := c.Close()
	if err != nil || sum.Duration != 8*time.Hour-time.Second || lines != 8*3600 || len(sum.Moments) != 0 {
		t.Errorf("got %v, %d lines, %d moments, %v", sum.Duration, lines, len(sum.Moments), err)
	}
}

type counter func([]byte)

func (c counter) Write(b []byte) (int, error) { c(b); return len(b), nil }

// Times that make no sense are those of the event before.
func TestTimes(t *testing.T) {
	t.Parallel()
	asciicast, _, sum := converted(t, []cast.Event{
		event(0, "session.start", `,"size":"80:25"`), shown(5*time.Second, []byte("a")), shown(2*time.Second, []byte("b")), shown(90*24*time.Hour, []byte("c")),
		event(-time.Hour, "resize", `,"size":"99999:0"`), event(3*time.Second, "resize", `,"size":"99999:30"`), shown(6*time.Second, []byte("d")),
	})
	want := "[5.000,\"o\",\"a\"]\n[5.000,\"o\",\"b\"]\n[5.000,\"o\",\"c\"]\n[5.000,\"r\",\"1000x30\"]\n[6.000,\"o\",\"d\"]\n"
	if _, got, _ := strings.Cut(asciicast, "\n"); got != want || sum.Duration != 6*time.Second {
		t.Errorf("got\n%s%v, want\n%s", got, sum.Duration, want)
	}
}

// What is no command is bounded, and what is left out is counted; every command
// is kept, whatever stands before it.
func TestManyMoments(t *testing.T) {
	t.Parallel()
	var events []cast.Event
	for i := range cast.MaxMoments + 7 {
		at := time.Duration(i) * time.Millisecond
		events = append(events, event(at, "session.disk", `,"path":"/etc/hosts"`), event(at, "session.command", `,"path":"/bin/true"`))
	}
	_, _, sum := converted(t, append(events, event(time.Hour, "session.command", `,"path":"/bin/last"`)))
	if want := 2*cast.MaxMoments + 8; len(sum.Moments) != want || sum.Left != 7 || sum.CommandsLeft != 0 || sum.Moments[want-1].Text != "/bin/last" {
		t.Errorf("got %d, %d and %d left; want %d, 7 and none", len(sum.Moments), sum.Left, sum.CommandsLeft, want)
	}
}

// A flood of commands ends somewhere, and is counted.
func TestFlood(t *testing.T) {
	t.Parallel()
	one := event(0, "session.command", `,"path":"/bin/`+strings.Repeat("a", cast.MaxText)+`"`)
	fit := cast.MaxCommandBytes / (cast.MaxText + 40)
	events := make([]cast.Event, fit+9)
	for i := range events {
		events[i] = one
	}
	if _, _, sum := converted(t, events); len(sum.Moments) != fit || sum.CommandsLeft != 9 {
		t.Errorf("got %d and %d left, want %d and 9", len(sum.Moments), sum.CommandsLeft, fit)
	}
}

// An event as one line, with the terminal's bytes whether or not the cluster's
// JSON has them.
func TestRaw(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, raw, data, want string
	}{
		{"with data", `{"data":"aGk=","event":"print","ms":1}`, "hi", `{"data":"aGk=","event":"print","ms":1}` + "\n"},
		{"without", `{"event":"print","ms":1}`, "hi", `{"data":"aGk=","event":"print","ms":1}` + "\n"},
		{"nothing", `{}`, "hi", "{}\n"},
	} {
		if got := string(cast.Raw(cast.Event{Type: "print", Raw: []byte(c.raw), Data: []byte(c.data)})); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzTranscript(f *testing.F) {
	for _, h := range hostile {
		f.Add([]byte(h), 3)
	}
	f.Add([]byte("root@web-1:~# ls\r\n"), 1)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		var events []cast.Event
		for part := range slices.Chunk(data, max(1, n%64)) {
			events = append(events, shown(0, part))
		}
		check(t, events)
	})
}

// BenchmarkConvert converts a recording of 2.3 MB, an hour of somebody's work.
func BenchmarkConvert(b *testing.B) {
	var events []cast.Event
	size := 0
	for i := 0; size < 2_300_000; i++ {
		at := time.Duration(i) * 150 * time.Millisecond
		data := fmt.Appendf(nil, "Mar  2 09:15:01 web-1 CRON[%d]: %s\r\n", i, strings.Repeat("\x1b[1mgrüße\x1b[0m of a log ", 4))
		if i%10 == 0 {
			data = fmt.Appendf(nil, "\x1b[32mroot@web-1\x1b[0m:~# less /var/log/messages.%d\r\n", i)
		}
		e := shown(at, data)
		size += len(e.Raw)
		events = append(events, e)
	}
	b.SetBytes(int64(size))
	for b.Loop() {
		lines := 0
		c := cast.New(counter(func([]byte) {}), func(cast.Line) error { lines++; return nil })
		for _, e := range events {
			if err := c.Add(e); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := c.Close(); err != nil || lines == 0 {
			b.Fatal(err)
		}
	}
}
