package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ostler/controlplane/sessions"
)

// staffSessionView is what the command line reads of a session.
type staffSessionView struct {
	ID        string   `json:"id"`
	Kind      string   `json:"kind"`
	State     string   `json:"state"`
	Host      string   `json:"host"`
	Customers []string `json:"customers"`
	User      string   `json:"user"`
	Name      string   `json:"name"`
	Login     string   `json:"login"`
	Address   string   `json:"address"`
	StartedAt string   `json:"started_at"`
	EndedAt   string   `json:"ended_at"`
	Endless   bool     `json:"endless"`
	Command   string   `json:"command"`
	Commands  int64    `json:"commands"`
	DueAt     string   `json:"due_at"`
	Version   int64    `json:"version"`
	Ground    struct {
		Grant         string   `json:"grant"`
		Kind          string   `json:"kind"`
		Role          string   `json:"role"`
		Ticket        string   `json:"ticket"`
		Reason        string   `json:"reason"`
		Authorisation string   `json:"authorisation"`
		Lacks         []string `json:"lacks"`
	} `json:"ground"`
	Participants []struct {
		User string `json:"user"`
		Name string `json:"name"`
	} `json:"participants"`
	Risk *struct {
		Score int64    `json:"score"`
		Why   []string `json:"why"`
	} `json:"risk"`
	Recording *struct {
		SHA256     string `json:"sha256"`
		CastSHA256 string `json:"cast_sha256"`
		CastBytes  int64  `json:"cast_bytes"`
		DurationMS int64  `json:"duration_ms"`
		KeptUntil  string `json:"kept_until"`
		Held       bool   `json:"held"`
		DeletedAt  string `json:"deleted_at"`
		Integrity  string `json:"integrity"`
		CheckedAt  string `json:"checked_at"`
		Partial    string `json:"partial"`
	} `json:"recording"`
	Review struct {
		State     string  `json:"state"`
		Because   string  `json:"because"`
		DueAt     string  `json:"due_at"`
		Reviewer  string  `json:"reviewer"`
		Verdict   string  `json:"verdict"`
		VerdictAt string  `json:"verdict_at"`
		Text      string  `json:"text"`
		Question  string  `json:"question"`
		Asker     string  `json:"question_by"`
		Claimer   string  `json:"claimer"`
		Closed    string  `json:"closed"`
		Answer    string  `json:"answer"`
		Watched   float64 `json:"watched"`
		Void      string  `json:"void"`
	} `json:"review"`
}

// who is the person, or the name at the cluster where nobody is known.
func (v staffSessionView) who() string {
	if v.Name == "" {
		return "nobody known: " + v.User
	}
	return v.Name
}

// length is how long it lasted, as people say it.
func (v staffSessionView) length() string {
	from, err1 := time.Parse(time.RFC3339, v.StartedAt)
	to, err2 := time.Parse(time.RFC3339, v.EndedAt)
	switch {
	case v.State == "live":
		return "runs"
	case err1 != nil || err2 != nil:
		return "unknown"
	}
	return to.Sub(from).Round(time.Second).String()
}

func (v staffSessionView) recording() string {
	switch r := v.Recording; {
	case r == nil && v.State == "missing":
		return "missing"
	case r == nil:
		return "none"
	case r.DeletedAt != "":
		return "deleted " + when(r.DeletedAt)
	case r.Partial != "":
		return "not whole: " + r.Partial
	default:
		return r.Integrity
	}
}

var sessionHeads = []string{"STARTED", "WHO", "HOST", "AS", "LENGTH", "STATE", "RECORDING", "REVIEW", "TICKET", "ID"}

func (v staffSessionView) row() []cell {
	return []cell{text(when(v.StartedAt)), text(v.who()), text(v.Host), text(v.Login), text(v.length()), state(v.State), text(v.recording()), state(v.Review.State), text(v.Ground.Ticket), text(v.ID)}
}

// closedWords are why nobody can review a session.
var closedWords = map[string]string{"deleted": "its recording was let go of before anybody had judged it", "changed": "its recording was changed",
	"gone": "its recording is not in the place where recordings are kept", "missing": "there is no recording of it", "unrecorded": "the cluster recorded nothing of it"}

