package renewal_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"ostler/certs/renewal"
)

const day = 24 * time.Hour

var start = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

func planner(seed uint64) renewal.Planner {
	return renewal.Planner{Rand: rand.New(rand.NewPCG(seed, 1))}
}

func of(life time.Duration) renewal.Certificate {
	return renewal.Certificate{CertID: "a.b", NotBefore: start, NotAfter: start.Add(life)}
}

// lives are the lifetimes there are, with the share of each that is left when
// it is renewed.
var lives = []struct {
	name string
	life time.Duration
	left float64
}{
	{"90 days", 90 * day, 1. / 3}, {"64 days", 64 * day, 1. / 3}, {"45 days", 45 * day, 1. / 3},
	{"160 hours", 160 * time.Hour, 1. / 2}, {"10 days", 10 * day, 1. / 3}, {"a day", day, 1. / 2},
}

func TestFirstIsByTheLifetime(t *testing.T) {
	for _, l := range lives {
		c := of(l.life)
		for seed := range uint64(50) {
			p := planner(seed).First(c, start)
			if left := c.Left(p.At); left < l.left-0.011 || left > l.left+0.011 {
				t.Errorf("%s: renewed with %.3f left, want about %.3f", l.name, left, l.left)
			}
			if p.From != renewal.FromLifetime || p.CertID != c.CertID || p.At.Before(p.Start) || p.At.After(p.End) {
				t.Errorf("%s: got %s", l.name, p)
			}
			if wait := p.PollAt.Sub(start); wait < 0 || wait > time.Minute {
				t.Errorf("%s: the CA is asked after %s, want within a minute", l.name, wait)
			}
		}
	}
	if p := planner(1).First(renewal.Certificate{NotBefore: start, NotAfter: start.Add(90 * day)}, start); !p.PollAt.IsZero() {
		t.Errorf("without an id the CA is asked at %s, want never", p.PollAt)
	}
}

func TestFirstOfAnOldCertificate(t *testing.T) {
	c := of(90 * day)
	for name, now := range map[string]time.Time{"past its window": start.Add(70 * day), "expired": start.Add(100 * day)} {
		if p := planner(1).First(c, now); !p.At.Equal(now) {
			t.Errorf("%s: renewed at %s, want now", name, p.At)
		}
	}
	in := start.Add(60 * day)
	if p := planner(1).First(c, in); p.At.Before(in) || p.At.After(p.End) {
		t.Errorf("within its window: renewed at %s, want between now and %s", p.At, p.End)
	}
}

func TestAnswerIsTakenUpAndKept(t *testing.T) {
	for _, l := range lives {
		c := of(l.life)
		a := renewal.Answer{Start: c.NotAfter.Add(-l.life / 2), End: c.NotAfter.Add(-l.life / 2).Add(l.life / 50), RetryAfter: 6 * time.Hour}
		p, err := planner(3).Answered(planner(2).First(c, start), c, a, start)
		if err != nil {
			t.Fatalf("%s: %v", l.name, err)
		}
		if p.From != renewal.FromARI || p.At.Before(a.Start) || p.At.After(a.End) || !p.PollAt.Equal(start.Add(6*time.Hour)) {
			t.Errorf("%s: got %s, asked again at %s", l.name, p, p.PollAt)
		}
		for seed := range uint64(20) { // whoever asks again, by whatever chance
			again, err := planner(100+seed).Answered(p, c, a, start.Add(time.Duration(seed)*time.Minute))
			if err != nil || !again.At.Equal(p.At) {
				t.Fatalf("%s: the instant moved from %s to %s (%v)", l.name, p.At, again.At, err)
			}
		}
	}
}

func TestAnswers(t *testing.T) {
	c := of(90 * day)
	now := start.Add(20 * day)
	window := func(from, to time.Duration) renewal.Answer {
		return renewal.Answer{Start: start.Add(from), End: start.Add(to), RetryAfter: time.Hour}
	}
	before, err := planner(1).Answered(renewal.Plan{}, c, window(59*day, 61*day), now)
	if err != nil {
		t.Fatal(err)
	}
	earlier := window(21*day, 22*day)
	earlier.Explanation = "https://ca.example/incident"
	for _, tt := range []struct {
		name     string
		a        renewal.Answer
		from, to time.Duration // of the instant, since start
	}{
		{"the same", window(59*day, 61*day), before.At.Sub(start), before.At.Sub(start)},
		{"a little wider", window(58*day, 62*day), before.At.Sub(start), before.At.Sub(start)},
		{"earlier", earlier, 21 * day, 22 * day},
		{"later", window(63*day, 64*day), 63 * day, 64 * day},
		{"begun", window(19*day, 21*day), 20 * day, 21 * day},
		{"past: revoked", window(1*day, 2*day), 20 * day, 20 * day},
		{"beyond its end", window(80*day, 95*day), 80 * day, 85*day + 12*time.Hour},
	} {
		p, err := planner(9).Answered(before, c, tt.a, now)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if at := p.At.Sub(start); at < tt.from || at > tt.to {
			t.Errorf("%s: renewed %s after its start, want %s to %s", tt.name, at, tt.from, tt.to)
		}
		if p.Explanation != tt.a.Explanation || p.Bad != 0 {
			t.Errorf("%s: got %+v", tt.name, p)
		}
	}
}

