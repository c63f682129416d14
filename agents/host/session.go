package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"ostler/agents/wire"
)

// session is one connection to the plane.
type session struct {
	conn *websocket.Conn
	log  interface{ Debug(string, ...any) }
}

// send writes one frame. Errors end the connection, not the work: what matters
// is in the journal and the spool and is sent again.
func (s *session) send(f wire.Frame) {
	b, err := json.Marshal(f)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		err = s.conn.Write(ctx, websocket.MessageText, b)
	}
	if err != nil {
		s.log.Debug("session.send", "type", string(f.Type), "err", err)
	}
}

// send writes a frame to the plane if there is a connection.
func (a *Agent) send(f wire.Frame) {
	a.mu.Lock()
	s := a.session
	a.mu.Unlock()
	if s != nil {
		s.send(f)
	}
}

// maxResend is how rarely an unacknowledged result is sent in a long session.
const maxResend = time.Hour

// maxBackoff is the longest wait after a connection that failed: a plane that
// was restarted has its servers back before it calls one silent.
const maxBackoff = 30 * time.Second

var errDrained = errors.New("the plane asked to reconnect")

// connectLoop keeps a connection until ctx ends.
func (a *Agent) connectLoop(ctx context.Context) {
	tries := 0
	for ctx.Err() == nil {
		welcomed, err := a.connect(ctx)
		if ctx.Err() != nil {
			return
		}
		if welcomed {
			tries = 0
		}
		wait := backoff(tries, a.o.FirstBackoff, maxBackoff)
		var refused *refusedError
		var closed websocket.CloseError
		switch {
		case errors.Is(err, errDrained):
			wait = 0
		case errors.As(err, &closed) && closed.Code == websocket.StatusPolicyViolation: // frozen, or too old
			a.log.Error("session.refused", "message", closed.Reason)
		case errors.As(err, &refused) && refused.refusal.Code != "":
			a.log.Error("session.refused", "status", refused.status, "code", refused.refusal.Code, "message", refused.refusal.Message, "next", refused.refusal.Next)
		}
		if refused != nil && (refused.status == http.StatusUnauthorized || refused.status == http.StatusForbidden) {
			wait = backoff(0, a.o.RefusedBackoff, a.o.RefusedBackoff) // never removed, never in a hurry
		}
		a.log.Info("session.ended", "err", err, "next_in", wait.Round(time.Millisecond))
		tries++
		if !sleep(ctx, wait) {
			return
		}
	}
}

