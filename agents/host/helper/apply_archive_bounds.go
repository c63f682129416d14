package helper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"ostler/agents/wire"
)

// An archive of another server may hold anything: few bytes of it can stand for
// very many, and it is read by root.
const (
	maxManifest     = 4 << 30 // bytes: some ten million entries
	maxManifestLine = 4 << 20 // bytes of one entry, and of what is read with it
	maxTrailing     = 1 << 20 // bytes behind the last entry
	keptLost        = 10_000  // of what the other server could not read
)

// whileWanted reads as long as its context lasts: a file of zeros takes hours.
type whileWanted struct {
	ctx context.Context //nolint:containedctx // of the one call
	r   io.Reader
}

func (w *whileWanted) Read(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	return w.r.Read(p)
}

// allowance reads no more than is left, which its user sets anew.
type allowance struct {
	r    io.Reader
	left int64
}

var errTooMuch = errors.New("helper: one line of the manifest is longer than any")

func (a *allowance) Read(p []byte) (int, error) {
	if a.left <= 0 {
		return 0, errTooMuch
	}
	n, err := a.r.Read(p[:min(int64(len(p)), a.left)])
	a.left -= int64(n)
	return n, err
}

// lose notes what the other server could not read.
func (a *archived) lose(p wire.Problem) {
	if len(a.lost) < keptLost {
		a.lost = append(a.lost, p)
		return
	}
	a.unkept++
}

// room makes sure that the disk has room for the manifest.
func (a *archived) room(size int64) error {
	free, err := a.h.o.Free(a.dir)
	if err != nil {
		return fmt.Errorf("helper: free space: %w", err)
	}
	if need := size + a.h.o.Reserve; need > free {
		return Fail(wire.CauseDiskFull, nil, "the list of what the other server packed needs %d bytes free on the server, and there are %d", need, free)
	}
	return nil
}

// seekKey reads an object up to the first element of the list that stands under
// a key.
func seekKey(dec *json.Decoder, key string) error {
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return err
		}
		if k == key {
			_, err := dec.Token()
			return err
		}
		var skip json.RawMessage
		if err := dec.Decode(&skip); err != nil {
			return err
		}
	}
	return io.ErrUnexpectedEOF
}

func seekNext(dec *json.Decoder, key string) error {
	k, err := dec.Token()
	if err == nil && k != key {
		err = io.ErrUnexpectedEOF
	}
	return err
}