func TestBadAnswersMoveNothing(t *testing.T) {
	c := of(90 * day)
	now := start.Add(20 * day)
	good, err := planner(1).Answered(renewal.Plan{}, c, renewal.Answer{Start: start.Add(50 * day), End: start.Add(51 * day), Explanation: "https://ca.example/why"}, now)
	if err != nil {
		t.Fatal(err)
	}
	hurried := c
	hurried.Hurried, hurried.NotBefore = true, now.Add(-time.Hour)
	for _, tt := range []struct {
		name string
		c    renewal.Certificate
		a    renewal.Answer
	}{
		{"{}", c, renewal.Answer{}},
		{"no start", c, renewal.Answer{End: start.Add(day)}},
		{"1970", c, renewal.Answer{Start: time.Unix(0, 0), End: time.Unix(86400, 0)}},
		{"end before start", c, renewal.Answer{Start: start.Add(51 * day), End: start.Add(50 * day)}},
		{"end at start", c, renewal.Answer{Start: start.Add(50 * day), End: start.Add(50 * day)}},
		{"after its end", c, renewal.Answer{Start: start.Add(91 * day), End: start.Add(92 * day)}},
		{"its last hours", c, renewal.Answer{Start: start.Add(89 * day), End: start.Add(92 * day)}},
		{"longer than its life", c, renewal.Answer{Start: start.Add(-30 * day), End: start.Add(80 * day)}},
		{"in the past, again, at once", hurried, renewal.Answer{Start: start.Add(-2 * day), End: start.Add(-day)}},
	} {
		for name, old := range map[string]renewal.Plan{"first": {}, "after a good one": good} {
			p, err := planner(5).Answered(old, tt.c, tt.a, now)
			if err == nil {
				t.Errorf("%s, %s: no error", tt.name, name)
			}
			if !p.At.After(now.Add(day)) {
				t.Errorf("%s, %s: renewed at %s, which is at once", tt.name, name, p.At)
			}
			if old.CertID != "" && (!p.At.Equal(old.At) || p.Explanation != old.Explanation || p.From != old.From) {
				t.Errorf("%s, %s: got %s, want what was known: %s", tt.name, name, p, old)
			}
			if old.CertID == "" && p.From != renewal.FromLifetime {
				t.Errorf("%s, %s: got %s, want it by the lifetime", tt.name, name, p)
			}
			if p.Bad != 1 {
				t.Errorf("%s, %s: %d bad answers in a row, want 1", tt.name, name, p.Bad)
			}
		}
	}
}

func TestBadAnswersAreCounted(t *testing.T) {
	c := of(90 * day)
	p := planner(1).First(c, start)
	at := p.At
	for i := range 50 {
		p = planner(uint64(i)).Failed(p, c, 0, start.Add(time.Duration(i)*6*time.Hour))
		if p.Bad != i+1 || !p.At.Equal(at) {
			t.Fatalf("failure %d: %d in a row, and %s became %s", i+1, p.Bad, at, p.At)
		}
	}
	p, err := planner(1).Answered(p, c, renewal.Answer{Start: start.Add(60 * day), End: start.Add(61 * day)}, start.Add(13*day))
	if err != nil || p.Bad != 0 {
		t.Errorf("after a good answer: %d bad (%v), want 0", p.Bad, err)
	}
}

// A window of the certificate before must not renew the one that replaced it.
func TestWindowBelongsToItsCertificate(t *testing.T) {
	old := of(90 * day)
	now := start.Add(30 * day)
	p, err := planner(1).Answered(renewal.Plan{}, old, renewal.Answer{Start: start.Add(day), End: start.Add(2 * day), Explanation: "https://ca.example/revoked"}, now)
	if err != nil || !p.At.Equal(now) {
		t.Fatalf("got %s (%v), want now", p, err)
	}
	next := renewal.Certificate{CertID: "a.c", NotBefore: now, NotAfter: now.Add(90 * day), Hurried: true}
	p = planner(1).Failed(p, next, 0, now.Add(time.Minute))
	if p.CertID != "a.c" || p.Explanation != "" || next.Left(p.At) > 0.35 || p.Bad != 1 {
		t.Errorf("got %s of %s, want the new one's lifetime", p, p.CertID)
	}
}

