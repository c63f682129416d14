package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"ostler/controlplane"
	"ostler/controlplane/ledger"
)

// entryOfLedger is what the command line reads of an entry.
type entryOfLedger struct {
	ID    string `json:"id"`
	Seq   int64  `json:"seq"`
	Leaf  int64  `json:"leaf"`
	At    string `json:"at"`
	Actor struct {
		Kind string `json:"kind"`
		ID   string `json:"id"`
	} `json:"actor"`
	Kind    string `json:"kind"`
	Subject string `json:"subject"`
}

// verified is what a verification found, here or in the control plane.
type verified struct {
	OK          bool     `json:"ok"`
	Origin      string   `json:"origin"`
	Size        int64    `json:"size"`
	Leaves      int64    `json:"leaves"`
	Pending     int64    `json:"pending"`
	Checkpoints int64    `json:"checkpoints"`
	Chains      int64    `json:"chains"`
	Problems    []string `json:"problems"`
	More        int64    `json:"more_problems"`
}

func verifiedOf(r ledger.Report) verified {
	v := verified{OK: r.OK(), Origin: r.Origin, Size: r.Size, Leaves: r.Leaves, Pending: r.Pending, Checkpoints: r.Checkpoints, Chains: r.Chains, Problems: []string{}, More: r.More}
	for _, p := range r.Problems {
		v.Problems = append(v.Problems, p.String())
	}
	return v
}

func (c *client) ledgerCommand() *cobra.Command {
	var p paging
	var server, customer, subject string
	var kinds []string
	lst := c.verb("list", "List what happened, newest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q, err := c.filter(ctx, server, customer)
		if err != nil {
			return err
		}
		q.Set("subject", subject)
		q["kind"] = kinds
		return list(ctx, c, "/ledger", q, p, []string{"AT", "LEAF", "KIND", "WHO", "ABOUT", "ID"}, func(v entryOfLedger) []cell {
			leaf := count(v.Leaf)
			if v.Leaf < 0 {
				leaf = "not yet"
			}
			return []cell{text(when(v.At)), number(leaf), text(v.Kind), text(v.Actor.Kind + " " + v.Actor.ID), text(v.Subject), text(v.ID)}
		}, "Nothing has happened here yet.")
	})
	addFilter(lst, &server, &customer)
	lst.Flags().StringVar(&subject, "about", "", "only entries about this thing, by its id")
	lst.Flags().StringArrayVar(&kinds, "kind", nil, "only this kind: backup.complete (again for more)")
	return noun("ledger", "What happened, and the proof of it", p.flags(lst), c.ledgerVerify(), c.ledgerProof(), c.ledgerExport())
}

func (c *client) ledgerVerify() *cobra.Command {
	var bundle, customer, key string
	cmd := c.verb("verify", "Verify the log: in the control plane, a customer's chain here, or a bundle without any connection", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			var v verified
			if err := checkKey(key); err != nil {
				return err
			}
			switch {
			case bundle != "":
				f, err := os.Open(bundle)
				if err != nil {
					return usagef("--bundle: %w", err)
				}
				defer func() { _ = f.Close() }()
				r, err := ledger.VerifyBundle(f, key)
				if err != nil {
					return err
				}
				if key == "" {
					c.say("The key that the bundle brings along was used: it shows that the bundle fits together, not who signed it. Give a key from elsewhere with --key.")
				}
				v = verifiedOf(r)
			case customer != "":
				r, err := c.verifyChain(ctx, customer, key)
				if err != nil {
					return err
				}
				v = verifiedOf(r)
			default:
				if key != "" {
					return usagef("--key goes with --bundle or --customer: without them the control plane verifies itself")
				}
				if _, err := c.post(ctx, "/ledger-verification", map[string]any{}, &v); err != nil {
					return err
				}
			}
			return c.showVerified(v)
		})
	f := cmd.Flags()
	f.StringVar(&bundle, "bundle", "", "verify this file, without any connection")
	f.StringVar(&customer, "customer", "", "export this customer's chain and verify it on this machine")
	f.StringVar(&key, "key", "", "the log's verifier key, which you have from elsewhere")
	cmd.MarkFlagsMutuallyExclusive("bundle", "customer")
	return cmd
}

// checkKey looks at the form of a verifier key: a slip of the hand must not read
// as a forged log.
func checkKey(key string) error {
	if key == "" {
		return nil
	}
	if _, err := note.NewVerifier(key); err != nil {
		return usagef("--key is not a verifier key: those look like example.com/ledger/g1+1a2b3c4d+A..., in one piece and in quotes")
	}
	return nil
}

func (c *client) showVerified(v verified) error {
	if c.output == "json" {
		raw, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("ledger verify: %w", err)
		}
		if err := c.json(raw); err != nil {
			return err
		}
	} else if v.OK {
		if _, err := fmt.Fprintf(c.out, "%s is as it was written: %s, %s, %s.\n", safe(v.Origin), plural(v.Leaves, "entry", "entries"),
			plural(v.Checkpoints, "checkpoint", "checkpoints"), plural(v.Chains, "chain", "chains")); err != nil {
			return err
		}
		if v.Pending > 0 {
			c.say("%s without a place in the log yet.", plural(v.Pending, "entry is", "entries are"))
		}
	}
	if v.OK {
		return nil
	}
	for _, p := range v.Problems {
		c.say("%s", p)
	}
	if v.More > 0 {
		c.say("and %d more", v.More)
	}
	return controlplane.Errorf(controlplane.CodeInternal, "Keep everything as it is, the backups of the control plane too, and find out who could write there.",
		"The log %s is not as it was written", v.Origin)
}

