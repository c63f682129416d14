package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// issueView is what the command line reads of an attempt.
type issueView struct {
	ID        string   `json:"id"`
	Reason    string   `json:"reason"`
	DryRun    bool     `json:"dry_run"`
	State     string   `json:"state"`
	Over      bool     `json:"over"`
	Authority string   `json:"authority"`
	Requests  int64    `json:"requests"`
	Why       *whyView `json:"why"`
	Steps     []struct {
		At      string `json:"at"`
		Message string `json:"message"`
	} `json:"steps"`
	StartedAt string `json:"started_at"`
	EndedAt   string `json:"ended_at"`
	NextTry   string `json:"next_try"`
}

// why is why an attempt failed or waits, in words.
func (v issueView) why() string {
	if v.Why == nil {
		return ""
	}
	return v.Why.sentence()
}

// kind is why an attempt was made.
func (v issueView) kind() string {
	if v.DryRun {
		return "dry run"
	}
	return v.Reason
}

// err is nil for an attempt that came to its good end.
func (v issueView) err() error {
	if v.State == "served" {
		return nil
	}
	message, next := "The attempt ended as "+v.State, "See ostler cert issues."
	if v.Why != nil && v.Why.Message != "" {
		message, next = v.Why.Message, v.Why.Next
	}
	return controlplane.Errorf(controlplane.CodeInternal, next, "%s", strings.TrimSuffix(message, "."))
}

func (c *client) showIssue(v issueView) error {
	err := c.facts(pair{"Attempt", text(v.ID)}, pair{"State", state(v.State)}, pair{"Reason", text(v.kind())}, pair{"Began", text(when(v.StartedAt))}, pair{"Ended", text(when(v.EndedAt))},
		pair{"Why", text(v.why())}, pair{"Next try", text(when(v.NextTry))}, pair{"Requests", text(count(v.Requests))}, pair{"Authority", text(v.Authority)})
	for _, s := range v.Steps {
		c.say("%s  %s", when(s.At), s.Message)
	}
	return err
}

// waitIssue waits until an attempt is over; one that failed is an error with
// its cause.
func (c *client) waitIssue(ctx context.Context, issue string) error {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	m := c.meter()
	defer m.end()
	v, _, err := poll(ctx, c, "/issues/"+id(issue), nil, false, func(v issueView) bool {
		step := ""
		if n := len(v.Steps); n > 0 {
			step = v.Steps[n-1].Message
		}
		m.show(v.State, step)
		return v.Over
	})
	if err != nil {
		return expired(ctx, err, "The attempt "+issue, "Look again with ostler cert show; ostler cert why says what it waits for.")
	}
	return v.err()
}

// certAttempt is a command that starts an attempt.
func (c *client) certAttempt(use, short, path string) *cobra.Command {
	var wait bool
	cmd := c.verb(use, short, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		var v issueView
		a, err := c.post(ctx, "/certificates/"+id(args[0])+"/"+path, nil, &v)
		if err != nil {
			return err
		}
		if wait {
			if err := c.waitIssue(ctx, v.ID); err != nil {
				return err
			}
			if a, err = c.get(ctx, "/issues/"+id(v.ID), nil, &v); err != nil {
				return err
			}
		}
		return shown(c, a, v, c.showIssue)
	})
	return c.waits(cmd, &wait)
}

func (c *client) certRenew() *cobra.Command {
	return c.certAttempt("renew CERTIFICATE", "Start an attempt now, whatever the plan says; limits of the authority still count", "renew")
}

func (c *client) certDryRun() *cobra.Command {
	return c.certAttempt("dry-run CERTIFICATE", "Try it at the staging authority; nothing of it is installed", "dry-run")
}

func (c *client) certIssues() *cobra.Command {
	var p paging
	cmd := c.verb("issues CERTIFICATE", "List the attempts at a certificate, newest first", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return list(ctx, c, "/certificates/"+id(args[0])+"/issues", nil, p, []string{"BEGAN", "REASON", "STATE", "WHY", "NEXT TRY", "ID"}, func(v issueView) []cell {
			return []cell{text(when(v.StartedAt)), text(v.kind()), state(v.State), text(v.why()), text(when(v.NextTry)), text(v.ID)}
		}, "There was no attempt yet.")
	})
	return p.flags(cmd)
}

func (c *client) certWhy() *cobra.Command {
	return c.verb("why CERTIFICATE", "Say why a certificate is not issued or renewed now", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return list(ctx, c, "/certificates/"+id(args[0])+"/why", nil, paging{whole: true}, []string{"WHY", "UNTIL"}, func(v whyView) []cell {
			return []cell{text(v.sentence()), text(when(v.Until))}
		}, "Nothing stands in the way.")
	})
}

