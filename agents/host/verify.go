package host

import (
	"encoding/json"
	"fmt"
	"time"

	"ostler/agents/wire"
)

// clockTolerance is how far this host's clock may be from the plane's.
const clockTolerance = 5 * time.Minute

// refusal is why an offer is not taken; expired says that its time is over,
// which is a result and not a refusal for good.
type refusal struct {
	failure wire.Failure
	expired bool
}

func refuse(c wire.Cause, format string, args ...any) *refusal {
	return &refusal{failure: wire.Failure{Cause: c, Detail: fmt.Sprintf(format, args...)}}
}

// verifier decides which offers are work for this host.
type verifier struct {
	server string
	keys   [][]byte
	policy Policy
	// now is the clock that the envelope's times are compared with. Under a
	// simulated clock it is only a lower bound.
	now time.Time
}

// verify checks one offer. The envelope is returned with a refusal too where
// its payload can be read at all, so that the plane can be told which job is meant.
func (v verifier) verify(s wire.SignedEnvelope) (wire.Envelope, *refusal) {
	e, err := wire.Verify(v.keys, s)
	if err != nil {
		var claimed wire.Envelope
		_ = json.Unmarshal(s.Payload, &claimed)
		return claimed, refuse(wire.CauseSignature, "%v", err)
	}
	switch {
	case !jobName.MatchString(e.Job):
		return wire.Envelope{}, refuse(wire.CauseSignature, "the job id has a form that no job has")
	case e.Server != v.server:
		return e, refuse(wire.CauseSignature, "the job is signed for another server")
	case !e.Action.Valid():
		return e, refuse(wire.CauseUnsupported, "this agent does not know the action")
	case !v.policy.AllowsAction(e.Action):
		return e, refuse(wire.CausePolicy, "the host's policy does not allow %s", e.Action)
	case e.ExpiresAt == 0:
		return e, refuse(wire.CausePolicy, "the job has no expiry")
	case v.now.UnixMilli() > e.ExpiresAt:
		r := refuse(wire.CauseTimeout, "the job's time was over %s before it arrived, by this host's clock", v.now.Sub(time.UnixMilli(e.ExpiresAt)).Round(time.Second))
		r.expired = true
		return e, r
	case !v.policy.SimulatedTime && v.now.Add(clockTolerance).UnixMilli() < e.NotBefore:
		return e, refuse(wire.CausePolicy, "the job is not due yet by this host's clock: is the clock right?")
	}
	return e, v.params(e)
}

// params checks an action's parameters against the policy.
func (v verifier) params(e wire.Envelope) *refusal {
	switch e.Action {
	case wire.ActionRepoPrepare:
		return check(e, func(p wire.RepoPrepareParams) *refusal { return v.repository(p.Repository) })
	case wire.ActionRepoInit:
		return check(e, func(p wire.RepoInitParams) *refusal { return v.repository(p.Repository) })
	case wire.ActionBackup:
		return check(e, v.backup)
	case wire.ActionList:
		return check(e, func(p wire.ListParams) *refusal {
			if !v.policy.AllowsListing(string(p.Path)) {
				return refuse(wire.CausePolicy, "the host's policy does not allow this path")
			}
			return v.repository(p.Repository)
		})
	case wire.ActionDownload:
		return check(e, func(p wire.DownloadParams) *refusal {
			if !v.policy.AllowsPath(string(p.Path)) {
				return refuse(wire.CausePolicy, "the host's policy does not allow this path")
			}
			return v.repository(p.Repository)
		})
	case wire.ActionPutBack:
		return check(e, func(p wire.PutBackParams) *refusal {
			if !v.policy.AllowsPath(string(p.Path)) {
				return refuse(wire.CausePolicy, "the host's policy does not allow this path")
			}
			return v.repository(p.Repository)
		})
	}
	return nil
}

func (v verifier) backup(p wire.BackupParams) *refusal {
	if len(p.Paths) == 0 {
		return refuse(wire.CausePolicy, "the plan has no path")
	}
	for _, name := range p.Paths {
		if !v.policy.AllowsPath(name) {
			return refuse(wire.CausePolicy, "the host's policy does not allow a path of the plan")
		}
	}
	if p.SnapshotTime != 0 && !v.policy.SimulatedTime {
		return refuse(wire.CausePolicy, "the host's policy does not allow a simulated time")
	}
	return v.repository(p.Repository)
}

func (v verifier) repository(r wire.Repository) *refusal {
	if err := checkRepository(r); err != nil {
		return refuse(wire.CausePolicy, "%v", err)
	}
	if !v.policy.AllowsStore(r.StoreURL) {
		return refuse(wire.CausePolicy, "the host's policy does not allow this store")
	}
	return nil
}

// check decodes the parameters of e and applies f.
func check[P any](e wire.Envelope, f func(P) *refusal) *refusal {
	var p P
	if err := json.Unmarshal(e.Params, &p); err != nil {
		return refuse(wire.CauseUnsupported, "the parameters cannot be read")
	}
	return f(p)
}
