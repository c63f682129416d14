package hosttest

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"ostler/agents/wire"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

func (p *Plane) handleStream(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	status := p.opts.RefuseStream
	p.mu.Unlock()
	if status != 0 {
		p.note(wire.Frame{Type: "refused"})
		refuse(w, status, wire.Refusal{Code: "unauthorized", Message: "This agent is not welcome"})
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	conn.SetReadLimit(wire.MaxFrame)
	hello, err := readFrame(r.Context(), conn)
	if err != nil || hello.Hello == nil {
		return
	}
	p.mu.Lock()
	every := p.opts.Heartbeat
	if every == 0 {
		every = 30
	}
	welcome := wire.Welcome{Server: Server, HeartbeatSeconds: every, Generation: p.opts.Generation, UnixMilli: time.Now().Add(p.opts.Ahead).UnixMilli()}
	p.mu.Unlock()
	writeFrame(conn, wire.Frame{Type: wire.FrameWelcome, Welcome: &welcome})
	p.mu.Lock()
	p.conn = conn
	p.mu.Unlock()
	p.note(hello)
	for {
		f, err := readFrame(r.Context(), conn)
		if err != nil {
			break
		}
		if f.Type == wire.FrameResult {
			p.mu.Lock()
			ack := !p.opts.KeepAcks
			p.mu.Unlock()
			if ack {
				ref := f.Result.JobRef
				writeFrame(conn, wire.Frame{Type: wire.FrameAck, JobRef: &ref})
			}
		}
		p.note(f)
	}
	p.mu.Lock()
	if p.conn == conn {
		p.conn = nil
	}
	p.mu.Unlock()
}

func readFrame(ctx context.Context, c *websocket.Conn) (f wire.Frame, err error) {
	_, b, err := c.Read(ctx)
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	return f, err
}

func writeFrame(c *websocket.Conn, f wire.Frame) {
	b, err := json.Marshal(f)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = c.Write(ctx, websocket.MessageText, b)
}

// note records a frame of the agent and wakes those who wait.
func (p *Plane) note(f wire.Frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frames = append(p.frames, f)
	close(p.wake)
	p.wake = make(chan struct{})
}

// Send sends a frame to the connected agent, which it waits for.
func (p *Plane) Send(f wire.Frame) {
	p.t.Helper()
	writeFrame(p.connected(), f)
}

func (p *Plane) connected() *websocket.Conn {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		p.mu.Lock()
		conn, wake := p.conn, p.wake
		p.mu.Unlock()
		if conn != nil {
			return conn
		}
		select {
		case <-wake:
		case <-deadline:
			p.t.Fatal("no agent connected")
		}
	}
}

// Drop closes the agent's connection.
func (p *Plane) Drop() { _ = p.connected().CloseNow() }

// Offer signs and offers a job in the next epoch, which it returns.
func (p *Plane) Offer(e wire.Envelope) int64 {
	p.t.Helper()
	p.mu.Lock()
	p.epoch++
	epoch := p.epoch
	p.mu.Unlock()
	p.OfferSigned(epoch, p.Sign(e))
	return epoch
}

// OfferSigned offers any envelope in any epoch.
func (p *Plane) OfferSigned(epoch int64, s wire.SignedEnvelope) {
	p.t.Helper()
	p.Send(wire.Frame{Type: wire.FrameOffer, Offer: &wire.Offer{Epoch: epoch, Envelope: s}})
}

// Cancel asks the agent to end a job.
func (p *Plane) Cancel(job string, epoch int64) {
	p.t.Helper()
	p.Send(wire.Frame{Type: wire.FrameCancel, JobRef: &wire.JobRef{Job: job, Epoch: epoch}})
}

// Frames returns what the agent sent so far, heartbeats left out.
func (p *Plane) Frames() []wire.Frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []wire.Frame
	for _, f := range p.frames {
		if f.Type != wire.FrameHeartbeat {
			out = append(out, f)
		}
	}
	return out
}

// Mark is the number of frames so far, for WaitAfter.
func (p *Plane) Mark() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.frames)
}

// Wait returns the first frame that match likes, waiting for it if need be.
func (p *Plane) Wait(what string, match func(wire.Frame) bool) wire.Frame {
	p.t.Helper()
	return p.WaitAfter(0, what, match)
}

// WaitAfter is Wait among the frames after a mark.
func (p *Plane) WaitAfter(mark int, what string, match func(wire.Frame) bool) wire.Frame {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		p.mu.Lock()
		wake := p.wake
		for _, f := range p.frames[min(mark, len(p.frames)):] {
			if match(f) {
				p.mu.Unlock()
				return f
			}
		}
		p.mu.Unlock()
		select {
		case <-wake:
		case <-deadline:
			p.t.Fatalf("the agent did not send: %s; it sent %s", what, kinds(p.Frames()))
		}
	}
}

func kinds(frames []wire.Frame) string {
	var s string
	for _, f := range frames {
		s += string(f.Type) + " "
	}
	return s
}

// Result waits for the result of a job.
func (p *Plane) Result(job string) wire.Result {
	p.t.Helper()
	return p.ResultAfter(0, job)
}

// ResultAfter is Result among the frames after a mark.
func (p *Plane) ResultAfter(mark int, job string) wire.Result {
	p.t.Helper()
	f := p.WaitAfter(mark, "result of "+job, func(f wire.Frame) bool { return f.Type == wire.FrameResult && f.Result.Job == job })
	return *f.Result
}

// Accepted waits for the accept of a job.
func (p *Plane) Accepted(job string) wire.JobRef {
	p.t.Helper()
	f := p.Wait("accept of "+job, func(f wire.Frame) bool { return f.Type == wire.FrameAccept && f.JobRef.Job == job })
	return *f.JobRef
}

// Rejected waits for the reject of a job.
func (p *Plane) Rejected(job string) wire.Failure {
	p.t.Helper()
	f := p.Wait("reject of "+job, func(f wire.Frame) bool { return f.Type == wire.FrameReject && f.Reject.Job == job })
	return f.Reject.Failure
}

// Count is how many frames of a type the agent sent for a job.
func (p *Plane) Count(t wire.FrameType, job string) int {
	n := 0
	for _, f := range p.Frames() {
		switch {
		case f.Type != t:
		case f.JobRef != nil && f.JobRef.Job == job, f.Result != nil && f.Result.Job == job, f.Reject != nil && f.Reject.Job == job:
			n++
		}
	}
	return n
}
