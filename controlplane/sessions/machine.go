package sessions

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"ostler/controlplane"
)

// said is what an event says, as far as sessions need it.
type said struct {
	Type          string    `json:"event"`
	Time          time.Time `json:"time"`
	Cluster       string    `json:"cluster_name"`
	User          string    `json:"user"`
	Impersonator  string    `json:"impersonator"` // who really acted under User's name
	Login         string    `json:"login"`
	SID           string    `json:"sid"`
	Host          string    `json:"server_hostname"`
	Address       string    `json:"addr.remote"`
	Size          string    `json:"size"`
	Recording     string    `json:"session_recording"`
	Initial       []string  `json:"initial_command"`
	Interactive   *bool     `json:"interactive"`
	Participants  []string  `json:"participants"`
	Began         time.Time `json:"session_start"`
	Stopped       time.Time `json:"session_stop"`
	Command       string    `json:"command"`
	Path          string    `json:"path"`
	DesktopName   string    `json:"desktop_name"`
	DatabaseName  string    `json:"db_service"`
	ApplicationID string    `json:"app_name"`
}

// Types of event that say something of a session's life.
const (
	typeStart  = "session.start"
	typeEnd    = "session.end"
	typeUpload = "session.upload"
	typeJoin   = "session.join"
	typeLeave  = "session.leave"
	typeExec   = "exec"
	typeSCP    = "scp"
	typeSFTP   = "sftp"
	typePort   = "port"
)

// eventTypes are what the cluster is asked for: what is of a session, and what
// says who could have one.
func eventTypes() []string {
	return []string{typeStart, typeEnd, typeUpload, typeJoin, typeLeave, typeExec, typeSCP, typeSFTP, typePort,
		"session.data", "resize", "session.command", "session.disk", "session.network", "session.rejected", "client.disconnect",
		"session.recording.access", "x11-forward", "subsystem",
		"windows.desktop.session.start", "windows.desktop.session.end", "db.session.start", "db.session.end", "app.session.start", "app.session.end",
		"user.login", "user.create", "user.update", "user.delete", "role.created", "role.updated", "role.deleted", "lock.created", "lock.deleted",
		"access_request.create", "access_request.update", "access_request.review", "access_request.delete", "bot.join"}
}

// read takes the facts out of an event.
func read(raw []byte) (said, error) {
	var e said
	err := json.Unmarshal(raw, &e)
	e.Host = strings.ToLower(strings.TrimSuffix(clip(cmp.Or(e.Host, e.DesktopName, e.DatabaseName, e.ApplicationID)), "."))
	e.Type, e.SID, e.Cluster, e.User, e.Impersonator = clip(e.Type), clip(e.SID), clip(e.Cluster), clip(e.User), clip(e.Impersonator)
	for i := range e.Participants {
		e.Participants[i] = clip(e.Participants[i])
	}
	return e, err
}

// clip makes what a cluster says one line that every column and page takes.
func clip(text string) string { return controlplane.Line(text, 1000) }

// mark tells sessions apart: the cluster's id, or the event's for what has none.
// It is "" for what is of no session.
func (e said) mark(eventID string) string {
	switch {
	case e.SID != "":
		return e.SID
	case e.alone():
		return eventID
	}
	return ""
}

// alone reports whether an event without a session's id is a session itself.
func (e said) alone() bool {
	return e.Type == typeExec || e.Type == typeSCP || e.Type == typeSFTP || e.Type == typePort
}

// begins reports whether an event shows that there was a session, though no
// start of it was seen.
func (e said) begins() bool {
	switch e.Type {
	case typeLeave, "session.rejected", "session.recording.access", "client.disconnect", "user.login":
		return false
	}
	return e.mark("-") != "" && (strings.HasPrefix(e.Type, "session.") || e.alone() || e.Type == "resize" || strings.Contains(e.Type, ".session.") || e.Type == "subsystem" || e.Type == "x11-forward")
}

