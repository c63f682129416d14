package server

import (
	"time"

	"ostler/controlplane/incidents"
)

// IncidentCaseFact is one fact of a case that authorities ask for.
type IncidentCaseFact struct {
	Key   string    `json:"key" enum:"discovered,special_categories,encrypted,training,prevention,processors,police,regulators,overseas"`
	Known string    `json:"known,omitempty" enum:"known,unknown" doc:"Absent: nobody has written anything"`
	Value string    `json:"value,omitempty"`
	Owner string    `json:"owner,omitempty" doc:"Of what is unknown: who of our people finds out"`
	By    time.Time `json:"by,omitzero" doc:"Of what is unknown: until when"`
}

func viewFact(f incidents.Field) IncidentCaseFact {
	return IncidentCaseFact{f.Key, string(f.Known), f.Value, f.Owner, f.By}
}

func facts(list []IncidentCaseFact) (out []incidents.Field) {
	for _, f := range list {
		out = append(out, incidents.Field{Key: f.Key, Known: incidents.Known(f.Known), Value: f.Value, Owner: f.Owner, By: f.By})
	}
	return out
}
