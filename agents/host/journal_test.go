package host_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ostler/agents/host"
	"ostler/agents/wire"
)

func openJournal(t *testing.T, dir string, now time.Time) (*host.Journal, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	j, err := host.OpenJournal(dir, slog.New(slog.NewTextHandler(&log, nil)), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j, &log
}

func TestJournalStartsOnce(t *testing.T) {
	tests := []struct {
		name   string
		action wire.Action
		before func(j *host.Journal) error
		want   error
	}{
		{"new", wire.ActionBackup, func(*host.Journal) error { return nil }, nil},
		{"at most once, started", wire.ActionBackup, func(j *host.Journal) error {
			return j.Start(host.Entry{Job: "job_1", Action: wire.ActionBackup})
		}, host.ErrStartedBefore},
		{"idempotent, started", wire.ActionInventory, func(j *host.Journal) error {
			return j.Start(host.Entry{Job: "job_1", Action: wire.ActionInventory})
		}, nil},
		{"resumable, started", wire.ActionDownload, func(j *host.Journal) error {
			return j.Start(host.Entry{Job: "job_1", Action: wire.ActionDownload})
		}, nil},
		{"idempotent, finished", wire.ActionInventory, func(j *host.Journal) error {
			return j.Finish(host.Entry{Job: "job_1", Action: wire.ActionInventory})
		}, host.ErrStartedBefore},
		{"failed, not acknowledged", wire.ActionInventory, func(j *host.Journal) error {
			return j.Finish(host.Entry{Job: "job_1", Action: wire.ActionInventory, Outcome: wire.Failed})
		}, host.ErrStartedBefore},
		{"failed and acknowledged", wire.ActionBackup, func(j *host.Journal) error {
			return errors.Join(j.Finish(host.Entry{Job: "job_1", Action: wire.ActionBackup, Outcome: wire.Failed}), j.Ack("job_1"))
		}, nil},
		{"failed and acknowledged in this very epoch", wire.ActionBackup, func(j *host.Journal) error {
			return errors.Join(j.Finish(host.Entry{Job: "job_1", Epoch: 9, Action: wire.ActionBackup, Outcome: wire.Failed}), j.Ack("job_1"))
		}, host.ErrStartedBefore},
		{"interrupted, at most once", wire.ActionBackup, func(j *host.Journal) error {
			return errors.Join(j.Finish(host.Entry{Job: "job_1", Action: wire.ActionBackup, Outcome: wire.Interrupted}), j.Ack("job_1"))
		}, host.ErrStartedBefore},
		{"interrupted, idempotent", wire.ActionList, func(j *host.Journal) error {
			return errors.Join(j.Finish(host.Entry{Job: "job_1", Action: wire.ActionList, Outcome: wire.Interrupted}), j.Ack("job_1"))
		}, nil},
		{"cancelled", wire.ActionInventory, func(j *host.Journal) error {
			return errors.Join(j.Finish(host.Entry{Job: "job_1", Outcome: wire.Cancelled}), j.Ack("job_1"))
		}, host.ErrStartedBefore},
		{"acknowledged", wire.ActionInventory, func(j *host.Journal) error {
			return errors.Join(j.Finish(host.Entry{Job: "job_1"}), j.Ack("job_1"))
		}, host.ErrStartedBefore},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			j, _ := openJournal(t, dir, time.Now())
			if err := tt.before(j); err != nil {
				t.Fatal(err)
			}
			_ = j.Close()
			j, _ = openJournal(t, dir, time.Now()) // what counts is what is on the disk
			if got := j.Start(host.Entry{Job: "job_1", Epoch: 9, Action: tt.action}); !errors.Is(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestJournalDamage(t *testing.T) {
	write := func(t *testing.T) (dir string, data []byte) {
		dir = t.TempDir()
		j, _ := openJournal(t, dir, time.Now())
		for _, id := range []string{"job_1", "job_2", "job_3"} {
			if err := j.Start(host.Entry{Job: id, Epoch: 4, Action: wire.ActionBackup}); err != nil {
				t.Fatal(err)
			}
		}
		_ = j.Close()
		data, err := os.ReadFile(filepath.Join(dir, "journal.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		return dir, data
	}
	tests := []struct {
		name   string
		damage func([]byte) []byte
		want   []string // jobs that are known after
		log    string
		aside  bool
	}{
		{"whole", func(b []byte) []byte { return b }, []string{"job_1", "job_2", "job_3"}, "", false},
		{"torn last line", func(b []byte) []byte { return b[:len(b)-20] }, []string{"job_1", "job_2"}, "journal.tail_cut", false},
		{"last line without its newline", func(b []byte) []byte { return b[:len(b)-1] }, []string{"job_1", "job_2"}, "journal.tail_cut", false},
		{"zeros at the end", func(b []byte) []byte { return append(b, make([]byte, 512)...) }, []string{"job_1", "job_2", "job_3"}, "journal.tail_cut", false},
		{"one bit in the last line", func(b []byte) []byte { b[len(b)-8] ^= 1; return b }, []string{"job_1", "job_2"}, "journal.tail_cut", false},
		{"one bit in the first line", func(b []byte) []byte { b[20] ^= 1; return b }, []string{"job_2", "job_3"}, "journal.damaged", true},
		{"empty", func([]byte) []byte { return nil }, nil, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, data := write(t)
			if err := os.WriteFile(filepath.Join(dir, "journal.jsonl"), tt.damage(data), 0o600); err != nil {
				t.Fatal(err)
			}
			j, log := openJournal(t, dir, time.Now())
			var got []string
			for _, e := range j.In(host.JobStarted) {
				got = append(got, e.Job)
			}
			if strings.Join(got, " ") != strings.Join(tt.want, " ") {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if tt.log == "" && log.Len() > 0 || !strings.Contains(log.String(), tt.log) {
				t.Errorf("log: got %q, want %q", log, tt.log)
			}
			copies, _ := filepath.Glob(filepath.Join(dir, "*.damaged-*"))
			if got := len(copies) == 1; got != tt.aside {
				t.Errorf("copy kept aside: got %v, want %v", got, tt.aside)
			}
			if err := j.Start(host.Entry{Job: "job_9", Action: wire.ActionBackup}); err != nil {
				t.Errorf("start after damage: %v", err)
			}
			_ = j.Close()
			again, log := openJournal(t, dir, time.Now())
			if _, ok := again.Get("job_9"); !ok || log.Len() > 0 {
				t.Errorf("after the repair: got %v, log %q", ok, log)
			}
		})
	}
}

func TestJournalForgets(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	j, _ := openJournal(t, dir, start)
	for _, e := range []host.Entry{
		{Job: "job_acked"},
		{Job: "job_acked_far", Until: start.Add(90 * 24 * time.Hour).UnixMilli()},
		{Job: "job_finished"},
	} {
		if err := j.Finish(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(j.Ack("job_acked"), j.Ack("job_acked_far"), j.Start(host.Entry{Job: "job_started"})); err != nil {
		t.Fatal(err)
	}
	_ = j.Close()
	tests := []struct {
		days int
		want string
	}{
		{29, "job_acked job_acked_far job_finished job_started"},
		{31, "job_acked_far job_started"},
		{91, "job_started"},
	}
	for _, tt := range tests {
		j, _ := openJournal(t, dir, start.Add(time.Duration(tt.days)*24*time.Hour))
		var got []string
		for _, e := range j.In(host.JobStarted, host.JobFinished, host.JobAcked) {
			got = append(got, e.Job)
		}
		if g := strings.Join(got, " "); g != tt.want {
			t.Errorf("after %d days: got %s, want %s", tt.days, g, tt.want)
		}
		_ = j.Close()
	}
}

func TestJournalStaysSmall(t *testing.T) {
	dir := t.TempDir()
	j, _ := openJournal(t, dir, time.Now())
	if err := j.Start(host.Entry{Job: "job_1", Action: wire.ActionBackup, Resource: strings.Repeat("r", 100<<10)}); err != nil {
		t.Fatal(err)
	}
	for i := range int64(100) {
		if err := j.SetEpoch("job_1", i+1); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Size(), int64(5<<20); got > want {
		t.Errorf("size: got %d, want at most %d", got, want)
	}
	if e, _ := j.Get("job_1"); e.Epoch != 100 {
		t.Errorf("epoch: got %d, want 100", e.Epoch)
	}
}