// connect makes one connection and works it until it ends. welcomed says
// whether the plane took it.
func (a *Agent) connect(ctx context.Context) (welcomed bool, err error) {
	conf, err := clientTLS(a.Identity, a.key)
	if err != nil {
		return false, err
	}
	tr := &http.Transport{TLSClientConfig: conf, Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	dialCtx, cancel := context.WithTimeout(ctx, 30*time.Second)
	conn, res, err := websocket.Dial(dialCtx, a.Identity().StreamURL+wire.PathStream, &websocket.DialOptions{HTTPClient: &http.Client{
		Transport:     tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}})
	cancel()
	if err != nil {
		if res != nil && res.StatusCode != http.StatusSwitchingProtocols {
			refused := &refusedError{status: res.StatusCode}
			_ = json.NewDecoder(res.Body).Decode(&refused.refusal)
			return false, refused
		}
		return false, fmt.Errorf("host: connect: %w", err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(wire.MaxFrame)
	return a.serve(ctx, &session{conn: conn, log: a.log})
}

// serve says hello and handles frames until the connection ends.
func (a *Agent) serve(ctx context.Context, s *session) (welcomed bool, err error) {
	w, err := a.greet(ctx, s)
	if err != nil {
		return false, err
	}
	a.mu.Lock()
	a.session = s
	a.planeAhead = time.UnixMilli(w.UnixMilli).Sub(a.now())
	a.mu.Unlock()
	ctx, end := context.WithCancelCause(ctx)
	done := make(chan struct{})
	defer func() {
		a.mu.Lock()
		a.session = nil
		a.dropWaiting()
		a.mu.Unlock()
		end(nil)
		<-done
	}()
	go func() {
		defer close(done)
		a.pulse(ctx, s, time.Duration(max(1, w.HeartbeatSeconds))*time.Second, end)
	}()
	a.log.Info("session.welcome", "generation", w.Generation)
	a.sendResults(w.Generation)
	for {
		f, err := read(ctx, s.conn)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return true, err
		}
		a.frame(ctx, f, end)
	}
}

// greet exchanges hello and welcome.
func (a *Agent) greet(ctx context.Context, s *session) (wire.Welcome, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	s.send(wire.Frame{Type: wire.FrameHello, Hello: a.hello()})
	f, err := read(ctx, s.conn)
	if err != nil {
		return wire.Welcome{}, fmt.Errorf("host: wait for welcome: %w", err)
	}
	id := a.Identity()
	if f.Type != wire.FrameWelcome || f.Welcome == nil || f.Welcome.Server != id.Server {
		return wire.Welcome{}, errors.New("host: the plane's first frame is not our welcome")
	}
	return *f.Welcome, nil
}

func (a *Agent) hello() *wire.Hello {
	h := &wire.Hello{Version: wire.Version, AgentVersion: a.o.Version, BootID: a.facts.BootID, MachineID: a.facts.MachineID,
		SealKey: a.sealKey.PublicKey().Bytes(), Instance: a.instance, Running: a.runningRefs()}
	if p, err := LoadPolicy(a.o.PolicyDirs...); err == nil {
		h.Actions = p.Actions
	} else {
		a.log.Error("policy.unreadable", "err", err)
	}
	return h
}

func read(ctx context.Context, conn *websocket.Conn) (wire.Frame, error) {
	var f wire.Frame
	_, b, err := conn.Read(ctx)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, fmt.Errorf("host: decode frame: %w", err)
	}
	return f, nil
}

// frame handles one frame of the plane. Unknown ones are a newer plane's.
func (a *Agent) frame(ctx context.Context, f wire.Frame, end context.CancelCauseFunc) {
	switch {
	case f.Type == wire.FrameOffer && f.Offer != nil:
		a.offered(*f.Offer)
	case f.Type == wire.FrameAck && f.JobRef != nil:
		a.acked(*f.JobRef)
	case f.Type == wire.FrameCancel && f.JobRef != nil:
		a.cancelled(*f.JobRef)
	case f.Type == wire.FrameDrain:
		within := max(0, time.Duration(f.DrainMillis)*time.Millisecond)
		go func() {
			if sleep(ctx, time.Duration(rand.Int64N(int64(within)+1))) {
				end(errDrained)
			}
		}()
	default:
		a.log.Warn("session.unknown_frame", "type", string(f.Type))
	}
}

// pulse sends heartbeats, finds out whether the plane is still there, and
// sends unacknowledged results again.
func (a *Agent) pulse(ctx context.Context, s *session, every time.Duration, end context.CancelCauseFunc) {
	beat := time.NewTicker(every)
	defer beat.Stop()
	wait := a.o.Resend
	resend := time.NewTimer(wait)
	defer resend.Stop()
	s.send(a.heartbeat())
	for {
		select {
		case <-ctx.Done():
			return
		case <-resend.C:
			a.sendResults(0)
			wait = min(2*wait, maxResend) // what the plane does not take now it may never take
			resend.Reset(wait)
		case <-beat.C:
			s.send(a.heartbeat())
			pctx, cancel := context.WithTimeout(ctx, 20*time.Second)
			err := s.conn.Ping(pctx)
			cancel()
			if err != nil && ctx.Err() == nil {
				end(fmt.Errorf("host: the plane does not answer: %w", err))
				return
			}
		}
	}
}

func (a *Agent) heartbeat() wire.Frame {
	size, free, err := diskSpace(a.o.Root)
	if err != nil {
		a.log.Warn("heartbeat.disk", "err", err)
	}
	return wire.Frame{Type: wire.FrameHeartbeat, Heartbeat: &wire.Heartbeat{
		UnixMilli: a.now().UnixMilli(), Load1: load1(), DiskFreeBytes: free, DiskSizeBytes: size,
	}}
}

// sendResults sends what the plane has not acknowledged. Where the plane's
// generation rose, it was restored from an older backup and may lack results
// that it acknowledged: they are sent again as far as they are kept.
func (a *Agent) sendResults(generation int64) {
	states := []JobState{JobFinished}
	replay := generation > 0 && a.generationRose(generation)
	if replay {
		states = append(states, JobAcked)
		a.log.Info("session.replay", "generation", generation)
	}
	for _, e := range a.journal.In(states...) {
		if r, ok := a.result(e); ok {
			a.send(wire.Frame{Type: wire.FrameResult, Result: &r})
		}
	}
	a.mu.Lock()
	var more []wire.Result
	for _, r := range a.unspooled {
		more = append(more, r)
	}
	a.mu.Unlock()
	for _, r := range more {
		a.send(wire.Frame{Type: wire.FrameResult, Result: &r})
	}
}

// generationRose remembers the plane's generation and says whether it rose
// since this agent's last connection.
func (a *Agent) generationRose(now int64) bool {
	path := filepath.Join(a.o.State, "generation")
	b, err := readIfThere(path)
	if err != nil {
		a.log.Warn("session.generation", "err", err)
		return false
	}
	old, _ := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if now == old {
		return false
	}
	if err := writeFile(path, strconv.AppendInt(nil, now, 10)); err != nil {
		a.log.Warn("session.generation", "err", err)
	}
	return b != nil && now > old
}