// track is what events have said of a session so far. Whatever their order, and
// however often one comes, it is the same in the end.
type track struct {
	Start       int64  `json:"start,omitempty"` // of session.start, Unix milliseconds as all here
	Began       int64  `json:"began,omitempty"` // as session.end says
	End         int64  `json:"end,omitempty"`
	Ran         int64  `json:"ran,omitempty"` // the latest exec, scp, sftp or port
	Uploaded    int64  `json:"uploaded,omitempty"`
	First       int64  `json:"first,omitempty"`
	Shell       bool   `json:"shell,omitempty"` // has a terminal
	Interactive string `json:"interactive,omitempty"`
	Begun       string `json:"begun,omitempty"` // with what it began, if not a shell
	Alone       Kind   `json:"alone,omitempty"`
	Off         bool   `json:"off,omitempty"`
	// Late says that its recording is past its time and was asked for anew.
	Late  bool            `json:"late,omitempty"`
	Ranks map[string]int  `json:"ranks,omitempty"`
	Parts map[string]part `json:"parts,omitempty"`
	As    map[string]bool `json:"as,omitempty"` // who acted under another one's name
}

// part is when one name took part.
type part struct {
	Joined   int64 `json:"joined,omitempty"`
	Rejoined int64 `json:"rejoined,omitempty"` // the latest
	Left     int64 `json:"left,omitempty"`
}

// facts are a session as events make it, before anybody is looked up.
type facts struct {
	sessionData
	Mark, SID, Host    string
	Kind               Kind
	State              State
	StartedAt, EndedAt int64
	DueAt              int64
	Endless            bool
}

// step is a session after one more event. It is the same whatever the order of
// events; due is when a recording is missing that has not come by then.
func step(f facts, e said, at int64, due int64) facts {
	f.Track.First = earlier(f.Track.First, at)
	f.Track.Ranks, f.Track.Parts, f.Track.As = cloned(f.Track.Ranks), cloned(f.Track.Parts), cloned(f.Track.As)
	switch e.Type {
	case typeStart, "windows.desktop.session.start", "db.session.start", "app.session.start":
		f.start(e, at)
	case typeEnd, "windows.desktop.session.end", "db.session.end", "app.session.end":
		f.end(e, at)
	case typeUpload:
		f.Track.Uploaded = earlier(f.Track.Uploaded, at)
	case typeJoin:
		f.joined(e.User, at)
	case typeLeave:
		f.left(e.User, at)
	case typeExec, typeSCP, typeSFTP, typePort:
		f.ran(e, at)
	case "session.rejected", "session.recording.access", "client.disconnect":
		return f.derive(due)
	}
	f.acted(e, at)
	if e.Type != typeJoin && e.Type != typeLeave && e.Type != typeUpload {
		f.names(e)
	}
	return f.derive(due)
}

func (f *facts) start(e said, at int64) {
	t := &f.Track
	t.Start = earlier(t.Start, at)
	t.Shell = t.Shell || e.Size != "" && e.Size != "0:0"
	t.Off = t.Off || e.Recording == "off"
	if len(e.Initial) > 0 {
		f.take("begun", 1, clip(strings.Join(e.Initial, " ")), &t.Begun)
	}
	if e.Type != typeStart {
		t.Alone = Other
	}
}

func (f *facts) end(e said, at int64) {
	t := &f.Track
	t.End = max(t.End, at, controlplane.Millis(e.Stopped))
	t.Began = earlier(t.Began, controlplane.Millis(e.Began))
	t.Off = t.Off || e.Recording == "off"
	if e.Type != typeEnd {
		t.Alone = Other
	} else if e.Interactive != nil {
		t.Interactive = "no"
		if *e.Interactive {
			t.Interactive = "yes"
		}
	}
	for _, u := range e.Participants {
		if _, known := t.Parts[u]; !known {
			t.Parts[u] = part{}
		}
	}
}

func (f *facts) ran(e said, at int64) {
	t := &f.Track
	t.Ran = max(t.Ran, at)
	text := e.Command
	switch e.Type {
	case typeSCP:
		t.Alone = SCP
	case typeSFTP:
		t.Alone, text = SFTP, cmp.Or(e.Command, e.Path)
	case typePort:
		t.Alone = cmp.Or(t.Alone, Other)
	case typeExec:
		t.Alone = cmp.Or(t.Alone, Exec)
		if t.Alone == Other {
			t.Alone = Exec
		}
	}
	f.take("command", 1, clip(text), &f.Command)
}

func (f *facts) joined(user string, at int64) {
	p := f.Track.Parts[user]
	p.Joined, p.Rejoined = earlier(p.Joined, at), max(p.Rejoined, at)
	f.Track.Parts[user] = p
}

// acted notes who acted under another one's name: they took part as much as
// whose name it is.
func (f *facts) acted(e said, at int64) {
	if e.Impersonator == "" || e.Impersonator == e.User {
		return
	}
	p := f.Track.Parts[e.Impersonator]
	p.Joined = earlier(p.Joined, at)
	f.Track.Parts[e.Impersonator], f.Track.As[e.Impersonator] = p, true
}

