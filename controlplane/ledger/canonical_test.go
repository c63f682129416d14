package ledger_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"ostler/controlplane/ledger"
)

func TestCanonical(t *testing.T) {
	type name string
	tests := []struct {
		name string
		in   map[string]any
		want string
	}{
		{"nothing", nil, `{}`},
		{"sorted by bytes", map[string]any{"b": 1, "a": nil, "B": true, "é": false, "": "x"}, `{"":"x","B":true,"a":null,"b":1,"é":false}`},
		{"escapes", map[string]any{"s": "\"\\/\b\f\n\r\t\x00\x1f\x7f<&>\u2028é😀"}, "{\"s\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f<&>\u2028é😀\"}"},
		{"bytes that are no UTF-8", map[string]any{"s": "a\xffb"}, "{\"s\":\"a\ufffdb\"}"},
		{"whole numbers", map[string]any{"a": 0, "b": -9007199254740991, "c": int64(9007199254740991), "d": uint8(7), "e": 3.0}, `{"a":0,"b":-9007199254740991,"c":9007199254740991,"d":7,"e":3}`},
		{"other types", map[string]any{"a": []name{"x"}, "b": struct {
			Z int `json:"z"`
			Y []byte
		}{1, []byte("y")}, "c": map[string]int{"k": 1}}, `{"a":["x"],"b":{"Y":"eQ==","z":1},"c":{"k":1}}`},
		{"lists of strings and bytes", map[string]any{"a": []string{"x\n", ""}, "b": []string{}, "c": []string(nil), "d": []byte("y"), "e": []byte{}, "f": []byte(nil)},
			`{"a":["x\n",""],"b":[],"c":null,"d":"eQ==","e":"","f":null}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ledger.Canonical(tt.in)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
		})
	}
	for _, bad := range []any{1.5, 1e300, 1 << 53, map[string]any{"\xff": 1}, func() {}} {
		if got, err := ledger.Canonical(map[string]any{"x": bad}); err == nil {
			t.Errorf("%v: got %s, want an error", bad, got)
		}
	}
}

func FuzzCanonicalIsStable(f *testing.F) {
	f.Add([]byte(`{"b":[1,{"a":"\u0001\ud83d\ude00"}],"a":-0}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var m map[string]any
		if json.Unmarshal(in, &m) != nil {
			return
		}
		once, err := ledger.Recanonical(in)
		if err != nil {
			return
		}
		twice, err := ledger.Recanonical(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%q became %q, and that %q, %v", in, once, twice, err)
		}
	})
}

// TestLeafBytes fixes the form of a leaf: a change of it breaks every log.
func TestLeafBytes(t *testing.T) {
	raw := ledger.LeafForTest()
	want := `{"actor":{"id":"agt_1","kind":"agent"},"at":1795165200000,"commitments":{"path":"AAE="},"customer":"cus_1","data":{"bytes":7},"id":"led_1","kind":"backup.finished","prev":"ab00000000000000000000000000000000000000000000000000000000000000","seq":3,"server":"srv_1","subject":"run_1","v":1}`
	if string(raw) != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
	id, err := ledger.ParseLeaf(raw)
	if err != nil || id != "led_1" {
		t.Errorf("parse: %q, %v", id, err)
	}
	again, err := ledger.Recanonical(raw)
	if err != nil || !bytes.Equal(again, raw) {
		t.Errorf("the leaf is not canonical: %s, %v", again, err)
	}
	for _, bad := range []string{"", "{}", want + " ", `{"v":2}`, `{"v":1,"x":1}`} {
		if _, err := ledger.ParseLeaf([]byte(bad)); err == nil {
			t.Errorf("%q was taken for a leaf", bad)
		}
	}
}
