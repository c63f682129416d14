package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/sessions"
	"ostler/controlplane/teleport/teleporttest"
)

// shell writes what a terminal showed, as somebody who types.
type shell struct {
	prompt string
	steps  []teleporttest.Step
}

func (s *shell) show(after time.Duration, text string) {
	s.steps = append(s.steps, teleporttest.Step{After: after, Print: text})
}

// run types a command and shows what it said; the kernel saw it, too.
func (s *shell) run(think time.Duration, command string, said ...string) {
	s.show(think, s.prompt)
	for i := 0; i < len(command); i += 3 {
		s.show(170*time.Millisecond, command[i:min(i+3, len(command))])
	}
	s.show(300*time.Millisecond, "\r\n")
	s.steps = append(s.steps, teleporttest.Step{After: 10 * time.Millisecond, Ran: command})
	for _, line := range said {
		s.show(90*time.Millisecond, line+"\r\n")
	}
}

func (s *shell) leave() []teleporttest.Step {
	s.show(2*time.Second, s.prompt+"exit\r\nlogout\r\n")
	return s.steps
}

// upgrade is an ordinary piece of work.
func upgrade(host, login string) []teleporttest.Step {
	s := &shell{prompt: fmt.Sprintf("\x1b[1;32m%s@%s\x1b[0m:~# ", login, host)}
	s.show(400*time.Millisecond, "Linux "+host+" 6.1.0-44-amd64\r\nLast login: from 192.0.2.10\r\n")
	s.run(3*time.Second, "apt-get -s upgrade", "Reading package lists... Done", "3 upgraded, 0 newly installed, 0 to remove.", "Inst libssl3 [3.0.17] (3.0.18 Debian)", "Inst nginx [1.22.1-9] (1.22.1-9+deb12u3)")
	s.run(40*time.Second, "apt-get -y upgrade", "Reading package lists... Done", "Unpacking nginx (1.22.1-9+deb12u3) over (1.22.1-9) ...", "Setting up libssl3 (3.0.18) ...", "Setting up nginx (1.22.1-9+deb12u3) ...")
	s.run(9*time.Second, "systemctl restart nginx")
	s.run(4*time.Second, "systemctl is-active nginx", "active")
	s.run(2*time.Second, "curl -sI http://localhost | head -1", "HTTP/1.1 200 OK")
	return s.leave()
}

// risky is what somebody independent should look at.
func risky(host, root string) []teleporttest.Step {
	s := &shell{prompt: "root@" + host + ":~# "}
	s.run(2*time.Second, "df -h /srv", "Filesystem      Size  Used Avail Use% Mounted on", "/dev/vda1        40G   38G  2.0G  96% /")
	s.run(12*time.Second, "du -sh "+root+"/cache", "11G	"+root+"/cache")
	s.run(75*time.Second, "rm -rf "+root+"/cache")
	s.run(5*time.Second, "df -h /srv", "Filesystem      Size  Used Avail Use% Mounted on", "/dev/vda1        40G   27G   13G  68% /")
	s.run(6*time.Second, "cat /etc/shadow | cut -d: -f1", "root", "ops", "agency")
	return s.leave()
}

// together is two colleagues in one terminal.
func together(host, second string) []teleporttest.Step {
	s := &shell{prompt: "ops@" + host + ":~$ "}
	s.run(2*time.Second, "tail -3 /var/log/nginx/error.log", "upstream timed out (110: Connection timed out)", "upstream timed out (110: Connection timed out)", "upstream timed out (110: Connection timed out)")
	s.steps = append(s.steps, teleporttest.Step{After: 90 * time.Second, Join: second})
	s.run(20*time.Second, "# Dana, is that the pool again? – yes, the limit is too low")
	s.run(30*time.Second, "sudo sed -i s/pm.max_children=5/pm.max_children=20/ /etc/php/8.2/fpm/pool.d/www.conf")
	s.run(3*time.Second, "sudo systemctl reload php8.2-fpm")
	s.steps = append(s.steps, teleporttest.Step{After: 12 * time.Second, Leave: second})
	return s.leave()
}

// worked plays what colleagues did on a day, at the fake cluster and in the
// hosts' own records: nobody logs in anywhere.
func (d *demo) worked(day int, last bool, at time.Time) error {
	co, at := d.cast.company, at.Add(-5*time.Hour)
	plays := []teleporttest.Script{}
	if at.Before(d.clock.Now()) { // the company did not exist then
		return nil
	}
	switch {
	case last:
		plays = append(plays,
			teleporttest.Script{User: "bela", Login: "root", Node: "node-" + co[0].server, Start: at, From: "192.0.2.10:50122", Size: "100:30", Steps: risky(co[0].server, co[0].root)},
			teleporttest.Script{User: "chidi", Login: "ops", Node: "node-" + co[1].server, Start: at.Add(time.Hour), From: "192.0.2.14:41190", Size: "100:30", NoUpload: true, Steps: upgrade(co[1].server, "ops")})
		if err := d.outside(co[0].server, at.Add(2*time.Hour)); err != nil {
			return err
		}
	case day%3 == 0:
		plays = append(plays, teleporttest.Script{User: "bela", Login: "root", Node: "node-" + co[day%2].server, Start: at, From: "192.0.2.10:50100", Size: "100:30", Steps: upgrade(co[day%2].server, "root")})
	case day%3 == 1:
		plays = append(plays, teleporttest.Script{User: "chidi", Login: "ops", Node: "node-" + co[2].server, Start: at, From: "192.0.2.14:41102", Size: "100:30", Steps: together(co[2].server, "dana")})
	default:
		plays = append(plays, teleporttest.Script{User: "chidi", Login: "ops", Node: "node-" + co[1].server, Start: at, From: "192.0.2.14:41110", Size: "100:30", Steps: upgrade(co[1].server, "ops")})
	}
	for _, p := range plays {
		if _, err := d.cluster.Play(p); err != nil {
			return fmt.Errorf("demo: sessions: %w", err)
		}
	}
	return nil
}

