package web

import (
	"time"

	"ostler/agents/wire"
	"ostler/controlplane/jobs"
)

// jobTitles are what jobs are called, by their title's key and by their kind.
var jobTitles = map[string]string{
	"job.backup": "job.backup", "job.list": "job.list", "job.download": "job.download", "job.put_back": "job.put_back", "job.inventory": "job.inventory",
	"job.repository_prepare": "job.repository_prepare", "job.key_return": "job.key_return", "job.repository_init": "job.repository_init", "job.store_register": "job.store_register",
	"job.download_verify": "job.download_verify", "job.download_expire": "job.download_expire", "job.mail_send": "job.mail_send", "job.ledger_verify": "job.ledger_verify", "job.keys_remove": "job.keys_remove",
	"job.certificate_request": "job.certificate_request", "job.certificate_order": "job.certificate_order", "job.certificate_deploy": "job.certificate_deploy", "job.certificate_look": "job.certificate_look", "job.certificate_forget": "job.certificate_forget", "job.certificate_revoke": "job.certificate_revoke", "job.authority_register": "job.authority_register", "job.certificate_take_over": "job.certificate_take_over",
	"job.access_observe": "job.access_observe", "job.access_enforce": "job.access_enforce", "job.access_scan": "job.access_scan", "job.access_end_login": "job.access_end_login", "job.access_host": "job.access_host",
	"job.sessions_read": "job.sessions_read", "job.logins_scan": "job.logins_scan", "job.session_fetch": "job.session_fetch", "job.session_check": "job.session_check", "job.session_delete": "job.session_delete",
	"job.archive": "job.archive", "job.preview": "job.preview", "job.apply": "job.apply", "job.undo": "job.undo", "job.settle": "job.settle",
	"job.catalogue_build": "job.catalogue_build", "job.catalogue_merge": "job.catalogue_merge", "job.catalogue_tidy": "job.catalogue_tidy", "job.catalogue_compact": "job.catalogue_compact",
}

func (v *visit) jobTitle(j jobs.Job) string {
	if key, ok := jobTitles[j.Title]; ok {
		return v.t(key)
	}
	return j.Kind
}

var jobStates = map[jobs.State]struct {
	tone Tone
	key  string
}{
	jobs.Queued: {ToneBusy, "jobstate.queued"}, jobs.Offered: {ToneBusy, "jobstate.offered"}, jobs.Accepted: {ToneBusy, "jobstate.accepted"}, jobs.Running: {ToneBusy, "jobstate.running"},
	jobs.Succeeded: {ToneGood, "jobstate.succeeded"}, jobs.Failed: {ToneBad, "jobstate.failed"}, jobs.Interrupted: {ToneBad, "jobstate.interrupted"}, jobs.Expired: {ToneBad, "jobstate.expired"},
	jobs.Cancelled: {ToneUnknown, "jobstate.cancelled"}, jobs.Superseded: {ToneUnknown, "jobstate.superseded"}, jobs.Rejected: {ToneBad, "jobstate.rejected"},
}

func (v *visit) jobState(s jobs.State) State {
	x, ok := jobStates[s]
	if !ok {
		return State{ToneUnknown, v.t("unknown")}
	}
	return State{x.tone, v.t(x.key)}
}

// causeText is a cause of failure in one sentence without its full stop.
func causeText(cause string) string {
	what, _ := jobs.Explain(wire.Failure{Cause: wire.Cause(cause)})
	return trimDot(what)
}

// failure is a failed job's cause and next step.
func (v *visit) failure(j jobs.Job) *Problem {
	if j.Failure == nil || !j.State.Terminal() {
		return nil
	}
	return v.problem(jobs.CauseOf(j))
}

var stepNames = map[string]string{
	"prepare": "progress.prepare", "scan": "progress.scan", "backup": "progress.backup", "restore": "progress.restore", "upload": "progress.upload",
	"list": "progress.list", "pack": "progress.pack", "download": "progress.download", "place": "progress.place", "undo": "progress.undo",
}

// progress is how far a running job is. The file at work is shown to those who
// may see file names.
func (v *visit) progress(j jobs.Job, names bool) *Progress {
	if j.State != jobs.Running {
		return nil
	}
	p := &Progress{Percent: -1, Step: v.t("progress.started")}
	x := j.Progress
	if x == nil {
		return p
	}
	if key, ok := stepNames[x.Step]; ok {
		p.Step = v.t(key)
	}
	p.Done, p.Total, p.Files, p.TotalFiles, p.Errors = x.Done, x.Total, x.Files, x.TotalFiles, x.Errors
	if took := v.now.Sub(j.StartedAt); took > 2*time.Second && x.Done > 0 && (x.Step == "upload" || x.Step == "download" || x.Step == "restore" || x.Step == "backup" || x.Step == "pack") {
		p.Rate = int64(float64(x.Done) / took.Seconds())
	}
	if x.Step == "list" { // it counts things, not bytes
		p.Done, p.Total = 0, 0
		return p
	}
	if x.Total > 0 {
		p.Percent = int(min(100, x.Done*100/x.Total))
		if took := v.now.Sub(j.StartedAt); p.Percent >= 5 && p.Percent < 100 && took > 5*time.Second {
			p.Left = time.Duration(float64(took) * float64(100-p.Percent) / float64(p.Percent)).Round(time.Second)
		}
	}
	if names && x.Current != "" {
		p.Current = []byte(x.Current)
	}
	return p
}
