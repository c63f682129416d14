package ledger

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxWhole is the largest whole number that every reader of JSON keeps exact.
const maxWhole = 1<<53 - 1

// canonical returns the one JSON form of an object: keys sorted by their bytes, no
// white space, whole numbers within ±(2^53 - 1) only, and in strings the
// shortest escapes (\" \\ \b \t \n \f \r, \u00xx for other control characters)
// with everything else as it is, in UTF-8.
func canonical[V any](object map[string]V) ([]byte, error) {
	if len(object) == 0 {
		return []byte("{}"), nil
	}
	return appendObject(make([]byte, 0, 256), object)
}

// recanonical brings any JSON to its canonical form.
func recanonical(plain []byte) ([]byte, error) {
	tree, err := decode(plain)
	if err != nil {
		return nil, err
	}
	return appendCanonical(make([]byte, 0, len(plain)), tree)
}

func decode(plain []byte) (tree any, err error) {
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.UseNumber()
	err = dec.Decode(&tree)
	return tree, err
}

func appendCanonical(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return appendString(b, v), nil
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil {
			return nil, notWhole(v)
		}
		return appendWhole(b, n)
	case int:
		return appendWhole(b, int64(v))
	case int64:
		return appendWhole(b, v)
	case []byte:
		if v != nil {
			return append(base64.StdEncoding.AppendEncode(append(b, '"'), v), '"'), nil // as encoding/json has it
		}
	case []string:
		if v != nil {
			return appendList(b, v)
		}
	case []any:
		return appendList(b, v)
	case map[string]any:
		return appendObject(b, v)
	}
	return appendOther(b, v)
}

func appendWhole(b []byte, n int64) ([]byte, error) {
	if n > maxWhole || n < -maxWhole {
		return nil, notWhole(n)
	}
	return strconv.AppendInt(b, n, 10), nil
}

func notWhole(n any) error { return fmt.Errorf("%v is not a whole number within 2^53", n) }

// appendOther appends a value of any other type as encoding/json has it.
func appendOther(b []byte, v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	tree, err := decode(plain)
	if err != nil {
		return nil, err
	}
	return appendCanonical(b, tree)
}

func appendList[V any](b []byte, list []V) (_ []byte, err error) {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendCanonical(b, v); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendObject[V any](b []byte, object map[string]V) (_ []byte, err error) {
	keys := make([]string, 0, len(object))
	for k := range object {
		if !utf8.ValidString(k) {
			return nil, fmt.Errorf("the key %q is not UTF-8", k)
		}
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b = append(b, '{')
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, k), ':')
		if b, err = appendCanonical(b, object[k]); err != nil {
			return nil, fmt.Errorf("%s: %w", k, err)
		}
	}
	return append(b, '}'), nil
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string; bytes that are no UTF-8 become
// U+FFFD, as encoding/json does.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\b':
			b = append(b, `\b`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r < 0x20:
			b = append(b, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