func (c *client) certCheck() *cobra.Command {
	return c.verb("check CERTIFICATE", "Look at what every endpoint serves now; exit code 1 where it is not the newest certificate", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		var v struct {
			Right bool           `json:"right"`
			Seen  []certSeenView `json:"seen"`
		}
		a, err := c.post(ctx, "/certificates/"+id(args[0])+"/check", nil, &v)
		if err != nil {
			return err
		}
		if c.output == "json" {
			err = c.json(a.raw)
		} else {
			var rows [][]cell
			for _, s := range v.Seen {
				rows = append(rows, s.row())
			}
			err = c.table(seenHeads, rows)
		}
		if err == nil && !v.Right {
			return controlplane.Errorf(controlplane.CodeInternal, "See ostler cert show "+args[0]+".", "The newest certificate is not served everywhere")
		}
		return err
	})
}

func (c *client) certPause() *cobra.Command {
	var reason, until string
	cmd := c.verb("pause CERTIFICATE", "Keep a certificate from the authority", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return posted(ctx, c, "/certificates/"+id(args[0])+"/pause", map[string]string{"reason": reason, "until": until}, c.showCert)
	})
	cmd.Flags().StringVar(&reason, "reason", "", "why; everybody who looks at it reads this")
	cmd.Flags().StringVar(&until, "until", "", "instant, 2026-12-01T08:00:00Z (default: until somebody resumes it)")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

func (c *client) certResume() *cobra.Command {
	return c.verb("resume CERTIFICATE", "End a pause", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return posted(ctx, c, "/certificates/"+id(args[0])+"/resume", nil, c.showCert)
	})
}

func (c *client) certRevoke() *cobra.Command {
	var yes, reason string
	cmd := c.verb("revoke CERTIFICATE", "Revoke what is installed; where others know the key, use compromised", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if err := c.confirm(yes, args[0], "Browsers may refuse the site from then on. It cannot be taken back."); err != nil {
			return err
		}
		return posted(ctx, c, "/certificates/"+id(args[0])+"/revoke", map[string]string{"reason": reason}, c.showCert)
	})
	cmd.Flags().StringVar(&yes, "yes", "", "do not ask: the certificate's name or id, as given")
	cmd.Flags().StringVar(&reason, "reason", "unspecified", "unspecified, affiliation_changed, superseded or cessation_of_operation")
	return cmd
}

func (c *client) certCompromised() *cobra.Command {
	var yes, detail string
	cmd := c.verb("compromised CERTIFICATE", "Say that others know the key: it is blocked and replaced, and the old certificate revoked after that", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		if err := c.confirm(yes, args[0], "The key is blocked for ever. It cannot be taken back."); err != nil {
			return err
		}
		return posted(ctx, c, "/certificates/"+id(args[0])+"/compromised", map[string]string{"detail": detail}, c.showIssue)
	})
	cmd.Flags().StringVar(&yes, "yes", "", "do not ask: the certificate's name or id, as given")
	cmd.Flags().StringVar(&detail, "detail", "", "how it is known; it stands in the record")
	_ = cmd.MarkFlagRequired("detail")
	return cmd
}

// foundCertView is what the command line reads of a certificate that somebody
// else renews.
type foundCertView struct {
	ID       string   `json:"id"`
	Names    []string `json:"names"`
	Issuer   string   `json:"issuer"`
	Renewer  string   `json:"renewer"`
	NotAfter string   `json:"not_after"`
	Path     string   `json:"path"`
	TakenBy  string   `json:"taken_by"`
}

func (c *client) certFound() *cobra.Command {
	var p paging
	cmd := c.verb("found SERVER", "List the certificates on a server that somebody else renews", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return list(ctx, c, "/servers/"+id(args[0])+"/found-certificates", nil, p, []string{"NAMES", "ISSUED BY", "RENEWED BY", "GOOD UNTIL", "FILE", "OURS", "ID"}, func(v foundCertView) []cell {
			renewer := v.Renewer
			if renewer == "" {
				renewer = "nobody known"
			}
			return []cell{text(strings.Join(v.Names, ", ")), text(v.Issuer), text(renewer), text(when(v.NotAfter)), text(v.Path), text(v.TakenBy), text(v.ID)}
		}, "Nobody else renews a certificate there, as far as was seen.")
	})
	return p.flags(cmd)
}

func (c *client) certTakeOver() *cobra.Command {
	var f certFlags
	var tenancy string
	var wait bool
	var cmd *cobra.Command
	cmd = c.verb("take-over FOUND", "Look after a found certificate; its old renewer is stopped when ours is installed", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		body := f.body(cmd)
		body["tenancy"] = tenancy
		var v certView
		a, err := c.post(ctx, "/found-certificates/"+id(args[0])+"/take-over", body, &v)
		if err != nil {
			return err
		}
		return c.afterIssue(ctx, v, a, wait)
	})
	f.add(cmd)
	cmd.Flags().StringVar(&tenancy, "tenancy", "", "id of the tenancy (ostler tenancy list)")
	return c.waits(cmd, &wait)
}

