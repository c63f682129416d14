package catalogue

import (
	"context"
	"fmt"
	"slices"
)

// stagedBytes is how much of a segment waits in memory, in case that it is
// merged into another before it was ever stored.
const stagedBytes = 1 << 20

// staging keeps small new segments in memory until they are wanted for good.
type staging struct {
	Blocks
	waiting map[string]*waiting
	put     []string // names of segments that are, in part at least, stored
	written int64
	limit   int // stagedBytes
}

type waiting struct {
	blocks [][]byte
	bytes  int
	stored bool // all of it went on, and what comes goes on
}

func newStaging(b Blocks, limit int) *staging {
	return &staging{Blocks: b, waiting: map[string]*waiting{}, limit: limit}
}

// Put keeps a block, or stores it where there are many.
func (s *staging) Put(ctx context.Context, segment string, block int, plain []byte) error {
	w := s.waiting[segment]
	if w == nil {
		w = &waiting{}
		s.waiting[segment] = w
	}
	if w.stored {
		return s.store(ctx, segment, block, plain)
	}
	if block != len(w.blocks) {
		return fmt.Errorf("catalogue: block %d of a segment comes after %d", block, len(w.blocks))
	}
	w.blocks = append(w.blocks, plain) // finish gives each block away
	w.bytes += len(plain)
	if w.bytes <= s.limit {
		return nil
	}
	return s.keep(ctx, segment)
}

// keep stores a segment.
func (s *staging) keep(ctx context.Context, segment string) error {
	w := s.waiting[segment]
	if w == nil || w.stored {
		return nil
	}
	s.put = append(s.put, segment)
	for i, b := range w.blocks {
		if err := s.store(ctx, segment, i, b); err != nil {
			return err
		}
	}
	w.blocks, w.stored = nil, true
	return nil
}

func (s *staging) store(ctx context.Context, segment string, block int, plain []byte) error {
	s.written += int64(len(plain))
	return s.Blocks.Put(ctx, segment, block, plain)
}

// Get returns a block that waits, or one that is stored.
func (s *staging) Get(ctx context.Context, segment string, block int) ([]byte, error) {
	if w := s.waiting[segment]; w != nil && !w.stored {
		if block >= len(w.blocks) {
			return nil, fmt.Errorf("%w: block %d of a new segment", ErrDamaged, block)
		}
		return w.blocks[block], nil
	}
	return s.Blocks.Get(ctx, segment, block)
}

// clean deletes what was stored of segments other than those given; they never
// were in a manifest.
func (s *staging) clean(ctx context.Context, keep []string) error {
	for _, name := range s.put {
		if slices.Contains(keep, name) {
			continue
		}
		if err := s.Blocks.Delete(ctx, name); err != nil {
			return fmt.Errorf("catalogue: delete segment: %w", err)
		}
	}
	return nil
}
