package bench_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"ostler/controlplane/db"
	"ostler/controlplane/db/dbtest"
	"ostler/controlplane/mail"
	"ostler/controlplane/mail/mailtest"
)

const (
	benchMails = 2000
	mailBudget = 60 // seconds
)

// BenchmarkMail measures 2,000 mails from the write that queues them to the
// mail server's last word: TLS, a connection for each, every step on disk.
func BenchmarkMail(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { mails(b, "SQLite", dbtest.SQLite(b, db.SystemClock{})) })
	b.Run("postgres", func(b *testing.B) { mails(b, "PostgreSQL", durablePostgres(b)) })
}

func mails(b *testing.B, engine string, d *db.DB) {
	p := newParts(b, d)
	sink := must[*mailtest.Sink](b)(mailtest.Start(mailtest.Options{}))
	defer func() { _ = sink.Close() }()
	o := sink.Options()
	o.From, o.PortalURL, o.EHLO, o.Bus = "noreply@bench.invalid", "https://portal.invalid", "bench.invalid", p.bus
	m := must[*mail.Mail](b)(mail.New(d, p.keeper, p.ledger, p.jobs, p.findings, o))
	ctx, stop := context.WithCancel(p.ctx)
	ended := make(chan error, 1)
	start := time.Now()
	p.write(func(tx *db.Tx) error {
		for i := range benchMails {
			_, err := m.Enqueue(tx, mail.Message{Key: fmt.Sprint(i), To: fmt.Sprintf("person%d@bench.invalid", i), Template: mail.RestoreReady})
			if err != nil {
				return err
			}
		}
		return nil
	})
	queued := time.Since(start)
	go func() { ended <- p.jobs.Run(ctx) }()
	waiting, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	err := sink.Wait(waiting, benchMails)
	took := time.Since(start)
	stop()
	if rerr := <-ended; err != nil || rerr != nil {
		b.Fatal(err, rerr)
	}
	if ids, all := len(sink.Counts()), len(sink.Messages()); ids != benchMails || all != benchMails {
		b.Errorf("%d messages under %d Message-IDs, want %d", all, ids, benchMails)
	}
	report(b, figure{name: engine + ": 2,000 mails to a mail server", got: took.Seconds() * 1000, budget: mailBudget * 1000, unit: "ms",
		detail: fmt.Sprintf("of which %.1f s to queue them in one write; a connection each, TLS", queued.Seconds())})
}
