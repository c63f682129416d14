package host

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostler/agents/host/helper"
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

// params checks an action's parameters against the policy. An action that is
// not named here is refused: nothing runs that nobody thought about.
func (v verifier) params(e wire.Envelope) *refusal {
	switch e.Action {
	case wire.ActionInventory:
		return nil
	case wire.ActionRepoPrepare:
		return check(e, func(p wire.RepoPrepareParams) *refusal { return v.repository(p.Repository) })
	case wire.ActionRepoInit:
		return check(e, func(p wire.RepoInitParams) *refusal { return v.repository(p.Repository) })
	case wire.ActionBackup:
		return check(e, v.backup)
	case wire.ActionList:
		return check(e, func(p wire.ListParams) *refusal {
			if !v.policy.AllowsListing(string(p.Path)) {
				return refusePath()
			}
			return v.repository(p.Repository)
		})
	case wire.ActionDownload:
		return check(e, func(p wire.DownloadParams) *refusal { return v.path(p.Path, p.Repository) })
	case wire.ActionPutBack:
		return check(e, func(p wire.PutBackParams) *refusal { return v.path(p.Path, p.Repository) })
	case wire.ActionCatalogue:
		return check(e, func(p wire.CatalogueParams) *refusal { return v.repository(p.Repository) })
	case wire.ActionArchive:
		return check(e, v.archive)
	case wire.ActionPreview:
		return check(e, func(p wire.PreviewParams) *refusal { return v.place(p.Selections, p.Source, p.Target) })
	case wire.ActionApply:
		return check(e, func(p wire.ApplyParams) *refusal {
			if !jobName.MatchString(p.Restore) {
				return refuseName()
			}
			return v.place(p.Selections, p.Source, p.Target)
		})
	case wire.ActionUndo:
		return check(e, func(p wire.UndoParams) *refusal {
			if !jobName.MatchString(p.Restore) {
				return refuseName()
			}
			return v.bounds(p.Bounds)
		})
	case wire.ActionSettle:
		return check(e, func(p wire.SettleParams) *refusal {
			if !jobName.MatchString(p.Restore) {
				return refuseName()
			}
			return nil
		})
	}
	return v.access(e)
}

func refusePath() *refusal {
	return refuse(wire.CausePolicy, "the host's policy does not allow this path")
}

func refuseName() *refusal {
	return refuse(wire.CausePolicy, "the restore's name has a form that none has")
}

// path checks one path of a repository.
func (v verifier) path(path []byte, r wire.Repository) *refusal {
	if !v.policy.AllowsPath(string(path)) {
		return refusePath()
	}
	return v.repository(r)
}

func (v verifier) archive(p wire.ArchiveParams) *refusal {
	if !p.Format.Valid() {
		return refuse(wire.CauseUnsupported, "this agent does not know the archive's format")
	}
	return v.selections(p.Selections)
}

// selections checks every selected path, and the store that each is read from.
func (v verifier) selections(list []wire.Selection) *refusal {
	n := 0
	for _, s := range list {
		if len(s.Paths) == 0 {
			return refuse(wire.CausePolicy, "nothing is selected of a snapshot")
		}
		if n += len(s.Paths); n > wire.MaxSelected {
			return refuse(wire.CausePolicy, "more than %d paths are selected", wire.MaxSelected)
		}
		for _, path := range s.Paths {
			if r := v.path(path, s.Repository); r != nil {
				return r
			}
		}
	}
	if n == 0 {
		return refuse(wire.CausePolicy, "nothing is selected")
	}
	return nil
}

// place checks a restore on this host. What comes from another server has no
// paths here: each of them is held to the bounds, and those to the policy.
func (v verifier) place(list []wire.Selection, src *wire.Source, t wire.Target) *refusal {
	switch {
	case src != nil && len(list) > 0:
		return refuse(wire.CausePolicy, "the files come from a snapshot or from another server, not from both")
	case src != nil:
		if !jobName.MatchString(src.Job) || src.Size < 0 || len(src.SHA256) != 64 {
			return refuse(wire.CausePolicy, "the other server's archive is described in a form that none has")
		}
	default:
		if r := v.selections(list); r != nil {
			return r
		}
	}
	if !t.Placement.Valid() || !t.Conflict.Valid() {
		return refuse(wire.CauseUnsupported, "this agent does not know the rule for where files go, or for what is there")
	}
	if strings.ContainsAny(t.Suffix, "/\x00") {
		return refuse(wire.CausePolicy, "what is put beside a file would lie elsewhere")
	}
	if r := v.bounds(t.Bounds); r != nil {
		return r
	}
	if t.Placement != wire.PlaceFolder {
		return nil
	}
	folder := string(t.Folder)
	within := slices.ContainsFunc(t.Bounds, func(b string) bool { return helper.Beneath(b, folder) })
	if !within || !v.policy.AllowsPath(folder) {
		return refuse(wire.CausePolicy, "the host's policy or the tenancy's paths do not allow the folder")
	}
	return nil
}

// bounds checks the paths that nothing is written outside of.
func (v verifier) bounds(list []string) *refusal {
	if len(list) == 0 {
		return refuse(wire.CausePolicy, "the job does not say where it may write")
	}
	for _, b := range list {
		if !v.policy.AllowsPath(b) {
			return refuse(wire.CausePolicy, "the host's policy does not allow a path that may be written")
		}
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
