package controlplane_test

import (
	"encoding/json"
	"slices"
	"testing"

	"ostler/controlplane"
)

func TestFill(t *testing.T) {
	values := map[string]string{"who": "Ada", "what": "{who} {", "why": "It rained.", "none": ""}
	for _, c := range []struct {
		text, want string
		ok         bool
	}{
		{"", "", true},
		{"Nothing to fill", "Nothing to fill", true},
		{"{who} and {who}", "Ada and Ada", true},
		{"{what}", "{who} {", true}, // no value is a template
		{"{why}", "It rained.", true},
		{"{why}. {who}", "It rained. Ada", true}, // one full stop
		{"{none} {who}", "", false},
		{"{nobody}", "", false},
		{"an open {who", "an open Ada", true},
	} {
		if got, ok := controlplane.Fill(c.text, values); got != c.want || ok != c.ok {
			t.Errorf("%q: got %q, %v, want %q, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}

func TestBlanks(t *testing.T) {
	if got, want := controlplane.Blanks("{a} b {c...}", "none", "{d¶}{a}"), []string{"a", "c...", "d¶", "a"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{`"one"`: "one", `["one", "two"]`: "one two", `[]`: "", `null`: ""} {
		var w controlplane.Words
		if err := json.Unmarshal([]byte(text), &w); err != nil || w.Line() != want {
			t.Errorf("%s: got %q, %v, want %q", text, w.Line(), err, want)
		}
	}
	var w controlplane.Words
	if err := json.Unmarshal([]byte(`{"a":1}`), &w); err == nil {
		t.Errorf("what is no text: got %q", w)
	}
}
