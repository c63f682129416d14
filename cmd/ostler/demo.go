package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

// demoOptions are what a demo may be told.
type demoOptions struct {
	seed   uint64
	days   int
	listen string
	json   bool
	log    bool
	vault  bool
}

// demoCommand shows the whole product on one machine, with real parts.
func demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a whole hosting company on this machine, with real parts",
		Long: `Demo starts a control plane, a signer, an off-site store (rest-server), a test
certificate authority (Pebble), three agents and their web servers on loopback,
in a temporary folder; lets some days of changing files and real backups pass,
has certificates issued, served and renewed; prints a sign-in link for each
audience; and removes everything on Ctrl-C.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), o)
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&o.seed, "seed", 1, "names and files: the same seed makes the same ones")
	f.IntVar(&o.days, "days", 6, "days of history")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8443", "address of the portal (loopback; port 0 takes a free one)")
	f.BoolVar(&o.json, "json", false, "print one JSON object when ready, for programs")
	f.BoolVar(&o.vault, "vault", false, "keep the keys in a real Vault, where its core was built (make vault-core)")
	f.BoolVar(&o.log, "log", false, "print the control plane's log")
	cmd.AddCommand(demoWebCommand())
	return cmd
}

// demoReady is what a demo says when it is ready.
type demoReady struct {
	URL       string            `json:"url"`
	Links     map[string]string `json:"links"` // by audience
	TokenFile string            `json:"token_file"`
	Folder    string            `json:"folder"`
	Servers   map[string]string `json:"servers"` // host name: its root folder
	LostFile  string            `json:"lost_file"`
	LostSum   string            `json:"lost_sha256"` // of the version that the night before the last has
	Seconds   float64           `json:"seconds"`
	Simulated []string          `json:"simulated"`
	Customer  string            `json:"customer"`
	// Certificates are those of all sites; the last one could not be issued.
	Certificates []demoCertificate `json:"certificates"`
	// Vault says where the keys are, where the demo was asked for a Vault.
	Vault string `json:"vault,omitempty"`
	// Roots is a file with the roots (PEM) of the demo's authority.
	Roots string `json:"roots"`
}

func runDemo(ctx context.Context, out, progress io.Writer, o demoOptions) (err error) {
	start := time.Now()
	dir, err := os.MkdirTemp("", "ostler-demo-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	// Everything that is started is stopped, and the folder goes, whatever happens.
	defer func() {
		if rerr := os.RemoveAll(dir); err == nil && rerr != nil {
			err = fmt.Errorf("demo: %w", rerr)
		}
		fmt.Fprintln(progress, "Stopped; "+dir+" is removed.")
	}()
	logs := filepath.Join(dir, "logs")
	if err := os.Mkdir(logs, 0o700); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	p := &procs{dir: logs}
	defer p.stop()
	d, err := openDemo(ctx, dir, p, o)
	if err != nil {
		return err
	}
	defer d.close()
	play, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(d.fallen, cancel)
	ready, err := d.play(play, progress)
	if ctx.Err() != nil {
		return nil // Ctrl-C while it was still preparing
	}
	if why := context.Cause(d.fallen); why != nil {
		err = why // what came after it is not the reason
	}
	if err != nil {
		return fmt.Errorf("%w\nThe logs were:\n%s", err, d.lastLogs())
	}
	ready.Seconds = time.Since(start).Seconds()
	if o.json {
		if err := json.NewEncoder(out).Encode(ready); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	} else {
		ready.print(out)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.failed:
		return err
	}
}

// print says what is there, what is real, and what is simulated.
func (r demoReady) print(w io.Writer) {
	fmt.Fprintf(w, "\nA whole hosting company runs on this machine (ready after %.0f s).\n\n", r.Seconds)
	fmt.Fprintf(w, "  Ops engineer        %s\n", r.Links["ops"])
	fmt.Fprintf(w, "  Customer            %s\n", r.Links["customer"])
	fmt.Fprintf(w, "  Restoring a file    %s\n", r.Links["restorer"])
	fmt.Fprintf(w, "  Auditor             %s\n\n", r.Links["auditor"])
	fmt.Fprintf(w, "Each link signs in once. At %s somebody deleted %s: get it back.\n\n", r.Customer, r.LostFile)
	fmt.Fprintf(w, "Command line        export OSTLER_URL=%s; bin/ostler --token-file %s server list\n", r.URL, r.TokenFile)
	fmt.Fprintf(w, "The servers' files  %s\n", filepath.Join(r.Folder, "hosts"))
	fmt.Fprintf(w, "Mails that went out %s\n\n", filepath.Join(r.Folder, "mail"))
	if r.Vault != "" {
		fmt.Fprintf(w, "%s\n\n", r.Vault)
	}
	fmt.Fprintln(w, "Certificates:")
	for _, c := range r.Certificates {
		fmt.Fprintf(w, "  %-26s %-9s %s\n", c.Name, c.State, c.Note)
	}
	if len(r.Certificates) > 0 {
		c := r.Certificates[0]
		fmt.Fprintf(w, "See one served      curl --cacert %s --connect-to ::%s https://%s\n\n", r.Roots, c.At, c.Name)
	}
	fmt.Fprintln(w, "Real: the control plane, the signer, three agents as processes, restic, the")
	fmt.Fprintln(w, "off-site store (rest-server: TLS, append-only, private repositories), every backup;")
	fmt.Fprintln(w, "every step of every certificate: key, order, challenge, installation, handshake.")
	fmt.Fprintln(w, "Simulated:")
	for _, s := range r.Simulated {
		fmt.Fprintln(w, "  - "+s)
	}
	fmt.Fprintf(w, "\nPress Ctrl-C to stop and remove everything (%s).\n", r.Folder)
}
