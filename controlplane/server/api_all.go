package server

import (
	"context"

	"ostler/controlplane/policy"
)

// registerAPI adds every operation of this package's own files.
func (s *Server) registerAPI() {
	s.registerCustomers()
	s.registerContacts()
	s.registerServers()
	s.registerEnrolment()
	s.registerTenancies()
	s.registerJobs()
	s.registerFindings()
	s.registerLedger()
	s.registerCredentials()
	s.registerBundle()
	if s.Backups != nil {
		s.api.scope = func(ctx context.Context, p policy.Permission) (policy.Scope, error) {
			scope, _, err := s.Backups.AssistScope(ctx, p) // staff reach customers' files by an assist only
			return scope, err
		}
		s.registerBackups()
	}
	if s.Mail != nil {
		s.registerMails()
	}
	if s.Certs != nil {
		s.registerCerts()
		s.registerAnswer()
	}
	if s.Access != nil {
		s.registerAccess()
	}
	if s.Sessions != nil {
		s.registerSessions()
	}
	if s.Incidents != nil {
		s.registerIncidents()
	}
}
