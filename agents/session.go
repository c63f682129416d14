package agents

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/bus"
)

const (
	helloWithin = 10 * time.Second
	writeWithin = 10 * time.Second
	pingWithin  = 5 * time.Second
	sweepMin    = 5 * time.Second // offers are looked for at least every 5 to 10 s
	maxField    = 256
	frameBurst  = 1000                  // frames of an agent at once: after a long silence it has many results
	frameEvery  = 20 * time.Millisecond // and then one in this time
	framesAhead = 3                     // read before they are taken; each may have wire.MaxFrame bytes
)

// Conn is one agent's connection. Read and Write may run at the same time.
type Conn interface {
	Read(ctx context.Context) (wire.Frame, error)
	Write(ctx context.Context, f wire.Frame) error
}

// pinger is a Conn that can ask for a sign of life, beside the frames.
type pinger interface {
	Ping(ctx context.Context) error
}

// session is one live connection of a server's agent.
type session struct {
	id     Identity
	conn   Conn
	hello  *wire.Hello
	epoch  int64
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	heard   time.Time // by the process's clock
	beat    heartbeat
	beating bool // beat waits to be written

	hits allowance // of hints; the reader's own
}

// heartbeat is what a flush writes.
type heartbeat struct {
	heard              time.Time
	skew               time.Duration
	diskFree, diskSize int64
}

func (s *session) lastHeard() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard
}

func (s *session) takeBeat() (heartbeat, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := s.beating
	s.beating = false
	return s.beat, ok
}

func (s *session) putBackBeat(b heartbeat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.beating {
		s.beat, s.beating = b, true
	}
}

// hears notes that a frame came, and a heartbeat's figures.
func (s *session) hears(now time.Time, h *wire.Heartbeat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard, s.beat.heard, s.beating = now, now, true
	if h != nil {
		s.beat.skew, s.beat.diskFree, s.beat.diskSize = time.UnixMilli(h.UnixMilli).Sub(now), h.DiskFreeBytes, h.DiskSizeBytes
	}
}

// Serve speaks with one authenticated agent until the connection, the session
// or ctx ends. It returns nil where the agent went away by itself, and a
// *controlplane.Error where the agent is refused and should know why.
func (a *Agents) Serve(ctx context.Context, id Identity, conn Conn) error {
	ctx = controlplane.WithActor(ctx, controlplane.Actor{Kind: controlplane.ActorAgent, ID: id.Agent})
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &session{id: id, conn: conn, cancel: cancel, heard: a.o.Wall.Now()}
	var err error
	if s.hello, err = readHello(ctx, conn); err != nil {
		return err
	}
	if err := a.begin(ctx, s, a.otherAnswers(ctx, s)); err != nil {
		return err
	}
	if !a.register(s) {
		return errReplaced
	}
	defer a.depart(ctx, s)
	err = a.work(ctx, s)
	if cause := a.ending(ctx); cause != nil {
		return cause // what ended it says more than what broke
	}
	return err
}

func (a *Agents) work(ctx context.Context, s *session) error {
	if err := a.welcome(ctx, s); err != nil {
		return err
	}
	if err := a.Jobs.Reconnected(ctx, s.id.Server, s.id.Agent, s.hello.Running); err != nil {
		return fmt.Errorf("agents: reconnect: %w", err)
	}
	return a.loop(ctx, s)
}

// register makes s this replica's session of its server, and ends an older
// one; false where a newer one is there already.
func (a *Agents) register(s *session) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.sessions[s.id.Server]
	if old != nil && old.epoch > s.epoch {
		return false
	}
	a.sessions[s.id.Server] = s
	if old != nil {
		old.cancel(errReplaced)
	}
	return true
}

func readHello(ctx context.Context, conn Conn) (*wire.Hello, error) {
	ctx, cancel := context.WithTimeout(ctx, helloWithin)
	defer cancel()
	f, err := conn.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("agents: read hello: %w", err)
	}
	h := f.Hello
	if f.Type != wire.FrameHello || h == nil || h.Instance == "" || h.BootID == "" || h.MachineID == "" ||
		max(len(h.Instance), len(h.BootID), len(h.MachineID), len(h.AgentVersion)) > maxField || len(h.Actions) > 100 || len(h.SealKey) > 64 {
		return nil, protocolError("the first frame is no hello")
	}
	if h.Version < wire.MinVersion {
		return nil, controlplane.Errorf(controlplane.CodeConflict, "Upgrade the package ostler-agent on the server.",
			"This agent is too old: it speaks version %d, and %d is the oldest that we take", h.Version, wire.MinVersion)
	}
	return h, nil
}

func protocolError(why string) error {
	return controlplane.Errorf(controlplane.CodeInvalid, "Upgrade the package ostler-agent on the server.", "The agent broke the protocol: %s", why)
}

// otherAnswers reports whether this replica has a session of the same agent but
// another start of it, and that one still answers: then two are alive.
func (a *Agents) otherAnswers(ctx context.Context, s *session) bool {
	a.mu.Lock()
	old := a.sessions[s.id.Server]
	a.mu.Unlock()
	if old == nil || old.id.Agent != s.id.Agent || old.hello.Instance == s.hello.Instance {
		return false
	}
	p, ok := old.conn.(pinger)
	if !ok {
		return false // its return will tell
	}
	ctx, cancel := context.WithTimeout(ctx, pingWithin)
	defer cancel()
	return p.Ping(ctx) == nil
}

func (a *Agents) welcome(ctx context.Context, s *session) error {
	now, err := a.DB.Now(ctx)
	if err != nil {
		return fmt.Errorf("agents: welcome: %w", err)
	}
	return a.write(ctx, s, wire.Frame{Type: wire.FrameWelcome, Welcome: &wire.Welcome{Server: s.id.Server,
		HeartbeatSeconds: int(HeartbeatEvery / time.Second), Generation: a.o.Generation, UnixMilli: now.UnixMilli()}})
}

