package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// What is late is not what is due next: that has passed.
func TestIncidentDueWords(t *testing.T) {
	for _, c := range []struct {
		name string
		v    incidentView
		want string
	}{
		{"runs", incidentView{NextDue: "2026-11-23T10:00:00Z"}, when("2026-11-23T10:00:00Z")},
		{"late, and nothing else runs", incidentView{Late: true}, "late"},
		{"late, and more runs", incidentView{Late: true, NextDue: "2026-11-23T10:00:00Z"}, "late; next " + when("2026-11-23T10:00:00Z")},
		{"suspected", incidentView{ShadowDue: "2026-11-23T10:00:00Z"}, when("2026-11-23T10:00:00Z") + " (if it is certain)"},
	} {
		if got := c.v.row()[3].text; got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// A decision about one duty says nothing about who is told.
func TestIncidentDecisionWords(t *testing.T) {
	for _, c := range []struct {
		v               incidentDecisionView
		authority, duty string
	}{
		{incidentDecisionView{Authority: true}, "told", ""},
		{incidentDecisionView{}, "not told", ""},
		{incidentDecisionView{Rule: "nis2-23-early", NotDue: true}, "", "nis2-23-early is not due"},
		{incidentDecisionView{Rule: "nis2-23-early"}, "", "nis2-23-early is due"},
	} {
		if got := c.v.told(c.v.Authority).text; got != c.authority || c.v.duty() != c.duty {
			t.Errorf("%+v: got %q and %q", c.v, got, c.v.duty())
		}
	}
}

// A contract's limit is shown in its own unit.
func TestIncidentTermsWords(t *testing.T) {
	for unit, want := range map[string]string{"hours": "3 hours", "days": "3 days", "working_days": "3 working days"} {
		var b bytes.Buffer
		c := &client{out: &b}
		if err := c.showIncidentTerms(incidentTermsView{Amount: 3, Unit: unit, Role: "controller"}); err != nil || !strings.Contains(b.String(), " "+want+"\n") {
			t.Errorf("%s: got %q, %v", unit, b.String(), err)
		}
	}
}

// No help of incidents and advisories names a flag that is not there.
func TestIncidentHelpNamesNoOtherFlag(t *testing.T) {
	c := &client{}
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		if s := cmd.UsageString(); strings.Contains(s, " -o ") {
			t.Errorf("%s: got -o in\n%s", cmd.CommandPath(), s)
		}
		for _, sub := range cmd.Commands() {
			look(sub)
		}
	}
	look(c.incidentCommand())
	look(c.advisoryCommand())
}

// What waits for a second person says so: “open” reads as if it were done.
func TestIncidentAskedWords(t *testing.T) {
	for state, want := range map[string]string{"open": "waits for a second person, the clocks run on", "confirmed": "confirmed"} {
		var b bytes.Buffer
		c := &client{out: &b}
		if err := c.showAsked([]incidentAskedView{{ID: "sec_1", Act: "false_alarm", State: state}}); err != nil || !strings.Contains(b.String(), want) {
			t.Errorf("%s: got %q, %v", state, b.String(), err)
		}
	}
}