func (f *facts) left(user string, at int64) {
	p := f.Track.Parts[user]
	p.Left = max(p.Left, at)
	f.Track.Parts[user] = p
}

// names takes over who it was: a start knows best, then an end or a command.
func (f *facts) names(e said) {
	rank := 1
	switch e.Type {
	case typeStart:
		rank = 3
	case typeEnd, typeExec, typeSCP, typeSFTP, typePort:
		rank = 2
	}
	f.take("user", rank, clip(e.User), &f.User)
	f.take("login", rank, clip(e.Login), &f.Login)
	f.take("address", rank, clip(e.Address), &f.Address)
	f.take("host", rank, clip(e.Host), &f.Host)
}

// take keeps the value that is known best; of two that are known equally well
// the lesser one, so that their order does not count.
func (f *facts) take(name string, rank int, value string, into *string) {
	have := f.Track.Ranks[name]
	if value == "" || have > rank || have == rank && *into <= value {
		return
	}
	*into, f.Track.Ranks[name] = value, rank
}

// derive says what the session is, by all that is known of it.
func (f facts) derive(due int64) facts {
	t := f.Track
	f.Kind = t.kind()
	f.StartedAt = cmp.Or(t.Start, t.Began, t.First)
	f.EndedAt = t.ended(f.Kind)
	if f.EndedAt > 0 {
		f.EndedAt = max(f.EndedAt, f.StartedAt)
	}
	if f.Command == "" {
		f.Command = t.Begun
	}
	f.Participants = f.participants()
	was := f.State
	switch {
	case was == Stored:
	case t.Uploaded > 0:
		f.State = Uploaded
	case was == Missing && !(f.Endless && f.EndedAt > 0):
	case f.EndedAt == 0:
		f.State = Live
	case t.Off || f.SID == "":
		f.State = Unrecorded
	default:
		f.State = Ended
	}
	if f.EndedAt > 0 {
		f.Endless = false
	}
	if waits := f.State == Ended || f.State == Uploaded; waits && was != f.State {
		f.DueAt, f.Track.Late = due, false
	}
	return f
}

func (t track) kind() Kind {
	switch {
	case t.Alone == Other && t.Ran == 0:
		return Other // a desktop, a database
	case t.Interactive == "yes":
		return Interactive
	case t.Alone == SCP || t.Alone == SFTP:
		return t.Alone
	case t.Interactive == "no":
		return Exec
	case t.Start > 0 && (t.Shell || t.Alone == "" && t.Begun == ""):
		return Interactive
	case t.Alone != "":
		return t.Alone
	case t.Start > 0:
		return Exec
	}
	return Other
}

// ended is when it ended, 0 where nothing says so: what runs one command has no
// end of its own, and whose recording is there is over.
func (t track) ended(k Kind) int64 {
	switch {
	case t.End > 0:
		return t.End
	case t.Ran > 0 && k != Interactive:
		return t.Ran
	}
	return t.Uploaded
}

// modeImpersonator is how somebody took part who acted under another one's name.
const modeImpersonator = "impersonator"

// participants are all who took part, the one who began it first.
func (f facts) participants() []Participant {
	known := map[string]Participant{}
	for _, p := range f.Participants {
		known[p.User] = p
	}
	var out []Participant
	add := func(user string, p part) {
		x := known[user]
		x.User, x.Joined, x.Left = user, controlplane.FromMillis(p.Joined), time.Time{}
		if f.Track.As[user] {
			x.Mode = modeImpersonator
		}
		if p.Left > 0 && p.Left >= p.Rejoined {
			x.Left = controlplane.FromMillis(p.Left)
		}
		out = append(out, x)
	}
	for user, p := range f.Track.Parts {
		if user != f.User && user != "" {
			add(user, p)
		}
	}
	slices.SortFunc(out, func(a, b Participant) int {
		return cmp.Or(a.Joined.Compare(b.Joined), strings.Compare(a.User, b.User))
	})
	if f.User != "" {
		first := f.Track.Parts[f.User]
		first.Joined = f.StartedAt
		add(f.User, first)
		out = append(out[len(out)-1:], out[:len(out)-1]...)
	}
	return out
}

// cloned is a map of one's own.
func cloned[V any](m map[string]V) map[string]V {
	out := make(map[string]V, len(m)+1)
	maps.Copy(out, m)
	return out
}

// earlier is the earlier of two instants; 0 is none.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
