package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"
)

// Whole systems wait for each other more than they work: one more of them than
// there are processors keeps the processors busy.
func TestMain(m *testing.M) {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		if err := flag.Set("test.parallel", fmt.Sprint(runtime.GOMAXPROCS(0)+1)); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
