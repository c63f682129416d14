package sample

import (
	"time"

	"ostler/web"
)

func job(tx *web.Text) []Sample {
	page := func(say string, tone web.Tone, live bool) web.Page {
		p := ops("jobs", "Backup", say)
		p.Tone, p.Crumbs, p.Self = tone, []web.Link{{Label: tx.T("jobs.title"), Href: "/jobs"}}, "/jobs/job_1"
		if live {
			p.Live, p.Refresh = []string{"job:job_1"}, 3
		}
		return p
	}
	facts := []web.Pair{{Label: "Asked by", Value: "the schedule"}, {Label: "Attempt", Value: "1 of 3"}, {Label: "Id", Value: "job_06f2k0x9yqj6v3n8d4tbz1c5ra", Mono: true}}
	where := []web.Link{{Label: "shop-1", Href: "#"}, {Label: "Maple Bakery", Href: "#"}, {Label: "Backup plan", Href: "#"}}
	course := []web.Event{{At: at(0.01), Tone: web.ToneBusy, Text: "Began on the server."}, {At: at(0.02), Text: "Taken by the agent."}, {At: at(0.03), Text: "Asked for by the schedule."}}
	running := &web.Job{Page: page("The backup of shop-1 is at work: 43 % of 9.1 GB.", "", true), State: state(web.ToneBusy, "running"), Facts: facts, Where: where, Events: course, Cancel: "#",
		Progress: &web.Progress{Percent: 43, Step: "Reading files", Done: 3.9e9, Total: 9.1e9, Files: 8211, TotalFiles: 18412, Current: []byte("/srv/shop/office/invoice-2026-11.ods"), Left: 24 * time.Second, Errors: 1}}
	waiting := &web.Job{Page: page("The backup of vineyard-web1 waits for its server.", web.ToneUnknown, true), State: state(web.ToneBusy, "waiting"), Facts: facts, Where: where, Events: course[2:], Cancel: "#",
		Why: []string{"vineyard-web1 has not been heard of since 13:39; the job starts when its agent connects.", "It is given up at 18:00 if it has not started by then."}}
	failed := &web.Job{Page: page("The backup of orchard-db1 failed: the store is full.", web.ToneBad, false), State: state(web.ToneBad, "failed"), Facts: facts, Where: where, Events: append([]web.Event{{At: at(0), Tone: web.ToneBad, Text: "Failed: the store is full."}}, course...), Detail: "507 Insufficient Storage", Retry: "#",
		Failed: &web.Problem{Cause: "The store has no room left, so nothing of this run was kept", Next: "Make room in the store or give the customer a larger quota, then run the backup again."}}
	partial := &web.Job{Page: page("The backup of db-1 finished without 3 files.", web.ToneWarn, false), State: state(web.ToneWarn, "partial"), Facts: facts, Where: where, Events: course,
		Outcome: []web.Pair{{Label: "Files", Value: "18 409"}, {Label: "Added to the store", Value: "12 MB"}}, UnreadN: 3,
		Unread: []web.UnreadFile{{Path: []byte("/srv/db/secret.key"), Reason: "permission denied"}, {Path: []byte("/srv/db/\u202egpj.exe"), Reason: "permission denied"}, {Path: []byte("/srv/db/na\xefve\n.txt"), Reason: "input/output error"}}}
	gone := &web.Job{Page: page(tx.T("job.say", "what", "Backup of shop-1", "state", "partial"), web.ToneWarn, false), State: state(web.ToneWarn, "partial"), Facts: facts, Where: where, Events: course,
		Missing: [][]byte{[]byte("/srv/shop/uploads-2025")}, PlanHref: "#"}
	blank := &web.Job{Page: page("This job has just been asked for.", "", true), State: state(web.ToneBusy, "waiting")}
	list := &web.Jobs{Page: ops("jobs", tx.T("jobs.title"), "Three jobs are at work, one waits for its server."), Filters: []web.Filter{{Label: "All", Href: "#", Current: true, Count: -1}, {Label: "At work", Href: "#", Count: 3}, {Label: "Failed", Href: "#", Count: 1}}, Pager: web.Pager{First: "#", Next: "#"}, Rows: []web.JobRow{
		{Title: "Backup", Href: "#", Server: web.Link{Label: "shop-1", Href: "#"}, Customer: web.Link{Label: "Maple Bakery", Href: "#"}, State: state(web.ToneBusy, "running"), Note: "43 %", At: at(0.03)},
		{Title: "Backup", Href: "#", Server: web.Link{Label: "vineyard-web1", Href: "#"}, State: state(web.ToneBusy, "waiting"), Note: "the server is silent", At: at(0.5)},
		{Title: "Backup", Href: "#", Server: web.Link{Label: "orchard-db1", Href: "#"}, State: state(web.ToneBad, "failed"), Note: "the store is full", At: at(27), Took: 12 * time.Second},
		{Title: "List a folder", Href: "#", Server: web.Link{Label: "shop-1", Href: "#"}, State: state(web.ToneGood, "done"), At: at(28), Took: 800 * time.Millisecond}}}
	empty := &web.Jobs{Page: ops("jobs", tx.T("jobs.title"), "There is no job.")}
	return []Sample{{"job-running", running}, {"job-waiting", waiting}, {"job-failed", failed}, {"job-partial", partial}, {"job-missing", gone}, {"job-empty", blank}, {"jobs-full", list}, {"jobs-empty", empty}}
}

