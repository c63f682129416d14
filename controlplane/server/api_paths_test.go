package server_test

import (
	"bytes"
	"mime"
	"strings"
	"testing"
	"unicode/utf8"

	"ostler/controlplane/server"
)

func TestPathText(t *testing.T) {
	tests := []struct {
		name, raw, want string
		b64             bool
	}{
		{"plain", "/srv/a b", "/srv/a b", false},
		{"backslash in UTF-8", `..\a`, `..\a`, false},
		{"newline and RTL mark", "a\n\u202eb", "a\n\u202eb", false},
		{"not UTF-8", "a\xffb", `a\xffb`, true},
		{"not UTF-8, with a backslash", "\\x41\xff", `\\x41\xff`, true},
		{"the replacement character itself", "\ufffd", "\ufffd", false},
		{"none", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, b64 := server.PathText([]byte(tt.raw))
			if got != tt.want || tt.b64 != (b64 != nil) || tt.b64 && !bytes.Equal(b64, []byte(tt.raw)) || !utf8.ValidString(got) {
				t.Errorf("got %q, %q, want %q", got, b64, tt.want)
			}
		})
	}
}

func TestDisposition(t *testing.T) {
	for raw, want := range map[string]string{
		"report.ods":             "report.ods",
		"a\nb\r.txt":             "a_b_.txt",
		"\u202efdp.exe":          "_fdp.exe",
		`<img src=x onerror=1>`:  `<img src=x onerror=1>`,
		`..\..\x`:                `_.._x`,
		"b\xff\"":                "b__",
		"Übersicht 2026.ods":     "Übersicht 2026.ods",
		".htaccess":              "htaccess",
		"...":                    "file",
		`"; filename="evil.exe"`: `_; filename=_evil.exe_`,
	} {
		v := server.Disposition(raw)
		kind, params, err := mime.ParseMediaType(v)
		if err != nil || kind != "attachment" || params["filename"] != want || strings.ContainsAny(v, "\r\n") {
			t.Errorf("%q: got %q (%q, %v), want %q", raw, v, params["filename"], err, want)
		}
	}
}
