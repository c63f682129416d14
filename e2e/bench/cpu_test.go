package bench_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"ostler/e2e/world"
)

// spenders are processes whose use of the processors is told one by one. It
// says what a thing costs even where others are busy on the machine.
type spenders map[string]*world.Proc

// spent is what each of them, and those that they have waited for, have used so
// far; "test" is this process.
func (s spenders) spent() map[string]time.Duration {
	out := map[string]time.Duration{"test": cpuTime()}
	for name, p := range s {
		out[name] = processTime(p.Cmd.Process.Pid)
	}
	return out
}

// since is what was used since before, for each of n things in milliseconds: in
// all, and as words, the largest share first.
func (s spenders) since(before map[string]time.Duration, n int) (all float64, words string) {
	type share struct {
		name string
		ms   float64
	}
	var shares []share
	for name, d := range s.spent() {
		ms := millis(d-before[name]) / float64(n)
		all += ms
		shares = append(shares, share{name, ms})
	}
	slices.SortFunc(shares, func(a, b share) int { return int(1000 * (b.ms - a.ms)) })
	var parts []string
	for _, x := range shares {
		parts = append(parts, fmt.Sprintf("%s %.1f", x.name, x.ms))
	}
	return all, strings.Join(parts, ", ")
}

// processTime is what a process and the children that it has waited for have
// used of the processors, in hundredths of a second.
func processTime(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	var ticks [4]int64 // user, system, and the children's
	rest := b[bytes.LastIndexByte(b, ')')+1:]
	fields := strings.Fields(string(rest)) // from the third one on
	for i := range ticks {
		if len(fields) > 11+i {
			_, _ = fmt.Sscan(fields[11+i], &ticks[i]) // of the kernel's own making
		}
	}
	return time.Duration(ticks[0]+ticks[1]+ticks[2]+ticks[3]) * 10 * time.Millisecond
}
