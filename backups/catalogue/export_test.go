package catalogue

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
)

// Small has a catalogue cut its blocks after so many bytes, and merge segments
// of few events for their size only.
func Small(c *Catalogue, block int) *Catalogue {
	c.bounds = bounds{block: block, small: 1, stage: 2 * block}
	return c
}

// SmallBlocks has a listing cut its blocks after so many bytes.
func (o ListingOptions) SmallBlocks(block int) ListingOptions {
	o.block = block
	return o
}

// Resum returns a block with a checksum that is right.
func Resum(b []byte) []byte {
	if len(b) < crc32.Size {
		return b
	}
	b = bytes.Clone(b)
	body := b[:len(b)-crc32.Size]
	return binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, castagnoli))
}

// TryBlock reads all of a block.
func TryBlock(b []byte) error {
	dec := newDecoder()
	defer dec.Close()
	n, err := openBlock(b, dec)
	if err != nil {
		return err
	}
	n.fold()
	cols, err := n.columns(dec)
	if err != nil {
		return err
	}
	var r columnReader
	r.open(cols)
	run := 0
	for key := range n.keys {
		run = n.runOf(key, run)
		n.name(key)
		if _, err := r.read(key, nil); err != nil {
			return err
		}
	}
	return nil
}

// TryIndex reads an index.
func TryIndex(b []byte) bool {
	c := Open(nil, Manifest{}, nil)
	for blocks := range 20 {
		if _, _, ok := c.readIndex(&Segment{Blocks: blocks}, b); ok {
			return true
		}
	}
	return false
}

// DeepBlock returns a block of n folders beneath one whose path has so many
// bytes: nothing bounds the writer.
func DeepBlock(n, bytes int) []byte {
	w := newBlockWriter(blockRaw)
	deep := deepPath(bytes)
	for i := range n {
		w.add(fmt.Appendf(nil, "%s/%08d", deep, i), []byte("f"), []event{{state: state{kind: isFile}}})
	}
	return w.finish()
}

func deepPath(n int) string { return strings.Repeat("/"+strings.Repeat("d", 199), n/200) }
