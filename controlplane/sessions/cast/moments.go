package cast

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// fields are what we read of an event's JSON.
type fields struct {
	Millis     float64  `json:"ms"`
	Size       string   `json:"size"`
	User       string   `json:"user"`
	Path       string   `json:"path"`
	Target     string   `json:"target_path"`
	Argv       []string `json:"argv"`
	Program    string   `json:"program"`
	Return     *float64 `json:"return_code"`
	Command    string   `json:"command"`
	ExitCode   string   `json:"exitCode"`
	Address    string   `json:"dst_addr"`
	Port       float64  `json:"dst_port"`
	FileAction any      `json:"action"`
}

// millis is how long after the beginning a print was, 0 where it does not say.
func (f fields) millis() time.Duration {
	if f.Millis > 0 && f.Millis <= float64(MaxLength/time.Millisecond) {
		return time.Duration(f.Millis) * time.Millisecond
	}
	return 0
}

// printFields are those of a print, of which there are many.
type printFields struct {
	Millis float64 `json:"ms"`
}

// fieldsOf reads an event. What is no JSON, or of another form, has none: its
// place in time is the event's own.
func fieldsOf(e Event) (f fields) {
	if e.Type == "print" {
		var p printFields
		_ = json.Unmarshal(e.Raw, &p)
		f.Millis = p.Millis
		return f
	}
	_ = json.Unmarshal(e.Raw, &f) // what can be read of it is
	return f
}

// MaxText bounds a moment's text, in characters.
const MaxText = 500

// line is text as one line that nothing acts on.
func line(s string) string {
	var b []rune
	gap := false
	for _, r := range s {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			gap = len(b) > 0
			continue
		}
		if gap {
			b, gap = append(b, ' '), false
		}
		if b = append(b, clean(r)); len(b) > MaxText {
			return string(b[:MaxText-3]) + "..."
		}
	}
	return string(b)
}

// note keeps what an event of the node's kernel or of the session tells.
func (c *Converter) note(kind string, f fields) {
	m := Moment{At: c.now}
	switch kind {
	case "session.command":
		m.Kind, m.Read, m.Text = Command, Kernel, commandLine(f)
		if f.Return != nil {
			m.Exit = strconv.FormatFloat(*f.Return, 'f', -1, 64)
		}
	case "exec":
		m.Kind, m.Read, m.Text, m.Exit = Command, Kernel, line(f.Command), line(f.ExitCode)
	case "session.disk", "scp", "sftp":
		m.Kind, m.Text = File, line(strings.TrimSpace(f.Program+" "+f.Path+" "+f.Target))
	case "session.network":
		m.Kind, m.Text = Network, line(strings.TrimSpace(f.Program+" "+f.Address+":"+strconv.FormatFloat(f.Port, 'f', -1, 64)))
	case "session.join":
		m.Kind, m.Text = Join, line(f.User)
	case "session.leave":
		m.Kind, m.Text = Leave, line(f.User)
	default:
		return
	}
	c.keep(m)
}

// commandLine is what the kernel ran, as somebody would type it.
func commandLine(f fields) string {
	name := f.Path
	if name == "" {
		name = f.Program
	}
	return line(strings.Join(append([]string{name}, f.Argv...), " "))
}

// prompt is a shell's prompt in the forms "user@host:~$ ", "[user@host dir]# "
// and "user@host dir % ", and what stands behind it.
var prompt = regexp.MustCompile(`^(?:\([^()]{1,60}\) ?)?(?:\[[\w.-]{1,64}@[\w.-]{1,255}[^\]]{0,255}\] ?|[\w.-]{1,64}@[\w.-]{1,255}(?:[: ][^$#%>]{0,255})?)[$#%>] (.*)$`)

// typed returns what somebody entered in a line behind a prompt.
func typed(l string) (command string, ok bool) {
	at := strings.IndexByte(l, '@')
	if at < 0 || at > 130 || !strings.ContainsAny(l[at:], "$#%>") {
		return "", false
	}
	m := prompt.FindStringSubmatch(l)
	if m == nil {
		return "", false
	}
	command = line(m[1])
	return command, command != ""
}

// heard is how far a command that the kernel told of may be from the line that
// started it.
const heard = 5 * time.Second

// merge puts commands read off the screen among the moments, in order. One
// that the kernel told of too is left out: what remains are those that a shell
// does by itself ("history -c"), or all where no kernel told.
func merge(moments, screen []Moment) []Moment {
	kernel := map[string][]time.Duration{}
	for _, m := range moments {
		if m.Kind == Command {
			name := program(m.Text)
			kernel[name] = append(kernel[name], m.At)
		}
	}
	for _, m := range screen {
		at, ok := kernel[program(m.Text)]
		if ok {
			i, _ := slices.BinarySearch(at, m.At-time.Second)
			ok = i < len(at) && at[i] <= m.At+heard
		}
		if !ok {
			moments = append(moments, m)
		}
	}
	slices.SortStableFunc(moments, func(a, b Moment) int { return int(a.At/time.Millisecond) - int(b.At/time.Millisecond) })
	return moments
}

// program is the name of what a command line runs.
func program(command string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(command), " ")
	if !utf8.ValidString(name) || name == "" {
		return ""
	}
	return path.Base(name)
}
