package identity_test

import (
	"strings"
	"testing"

	"ostler/controlplane/identity"
)

func TestPasswordProblem(t *testing.T) {
	about := []string{"Ada Crane", "ada.crane@host.example"}
	for _, tt := range []struct {
		name, password string
		good           bool
	}{
		{"unrelated words", "copper lantern sings twice", true},
		{"twelve characters", "tR7#kq9Lw2&z", true},
		{"other letters", "сорок кошек пели", true},
		{"own name among others", "ada sold seven blue kettles", true},
		{"empty", "", false},
		{"eleven characters", "tR7#kq9Lw2&", false},
		{"eleven of many bytes", "éééééàààààü", false},
		{"compatibility forms count as one", strings.Repeat("ﬀ", 3) + "abcd", false},
		{"too long", strings.Repeat("copper lantern ", 80), false},
		{"not UTF-8", "copper lantern\xff", false},
		{"few characters", "aabbaabbabab", false},
		{"repetition", "tR7#kqtR7#kq", false},
		{"digits in a row", "123456789012", false},
		{"letters in a row", "abcdefghijklm", false},
		{"backwards", "zyxwvutsrqpon", false},
		{"common word with a year", "Password2026!", false},
		{"common word twice", "2026welcomewelcome!", false},
		{"common word of ours", "!!!Ostler2026", false},
		{"own name with a year", "AdaCrane2026", false},
		{"own address", "ada.crane@host.example", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := identity.PasswordProblem(tt.password, about...)
			if (got == "") != tt.good {
				t.Errorf("problem = %q, want good = %v", got, tt.good)
			}
			if len(tt.password) > 3 && strings.Contains(got, tt.password) {
				t.Error("the message repeats the password")
			}
		})
	}
}

func TestArgon2id(t *testing.T) {
	h := identity.Argon2id{MemoryKiB: 8, Passes: 1, Lanes: 1}
	encoded, err := h.Hash("copper lantern")
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=8,t=1,p=1$"; !strings.HasPrefix(encoded, want) {
		t.Errorf("encoded = %s, want prefix %s", encoded, want)
	}
	again, err := h.Hash("copper lantern")
	if err != nil || again == encoded {
		t.Errorf("the same salt twice, %v", err)
	}
	for _, tt := range []struct {
		name, encoded, password string
		want, wantErr           bool
	}{
		{"right", encoded, "copper lantern", true, false},
		{"wrong", encoded, "copper lanterN", false, false},
		{"other algorithm", strings.Replace(encoded, "argon2id", "argon2i", 1), "copper lantern", false, true},
		{"cut off", encoded[:len(encoded)-4], "copper lantern", false, true},
		{"too much memory", strings.Replace(encoded, "m=8", "m=4000000000", 1), "copper lantern", false, true},
		{"no passes", strings.Replace(encoded, "t=1", "t=0", 1), "copper lantern", false, true},
		{"empty", "", "copper lantern", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := identity.OWASP().Verify(tt.encoded, tt.password)
			if got != tt.want || (err != nil) != tt.wantErr {
				t.Errorf("Verify = %v, %v; want %v, error %v", got, err, tt.want, tt.wantErr)
			}
		})
	}
	if o := identity.OWASP(); o.MemoryKiB < 19*1024 || o.Passes < 2 || o.Lanes < 1 {
		t.Errorf("parameters %+v are below the cheat sheet's", o)
	}
}
