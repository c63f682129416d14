package teleporttest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/gravitational/teleport/api/types"
	"github.com/gravitational/teleport/api/types/events"
)

// ErrRefused is what a node says to whom it does not let in.
var ErrRefused = errors.New("access denied")

// Session is a live session of a user on a node.
type Session struct {
	ID, User, Login, Node string
	Hostname              string
	Started               time.Time

	c     *Cluster
	roles []string
	done  chan struct{}
	once  sync.Once
	why   string      // set before done is closed
	cut   *time.Timer // by a lock; Cluster.mu
}

// Done is closed when the session is over.
func (s *Session) Done() <-chan struct{} { return s.done }

// Cause says why it is over; "" while it is not.
func (s *Session) Cause() string {
	select {
	case <-s.done:
		return s.why
	default:
		return ""
	}
}

// stop ends the session without a word to the audit log.
func (s *Session) stop(why string) {
	s.once.Do(func() {
		s.why = why
		close(s.done)
	})
}

// Connect opens a session, as the node decides now: by the roles in the user's
// certificate (they log in first if they have none), by what those roles and
// the node's labels are at this moment, and by locks. ErrRefused if it does not.
func (c *Cluster) Connect(user, login, node string) (*Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cert, err := c.admit(user, login, node)
	if err != nil {
		return nil, fmt.Errorf("teleporttest: connect: %w: %w", ErrRefused, err)
	}
	s := &Session{
		ID: uuid.NewString(), User: user, Login: login, Node: node, Hostname: c.nodes[node].GetHostname(),
		Started: c.now(), c: c, roles: cert.Roles, done: make(chan struct{}),
	}
	c.sessions[s.ID] = s
	c.emit(s.ID, c.now(), &events.SessionStart{
		Metadata: c.meta("session.start", "T2000I"), UserMetadata: events.UserMetadata{User: user, Login: login},
		SessionMetadata: events.SessionMetadata{SessionID: s.ID}, ServerMetadata: s.server(),
		TerminalSize: "80:25", SessionRecording: types.RecordAtNode,
	})
	return s, nil
}

// admit finds the certificate that lets a user in. c.mu is held.
func (c *Cluster) admit(user, login, node string) (*Certificate, error) {
	cert := c.certs[user]
	if cert == nil {
		var err error
		if cert, err = c.login(user); err != nil {
			return nil, err
		}
	}
	if c.now().After(cert.Expires) {
		return nil, errors.New("the certificate has expired")
	}
	if l := c.lockOn(user, cert.Roles, login, node); l != nil {
		return nil, fmt.Errorf("lock targeting %v is in force", l.Target())
	}
	roles, err := c.fetch(cert.Roles)
	if err != nil {
		return nil, err
	}
	n := c.nodes[node]
	if n == nil {
		return nil, errors.New("the node is not known")
	}
	if !enters(roles, cert.Traits, login, n) {
		return nil, errors.New("no role lets this login in")
	}
	return cert, nil
}

// Exec runs one command without a session: as in the real server there is an
// event and no end. ErrRefused as in Connect.
func (c *Cluster) Exec(user, login, node, command string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.admit(user, login, node); err != nil {
		return fmt.Errorf("teleporttest: exec: %w: %w", ErrRefused, err)
	}
	c.emit("", c.now(), &events.Exec{
		Metadata: c.meta("exec", "T3002I"), UserMetadata: events.UserMetadata{User: user, Login: login},
		ServerMetadata:  events.ServerMetadata{ServerID: node, ServerHostname: c.nodes[node].GetHostname()},
		CommandMetadata: events.CommandMetadata{Command: command, ExitCode: "0"},
	})
	return nil
}

func (s *Session) server() events.ServerMetadata {
	return events.ServerMetadata{ServerID: s.Node, ServerHostname: s.Hostname}
}

// Print puts out bytes on the session's terminal.
func (s *Session) Print(data string) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.emit(s.ID, s.c.now(), &events.SessionPrint{
		Metadata: s.c.meta("print", ""), Data: []byte(data), Bytes: int64(len(data)),
		DelayMilliseconds: s.c.now().Sub(s.Started).Milliseconds(),
	})
}

// End ends the session as a user does.
func (s *Session) End() { s.end("the user left") }

// Kill ends the session as a node does that loses its power: nothing says so,
// and no recording comes.
func (s *Session) Kill() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	delete(s.c.sessions, s.ID)
	s.stop("the node is gone")
}

func (s *Session) end(why string) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions[s.ID] == nil {
		return
	}
	delete(c.sessions, s.ID)
	now := c.now()
	c.emit(s.ID, now, &events.SessionEnd{
		Metadata: c.meta("session.end", "T2004I"), UserMetadata: events.UserMetadata{User: s.User},
		SessionMetadata: events.SessionMetadata{SessionID: s.ID}, ServerMetadata: s.server(),
		Interactive: true, Participants: []string{s.User}, StartTime: s.Started, EndTime: now,
		SessionRecording: types.RecordAtNode,
	})
	c.upload(s.ID, now.Add(c.opts.UploadDelay))
	s.stop(why)
}

// Live are the sessions that run now.
func (c *Cluster) Live() []*Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*Session
	for _, id := range sortedKeys(c.sessions) {
		out = append(out, c.sessions[id])
	}
	return out
}

func (s *Session) tracker() *types.SessionTrackerV1 {
	t, err := types.NewSessionTracker(types.SessionTrackerSpecV1{
		SessionID: s.ID, Kind: string(types.SSHSessionKind), State: types.SessionState_SessionStateRunning,
		Created: s.Started, Expires: s.Started.Add(24 * time.Hour), Hostname: s.Hostname, Address: s.Node,
		ClusterName: s.c.opts.Name, Login: s.Login, HostUser: s.User, HostID: s.Node,
		Participants: []types.Participant{{ID: uuid.NewString(), User: s.User, Mode: "peer", LastActive: s.c.now()}},
	})
	if err != nil {
		panic(fmt.Sprintf("teleporttest: a session that runs has no tracker: %v", err))
	}
	return t.(*types.SessionTrackerV1)
}
