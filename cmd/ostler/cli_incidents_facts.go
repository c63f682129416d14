package main

import (
	"slices"
	"strings"
	"time"

	"ostler/controlplane/incidents"
)

// incidentFactView is one fact of an incident that authorities ask for.
type incidentFactView struct {
	Key   string `json:"key"`
	Known string `json:"known"`
	Value string `json:"value"`
	Owner string `json:"owner"`
	By    string `json:"by"`
}

// showFacts prints what authorities ask of an incident, also what nobody has written.
func (c *client) showFacts(facts []incidentFactView) error {
	rows := make([][]cell, len(facts))
	for i, f := range facts {
		a := text(f.Value)
		switch f.Known {
		case string(incidents.IsUnknown):
			a = cell{text: "not known yet: " + f.Owner + " finds it out by " + when(f.By), tone: toneWarn}
		case string(incidents.Empty):
			a = cell{text: "not known yet", tone: toneWarn}
		}
		rows[i] = []cell{text(f.Key), a}
	}
	if len(rows) == 0 {
		return nil
	}
	return c.table([]string{"WHAT AUTHORITIES ASK", "KNOWN"}, rows)
}

// caseFacts reads --fact, --unknown and --no-fact.
func caseFacts(facts, owed, dropped []string) (out []map[string]any, err error) {
	key := func(flag, k string) error {
		if slices.Contains(incidents.CaseFactKeys(), k) {
			return nil
		}
		return usagef("%s: there is no fact %q; they are %s", flag, k, strings.Join(incidents.CaseFactKeys(), ", "))
	}
	for _, fact := range facts {
		k, value, ok := strings.Cut(fact, "=")
		if !ok || value == "" {
			return nil, usagef("--fact is KEY=TEXT")
		}
		if err := key("--fact", k); err != nil {
			return nil, err
		}
		out = append(out, map[string]any{"key": k, "known": "known", "value": value})
	}
	for _, o := range owed {
		k, rest, _ := strings.Cut(o, "=")
		who, until, ok := strings.Cut(rest, ",")
		by, perr := time.Parse(time.RFC3339, until)
		if !ok || who == "" || perr != nil {
			return nil, usagef("--unknown is KEY=PERSON,TIME, as in police=stf_...,2026-10-24T12:00:00+02:00")
		}
		if err := key("--unknown", k); err != nil {
			return nil, err
		}
		out = append(out, map[string]any{"key": k, "known": "unknown", "owner": who, "by": by.Format(time.RFC3339)})
	}
	for _, k := range dropped {
		if err := key("--no-fact", k); err != nil {
			return nil, err
		}
		out = append(out, map[string]any{"key": k})
	}
	return out, nil
}
