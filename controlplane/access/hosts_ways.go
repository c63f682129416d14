package access

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"ostler/agents/wire"
	"ostler/controlplane"
)

// waysAtMost are the ways in of one account that are taken from a scan.
const waysAtMost = 500

// wayIn is one thing that a scan shows.
type wayIn struct {
	kind  FoundKind
	data  foundData
	whole string // its rights, with what is not kept of them
}

// fingerprint is how a host names a key. What is named otherwise is shown, and is
// never known again on another server.
var fingerprint = regexp.MustCompile(`^SHA256:[A-Za-z0-9+/]{43}$`)

// same is what makes it the same at the next scan. A comment is not.
func (w wayIn) same() string {
	if w.kind == FoundLogin {
		return w.data.Account + "|" + w.data.File + "|" + w.data.From
	}
	return w.data.Account + "|" + w.data.Fingerprint + "|" + w.whole
}

// wayList is what a scan shows, each once.
type wayList struct {
	list  []wayIn
	more  []string // accounts that have more than are taken
	seen  map[string]bool
	count map[string]int // by account
	homes map[string]string
}

// add adds a way in; hash changes with what is not kept of its rights.
func (l *wayList) add(kind FoundKind, d foundData, hash string) {
	w := wayIn{kind: kind, whole: d.Rights}
	if hash != "" {
		w.whole += "|" + controlplane.Line(hash, 80)
	}
	d.Fingerprint, d.File = controlplane.Line(d.Fingerprint, 80), controlplane.Line(d.File, 200)
	d.Account, d.Rights, d.Comment, d.From = controlplane.Line(d.Account, 64), controlplane.Line(d.Rights, 200), controlplane.Line(d.Comment, 120), controlplane.Line(d.From, 120)
	d.Home = controlplane.Line(l.homes[d.Account], 1024)
	w.data = d
	key := string(kind) + "|" + w.same()
	if l.seen[key] {
		return
	}
	l.seen[key] = true
	l.count[d.Account]++
	switch n := l.count[d.Account]; {
	case n <= waysAtMost:
		l.list = append(l.list, w)
	case n == waysAtMost+1:
		l.more = append(l.more, fmt.Sprintf("more than %d ways in as %s", waysAtMost, cmp.Or(d.Account, "anybody")))
	}
}

// waysIn are the ways in of a scan, each once; more says which accounts have more
// than are taken.
func waysIn(scan wire.AccessScan, now time.Time) (list []wayIn, more []string) {
	all := wayList{seen: map[string]bool{}, count: map[string]int{}, homes: map[string]string{}}
	locked := map[string]bool{}
	for _, a := range scan.Accounts {
		all.homes[a.Name] = a.Home
	}
	for _, a := range scan.Accounts {
		locked[a.Name] = a.Locked
		if scan.Passwords && a.Password && !a.Locked && (a.UID != 0 || scan.RootLogin == "yes") {
			rights := "password"
			if a.UID == 0 {
				rights = "password, root"
			}
			all.add(FoundAccount, foundData{Account: a.Name, Rights: rights}, "")
		}
	}
	for _, k := range scan.Keys {
		if locked[k.Account] || k.ExpiresAt != 0 && k.ExpiresAt <= now.UnixMilli() || k.Account == "root" && scan.RootLogin == "no" {
			continue
		}
		rights := slices.Clone(k.Options)
		if k.Authority {
			rights = append([]string{"whoever it signs"}, rights...)
		}
		all.add(FoundKey, foundData{Account: k.Account, Fingerprint: k.Fingerprint, Rights: strings.Join(rights, ", "), Comment: k.Comment, File: k.File}, k.OptionsHash)
	}
	for _, h := range scan.Sudo {
		for _, account := range sudoers(h) {
			all.add(FoundSudo, foundData{Account: account, Rights: sudoText(h), File: h.File}, h.RunsHash)
		}
	}
	for _, c := range scan.CAs {
		rights := "whoever it signs"
		if c.Teleport {
			rights += "; by its place, Teleport's"
		}
		all.add(FoundCA, foundData{Fingerprint: c.Fingerprint, Rights: rights, File: c.File}, "")
	}
	for _, l := range scan.Logins {
		if !l.Teleport { // the cluster knows of those
			all.add(FoundLogin, foundData{Account: l.Account, From: l.From, File: l.Line}, "")
		}
	}
	return all.list, all.more
}

// sudoers are the accounts of a right; root needs none.
func sudoers(h wire.HostSudo) []string {
	accounts := h.Members
	if !strings.HasPrefix(h.Who, "%") {
		accounts = []string{h.Who}
	}
	return slices.DeleteFunc(slices.Clone(accounts), func(a string) bool { return a == "root" || a == "#0" })
}

func sudoText(h wire.HostSudo) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "sudo: %s as %s", h.Runs, h.As)
	if h.NoPassword {
		b.WriteString(", without a password")
	}
	if strings.HasPrefix(h.Who, "%") {
		b.WriteString(", by " + h.Who)
	}
	return b.String()
}
