package bench_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"
)

// figure is one line of the table.
type figure struct {
	name   string
	got    float64
	budget float64 // at most; 0 has none: the line is there to be compared with others
	least  float64 // at least; 0 has none
	unit   string  // "×", "ms", "MiB", "µs"
	detail string
}

var figures []figure

// report adds a line to the table.
func report(b *testing.B, f figure) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // one run of many turns: the time of the whole says nothing
	figures = append(figures, f)
}

func TestMain(m *testing.M) {
	code := m.Run()
	if len(figures) > 0 {
		fmt.Printf("\n%s, %d cores, %s/%s, %s\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, load())
		table()
	}
	os.Exit(code)
}

func table() {
	w := tabwriter.NewWriter(os.Stdout, 2, 8, 2, ' ', 0)
	fmt.Fprintln(w, "figure\tmeasured\tbudget\t\t")
	for _, f := range figures {
		budget, verdict := "", ""
		if f.budget > 0 {
			budget, verdict = "≤ "+number(f.budget, f.unit), "ok"
			if f.got > f.budget {
				verdict = "over"
			}
		}
		if f.least > 0 {
			budget, verdict = "≥ "+number(f.least, f.unit), "ok"
			if f.got < f.least {
				verdict = "under"
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", f.name, number(f.got, f.unit), budget, verdict, f.detail)
	}
	_ = w.Flush()
}

func number(v float64, unit string) string {
	if unit == "×" {
		return fmt.Sprintf("%.2f×", v)
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}

// load is what else the machine was doing.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return "load " + strings.Join(strings.Fields(string(b))[:3], " ")
}

// times are the durations of one thing, measured many times.
type times []time.Duration

// at is the duration that the share q of all stay within (0.5: the median).
func (t times) at(q float64) time.Duration {
	s := slices.Sorted(slices.Values(t))
	if len(s) == 0 {
		return 0
	}
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

func (t times) median() time.Duration { return t.at(0.5) }

// timed runs fn and returns how long it took.
func timed(fn func()) time.Duration {
	start := time.Now()
	fn()
	return time.Since(start)
}

// medianRatio is the median of a[i]/b[i]: pairs that were measured one right
// after the other share what else the machine was doing.
func medianRatio(a, b times) float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = float64(a[i]) / float64(b[i])
	}
	slices.Sort(r)
	return r[len(r)/2]
}

// cpuTime is what this process has used of the processors.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// others measures how busy everybody else keeps the processors, from now until
// the function that it returns is called: a word for a figure's details, "" for
// next to nothing.
func others() func() string {
	busy, own := machineTime(), cpuTime()
	start := time.Now()
	return func() string {
		all := time.Since(start) * time.Duration(runtime.NumCPU())
		share := float64(machineTime()-busy-(cpuTime()-own)) / float64(all)
		if share < 0.05 {
			return ""
		}
		return fmt.Sprintf("; others used %.0f %% of the machine", 100*share)
	}
}

// machineTime is what all processes have used of the processors.
func machineTime() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	var user, nice, system int64
	if _, err := fmt.Sscanf(string(b), "cpu %d %d %d", &user, &nice, &system); err != nil {
		return 0
	}
	return time.Duration(user+nice+system) * 10 * time.Millisecond // in hundredths of a second
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

// must returns v, or ends the benchmark: a broken part is no figure.
func must[T any](b *testing.B) func(v T, err error) T {
	return func(v T, err error) T {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
}
