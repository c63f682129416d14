package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"ostler/controlplane"
)

// viewingView is one person's look at one recording.
type viewingView struct {
	ID        string `json:"id"`
	Session   string `json:"session"`
	Name      string `json:"name"`
	Kind      string `json:"kind"`
	Way       string `json:"way"`
	Purpose   string `json:"purpose"`
	OpenedAt  string `json:"opened_at"`
	WatchedMS int64  `json:"watched_ms"`
	Query     string `json:"query"`
}

// purposed adds the flag that says why somebody looks: the customer reads it.
func purposed(cmd *cobra.Command, purpose *string) *cobra.Command {
	cmd.Flags().StringVar(purpose, "purpose", "review", "why: review, audit, support or own; the customer sees it")
	return cmd
}

// view begins a look at a recording.
func (c *client) view(ctx context.Context, session, way, purpose string) (viewingView, error) {
	var v viewingView
	_, err := c.post(ctx, "/sessions/"+id(session)+"/viewings", map[string]string{"way": way, "purpose": purpose}, &v)
	return v, err
}

func (c *client) sessionTranscript() *cobra.Command {
	var purpose string
	cmd := c.verb("transcript SESSION", "Print the text of a recording; that you read it is on record", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := c.view(ctx, args[0], "transcript", purpose)
		if err != nil {
			return err
		}
		type part struct {
			Lines []struct {
				AtMS int64  `json:"at_ms"`
				Text string `json:"text"`
			} `json:"lines"`
			More bool `json:"more"`
		}
		for from := 0; ; {
			var p part
			a, err := c.get(ctx, "/sessions/"+id(args[0])+"/transcript", url.Values{"viewing": {v.ID}, "from": {strconv.Itoa(from)}}, &p)
			if err != nil {
				return err
			}
			if c.output == "json" {
				if err := c.json(a.raw); err != nil {
					return err
				}
			} else {
				for _, l := range p.Lines {
					if _, err := fmt.Fprintf(c.out, "%s  %s\n", clock(l.AtMS), safe(l.Text)); err != nil {
						return localError{err}
					}
				}
			}
			if from += len(p.Lines); !p.More || len(p.Lines) == 0 {
				return nil
			}
		}
	})
	return purposed(cmd, &purpose)
}

func (c *client) sessionTimeline() *cobra.Command {
	var purpose string
	cmd := c.verb("timeline SESSION", "List what happened in a recording: commands, gaps, who came and went", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		v, err := c.view(ctx, args[0], "transcript", purpose)
		if err != nil {
			return err
		}
		return list(ctx, c, "/sessions/"+id(args[0])+"/timeline", url.Values{"viewing": {v.ID}}, paging{whole: true}, momentHeads, momentView.row, "Nothing happened in it.")
	})
	return purposed(cmd, &purpose)
}

func (c *client) sessionDownload() *cobra.Command {
	var purpose, file string
	var force bool
	cmd := c.verb("download SESSION", "Save a recording as asciicast v2, and check its SHA-256; that you did is on record", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		var s staffSessionView
		if _, err := c.get(ctx, "/sessions/"+id(args[0]), nil, &s); err != nil {
			return err
		}
		if file == "" {
			file = s.ID + ".cast"
		}
		flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
		if force {
			flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
		}
		v, err := c.view(ctx, args[0], "download", purpose)
		if err != nil {
			return err
		}
		f, err := os.OpenFile(file, flags, 0o600)
		if err != nil {
			return controlplane.Errorf(controlplane.CodeInvalid, "Choose another file with -o, or replace it with --force.", "%s cannot be written: %v", file, err)
		}
		err = c.cast(ctx, s, v.ID, f)
		if closed := f.Close(); err == nil && closed != nil {
			err = localError{closed}
		}
		if err != nil {
			_ = os.Remove(file) // what is not whole is not left as if it were
			return err
		}
		c.say("Saved %s. It is the recording whose SHA-256 the ledger has.", file)
		return nil
	})
	cmd.Flags().StringVarP(&file, "file", "o", "", "where to (default: the session's id with .cast, here)")
	cmd.Flags().BoolVar(&force, "force", false, "replace a file that is there")
	return purposed(cmd, &purpose)
}

// cast gets a recording and compares it with what the session says of it.
func (c *client) cast(ctx context.Context, s staffSessionView, viewing string, w io.Writer) error {
	resp, err := c.do(ctx, http.MethodGet, "/sessions/"+id(s.ID)+"/cast", url.Values{"viewing": {viewing}}, nil, http.Header{"Accept": {"application/x-asciicast, application/problem+json"}})
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(localWriter{w}, sum), resp.Body); err != nil {
		return controlplane.Errorf(controlplane.CodeUnavailable, "Try again. If your time to read is over, ask who let you in.", "The recording broke off").Because(err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); s.Recording == nil || got != s.Recording.CastSHA256 {
		return controlplane.Errorf(controlplane.CodeInternal, "Run ostler session check "+s.ID+": it says whether the recording was changed.", "What came does not have the SHA-256 of the ledger")
	}
	return nil
}

func (c *client) sessionViewings() *cobra.Command {
	var p paging
	one := map[string]*string{}
	cmd := c.verb("viewings", "List who looked at recordings, the latest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q := url.Values{}
		for k, v := range one {
			q.Set(k, *v)
		}
		return list(ctx, c, "/session-viewings", q, p, []string{"AT", "WHO", "THEY ARE", "HOW", "WHY", "WATCHED", "SESSION"}, func(v viewingView) []cell {
			how := v.Way
			if v.Query != "" {
				how += " for " + v.Query
			}
			return []cell{text(when(v.OpenedAt)), text(v.Name), text(v.Kind), text(how), text(v.Purpose), text(clock(v.WatchedMS)), text(v.Session)}
		}, "Nobody has looked at a recording.")
	})
	for name, help := range map[string]string{"session": "of this session", "customer": "on this customer's servers", "by": "by this person's id"} {
		one[name] = cmd.Flags().String(name, "", help)
	}
	return p.flags(cmd)
}
