package catalogue

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// newDecoder returns a decoder that never gives more than it is told to expect.
func newDecoder() *zstd.Decoder {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
		zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(maxBlockRaw))
	if err != nil {
		panic(err) // the options are constants
	}
	return dec
}

// names is a block's head and names, unpacked, and the rest of it as it was
// stored. It is shared and never written to.
type names struct {
	keys, events int
	runs         []run
	blob         []byte // names, each with a NUL at its end
	rest         [sections]packed
	once         sync.Once
	starts       []int32 // of the names in blob, and its length
}

// run is the keys of one folder: from first up to end.
type run struct {
	dir        []byte
	first, end int
}

// packed is a section as it is stored.
type packed struct {
	data []byte
	raw  int // bytes once unpacked
	zstd bool
}

func (p packed) unpack(dec *zstd.Decoder) ([]byte, error) {
	if !p.zstd {
		return p.data, nil
	}
	out, err := dec.DecodeAll(p.data, make([]byte, 0, p.raw))
	if err != nil || len(out) != p.raw {
		return nil, errBlock
	}
	return out, nil
}

// openBlock checks a block and unpacks its names.
func openBlock(block []byte, dec *zstd.Decoder) (*names, error) {
	n := &names{}
	if err := n.head(block); err != nil {
		return nil, err
	}
	var err error
	if n.blob, err = n.rest[secNames].unpack(dec); err != nil {
		return nil, err
	}
	runs, err := n.rest[secRuns].unpack(dec)
	if err != nil {
		return nil, err
	}
	n.rest[secNames], n.rest[secRuns] = packed{}, packed{}
	if bytes.Count(n.blob, []byte{0}) != n.keys || n.blob[len(n.blob)-1] != 0 || bytes.IndexByte(n.blob, '/') >= 0 {
		return nil, errBlock
	}
	return n, n.readRuns(runs)
}

// head reads a block's head and finds its sections.
func (n *names) head(block []byte) error {
	body := len(block) - crc32.Size
	if body < len(blockHead) || string(block[:len(blockHead)]) != blockHead ||
		crc32.Checksum(block[:body], castagnoli) != binary.LittleEndian.Uint32(block[body:]) {
		return errBlock
	}
	r := byteReader{b: block[len(blockHead):body]}
	n.keys, n.events = r.count(), r.count()
	total := 0
	var stored [sections]int
	for i := range n.rest {
		raw, packed := r.count(), r.count()
		n.rest[i].raw, n.rest[i].zstd = raw, packed > 0
		stored[i] = packed
		if packed == 0 {
			stored[i] = raw
		}
		total += raw
	}
	for i := range n.rest {
		n.rest[i].data = r.take(stored[i])
	}
	if r.bad || len(r.b) != 0 || n.keys == 0 || n.events < n.keys || total > maxBlockRaw {
		return errBlock
	}
	return nil
}

func (n *names) readRuns(data []byte) error {
	r := byteReader{b: data}
	var dir []byte
	total := 0
	for first := 0; first < n.keys; {
		shared, more := r.count(), r.count()
		rest := r.take(more)
		keys := r.count()
		if r.bad || shared > len(dir) || keys == 0 || keys > n.keys-first || shared+more > maxPath {
			return errBlock
		}
		if total += shared + more; total > maxDirs {
			return errBlock
		}
		dir = append(dir[:shared:shared], rest...)
		n.runs = append(n.runs, run{dir: dir, first: first, end: first + keys})
		first += keys
	}
	if len(r.b) != 0 {
		return errBlock
	}
	return nil
}

// name returns the name of a key.
func (n *names) name(key int) []byte {
	n.once.Do(func() {
		n.starts = make([]int32, 1, n.keys+1)
		for at := 0; at < len(n.blob); {
			at += bytes.IndexByte(n.blob[at:], 0) + 1
			n.starts = append(n.starts, int32(at))
		}
	})
	return n.blob[n.starts[key] : n.starts[key+1]-1 : n.starts[key+1]-1]
}

// runOf returns which run a key is in, looking from one that is not after it.
func (n *names) runOf(key, from int) int {
	for n.runs[from].end <= key {
		from++
	}
	return from
}

// size is what it takes in memory, about.
func (n *names) size() int64 {
	s := int64(len(n.blob)) + int64(4*n.keys) + int64(64*len(n.runs)) + 512
	for _, p := range n.rest {
		s += int64(len(p.data))
	}
	for i := range n.runs {
		s += int64(len(n.runs[i].dir))
	}
	return s
}

// columns are the sections of a block that say what became of its keys.
type columns struct {
	sec    [sections][]byte
	events int
}

func (n *names) columns(dec *zstd.Decoder) (*columns, error) {
	c := &columns{events: n.events}
	for i := secFlags; i < sections; i++ {
		var err error
		if c.sec[i], err = n.rest[i].unpack(dec); err != nil {
			return nil, err
		}
	}
	if len(c.sec[secFlags]) != n.events {
		return nil, errBlock
	}
	return c, nil
}

func (c *columns) size() int64 {
	s := int64(512)
	for i := range c.sec {
		s += int64(cap(c.sec[i]))
	}
	return s
}

// byteReader reads numbers; bad stays set once something did not fit.
type byteReader struct {
	b   []byte
	bad bool
}

func (r *byteReader) uvarint() uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 {
		v := r.b[0]
		r.b = r.b[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of things that are in memory.
func (r *byteReader) count() int {
	v := r.uvarint()
	if v > maxBlockRaw {
		r.bad = true
		return 0
	}
	return int(v)
}

func (r *byteReader) take(n int) []byte {
	if n > len(r.b) {
		r.bad = true
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}
