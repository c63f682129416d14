package backups

import (
	"context"
	"slices"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
)

// SourceChunk hands a host one chunk of the archive that a job at work on it
// restores from (wire.Source), with its hex SHA-256. job is that job's own id:
// the agent that holds it gets what the job names, and nobody gets anything
// else. server and agent come from the host's certificate. Errors: not_found;
// conflict where the job has ended or was given out again.
func (s *Service) SourceChunk(ctx context.Context, server, agent, job string, epoch int64, index int) (data []byte, digest string, err error) {
	row, err := s.sourceOf(ctx, server, agent, job, epoch)
	if err != nil {
		return nil, "", err
	}
	var found []chunkRow
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		found, err = db.Where[chunkRow](tx, hostUploads(), "idx", 1, "owner_id = ? AND idx = ?", row.ID, index)
		return err
	})
	if err == nil && len(found) == 0 {
		err = controlplane.NotFound("chunk")
	}
	if err != nil {
		return nil, "", err
	}
	done, err := s.uploads.take(ctx, server)
	if err != nil {
		return nil, "", err
	}
	defer done()
	data, err = s.openChunk(ctx, found[0])
	return data, found[0].SHA256, err
}

// sourceOf finds the restore whose archive a host's running job is to have.
func (s *Service) sourceOf(ctx context.Context, server, agent, job string, epoch int64) (row restoreRow, err error) {
	j, err := s.jobs.Get(ctx, hostUploads(), job)
	if err != nil {
		return row, err
	}
	steps := []string{string(wire.ActionPreview), string(wire.ActionApply)}
	if j.Server != server || j.Agent != agent || j.Executor != jobs.Agent || !slices.Contains(steps, j.Kind) {
		return row, controlplane.NotFound("job")
	}
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		row, err = db.One[restoreRow](tx, hostUploads(), "job", j.Subject)
		return err
	})
	switch {
	case err != nil:
		return row, err
	case row.JobID != j.ID || row.SourceJobID == "":
		return row, controlplane.NotFound("job")
	case j.State.Terminal() || j.Epoch != epoch:
		return row, controlplane.Errorf(controlplane.CodeConflict, "Stop the restore.", "This job has ended or was given out again")
	}
	return row, nil
}