func activity(tx *web.Text) []Sample {
	full := &web.Activity{Page: customer("activity", tx.T("activity.title"), "Everything that was done for you, newest first."), Events: events(), Pager: web.Pager{Next: "#"}, Filters: []web.Filter{{Label: "All", Href: "#", Current: true, Count: -1}, {Label: "Backups", Href: "#", Count: -1}, {Label: "Restores", Href: "#", Count: -1}}}
	full.Evidence = "#"
	for i := range full.Events {
		full.Events[i].Href = "#"
		if full.Events[i].Who != "" {
			full.Events[i].WhoHref = "#"
		}
	}
	sifted := *full
	sifted.Narrowed, sifted.By, sifted.From, sifted.People = true, "con_1", "2026-11-31", []web.Link{{Label: "Ines Moreau", Href: "con_1"}}
	sifted.Errors = []web.FieldError{{Field: "from", Message: tx.T("activity.no_day")}}
	nothing := &web.Activity{Page: customer("activity", tx.T("activity.title"), tx.T("activity.none")), Narrowed: true, By: "con_1", People: sifted.People}
	empty := &web.Activity{Page: customer("activity", tx.T("activity.title"), "Nothing was recorded yet.")}
	return []Sample{{"activity-full", full}, {"activity-empty", empty}, {"activity-sifted", &sifted}, {"activity-nothing", nothing}}
}

func account(tx *web.Text) []Sample {
	full := &web.Account{Page: customer("account", tx.T("account.title"), "You are signed in in two places."), Email: "ines@maple.example", Role: "owner", Sessions: []web.SessionRow{
		{Browser: "Firefox on Linux", Address: "203.0.113.9", Started: at(2), Seen: at(0), Expires: at(-10), This: true},
		{Browser: "Safari on iPhone", Address: "198.51.100.4", Started: at(40), Seen: at(20), Expires: at(-4), Revoke: "#"}}}
	full.TokenDays, full.Days, full.Permissions = []int{7, 30}, 30, []web.Choice{{Value: "backup.run", Label: "start backups"}, {Value: "file.read", Label: "look into copies", Chosen: true}, {Value: "job.read", Label: "see jobs"}}
	full.Presets = []web.RoleChoice{{Value: "look", Label: tx.T("token.look"), Note: tx.T("token.look_note"), Chosen: true}, {Value: "chosen", Label: tx.T("token.chosen"), Note: tx.T("token.chosen_note")}}
	full.Ready, full.Others, full.SignIn = true, true, []web.Pair{{Label: "Password", Value: "set today 09:12"}, {Label: "Second factor", Value: "authenticator app, since Wed 18 Nov 09:12"}, {Label: "Recovery codes", Value: "10 are left"}}
	low := *full
	low.Low, low.Choosing = true, true
	demo := *full
	demo.Ready, demo.Others, demo.SignIn, demo.Sessions = false, false, nil, full.Sessions[:1]
	made := *full
	made.Say, made.Secret = tx.T("token.say_made"), "ost_customer_9f2kq0v7x3m1zt6y5r8w4b2n_1a2b3c4d"
	made.Tokens = []web.TokenRow{{Name: "backup check", May: []string{"look into copies", "see jobs"}, Made: at(0), Expires: at(-720), Revoke: "#"}}
	return []Sample{{"account-full", full}, {"account-token", &made}, {"account-low", &low}, {"account-demo", &demo}}
}

func faults(*web.Text) []Sample {
	missing := &web.Fault{Page: customer("", "Not found", "There is no such page."), Status: 404, Next: "Check the address, or go back to the list and choose it there.", Back: web.Link{Label: "To the first page", Href: "/"}}
	forbidden := &web.Fault{Page: customer("", "Not allowed", "Your role does not include this."), Status: 403, Next: "Ask an owner of your account, or us, to do it or to change your role.", Back: missing.Back}
	broken := &web.Fault{Page: nobody("Error", "Something went wrong on our side."), Status: 500, Next: "Try again in a minute. If it stays, tell us.", Back: missing.Back}
	broken.RequestID = "req_06f2k0x9yqj6v3n8d4tbz1c5ra"
	return []Sample{{"fault-404", missing}, {"fault-403", forbidden}, {"fault-500", broken}}
}