// outside writes into a host's records that somebody came in by its own sshd,
// with the key that its installation left there.
func (d *demo) outside(server string, at time.Time) error {
	f, err := os.OpenFile(filepath.Join(d.host(server), "var/log/auth.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("demo: logins: %w", err)
	}
	_, err = f.WriteString(authLine(server, at, "sshd[4242]: Accepted publickey for root from 203.0.113.7 port 40022 ssh2: ED25519 SHA256:"+strings.Repeat("u", 43)) +
		authLine(server, at.Add(9*time.Minute), "sshd[4242]: Disconnected from user root 203.0.113.7 port 40022"))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("demo: logins: %w", err)
	}
	return nil
}

// authLine is a line as syslog writes it.
func authLine(host string, at time.Time, text string) string {
	return fmt.Sprintf("%s %s %s\n", at.UTC().Format("2006-01-02T15:04:05.000000+00:00"), host, text)
}

// reviewed has the sessions read whose log has come, one of them judged, and one
// with a colleague who watches it now.
func (d *demo) reviewed(ctx context.Context, say func(string, ...any)) error {
	if _, err := d.app.Sessions.ReadNow(ctx, everyone); err != nil {
		return fmt.Errorf("demo: sessions: %w", err)
	}
	var last error
	var list []sessions.Session
	err := waitFor(ctx, "the sessions", func() bool {
		if last = d.settle(ctx, "sessions.read", "session.fetch"); last != nil {
			return false
		}
		list, _, last = d.app.Sessions.List(ctx, everyone, sessions.Filter{Limit: 200})
		stored, awaited := 0, 0
		for _, s := range list {
			switch s.State {
			case sessions.Stored:
				stored++
			case sessions.Ended, sessions.Uploaded:
				awaited++
			}
		}
		return last == nil && stored >= 2 && awaited == 0
	})
	if err != nil { // they come by and by: nobody need wait for that
		feed, why := d.app.Sessions.Feed(ctx, everyone)
		say("Not all sessions are there yet: %s", errors.Join(err, last, why))
		say("Teleport's log is read to %s. %s", feed.ReadTo.Format(time.RFC3339), feed.Trouble)
		for _, s := range list {
			say("  %s %s", s.StartedAt.Format(time.RFC3339), s.State)
		}
		return nil
	}
	return d.judged(ctx, list)
}

// judged has the first of the staff judge the oldest session, and a colleague
// claim the riskiest.
func (d *demo) judged(ctx context.Context, list []sessions.Session) error {
	var oldest, riskiest sessions.Session
	for _, s := range list { // the latest first
		if s.State != sessions.Stored {
			continue
		}
		oldest = s
		if s.Risk.Score > riskiest.Risk.Score {
			riskiest = s
		}
	}
	if oldest.ID == riskiest.ID {
		return nil
	}
	if _, err := d.app.Sessions.OpenViewing(ctx, everyone, oldest.ID, "transcript", "review"); err != nil {
		return fmt.Errorf("demo: review: %w", err)
	}
	s, err := d.app.Sessions.Claim(ctx, everyone, oldest.ID)
	if err == nil {
		_, err = d.app.Sessions.Judge(ctx, everyone, oldest.ID, sessions.Fine, "Upgrade as announced in the ticket", s.Version)
	}
	if err != nil {
		return fmt.Errorf("demo: review: %w", err)
	}
	if riskiest.ID == "" {
		return nil
	}
	dana, err := d.colleague(ctx, "Dana Lindqvist")
	if err != nil {
		return err
	}
	if _, err := d.app.Sessions.Claim(dana, everyone, riskiest.ID); err != nil {
		return fmt.Errorf("demo: review: %w", err)
	}
	return nil
}

// colleague is a context in which one of the staff acts.
func (d *demo) colleague(ctx context.Context, name string) (context.Context, error) {
	all, err := d.app.Access.People(ctx, everyone)
	if err != nil {
		return nil, fmt.Errorf("demo: people: %w", err)
	}
	for _, p := range all {
		if p.Name == name {
			return controlplane.WithActor(ctx, controlplane.Actor{Kind: controlplane.ActorStaff, ID: p.Staff, Role: "ops"}), nil
		}
	}
	return nil, fmt.Errorf("demo: %s is not one of the staff", name)
}
