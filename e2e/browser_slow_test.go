//go:build slow

package e2e_test

import "testing"

// All of axe's rules on every kind of page of the demo, in every view.
func TestSlowEveryPageOfTheDemoInEveryView(t *testing.T) {
	t.Parallel()
	tourDemo(t, true)
}
