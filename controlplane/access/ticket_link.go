package access

// TicketLink is the address of a ticket with {ticket} in it; "" where there is none.
func (s *Service) TicketLink() string { return s.opts.TicketLink }
