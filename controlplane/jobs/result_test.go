package jobs_test

import (
	"encoding/json"
	"testing"

	"ostler/controlplane/jobs"
)

func TestResult(t *testing.T) {
	type answer struct{ Files int }
	for _, tc := range []struct {
		name   string
		state  jobs.State
		result string
		want   answer
		ok     bool
	}{
		{"succeeded", jobs.Succeeded, `{"Files":3}`, answer{3}, true},
		{"with more than we know", jobs.Succeeded, `{"Files":3,"Newer":true}`, answer{3}, true},
		{"failed", jobs.Failed, `{"Files":3}`, answer{}, false},
		{"running", jobs.Running, "", answer{}, false},
		{"nothing to read", jobs.Succeeded, "", answer{}, false},
		{"another type", jobs.Succeeded, `{"Files":"three"}`, answer{}, false},
		{"half of it", jobs.Succeeded, `{"Files":3`, answer{}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := jobs.Result[answer](jobs.Job{State: tc.state, Result: json.RawMessage(tc.result)})
			if ok != tc.ok || ok && got != tc.want {
				t.Errorf("got %v, %v; want %v, %v", got, ok, tc.want, tc.ok)
			}
		})
	}
}
