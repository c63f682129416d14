package main

import (
	"net"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// serveCommand runs the control plane.
func serveCommand() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the control plane: portal, API, agents",
		Long: `Serve runs the control plane. It needs "ostler signer" beside it to give jobs to
hosts; without it everything else works, and a finding says so.

` + configHelp,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(config)
			if err != nil {
				return err
			}
			app, err := OpenApp(cmd.Context(), c, AppOptions{Log: c.Log.logger(os.Stderr)})
			if err != nil {
				return err
			}
			defer func() { _ = app.Close() }()
			if set := debug.SetGCPercent(gcPercent); set != 100 {
				debug.SetGCPercent(set) // GOGC says otherwise
			}
			return app.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "configuration file (default "+defaultConfigFile+")")
	return cmd
}

// gcPercent lets the heap grow to five times what lives in it: little lives in
// it for long, and a page over 1,000 servers took a fifth longer with 100.
const gcPercent = 400

// streamURL is what agents are told to dial.
func (c Config) streamURL() string { return agentURL(c.Agents.Names[0], c.Agents.Listen, "8444") }

// enrolURL is what a host that enrols dials.
func (c Config) enrolURL() string { return agentURL(c.Agents.Names[0], c.Agents.EnrolListen, "8445") }

func agentURL(name, listen, port string) string {
	if _, p, err := net.SplitHostPort(listen); err == nil {
		port = p
	}
	return "https://" + net.JoinHostPort(name, port)
}
