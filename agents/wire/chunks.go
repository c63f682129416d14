package wire

import "fmt"

// ChunksHave answers GET {PathChunks}/{job}: the chunks that are stored, in
// ascending order, so that an interrupted upload goes on where it stopped.
type ChunksHave struct {
	Have []int `json:"have"`
}

// ChunkCount returns how many chunks a file of size bytes has; an empty file has none.
func ChunkCount(size int64) int {
	return int((size + ChunkSize - 1) / ChunkSize)
}

// The other way: GET {PathChunks}/{job}/{index}, with HeaderEpoch, answers one
// chunk of the Source of a job that runs on the host, the job's own id in the
// path: the plane knows whose chunks it may have. The answer carries
// HeaderChunkSHA256.

// ChunkPath returns the path of chunk index of a job's download; index < 0 is
// the folder of the job, which GET lists.
func ChunkPath(job string, index int) string {
	if index < 0 {
		return PathChunks + "/" + job
	}
	return fmt.Sprintf("%s/%s/%d", PathChunks, job, index)
}
