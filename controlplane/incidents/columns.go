package incidents

import (
	"slices"
	"strings"
)

// joined and parted are a list in a column.
func joined[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return strings.Join(out, ",")
}

func parted[T ~string](text string) (out []T) {
	for v := range strings.SplitSeq(text, ",") {
		if v != "" {
			out = append(out, T(v))
		}
	}
	return out
}

// distinct are the values in order, each once, without "".
func distinct[T ~string](values []T) (out []T) {
	for _, v := range values {
		if v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