func (c *client) showSession(v staffSessionView) error {
	var names []string
	for _, p := range v.Participants {
		if p.Name == "" {
			p.Name = p.User
		}
		names = append(names, p.Name)
	}
	pairs := []pair{{"Session", text(v.ID)}, {"Who", text(v.who())}, {"Host", text(v.Host)}, {"As", text(v.Login)}, {"From", text(v.Address)}, {"Kind", text(v.Kind)}, {"State", state(v.State)},
		{"Started", text(when(v.StartedAt))}, {"Length", text(v.length())}, {"Took part", text(strings.Join(names, ", "))}, {"Command", text(v.Command)}, {"Commands", text(count(v.Commands))},
		{"Grant", text(v.Ground.Grant)}, {"Ticket", text(v.Ground.Ticket)}, {"Reason", text(v.Ground.Reason)}, {"Instructed by", text(v.Ground.Authorisation)}, {"Lacks", text(strings.Join(v.Ground.Lacks, ", "))}}
	if v.Risk != nil {
		pairs = append(pairs, pair{"Risk", text(count(v.Risk.Score) + " of 100")})
		for _, why := range v.Risk.Why {
			pairs = append(pairs, pair{"because", text(cmp.Or(sessions.RiskText(why), why))})
		}
	}
	pairs = append(pairs, pair{"Recording", text(v.recording())})
	if r := v.Recording; r != nil {
		pairs = append(pairs, pair{"Checked", text(when(r.CheckedAt))}, pair{"SHA-256", text(r.SHA256)}, pair{"of asciicast", text(r.CastSHA256)}, pair{"Kept until", text(when(r.KeptUntil))})
		if r.Held {
			pairs = append(pairs, pair{"Held", text("yes: a hold keeps it beyond its term")})
		}
	}
	r := v.Review
	pairs = append(pairs, pair{"Review", state(r.State)}, pair{"because", text(r.Because)}, pair{"Ended", text(closedWords[r.Closed])}, pair{"by", text(r.Reviewer)}, pair{"Claimed by", text(r.Claimer)}, pair{"Verdict", text(r.Verdict)}, pair{"at", text(when(r.VerdictAt))},
		pair{"Text", text(r.Text)}, pair{"Question", text(r.Question)}, pair{"asked by", text(r.Asker)}, pair{"Answer", text(r.Answer)}, pair{"Void", text(r.Void)})
	if r.Verdict != "" {
		pairs = append(pairs, pair{"Watched", text(strconv.Itoa(int(r.Watched*100+0.5)) + " %")})
	}
	return c.facts(pairs...)
}

func (c *client) sessionCommand() *cobra.Command {
	return noun("session", "What our people did on customers' servers, recorded and reviewed", c.sessionList(), c.sessionShow(), c.sessionEvents(), c.sessionCommands(), c.sessionTranscript(), c.sessionTimeline(),
		c.sessionDownload(), c.sessionSearch(), c.sessionViewings(), c.sessionQueue(), c.sessionAct("claim", "Take a session for review"), c.sessionAct("unclaim", "Give a session back to the queue"),
		c.sessionJudge(), c.sessionText("ask", "Have a session reviewed", "why"), c.sessionText("answer", "Answer a reviewer's question", "text"), c.sessionNote(), c.sessionNotes(), c.sessionDraws(),
		c.sessionLogins(), c.sessionExplain(), c.sessionCoverage(), c.sessionFeed(), c.sessionJob("read", "/sessions/feed/read", "Read the cluster's audit log now"), c.sessionQuarantine(), c.sessionDismiss(),
		c.sessionJob("check SESSION", "/check", "Compare a recording with the ledger now"), c.sessionJob("fetch SESSION", "/fetch", "Ask the cluster for a missing recording again"),
		c.sessionHolds(), c.sessionHold(), c.sessionRelease(), c.sessionTerms())
}

