package teleporttest

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/teleport/api/types/events"
)

// Script is a session that was, as the audit log and the recording tell of it.
// Nobody is asked whether the user may: it was.
type Script struct {
	User, Login, Node string
	Start             time.Time
	From              string // address; "192.0.2.10:50000" if empty
	Size              string // "W:H"; "80:25" if empty
	Command           string // what it began with, if not a shell
	Steps             []Step
	// NoEnd is a node that lost its power: neither end nor upload. NoUpload has an
	// end and no recording; NotRecorded is a role that records nothing.
	NoEnd, NoUpload, NotRecorded bool
	// UploadAfter is how long after its end the recording is there; 0 is Options.UploadDelay.
	UploadAfter time.Duration
	// ClockAhead is how far the node's clock is ahead.
	ClockAhead time.Duration
}

// Step is one thing in a script, After the one before.
type Step struct {
	After  time.Duration
	Print  string // bytes of the terminal; may end within a rune
	Resize string // "W:H"
	Join   string // a user who joins
	Leave  string
	// Ran is a command as the kernel saw it (enhanced recording), with its arguments.
	Ran  string
	Exit int
}

// Play enters a session into the log, and gives its id.
func (c *Cluster) Play(s Script) (sid string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.nodes[s.Node] == nil {
		return "", fmt.Errorf("teleporttest: play: the node %q is not known", s.Node)
	}
	p := playing{c: c, s: s, sid: uuid.NewString(), at: s.Start, users: []string{s.User}}
	p.begin()
	for _, step := range s.Steps {
		p.step(step)
	}
	p.end()
	return p.sid, nil
}

// playing is a script on its way into the log. Cluster.mu is held.
type playing struct {
	c      *Cluster
	s      Script
	sid    string
	at     time.Time
	users  []string
	chunks int64
}

func (p *playing) meta(kind, code string) events.Metadata {
	m := p.c.meta(kind, code)
	m.Time = p.at.Add(p.s.ClockAhead).UTC()
	return m
}

func (p *playing) server() events.ServerMetadata {
	return events.ServerMetadata{ServerID: p.s.Node, ServerHostname: p.c.nodes[p.s.Node].GetHostname(), ServerLabels: p.c.nodes[p.s.Node].GetAllLabels()}
}

func (p *playing) connection() events.ConnectionMetadata {
	return events.ConnectionMetadata{RemoteAddr: cmp.Or(p.s.From, "192.0.2.10:50000"), Protocol: "ssh"}
}

func (p *playing) recording() string {
	if p.s.NotRecorded {
		return types.RecordOff
	}
	return types.RecordAtNode
}

func (p *playing) begin() {
	start := &events.SessionStart{
		Metadata: p.meta("session.start", "T2000I"), UserMetadata: events.UserMetadata{User: p.s.User, Login: p.s.Login},
		SessionMetadata: events.SessionMetadata{SessionID: p.sid}, ServerMetadata: p.server(), ConnectionMetadata: p.connection(),
		TerminalSize: cmp.Or(p.s.Size, "80:25"), SessionRecording: p.recording(),
	}
	if p.s.Command != "" {
		start.InitialCommand = strings.Fields(p.s.Command)
	}
	p.c.emit(p.sid, p.at, start)
}

func (p *playing) step(s Step) {
	p.at = p.at.Add(s.After)
	switch {
	case s.Print != "":
		e := &events.SessionPrint{Metadata: p.meta("print", ""), Data: []byte(s.Print), Bytes: int64(len(s.Print)), ChunkIndex: p.chunks,
			DelayMilliseconds: p.at.Sub(p.s.Start).Milliseconds()}
		e.Metadata.ID, e.Metadata.Index = "", p.chunks
		p.chunks++
		p.c.emit(p.sid, p.at, e)
	case s.Resize != "":
		p.c.emit(p.sid, p.at, &events.Resize{Metadata: p.meta("resize", "T2002I"), UserMetadata: events.UserMetadata{User: p.s.User, Login: p.s.Login},
			SessionMetadata: events.SessionMetadata{SessionID: p.sid}, ServerMetadata: p.server(), TerminalSize: s.Resize})
	case s.Join != "":
		p.users = append(p.users, s.Join)
		p.c.emit(p.sid, p.at, &events.SessionJoin{Metadata: p.meta("session.join", "T2001I"), UserMetadata: events.UserMetadata{User: s.Join, Login: p.s.Login},
			SessionMetadata: events.SessionMetadata{SessionID: p.sid}, ServerMetadata: p.server()})
	case s.Leave != "":
		p.c.emit(p.sid, p.at, &events.SessionLeave{Metadata: p.meta("session.leave", "T2003I"), UserMetadata: events.UserMetadata{User: s.Leave, Login: p.s.Login},
			SessionMetadata: events.SessionMetadata{SessionID: p.sid}, ServerMetadata: p.server()})
	case s.Ran != "":
		words := strings.Fields(s.Ran)
		p.c.emit(p.sid, p.at, &events.SessionCommand{Metadata: p.meta("session.command", "T4000I"), UserMetadata: events.UserMetadata{User: p.s.User, Login: p.s.Login},
			SessionMetadata: events.SessionMetadata{SessionID: p.sid}, ServerMetadata: p.server(),
			BPFMetadata: events.BPFMetadata{Program: words[0], PID: 1000}, Path: "/usr/bin/" + words[0], Argv: words[1:], ReturnCode: int32(s.Exit)})
	}
}

