package incidents

import "ostler/controlplane/jobs"

// registerWork has Watch look at tasks, actions, freezes and reports, and cases'
// data kept as soon as somebody is affected.
func (s *Service) registerWork() {
	s.jobs.Handle(jobFreeze, jobs.Handler{Run: s.runFreeze})
	s.jobs.Handle(jobThaw, jobs.Handler{Run: s.runThaw})
	s.due = append(s.due, s.tasksDue, s.actionsDue, s.freezesDue, s.reportsDue, s.marksDue, s.reportersDue)
	s.onAffected = append(s.onAffected, s.freezeAffected)
	s.onClosed = append(s.onClosed, s.tasksClosed)
}