func (c *client) sessionList() *cobra.Command {
	var p paging
	one := map[string]*string{}
	var states, reviews []string
	var ungrounded bool
	cmd := c.verb("list", "List sessions, the latest first", cobra.NoArgs, func(ctx context.Context, _ []string) error {
		q := url.Values{"state": states, "review": reviews}
		for k, v := range one {
			if *v != "" {
				q.Set(k, *v)
			}
		}
		if ungrounded {
			q.Set("ungrounded", "true")
		}
		return list(ctx, c, "/sessions", q, p, sessionHeads, staffSessionView.row, "There are no such sessions.")
	})
	f := cmd.Flags()
	for name, help := range map[string]string{"customer": "on this customer's servers", "server": "on this server", "person": "of this person (prs_)", "from": "that began at this instant or later", "to": "that began before this instant"} {
		one[name] = f.String(name, "", help)
	}
	f.StringArrayVar(&states, "state", nil, "live, ended, uploaded, stored, missing or unrecorded (again for more)")
	f.StringArrayVar(&reviews, "review", nil, "waiting, claimed, asked, reviewed, unreviewable or not_wanted (again for more)")
	f.BoolVar(&ungrounded, "ungrounded", false, "only those that lack a grant, a ticket, an authorisation or a known person")
	return p.flags(cmd)
}

func (c *client) sessionShow() *cobra.Command {
	return c.verb("show SESSION", "Show a session", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return show(ctx, c, "/sessions/"+id(args[0]), nil, c.showSession)
	})
}

func (c *client) sessionEvents() *cobra.Command {
	type event struct {
		At   string `json:"at"`
		Type string `json:"type"`
		Raw  string `json:"raw"`
	}
	return c.verb("events SESSION", "What the cluster said of a session, as it came", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return list(ctx, c, "/sessions/"+id(args[0])+"/events", nil, paging{whole: true}, []string{"AT", "TYPE", "EVENT"}, func(v event) []cell {
			return []cell{text(when(v.At)), text(v.Type), text(v.Raw)}
		}, "The cluster said nothing of it.")
	})
}

// momentView is something that happened in a recording.
type momentView struct {
	AtMS  int64  `json:"at_ms"`
	Kind  string `json:"kind"`
	Text  string `json:"text"`
	ForMS int64  `json:"for_ms"`
	Read  string `json:"read"`
	Exit  string `json:"exit"`
}

func clock(ms int64) string {
	d := time.Duration(ms) * time.Millisecond
	return fmt.Sprintf("%d:%02d:%02d", int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}

func (v momentView) row() []cell {
	what := v.Text
	if v.Kind == "idle" {
		what = "nothing for " + (time.Duration(v.ForMS) * time.Millisecond).Round(time.Second).String()
	}
	return []cell{text(clock(v.AtMS)), text(v.Kind), text(what), text(v.Exit), text(v.Read)}
}

var momentHeads = []string{"AT", "WHAT", "TEXT", "EXIT", "READ FROM"}

func (c *client) sessionCommands() *cobra.Command {
	return c.verb("commands SESSION", "The commands of a session", cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		return list(ctx, c, "/sessions/"+id(args[0])+"/commands", nil, paging{whole: true}, momentHeads, momentView.row, "No commands are known of it.")
	})
}

func (c *client) sessionSearch() *cobra.Command {
	var p paging
	var customer, person string
	type hit struct {
		Session staffSessionView `json:"session"`
		Moments []momentView     `json:"moments"`
	}
	cmd := c.verb("search WORD...", "Search commands across recordings; that you searched is on record", cobra.MinimumNArgs(1), func(ctx context.Context, args []string) error {
		q := url.Values{"text": {strings.Join(args, " ")}, "customer": {customer}, "person": {person}}
		return list(ctx, c, "/session-commands", q, p, []string{"STARTED", "WHO", "HOST", "FOUND", "ID"}, func(v hit) []cell {
			var found []string
			for _, m := range v.Moments[:min(3, len(v.Moments))] {
				found = append(found, clock(m.AtMS)+" "+m.Text)
			}
			if more := len(v.Moments) - len(found); more > 0 {
				found = append(found, fmt.Sprintf("and %d more", more))
			}
			return []cell{text(when(v.Session.StartedAt)), text(v.Session.who()), text(v.Session.Host), text(strings.Join(found, "; ")), text(v.Session.ID)}
		}, "No command was found.")
	})
	cmd.Flags().StringVar(&customer, "customer", "", "on this customer's servers")
	cmd.Flags().StringVar(&person, "person", "", "of this person (prs_)")
	return p.flags(cmd)
}
