package renewal

import "time"

// Retry is when to try again after a failure at now; attempts is how many have
// failed in a row, this one included: after 1, 10 and 100 minutes, then daily,
// each up to a tenth later by chance. A certificate that ends soon is tried at
// least six times in the life that it has left, but never sooner than those
// steps say for the first three.
func (p Planner) Retry(c Certificate, attempts int, now time.Time) time.Time {
	steps := [...]time.Duration{time.Minute, 10 * time.Minute, 100 * time.Minute}
	wait := day
	if attempts <= len(steps) {
		wait = steps[max(attempts, 1)-1]
	} else if left := c.NotAfter.Sub(now); left > 0 && left/6 < wait {
		wait = max(left/6, steps[len(steps)-1])
	}
	return now.Add(wait + p.within(0, wait/10))
}

// Thresholds are the days left at which people are told, the most first.
func Thresholds() []int { return []int{14, 7, 3, 1} }

// noticeLife is the shortest lifetime whose notices come at their full days.
const noticeLife = 60 * day

// noticeAt is how long before its end people are told of a threshold. A short
// life has it in proportion: it would be told of right after it was issued.
func noticeAt(c Certificate, days int) time.Duration {
	at := time.Duration(days) * day
	if life := c.Lifetime(); life < noticeLife {
		at = time.Duration(float64(at) * float64(life) / float64(noticeLife))
	}
	return at
}

// Notice returns the threshold that people are to be told of at now, in days of
// Thresholds; told is the last one they were told of for this certificate, 0
// for none. What was missed is told once, at the nearest. ok is false where
// there is nothing to tell.
func Notice(c Certificate, told int, now time.Time) (days int, ok bool) {
	left := c.NotAfter.Sub(now)
	for _, d := range Thresholds() {
		if left <= noticeAt(c, d) && (told == 0 || d < told) {
			days, ok = d, true
		}
	}
	return days, ok
}

// NextNotice is when Notice has something to tell next, told being the last
// that was told; the zero time where nothing is left.
func NextNotice(c Certificate, told int) time.Time {
	for _, d := range Thresholds() {
		if told == 0 || d < told {
			return c.NotAfter.Add(-noticeAt(c, d))
		}
	}
	return time.Time{}
}