func (p *playing) end() {
	if p.s.NoEnd {
		return
	}
	// As seen of the real one: the end has no login.
	p.c.emit(p.sid, p.at, &events.SessionEnd{
		Metadata: p.meta("session.end", "T2004I"), UserMetadata: events.UserMetadata{User: p.s.User},
		SessionMetadata: events.SessionMetadata{SessionID: p.sid}, ServerMetadata: p.server(), ConnectionMetadata: p.connection(),
		Interactive: true, Participants: p.users, StartTime: p.s.Start.Add(p.s.ClockAhead), EndTime: p.at.Add(p.s.ClockAhead), SessionRecording: p.recording(),
	})
	if !p.s.NoUpload && !p.s.NotRecorded {
		p.c.upload(p.sid, p.at.Add(cmp.Or(p.s.UploadAfter, p.c.opts.UploadDelay)))
	}
}

// upload says that a recording is there, from an instant on. c.mu is held.
func (c *Cluster) upload(sid string, at time.Time) {
	up := &events.SessionUpload{
		Metadata:        c.meta("session.upload", "T2005I"),
		SessionMetadata: events.SessionMetadata{SessionID: sid}, SessionURL: "/var/lib/teleport/log/records/" + sid + ".tar",
	}
	up.ID, up.Time = "", at // the real one has no id either
	c.emit("", at, up)
}

// Upload has a recording come that did not.
func (c *Cluster) Upload(sid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.upload(sid, c.now())
}

// HideRecording has the store lose a recording, or have it again.
func (c *Cluster) HideRecording(sid string, hidden bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone[sid] = hidden
}

// ChangeRecording replaces text in what a terminal showed, after it was recorded.
func (c *Cluster) ChangeRecording(sid, old, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, e := range c.events {
		if p, ok := e.e.(*events.SessionPrint); ok && e.sid == sid {
			changed := *p
			changed.Data = []byte(strings.ReplaceAll(string(p.Data), old, text))
			c.events[i].e = &changed
		}
	}
}

// Ran is a command without a terminal, at an instant: as in the real server
// there is an event, perhaps without a session's id, and no end.
type Ran struct {
	User, Login, Node, Command string
	At                         time.Time
	Exit                       int
	Session                    bool // has a session's id
}

// PlayExec enters a command.
func (c *Cluster) PlayExec(r Ran) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &events.Exec{
		Metadata: c.meta("exec", "T3002I"), UserMetadata: events.UserMetadata{User: r.User, Login: r.Login},
		ServerMetadata:     events.ServerMetadata{ServerID: r.Node, ServerHostname: c.hostname(r.Node)},
		ConnectionMetadata: events.ConnectionMetadata{RemoteAddr: "192.0.2.10:50000", Protocol: "ssh"},
		CommandMetadata:    events.CommandMetadata{Command: r.Command, ExitCode: strconv.Itoa(r.Exit)},
	}
	if e.Time = r.At.UTC(); r.Session {
		e.SessionID = uuid.NewString()
	}
	c.emit(e.SessionID, r.At, e)
}

// PlayCopy enters files that were copied: "upload" or "download", by scp or by sftp.
func (c *Cluster) PlayCopy(user, login, node, path, action string, at time.Time, sftp bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	who := events.UserMetadata{User: user, Login: login}
	server := events.ServerMetadata{ServerID: node, ServerHostname: c.hostname(node)}
	sid := events.SessionMetadata{SessionID: uuid.NewString()}
	if sftp {
		e := &events.SFTP{Metadata: c.meta("sftp", "TS001I"), UserMetadata: who, SessionMetadata: sid, ServerMetadata: server, Path: path, Action: events.SFTPAction_OPEN}
		e.Time = at.UTC()
		c.emit("", at, e)
		return
	}
	e := &events.SCP{Metadata: c.meta("scp."+action, "T3004I"), UserMetadata: who, SessionMetadata: sid, ServerMetadata: server, Path: path, Action: action,
		CommandMetadata: events.CommandMetadata{Command: "scp -f " + path, ExitCode: "0"}}
	e.Type, e.Time = "scp", at.UTC()
	c.emit("", at, e)
}

// PlayBad enters an event that nobody can read.
func (c *Cluster) PlayBad(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &events.Exec{Metadata: c.meta("exec", "T3002I")}
	e.Time = at.UTC()
	c.events = append(c.events, event{at: at, e: e, bad: true})
}

func (c *Cluster) hostname(node string) string {
	if n := c.nodes[node]; n != nil {
		return n.GetHostname()
	}
	return node
}