func (a *Agents) write(ctx context.Context, s *session, f wire.Frame) error {
	ctx, cancel := context.WithTimeout(ctx, writeWithin)
	defer cancel()
	if err := s.conn.Write(ctx, f); err != nil {
		return fmt.Errorf("agents: write %s: %w", f.Type, err)
	}
	return nil
}

// loop offers, hears and answers. Reading has a goroutine of its own, which
// ends with ctx; everything else is here, in order.
func (a *Agents) loop(ctx context.Context, s *session) error {
	ctx, stop := context.WithCancel(ctx)
	frames, readErr := make(chan wire.Frame, framesAhead), make(chan error, 1)
	go func() { readErr <- a.read(ctx, s, frames) }()
	defer func() { stop(); <-readErr }()

	wake, unsubscribe := a.Bus.Subscribe(bus.TopicAgentJobs(s.id.Server))
	defer unsubscribe()
	stops, unsubscribeStops := a.Bus.Subscribe(bus.TopicAgentCancels(s.id.Server))
	defer unsubscribeStops()
	sweep, silence := time.NewTimer(0), time.NewTimer(SilentAfter)
	defer sweep.Stop()
	defer silence.Stop()
	draining := a.draining
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case err = <-readErr:
			readErr <- nil // for the deferred receive
			if rest := pending(frames); len(rest) > 0 {
				_ = a.hearAll(ctx, s, rest) // what is not acknowledged is said again
			}
			a.log.DebugContext(ctx, "agents.gone", "server", s.id.Server, "error", err)
			return nil
		case f := <-frames:
			silence.Reset(SilentAfter)
			err = a.hearAll(ctx, s, append([]wire.Frame{f}, pending(frames)...))
		case <-wake:
			err = a.send(ctx, s)
		case <-stops:
			err = a.sendCancels(ctx, s)
		case <-sweep.C:
			sweep.Reset(sweepMin + rand.N(sweepMin))
			if err = a.send(ctx, s); err == nil {
				err = a.sendCancels(ctx, s)
			}
		case <-silence.C:
			err = errSilent
		case <-draining:
			draining = nil
			err = a.write(ctx, s, wire.Frame{Type: wire.FrameDrain, DrainMillis: a.drainWithin.Load()})
		}
		if err != nil {
			return err
		}
	}
}

// ending is why we end the session; nil where it is only the process that ends.
func (a *Agents) ending(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, errFrozen) {
		return frozen()
	}
	if cause == nil || errors.Is(cause, context.Canceled) {
		return nil
	}
	return cause
}

// read notes that the agent is heard, wakes who waits for a validator's hit, and
// passes all other frames on: no more of them than an agent has reason to send.
// The rest stays on its way, so that one host cannot keep the database from all
// others.
func (a *Agents) read(ctx context.Context, s *session, frames chan<- wire.Frame) error {
	clock := a.o.Wall
	spare, at := frameBurst, clock.Now()
	for {
		f, err := s.conn.Read(ctx)
		if err != nil {
			return err
		}
		now := clock.Now()
		s.hears(now, f.Heartbeat)
		earned := max(0, now.Sub(at)) / frameEvery
		spare, at = min(frameBurst, spare+int(min(earned, frameBurst))), at.Add(earned*frameEvery)
		if spare--; spare < 0 {
			select {
			case <-time.After(time.Duration(-spare) * frameEvery):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if f.Type == wire.FrameHit && f.Hit != nil {
			a.hit(s, *f.Hit) // it is in a hurry, and stores nothing
			continue
		}
		select {
		case frames <- f:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// send offers what is due. Trouble on our side keeps the session: the next
// sweep tries again.
func (a *Agents) send(ctx context.Context, s *session) error {
	if a.o.Wall.Now().After(s.id.NotAfter) {
		return errExpired // it comes back with a renewed one
	}
	select {
	case <-a.draining:
		return nil
	default:
	}
	offers, err := a.offers(ctx, s)
	if err != nil && ctx.Err() == nil {
		a.log.ErrorContext(ctx, "agents.offers", "server", s.id.Server, "error", err)
	}
	for _, o := range offers {
		if err := a.write(ctx, s, wire.Frame{Type: wire.FrameOffer, Offer: &o}); err != nil {
			return err
		}
	}
	return nil
}

// sendCancels passes on what people cancelled.
func (a *Agents) sendCancels(ctx context.Context, s *session) error {
	refs, err := a.Jobs.CancelAsked(ctx, s.id.Server)
	if err != nil && ctx.Err() == nil {
		a.log.ErrorContext(ctx, "agents.cancels", "server", s.id.Server, "error", err)
	}
	for _, r := range refs {
		if err := a.write(ctx, s, wire.Frame{Type: wire.FrameCancel, JobRef: &r}); err != nil {
			return err
		}
	}
	return nil
}

// offers takes what is due. While the signer is known to be down nothing is
// taken: Tick finds out when it is back.
func (a *Agents) offers(ctx context.Context, s *session) ([]wire.Offer, error) {
	if a.signerDown.Load() {
		return nil, nil
	}
	var signErr error
	offers, err := a.Jobs.Offers(ctx, s.id.Server, s.id.Agent, func(e wire.Envelope) (wire.SignedEnvelope, error) {
		signed, err := a.Signer.Sign(ctx, e)
		if err != nil {
			signErr = err
		}
		return signed, err
	})
	if controlplane.ErrorCode(signErr) == controlplane.CodeUnavailable {
		a.signerIs(ctx, false)
	}
	return offers, err
}
