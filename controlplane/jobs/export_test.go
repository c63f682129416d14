package jobs

// ProgressKept is of how many jobs this process keeps a report.
func (j *Jobs) ProgressKept() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.progress)
}
