package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ostler/agents"
)

// enrolAll enrols and starts one agent process for each server.
func (d *demo) enrolAll(ctx context.Context) error {
	bin, err := program("ostler-agent", "run “make build”")
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(d.ids)) {
		id := d.ids[name]
		token, _, err := d.app.Agents.NewToken(ctx, everyone, id)
		if err != nil {
			return err
		}
		base := filepath.Join(d.dir, "hosts", name)
		state := filepath.Join(base, "state")
		if err := d.agentFiles(base); err != nil {
			return err
		}
		if err := d.procs.run(ctx, strings.NewReader(token+"\n"), bin, "enrol", "--plane", "https://"+d.app.Config.Agents.EnrolListen, "--token-file", "-",
			"--state", state, "--root", d.host(name), "--config", filepath.Join(base, "agent.yaml")); err != nil {
			return err
		}
		if _, err := d.procs.start("agent-"+name, bin, "run", "--state", state, "--root", d.host(name), "--config", filepath.Join(base, "agent.yaml")); err != nil {
			return err
		}
		d.agents = append(d.agents, "agent-"+name)
	}
	return d.allReady(ctx)
}

// allReady waits until every server's enrolment is complete.
func (d *demo) allReady(ctx context.Context) error {
	var last error
	err := waitFor(ctx, "the agents", func() bool {
		for _, id := range d.ids {
			steps, err := d.app.Agents.Checklist(ctx, everyone, id)
			if err != nil {
				last = err
				return false
			}
			if steps[len(steps)-1].State != agents.StepDone {
				return false
			}
		}
		return true
	})
	return errors.Join(err, last)
}

// agentFiles writes one host's configuration, policy and labelled fixtures.
func (d *demo) agentFiles(base string) error {
	restic, err := program("restic", "run “make tools”")
	if err != nil {
		return err
	}
	name := filepath.Base(base)
	id := fmt.Sprintf("%032x", d.cast.rng.Uint64())
	files := map[string]string{
		"agent.yaml": fmt.Sprintf("restic: %q\npolicy_dir: %q\nboot_id_file: %q\nmachine_id_file: %q\nhostname: %q\n%s", restic,
			filepath.Join(base, "policy.d"), filepath.Join(base, "boot-id"), filepath.Join(base, "machine-id"), name, d.lab.agentConfig(name)),
		"policy.d/demo.yaml": "allow_simulated_time: true\n",
		"boot-id":            fmt.Sprintf("%s-%s-4%s-8%s-%s\n", id[:8], id[8:12], id[13:16], id[17:20], id[20:]),
		"machine-id":         id + "\n",
	}
	for f, text := range files {
		file := filepath.Join(base, f)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	return nil
}