func TestPollsAreClamped(t *testing.T) {
	c := of(90 * day)
	for said, want := range map[time.Duration]time.Duration{
		0: 6 * time.Hour, -time.Hour: 6 * time.Hour, time.Second: time.Minute, time.Minute: time.Minute, 6 * time.Hour: 6 * time.Hour,
		day: day, 400 * day: day,
	} {
		p, err := planner(1).Answered(renewal.Plan{}, c, renewal.Answer{Start: start.Add(60 * day), End: start.Add(61 * day), RetryAfter: said}, start)
		if err != nil || p.PollAt.Sub(start) != want {
			t.Errorf("Retry-After %s: asked again after %s (%v), want %s", said, p.PollAt.Sub(start), err, want)
		}
		if p = planner(1).Failed(p, c, said, start); p.PollAt.Sub(start) != want {
			t.Errorf("Retry-After %s of a failure: asked again after %s, want %s", said, p.PollAt.Sub(start), want)
		}
	}
}

// Renewals of the same window spread over its hours, also where the hours
// around it are taken already.
func TestSpread(t *testing.T) {
	hours := map[int64]int{}
	p := planner(4)
	p.Load = func(at time.Time) int { return hours[at.Unix()/3600] }
	const window, each = 40, 25
	c := of(90 * day)
	a := renewal.Answer{Start: start.Add(60 * day).Truncate(time.Hour), End: start.Add(60 * day).Truncate(time.Hour).Add(window * time.Hour)}
	for range window * each {
		plan, err := p.Answered(renewal.Plan{}, c, a, start)
		if err != nil {
			t.Fatal(err)
		}
		hours[plan.At.Unix()/3600]++
	}
	for h, n := range hours {
		if float64(n) > 1.5*each {
			t.Errorf("hour %d has %d renewals, the mean is %d", h, n, each)
		}
	}
	if len(hours) != window {
		t.Errorf("%d hours have any, want %d", len(hours), window)
	}
}

func TestRetry(t *testing.T) {
	c := of(90 * day)
	for _, tt := range []struct {
		attempts int
		at, want time.Duration // since start
	}{
		{0, 60 * day, time.Minute}, {1, 60 * day, time.Minute}, {2, 60 * day, 10 * time.Minute}, {3, 60 * day, 100 * time.Minute},
		{4, 60 * day, day}, {30, 60 * day, day}, {5, 87 * day, 12 * time.Hour}, {9, 89*day + 23*time.Hour, 100 * time.Minute}, {9, 91 * day, day},
	} {
		seen := map[time.Duration]bool{}
		for seed := range uint64(20) {
			got := planner(seed).Retry(c, tt.attempts, start.Add(tt.at)).Sub(start.Add(tt.at))
			if got < tt.want || got > tt.want+tt.want/10 {
				t.Errorf("attempt %d: tried again after %s, want %s and up to a tenth", tt.attempts, got, tt.want)
			}
			seen[got] = true
		}
		if len(seen) < 5 {
			t.Errorf("attempt %d: %d different waits of 20, want them spread", tt.attempts, len(seen))
		}
	}
}

func TestNotices(t *testing.T) {
	for _, tt := range []struct {
		name string
		life time.Duration
		want map[int]time.Duration // threshold → left when told
	}{
		{"90 days", 90 * day, map[int]time.Duration{14: 14 * day, 7: 7 * day, 3: 3 * day, 1: day}},
		{"64 days", 64 * day, map[int]time.Duration{14: 14 * day, 7: 7 * day, 3: 3 * day, 1: day}},
		{"45 days", 45 * day, map[int]time.Duration{14: 252 * time.Hour, 7: 126 * time.Hour, 3: 54 * time.Hour, 1: 18 * time.Hour}},
		{"160 hours", 160 * time.Hour, map[int]time.Duration{14: 37 * time.Hour, 7: 18 * time.Hour, 3: 8 * time.Hour, 1: 2 * time.Hour}},
	} {
		c := of(tt.life)
		got := map[int]time.Duration{}
		told := 0
		for left := tt.life; left > 0; left -= time.Hour {
			now := c.NotAfter.Add(-left)
			next := renewal.NextNotice(c, told)
			if d, ok := renewal.Notice(c, told, now); ok {
				if next.After(now) {
					t.Errorf("%s: told at %s, before %s", tt.name, now, next)
				}
				got[d], told = left, d
			}
		}
		for d, want := range tt.want {
			if got[d] > want || got[d] < want-time.Hour {
				t.Errorf("%s: told of %d days with %s left, want %s", tt.name, d, got[d], want)
			}
		}
		if len(got) != len(tt.want) || !renewal.NextNotice(c, told).IsZero() {
			t.Errorf("%s: told %v, want four times and no more", tt.name, got)
		}
	}
	if d, ok := renewal.Notice(of(90*day), 0, start.Add(88*day)); !ok || d != 3 {
		t.Errorf("after a long silence: told of %d (%t), want only the nearest, 3", d, ok)
	}
	// A renewal that goes as planned shouts at nobody.
	for _, l := range lives[:4] {
		c := of(l.life)
		if d, ok := renewal.Notice(c, 0, planner(1).First(c, start).At); ok {
			t.Errorf("%s: told of %d days when it is renewed as planned", l.name, d)
		}
	}
}
