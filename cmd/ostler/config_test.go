package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// The file that --help shows is whole, and says what is so without it.
func TestConfigExampleIsTheDefaults(t *testing.T) {
	for _, kv := range os.Environ() {
		if k, _, _ := strings.Cut(kv, "="); strings.HasPrefix(k, "OSTLER_") {
			t.Setenv(k, "")
			_ = os.Unsetenv(k)
		}
	}
	file := filepath.Join(t.TempDir(), "ostler.yaml")
	if err := os.WriteFile(file, []byte(configExample), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := loadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := defaults().complete()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the example gives %+v, the defaults are %+v", got, want)
	}
	var keys func(t reflect.Type) []string
	keys = func(ty reflect.Type) (out []string) {
		for i := range ty.NumField() {
			out = append(out, ty.Field(i).Tag.Get("koanf"))
			if ty.Field(i).Type.Kind() == reflect.Struct {
				out = append(out, keys(ty.Field(i).Type)...)
			}
		}
		return out
	}
	for _, k := range keys(reflect.TypeFor[Config]()) {
		if !strings.Contains(configExample, " "+k+":") {
			t.Errorf("the example lacks %s", k)
		}
	}
}
