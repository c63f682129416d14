package agents

import (
	"context"
	"fmt"

	"ostler/agents/wire"
	"ostler/controlplane/jobs"
)

// pending are the frames that have come and are not taken yet.
func pending(frames <-chan wire.Frame) (all []wire.Frame) {
	for len(all) < framesAhead {
		select {
		case f := <-frames:
			all = append(all, f)
		default:
			return all
		}
	}
	return all
}

// hearAll takes frames in their order. Accepts and results that follow one
// another are stored in one transaction: a busy host says a lot at a time, and
// waits for each answer.
func (a *Agents) hearAll(ctx context.Context, s *session, frames []wire.Frame) error {
	for len(frames) > 0 {
		n := 0
		for n < len(frames) && together(frames[n]) {
			n++
		}
		if n < 2 {
			if err := a.hear(ctx, s, frames[0]); err != nil {
				return err
			}
			frames = frames[1:]
			continue
		}
		if err := a.hearTogether(ctx, s, frames[:n]); err != nil {
			return err
		}
		frames = frames[n:]
	}
	return nil
}

// together says whether a frame is stored with its neighbours.
func together(f wire.Frame) bool {
	return f.Type == wire.FrameAccept && f.JobRef != nil || f.Type == wire.FrameResult && f.Result != nil && f.Result.Outcome.Valid()
}

// hearTogether stores accepts and results in one transaction, or one by one
// where that fails: it is known then which of them is the reason.
func (a *Agents) hearTogether(ctx context.Context, s *session, frames []wire.Frame) error {
	said := make([]jobs.Said, len(frames))
	for i, f := range frames {
		if f.Type == wire.FrameAccept {
			said[i].Accept = f.JobRef
		} else {
			said[i].Result = f.Result
		}
	}
	ok, err := a.Jobs.Hear(ctx, s.id.Server, s.id.Agent, said)
	if err != nil {
		for _, f := range frames {
			if err := a.hear(ctx, s, f); err != nil {
				return err
			}
		}
		return nil
	}
	for i, f := range frames {
		if err := a.answer(ctx, s, f, ok[i]); err != nil {
			return err
		}
	}
	return nil
}

// answer says to an agent what became of an accept or a result.
func (a *Agents) answer(ctx context.Context, s *session, f wire.Frame, ok bool) error {
	switch {
	case f.Type == wire.FrameAccept && !ok:
		a.log.InfoContext(ctx, "agents.stale_accept", "server", s.id.Server, "job", f.JobRef.Job)
	case f.Type == wire.FrameResult && !ok:
		a.log.WarnContext(ctx, "agents.unknown_result", "server", s.id.Server, "job", f.Result.Job)
	case f.Type == wire.FrameResult:
		ref := f.Result.JobRef
		return a.write(ctx, s, wire.Frame{Type: wire.FrameAck, JobRef: &ref})
	}
	return nil
}

// hear takes one frame of the agent. An error ends the session; the agent
// connects again and sends what was not acknowledged.
func (a *Agents) hear(ctx context.Context, s *session, f wire.Frame) error {
	switch {
	case f.Type == wire.FrameHeartbeat && f.Heartbeat != nil:
		return nil
	case f.Type == wire.FrameAccept && f.JobRef != nil:
		ok, err := a.Jobs.Accept(ctx, s.id.Server, s.id.Agent, *f.JobRef)
		if err != nil {
			return fmt.Errorf("agents: accept: %w", err)
		}
		return a.answer(ctx, s, f, ok)
	case f.Type == wire.FrameReject && f.Reject != nil:
		if err := a.Jobs.Reject(ctx, s.id.Server, s.id.Agent, *f.Reject); err != nil {
			return fmt.Errorf("agents: reject: %w", err)
		}
		return nil
	case f.Type == wire.FrameProgress && f.Progress != nil:
		if err := a.Jobs.Progress(ctx, s.id.Server, s.id.Agent, *f.Progress); err != nil {
			return fmt.Errorf("agents: progress: %w", err)
		}
		return nil
	case f.Type == wire.FrameResult && f.Result != nil:
		return a.result(ctx, s, *f.Result)
	}
	return protocolError("a frame of an unknown type, or without its part")
}

// result stores a job's end, and only then acknowledges it.
func (a *Agents) result(ctx context.Context, s *session, r wire.Result) error {
	if !r.Outcome.Valid() {
		return protocolError("a result without a known outcome")
	}
	known, err := a.Jobs.Finish(ctx, s.id.Server, s.id.Agent, r)
	if err != nil {
		return fmt.Errorf("agents: finish: %w", err)
	}
	return a.answer(ctx, s, wire.Frame{Type: wire.FrameResult, Result: &r}, known)
}
