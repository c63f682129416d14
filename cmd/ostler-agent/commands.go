package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"ostler/agents/host"
	"ostler/agents/host/helper"
)

// memoryLimit is where the runtime begins to collect garbage harder, in bytes.
// GOMEMLIMIT and GOGC in the environment win.
const memoryLimit = 64 << 20

func load(c *cobra.Command) (config, error) {
	return loadConfig(c.Flags(), os.Environ(), func(p string) bool {
		_, err := os.Stat(p)
		return err == nil
	})
}

func enrolCommand() *cobra.Command {
	var plane, tokenFile string
	c := &cobra.Command{
		Use:   "enrol --plane https://host:8445 --token-file FILE|-",
		Short: "Enrol this server with a control plane",
		Long: `Enrol this server with a control plane. The key is made here and stays here.
The token is read from a file or, with -, from standard input: arguments and
the environment can be read by other users.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if plane == "" || tokenFile == "" {
				return usageError{errors.New("--plane and --token-file are needed")}
			}
			conf, err := load(c)
			if err != nil {
				return err
			}
			token, err := host.ReadToken(tokenFile, c.InOrStdin())
			if err != nil {
				return err
			}
			id, err := host.Enrol(c.Context(), host.EnrolOptions{State: conf.State, PlaneURL: plane, Token: token, FactFiles: conf.factFiles()})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "This host is enrolled as %s.\nNext: start the agent with: systemctl enable --now ostler-agent (or: ostler-agent run)\n", id.Server)
			return err
		},
	}
	c.Flags().StringVar(&plane, "plane", "", "the control plane's enrolment address")
	c.Flags().StringVar(&tokenFile, "token-file", "", "file with the enrolment token, or - for standard input")
	configFlags(c.Flags())
	return c
}

func runCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "run", Short: "Run the agent", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := load(c)
			if err != nil {
				return err
			}
			log := logger(conf, c.ErrOrStderr())
			tuneMemory()
			h, err := helper.NewLocal(helper.Options{State: conf.State, Root: conf.Root, Restic: conf.Restic,
				Reserve: conf.DiskReserve, StagingQuota: conf.StagingQuota, Log: log})
			if err != nil {
				return err
			}
			switch v, warning, err := h.Version(c.Context()); {
			case err != nil: // the agent still serves: the plane hears of it by the inventory and each backup
				log.Error("restic.unusable", "err", err)
			case warning != "":
				log.Warn("restic.old", "version", v, "warning", warning)
			}
			a, err := host.New(host.Options{State: conf.State, Root: conf.Root, PolicyDirs: conf.policyDirs(), FactFiles: conf.factFiles(),
				Version: version, Log: log, Helper: h, Parallel: conf.Parallel, StoreIdle: conf.StoreIdle, StoreStall: conf.StoreStall,
				Certificates: conf.Certificates, Services: conf.Services.commands(), ACMEListen: conf.ACME.Listen, CertSettle: conf.CertSettle})
			if err != nil {
				return err
			}
			return errors.Join(a.Run(c.Context()), a.Close())
		},
	}
	configFlags(c.Flags())
	return c
}

func checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "check", Short: "Check the configuration, the host's policy, restic and the enrolment", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := load(c)
			if err != nil {
				return err
			}
			p, err := host.LoadPolicy(conf.policyDirs()...)
			if err != nil {
				return badConfig("The host's policy cannot be used", err)
			}
			h, err := helper.NewLocal(helper.Options{State: conf.State, Root: conf.Root, Restic: conf.Restic})
			if err != nil {
				return err
			}
			v, warning, err := h.Version(c.Context())
			if err != nil {
				return badConfig("restic cannot be used: "+helper.Failure(err).Detail, nil)
			}
			if warning != "" {
				warning = " (" + warning + ")"
			}
			enrolment, err := enrolmentWords(c.Context(), conf.State)
			if err != nil {
				return err
			}
			challenges := "not answered (acme.listen is empty)"
			if conf.ACME.Listen != "" {
				challenges = "answered at " + conf.ACME.Listen
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "state: %s\nrestic: %s%s\nactions: %v\nsimulated time: %v\ncertificates: %s\nchallenges: %s\n%s",
				conf.State, v, warning, p.Actions, p.SimulatedTime, conf.Certificates, challenges, enrolment)
			return err
		},
	}
	configFlags(c.Flags())
	return c
}

func snippetCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "acme-snippet nginx|apache", Short: "Print a drop-in that passes the challenges of certificate authorities to the agent",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("name the web server: nginx or apache")}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			conf, err := load(c)
			if err != nil {
				return err
			}
			text, err := host.Snippet(args[0], conf.ACME.Listen)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.OutOrStdout(), text)
			return err
		},
	}
	configFlags(c.Flags())
	return c
}

// enrolmentWords says whether the host is enrolled, until when its certificate
// is good, and what answers where the agent connects.
func enrolmentWords(ctx context.Context, state string) (string, error) {
	id, err := host.LoadIdentity(state)
	if errors.Is(err, host.ErrNotEnrolled) {
		return "enrolled: no; make a token on the server's page of the portal, and run the command that it shows\n", nil
	}
	if err != nil {
		return "", err
	}
	until, err := id.CertificateUntil()
	if err != nil {
		return "", err
	}
	note := ""
	if time.Now().After(until) {
		note = " (over: the running agent renews it by itself)"
	}
	_, answer, err := host.Probe(ctx, state)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("enrolled: as %s with %s\ncertificate: until %s%s\nconnection: %s\n", id.Server, id.PlaneURL, until.UTC().Format(time.RFC3339), note, answer), nil
}

func logger(c config, w io.Writer) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(c.LogLevel)) // checked by loadConfig
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: l}))
}

// tuneMemory keeps the agent small: it idles for hours between jobs.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
