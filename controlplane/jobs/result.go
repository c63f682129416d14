package jobs

import "encoding/json"

// Result reads the answer of a job that succeeded. ok is false where the job
// did not succeed, or its answer cannot be read: that counts as a failure,
// since asking the same again would bring the same answer.
func Result[T any](job Job) (res T, ok bool) {
	if job.State != Succeeded {
		return res, false
	}
	return res, json.Unmarshal(job.Result, &res) == nil
}
