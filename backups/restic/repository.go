package restic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
)

// exitLocked is restic's code for a repository that another one holds.
const exitLocked = 11

func hasExit(err error, code int) bool {
	var e *Error
	return errors.As(err, &e) && e.Exit == code
}

// Version is what restic says of itself.
type Version struct {
	Version string // "0.19.1"
	// Warning says why a newer restic is wanted; "" where nothing is wrong.
	Warning string
}

var versionText = regexp.MustCompile(`\b(\d+)\.(\d+)(?:\.\d+)?[0-9A-Za-z.-]*`)

// Version asks restic for its version. Before 0.17 it is refused
// (CauseUnsupported): exit codes 10 to 12 and exit_error do not exist.
func (r *Repo) Version(ctx context.Context) (Version, error) {
	p, err := r.prepared()
	if err != nil {
		return Version{}, err
	}
	s := &session{Repo: p}
	cmd := s.cmd(ctx, command{}, nil, nil)
	var out bytes.Buffer
	cmd.Args = []string{p.Binary, "version", "--json"}
	cmd.Stdout, cmd.Env = limited(&out, maxLine), p.env("/nonexistent")
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return Version{}, stopped(ctx)
		}
		return Version{}, failure(wire.CauseUnsupported, "restic is not there or does not run").because(err)
	}
	var v struct {
		Version string `json:"version"`
	}
	text := out.String()
	if json.Unmarshal(out.Bytes(), &v) == nil { // before 0.17 it is plain text
		text = v.Version
	}
	return judgeVersion(text)
}

func judgeVersion(text string) (Version, error) {
	m := versionText.FindStringSubmatch(text)
	if m == nil {
		return Version{}, failure(wire.CauseUnsupported, "what is installed as restic does not say its version")
	}
	v := Version{Version: m[0]}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	switch {
	case major > 0 || minor >= 19:
	case minor < 17:
		return v, failure(wire.CauseUnsupported, "restic "+controlplane.Line(v.Version, 40)+" is too old: 0.17 is the first whose exit codes tell the causes apart and that can use a unix socket")
	default:
		v.Warning = "restic " + controlplane.Line(v.Version, 40) + " passes over damaged folders in a dump and missing source paths without an error; 0.19 does not"
	}
	return v, nil
}

// Init makes the repository. One that is there and opens with the password is
// fine; Created then is false.
func (r *Repo) Init(ctx context.Context) (wire.RepoInitialised, error) {
	absent := false
	s, err := r.open(ctx, &absent)
	if err != nil {
		return wire.RepoInitialised{}, err
	}
	defer s.close()
	if s.relay != nil && !absent {
		return s.opened(ctx)
	}
	id, err := s.object(ctx, command{verb: "init", args: []string{"--repository-version=2"}, lock: true, limit: s.Limits.Read})
	if err == nil {
		return wire.RepoInitialised{ResticID: id, Created: true}, nil
	}
	// Somebody else may have been first, or a local repository is there.
	if there, err := s.opened(ctx); err == nil || hasExit(err, 12) {
		return there, err
	}
	return wire.RepoInitialised{}, err
}

// opened opens the repository with the password and returns its id.
func (s *session) opened(ctx context.Context) (wire.RepoInitialised, error) {
	id, err := s.object(ctx, command{verb: "cat", args: []string{"--", "config"}, limit: s.Limits.Read})
	return wire.RepoInitialised{ResticID: id}, err
}

// object runs a command that prints one JSON object and returns its id.
func (s *session) object(ctx context.Context, c command) (id string, err error) {
	var out bytes.Buffer
	c.stdout = limited(&out, maxLine)
	if _, err := s.run(ctx, c); err != nil {
		return "", err
	}
	var v struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(out.Bytes(), &v); err != nil || checkID(v.ID) != nil {
		return "", failure(wire.CauseInternal, "restic named no repository").because(err)
	}
	return v.ID, nil
}

// unlock removes locks of dead processes of this host and locks older than half
// an hour; never those of others that live.
func (s *session) unlock(ctx context.Context) error {
	_, err := s.run(ctx, command{verb: "unlock", lock: true, limit: s.Limits.Read})
	return err
}

// Snapshot is one snapshot as the repository has it. Time is the claim of the
// host that made it.
type Snapshot struct {
	ID       string    `json:"id"`
	Parent   string    `json:"parent"`
	Time     time.Time `json:"time"`
	Hostname string    `json:"hostname"`
	Paths    []string  `json:"paths"` // absolute on the host: the agent's root is in them
	Tags     []string  `json:"tags"`
	Summary  struct {
		TotalFiles int64 `json:"total_files_processed"`
		TotalBytes int64 `json:"total_bytes_processed"`
		AddedBytes int64 `json:"data_added_packed"`
	} `json:"summary"`
}

// Snapshots returns the repository's snapshots, in restic's order: by time.
func (r *Repo) Snapshots(ctx context.Context) ([]Snapshot, error) {
	s, err := r.open(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var all []Snapshot
	err = s.stream(ctx, command{verb: "snapshots", limit: s.Limits.Read}, func(d *decoder) error {
		return d.array(func() error {
			var n Snapshot
			if err := d.value(&n); err != nil {
				return err
			}
			all = append(all, n)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// CheckResult is what a check found.
type CheckResult struct {
	Errors       int      `json:"num_errors"`
	BrokenPacks  []string `json:"broken_packs"` // ids, at most 100
	RepairIndex  bool     `json:"suggest_repair_index"`
	PruneAdvised bool     `json:"suggest_prune"`
}

// Check verifies the repository's structure, and readPercent (0 to 100) of its
// data. Damage is an error with CauseDamaged beside the result.
func (r *Repo) Check(ctx context.Context, readPercent int) (CheckResult, error) {
	s, err := r.open(ctx, nil)
	if err != nil {
		return CheckResult{}, err
	}
	defer s.close()
	var args []string
	if readPercent > 0 {
		args = append(args, fmt.Sprintf("--read-data-subset=%d%%", min(readPercent, 100)))
	}
	var out bytes.Buffer
	_, err = s.run(ctx, command{verb: "check", args: args, limit: s.Limits.Backup, stdout: limited(&out, maxLine)})
	var res CheckResult
	if decodeErr := lastObject(out.Bytes(), &res); decodeErr != nil && err == nil {
		return res, failure(wire.CauseInternal, "restic's check gave no summary").because(decodeErr)
	}
	res.BrokenPacks = res.BrokenPacks[:min(len(res.BrokenPacks), 100)]
	var e *Error
	if res.Errors > 0 && (err == nil || errors.As(err, &e) && e.Cause != wire.CauseStoreUnreachable) {
		d := failure(wire.CauseDamaged, fmt.Sprintf("the check found %d errors", res.Errors))
		if e != nil {
			d.Exit, d.Lines = e.Exit, e.Lines
		}
		return res, d.because(err)
	}
	return res, err
}

// lastObject decodes the last line that is a JSON object.
func lastObject(out []byte, v any) error {
	for line := range bytes.Lines(out) {
		if line[0] == '{' {
			if err := json.Unmarshal(line, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// limited is a writer that keeps the first n bytes and drops the rest.
func limited(b *bytes.Buffer, n int) io.Writer { return &keeping{b, n} }

type keeping struct {
	b *bytes.Buffer
	n int
}

func (k *keeping) Write(p []byte) (int, error) {
	k.b.Write(p[:min(len(p), k.n-k.b.Len())])
	return len(p), nil
}
