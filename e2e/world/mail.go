package world

import (
	"fmt"
	"path/filepath"
	"testing"

	"ostler/controlplane/mail/mailtest"
)

// MailServer starts a mail server that keeps what it is given, until the test
// ends; config is what the plane's configuration has to say of it.
func MailServer(t testing.TB) (sink *mailtest.Sink, config string) {
	t.Helper()
	sink, ca, err := mailtest.StartIn(filepath.Join(t.TempDir(), "mail"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sink.Close() })
	o := sink.Options()
	return sink, fmt.Sprintf("mail:\n  host: %q\n  port: %d\n  ca_file: %q\n  from: \"Ostler <noreply@ostler.example>\"\n  ehlo: plane.ostler.example\n", o.Host, o.Port, ca)
}