func (c *client) certUndo() *cobra.Command {
	return c.verb("undo-take-over CERTIFICATE", "Give a certificate back to its old renewer", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return posted(ctx, c, "/certificates/"+id(args[0])+"/undo-take-over", nil, c.showCert)
	})
}

// campaignView is what the command line reads of a mass re-issue.
type campaignView struct {
	ID        string   `json:"id"`
	Reason    string   `json:"reason"`
	State     string   `json:"state"`
	Total     int64    `json:"total"`
	Waiting   int64    `json:"waiting"`
	Open      int64    `json:"open"`
	Served    int64    `json:"served"`
	Failed    int64    `json:"failed"`
	Unknown   []string `json:"unknown"`
	StartedAt string   `json:"started_at"`
	EndedAt   string   `json:"ended_at"`
}

func (c *client) showCampaign(v campaignView) error {
	err := c.facts(pair{"Mass re-issue", text(v.ID)}, pair{"State", state(v.State)}, pair{"Reason", text(v.Reason)}, pair{"Certificates", text(count(v.Total))}, pair{"Served", text(count(v.Served))},
		pair{"Under way", text(count(v.Open))}, pair{"Waiting", text(count(v.Waiting))}, pair{"Failed", text(count(v.Failed))}, pair{"Began", text(when(v.StartedAt))}, pair{"Over", text(when(v.EndedAt))})
	if n := len(v.Unknown); n > 0 {
		c.say("%s nowhere that we know of: %s", plural(int64(n), "serial is installed", "serials are installed"), firstLine(strings.Join(v.Unknown, " ")))
	}
	return err
}

func (c *client) certReplace() *cobra.Command {
	var reason, file string
	var wait bool
	cmd := c.verb("replace [SERIAL...]", "Issue certificates anew by their serials, in order, within the limits", cobra.ArbitraryArgs, func(ctx context.Context, args []string) error {
		serials := args
		if file != "" {
			raw, err := c.fileOrInput(file)
			if err != nil {
				return err
			}
			serials = append(serials, strings.Fields(raw)...)
		}
		if len(serials) == 0 {
			return usagef("name serials, or a file of them with --file (- is standard input)")
		}
		var v campaignView
		a, err := c.post(ctx, "/certificate-campaigns", map[string]any{"serials": serials, "reason": reason}, &v)
		if err != nil {
			return err
		}
		if wait {
			if v, a, err = c.waitCampaign(ctx, v.ID); err != nil {
				return err
			}
		}
		if err := shown(c, a, v, c.showCampaign); err != nil || v.Failed == 0 {
			return err
		}
		return controlplane.Errorf(controlplane.CodeInternal, "See ostler cert campaign "+v.ID+".", "%s", plural(v.Failed, "certificate was not replaced", "certificates were not replaced"))
	})
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record and the customers")
	cmd.Flags().StringVar(&file, "file", "", "file of serials, one a line (- is standard input)")
	_ = cmd.MarkFlagRequired("reason")
	return c.waits(cmd, &wait)
}

func (c *client) waitCampaign(ctx context.Context, campaign string) (campaignView, answer, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	m := c.meter()
	defer m.end()
	v, a, err := poll(ctx, c, "/certificate-campaigns/"+id(campaign), nil, false, func(v campaignView) bool {
		m.show(v.State, fmt.Sprintf("%d of %d served, %d failed", v.Served, v.Total, v.Failed))
		return v.State != "running"
	})
	return v, a, expired(ctx, err, "The mass re-issue", "Look again with ostler cert campaign "+campaign+".")
}

func (c *client) certCampaign() *cobra.Command {
	var stop bool
	cmd := c.verb("campaign [ID]", "Show how far a mass re-issue is, or list them", cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
		switch {
		case len(args) == 0:
			return list(ctx, c, "/certificate-campaigns", url.Values{}, paging{limit: 100}, []string{"BEGAN", "REASON", "STATE", "SERVED", "FAILED", "OF", "ID"}, func(v campaignView) []cell {
				return []cell{text(when(v.StartedAt)), text(firstLine(v.Reason)), state(v.State), number(count(v.Served)), number(count(v.Failed)), number(count(v.Total)), text(v.ID)}
			}, "There was no mass re-issue yet.")
		case stop:
			return posted(ctx, c, "/certificate-campaigns/"+id(args[0])+"/cancel", nil, c.showCampaign)
		}
		return show(ctx, c, "/certificate-campaigns/"+id(args[0]), nil, c.showCampaign)
	})
	cmd.Flags().BoolVar(&stop, "stop", false, "stop it; what has begun goes on")
	return cmd
}

// fileOrInput reads a file, or standard input for "-".
func (c *client) fileOrInput(name string) (string, error) {
	if name == "-" {
		return c.words("-")
	}
	raw, err := os.ReadFile(name)
	if err != nil {
		return "", usagef("%w", err)
	}
	return string(raw), nil
}
