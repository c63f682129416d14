package certs

// PlanRow is what Planner knows a certificate by.
type PlanRow struct {
	ID, Customer, From, Open                     string
	NotBefore, NotAfter, Start, End, RenewAt     int64
	PollAt, NextTry, Attempts, Issued, CreatedAt int64
}

// Put makes a row known to a planner without a database.
func Put(p *Planner, r PlanRow) {
	p.mu.Lock()
	defer p.mu.Unlock()
	row := certRow{ID: r.ID, CustomerID: r.Customer, RenewFrom: r.From, OpenIssue: r.Open, NotBefore: r.NotBefore, NotAfter: r.NotAfter,
		WindowStart: r.Start, WindowEnd: r.End, RenewAt: r.RenewAt, PollAt: r.PollAt, NextTry: r.NextTry, Attempts: r.Attempts, IssuedRound: r.Issued, CreatedAt: r.CreatedAt}
	row.DueAt = row.due()
	p.put(readingOf(row))
}
