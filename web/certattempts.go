package web

import (
	"cmp"
	"net/url"

	"ostler/certs"
	"ostler/controlplane/policy"
)

// issueLooks are how the states of an attempt read, and its sentence.
var issueLooks = map[certs.IssueState]struct {
	tone Tone
	key  string
	say  string
}{
	certs.IssueWaiting: {ToneBusy, "issuestate.waiting", "issue.say_waiting"}, certs.IssueRequesting: {ToneBusy, "issuestate.requesting", "issue.say_requesting"},
	certs.IssueOrdering: {ToneBusy, "issuestate.ordering", "issue.say_ordering"}, certs.IssueDeploying: {ToneBusy, "issuestate.deploying", "issue.say_deploying"},
	certs.IssueServed: {ToneGood, "issuestate.served", "issue.say_served"}, certs.IssueRolledBack: {ToneBad, "issuestate.rolled_back", "issue.say_rolled_back"},
	certs.IssueFailed: {ToneBad, "issuestate.failed", ""}, certs.IssueCancelled: {ToneUnknown, "issuestate.cancelled", "issue.say_cancelled"},
}

// reasonTitles are what attempts are called.
var reasonTitles = map[certs.Reason]string{
	certs.ReasonNew: "reason.new", certs.ReasonRenewal: "reason.renewal", certs.ReasonForced: "reason.forced", certs.ReasonNames: "reason.names",
	certs.ReasonReplacement: "reason.replacement", certs.ReasonCompromise: "reason.compromise", certs.ReasonTakeover: "reason.takeover",
}

// certAttempts puts a page of the attempts onto the page.
func (v *visit) certAttempts(scope policy.Scope, page *Certificate, c certs.Certificate, cas map[string]string) error {
	token := v.c.QueryParam("attempts")
	items, next, err := v.p.Certs.Issues(v.ctx, scope, c.ID, certs.Page{Size: attemptsShown, Token: token})
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	for _, i := range items {
		ids[i.StartedBy] = true
	}
	delete(ids, "")
	who, err := v.p.Identity.Names(v.ctx, keysOf(ids))
	if err != nil {
		return err
	}
	for n, i := range items {
		row := v.attempt(i, cas)
		row.Who, row.Open = who[i.StartedBy], n == 0 && token == ""
		page.Attempts = append(page.Attempts, row)
	}
	if token != "" {
		page.Pager.First = page.Self + "#attempts"
	}
	if next != "" {
		page.Pager.Next = page.Self + "?" + url.Values{"attempts": {next}}.Encode() + "#attempts"
	}
	return nil
}

// attempt is one attempt in plain words.
func (v *visit) attempt(i certs.Issue, cas map[string]string) AttemptRow {
	look := issueLooks[i.State]
	r := AttemptRow{Title: v.t(cmp.Or(reasonTitles[i.Reason], "reason.other")), State: State{cmp.Or(look.tone, ToneUnknown), v.t(cmp.Or(look.key, "unknown"))}, At: i.StartedAt}
	if i.DryRun {
		r.Title = v.t("reason.dry_run")
	}
	if !i.EndedAt.IsZero() {
		r.Took = i.EndedAt.Sub(i.StartedAt)
	}
	cause, next := v.whyText(i.Why)
	ca := v.caName(cas, i.Authority)
	switch {
	case i.DryRun && i.State == certs.IssueServed:
		r.Say, r.State.Word = v.t("issue.say_dry_run", "ca", ca), v.t("issuestate.passed")
	case look.say != "":
		r.Say = v.t(look.say, "ca", ca)
		if cause != "" {
			r.Say += " " + cause
		}
		r.Next = next
	case cause != "":
		r.Say, r.Next = cause, next
	default:
		r.Say = v.t("unknown")
	}
	if i.State.Terminal() && i.State != certs.IssueServed {
		r.Again = i.NextTry
	}
	for _, s := range i.Steps {
		r.Steps = append(r.Steps, AttemptStep{At: s.At, Text: v.stepText(s)})
	}
	if n := len(r.Steps); n > 0 && i.State.Terminal() {
		r.Steps[n-1].Tone = r.State.Tone
	}
	add := func(key, value string, mono bool) {
		if value != "" {
			r.Facts = append(r.Facts, Pair{Label: v.t(key), Value: value, Mono: mono})
		}
	}
	add("certform.authority", cas[i.Authority], false)
	if i.Requests > 0 {
		add("issue.requests", group(int64(i.Requests)), false)
	}
	if i.Issued.Serial != "" {
		add("cert.serial", hexColons(i.Issued.Serial), true)
	}
	if d := i.Why.Detail; d != "" && v.staff() {
		add("issue.detail", PlainName([]byte(d)), true)
	}
	if v.staff() {
		add("issue.order", i.OrderURL, true)
	}
	return r
}