// verifyChain exports a customer's chain and verifies it here; key "" is the
// one that the control plane gives.
func (c *client) verifyChain(ctx context.Context, customer, key string) (ledger.Report, error) {
	f, err := os.CreateTemp("", "ostler-bundle-*")
	if err != nil {
		return ledger.Report{}, fmt.Errorf("ledger verify: %w", err)
	}
	defer func() { _, _ = f.Close(), os.Remove(f.Name()) }()
	return c.bundle(ctx, f, customer, key, false)
}

// bundle fetches a bundle into f and verifies it.
func (c *client) bundle(ctx context.Context, f *os.File, customer, key string, personal bool) (ledger.Report, error) {
	q := url.Values{}
	if customer != "" {
		q.Set("customer", customer)
	}
	if personal {
		q.Set("personal", "true")
	}
	if key == "" {
		var v struct {
			Key string `json:"key"`
		}
		if _, err := c.get(ctx, "/ledger-checkpoint", nil, &v); err != nil {
			return ledger.Report{}, err
		}
		key = v.Key
	}
	resp, err := c.do(ctx, http.MethodGet, "/ledger-bundle", q, nil, http.Header{"Accept": {"application/jsonl, application/problem+json"}})
	if err != nil {
		return ledger.Report{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(localWriter{f}, resp.Body); err != nil {
		var local localError
		if errors.As(err, &local) {
			return ledger.Report{}, fmt.Errorf("writing the bundle: %w", local.error)
		}
		return ledger.Report{}, controlplane.Errorf(controlplane.CodeUnavailable, "Try again.", "The bundle did not arrive whole").Because(err)
	}
	if err := errors.Join(f.Sync(), rewind(f)); err != nil {
		return ledger.Report{}, fmt.Errorf("writing the bundle: %w", err)
	}
	return ledger.VerifyBundle(f, key)
}

func (c *client) ledgerExport() *cobra.Command {
	var customer, file string
	var personal, force bool
	cmd := c.verb("export", "Write a bundle that verifies without us: a customer's chain, or the whole log", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		if _, err := os.Lstat(file); err == nil && !force {
			return controlplane.Errorf(controlplane.CodeConflict, "Name another one with -o, or replace it with --force.", "%s is there already", safe(file))
		}
		f, err := os.CreateTemp(filepath.Dir(file), ".ostler-bundle-*")
		if err != nil {
			return fmt.Errorf("ledger export: %w", err)
		}
		defer func() { _, _ = f.Close(), os.Remove(f.Name()) }()
		r, err := c.bundle(ctx, f, customer, "", personal)
		if err != nil {
			return err
		}
		if err := moveInto(f.Name(), file, force); err != nil {
			return err
		}
		if personal {
			c.say("%s holds personal data: keep it accordingly.", file)
		}
		if c.output == "table" && r.OK() {
			c.say("Verify it anywhere: ostler ledger verify --bundle %s --key '%s'", file, r.Key)
		}
		return c.showVerified(verifiedOf(r))
	})
	f := cmd.Flags()
	f.StringVarP(&file, "file", "o", "", "where to")
	f.StringVar(&customer, "customer", "", "this customer's chain, by slug or id (default: the whole log, staff only)")
	f.BoolVar(&personal, "personal", false, "with the personal values, so that they can be compared with what the log commits to")
	f.BoolVar(&force, "force", false, "replace a file that is there")
	_ = cmd.MarkFlagRequired("file")
	return cmd
}

func (c *client) ledgerProof() *cobra.Command {
	var key string
	cmd := c.verb("proof ENTRY", "Get the proof that an entry is in the log, and verify it here", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if err := checkKey(key); err != nil {
			return err
		}
		var p ledger.Proof
		a, err := c.get(ctx, "/ledger/"+id(args[0])+"/proof", nil, &p)
		if err != nil {
			return err
		}
		if key == "" {
			key = p.Key
			c.say("The key that came with the proof was used. Give a key from elsewhere with --key.")
		}
		if err := p.Verify(key); err != nil {
			return err
		}
		return shown(c, a, p, func(p ledger.Proof) error {
			_, err := fmt.Fprintf(c.out, "Leaf %d is in the log. It reads:\n%s\nThe signed checkpoint:\n%s\n", p.Index, safe(p.Leaf), strings.Join(safeLines(p.Checkpoint), "\n"))
			return err
		})
	})
	cmd.Flags().StringVar(&key, "key", "", "the log's verifier key, which you have from elsewhere")
	return cmd
}

func safeLines(s string) []string {
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	for i := range lines {
		lines[i] = safe(lines[i])
	}
	return lines
}
