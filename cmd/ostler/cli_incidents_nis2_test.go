package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// Only what is named changes; a figure that is not known any more is taken out.
func TestImpactWith(t *testing.T) {
	now := map[string]any{"outage_minutes": 31.0, "malicious": "unknown", "scheduled": true}
	for name, c := range map[string]struct {
		given map[string]string
		want  string // JSON, or the error
	}{
		"nothing":          {nil, `{"malicious":"unknown","outage_minutes":31,"scheduled":true}`},
		"a figure":         {map[string]string{"loss-percent": "5.5"}, `{"loss_percent":5.5,"malicious":"unknown","outage_minutes":31,"scheduled":true}`},
		"no figure":        {map[string]string{"outage-minutes": "unknown"}, `{"malicious":"unknown","scheduled":true}`},
		"an answer":        {map[string]string{"harm": "no", "malicious": "yes"}, `{"harm":"no","malicious":"yes","outage_minutes":31,"scheduled":true}`},
		"less than nought": {map[string]string{"loss-eur": "-1"}, "--loss-eur is a number"},
		"a word":           {map[string]string{"loss-eur": "much"}, "--loss-eur is a number"},
		"perhaps":          {map[string]string{"intrusion": "perhaps"}, "--intrusion is yes, no or unknown"},
	} {
		got, err := impactWith(now, c.given)
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want %s", name, err, c.want)
			}
			continue
		}
		if text, _ := json.Marshal(got); string(text) != c.want {
			t.Errorf("%s: got %s, want %s", name, text, c.want)
		}
	}
	if len(now) != 3 {
		t.Error("what was there is changed")
	}
}
