package server

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
		s.registerBackups()
	}
}
