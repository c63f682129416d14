package helper

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// Unnamed is the text of an error as it may stand in a log: without the names of
// files, which are a customer's.
func Unnamed(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	eachError(err, func(e error) {
		if path := (*fs.PathError)(nil); errors.As(e, &path) {
			text = strings.ReplaceAll(text, path.Error(), path.Op+": "+path.Err.Error())
		}
		if link := (*os.LinkError)(nil); errors.As(e, &link) {
			text = strings.ReplaceAll(text, link.Error(), link.Op+": "+link.Err.Error())
		}
	})
	return text
}

// eachError calls f for an error and all that it wraps.
func eachError(err error, f func(error)) {
	f(err)
	switch e := err.(type) { //nolint:errorlint // it walks the tree itself
	case interface{ Unwrap() error }:
		if in := e.Unwrap(); in != nil {
			eachError(in, f)
		}
	case interface{ Unwrap() []error }:
		for _, in := range e.Unwrap() {
			eachError(in, f)
		}
	}
}
