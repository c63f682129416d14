// Package sample holds made-up pages in every state, for the tests that render
// them and for the preview. The data is one story and agrees with itself.
package sample

import (
	"time"

	"ostler/web"
)

// Sample is one page in one state.
type Sample struct {
	Name string // "server-silent": page and state
	View web.View
}

// Now is the instant at which every sample is looked at.
var Now = time.Date(2026, 11, 21, 13, 20, 0, 0, time.UTC)

// All returns every sample; tx has the texts of the language.
func All(tx *web.Text) []Sample {
	var all []Sample
	for _, f := range []func(*web.Text) []Sample{signIn, today, servers, server, enrol, customerList, plan, job, home, find, versions, basket, namesLists, backups, folder, file, download, onServer, restoreList, certificateList, padlocks, certificate, certForms, sites, certConfirms, certSettings, campaigns, foundCerts, certLimits, accessSamples, sessionSamples, incidentSamples, assistForm, askUs, recoveryKey, activity, account, faults, people, ownSignIn, record} {
		all = append(all, f(tx)...)
	}
	return all
}

func at(hoursAgo float64) time.Time {
	return Now.Add(-time.Duration(hoursAgo * float64(time.Hour)))
}

func zone() *time.Location {
	z, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return time.UTC
	}
	return z
}

func nobody(title, say string) web.Page {
	return web.Page{Title: title, Say: say, Now: Now, Zone: zone(), Self: "/"}
}

func ops(nav, title, say string) web.Page {
	p := nobody(title, say)
	p.Nav = nav
	p.Viewer = web.Viewer{Name: "Ada Keller", Company: "Harbour Hosting", Staff: true, May: map[string]bool{
		"cert.read": true, "access.read": true, "session.read": true, "incident.read": true, "server.enrol": true, "customer.write": true, "plan.write": true, "backup.run": true, "job.cancel": true,
	}}
	return p
}

func customer(nav, title, say string) web.Page {
	p := nobody(title, say)
	p.Nav = nav
	p.Viewer = web.Viewer{Name: "Ines Moreau", Company: "Maple Bakery", May: map[string]bool{
		"cert.read": true, "access.read": true, "session.read": true, "incident.read": true, "file.read": true, "restore.run": true, "backup.run": true, "key.confirm": true, "people.read": true,
	}}
	return p
}

// days is a calendar of 90 days with a few bad ones.
func days(name string, bad map[int]web.DayState) web.Calendar {
	c := web.Calendar{Name: name, Until: Now}
	for i := range 90 {
		d := web.DayComplete
		if s, ok := bad[i]; ok {
			d = s
		}
		if i < 6 {
			d = web.DayNone
		}
		c.Days = append(c.Days, d)
	}
	return c
}

func state(tone web.Tone, word string) web.State { return web.State{Tone: tone, Word: word} }

func pages[V web.View](name string, states map[string]V, order ...string) []Sample {
	var out []Sample
	for _, s := range order {
		out = append(out, Sample{name + "-" + s, states[s]})
	}
	return out
}
