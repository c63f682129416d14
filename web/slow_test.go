//go:build slow

package web_test

import "testing"

// All of axe's rules on every page in every state, light and dark, wide and
// narrow: what the fast test leaves out.
func TestSlowEverySampleInEveryView(t *testing.T) { checkSamples(t, everyView) }
