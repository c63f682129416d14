//go:build slow

package certs_test

import (
	"testing"
	"time"
)

// TestSlowTwoMonths is 60 days of 20,000 certificates.
func TestSlowTwoMonths(t *testing.T) {
	m := newMonth(t, 100)
	m.slots = 64
	m.populate(8000, 90*days, "classic")
	m.populate(4000, 64*days, "middle")
	m.populate(4000, 45*days, "short")
	m.populate(4000, 160*time.Hour, "shortlived")
	m.run(monthStart.Add(60*days), 5*time.Minute)
	m.check("two months", 1.5)
}
