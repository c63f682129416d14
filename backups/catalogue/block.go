package catalogue

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/klauspost/compress/zstd"
)

// A block is a head, its sections, each compressed for itself, and a checksum:
//
//	"OC" version | keys, events | for each section its size, and its size packed (0: not packed) | sections | CRC-32C
//
// Numbers are uvarints, the checksum is four bytes, little endian.
const blockHead = "OC\x01"

// The sections of a block. Names end in a NUL each, in the order of their keys.
// The columns from flags on have one value for each event, where it has one.
const (
	secRuns   = iota // folders: bytes shared with the one before, the rest, how many keys
	secNames         //
	secFlags         // a byte: kind, flagMore, flagSize, flagLink
	secOrds          // the ordinal, as the difference to the event before
	secOwners        // number of the owner in this block; the next free number: the owner follows
	secSizes         // where flagSize
	secTimes         // mtime, as the difference to the one before; see appendTime
	secLinks         // where flagLink: length, bytes
	sections
)

const (
	flagKind = 0x0f
	flagMore = 0x10 // another event of the same key
	flagSize = 0x20
	flagLink = 0x40
)

// Sizes of blocks. A block is cut where a bound is reached; one key's events
// are never parted.
const (
	blockRaw    = 256 << 10 // bytes of all sections, before they are packed
	maxBlockRaw = 16 << 20  // bytes that a reader takes a block's word for
	maxDirs     = 32 << 20  // bytes of a block's folders, each with its whole path: few bytes can stand for many
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errBlock   = errors.New("block does not hold what it should")
	errOrder   = errors.New("entries out of order, or one twice")
)

// blockWriter collects one block at a time.
type blockWriter struct {
	enc          *zstd.Encoder
	limit        int // blockRaw, less in tests
	sec          [sections][]byte
	keys, events int
	dir, name    []byte // of the last key
	run          int    // keys of the folder that is open
	ord          Ordinal
	mtime        int64
	dirs         int // bytes of the folders, each with its whole path
	owners       map[owner]uint64
	last         owner
	lastNo       uint64
	packed       []byte
}

func newBlockWriter(limit int) *blockWriter {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(512<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return &blockWriter{enc: enc, limit: limit, owners: map[owner]uint64{}}
}

// raw is the size of what was added since the last finish.
func (b *blockWriter) raw() int {
	n := 0
	for _, s := range b.sec {
		n += len(s)
	}
	return n
}

// full reports that the block is to be finished.
func (b *blockWriter) full() bool { return b.raw() >= b.limit || b.dirs >= maxDirs/8 }

// add takes a key that sorts after the one before, with its events.
func (b *blockWriter) add(dir, name []byte, events []event) {
	if b.keys == 0 || string(dir) != string(b.dir) {
		b.endRun()
		shared := 0
		if b.keys > 0 {
			shared = commonPrefix(b.dir, dir)
		}
		s := binary.AppendUvarint(b.sec[secRuns], uint64(shared))
		s = binary.AppendUvarint(s, uint64(len(dir)-shared))
		b.sec[secRuns] = append(s, dir[shared:]...)
		b.dir = append(b.dir[:0], dir...)
		b.dirs += len(dir)
	}
	b.sec[secNames] = append(append(b.sec[secNames], name...), 0)
	b.name = append(b.name[:0], name...)
	b.keys++
	b.run++
	for i := range events {
		b.event(&events[i], i < len(events)-1)
	}
}

// endRun writes how many keys the open folder has.
func (b *blockWriter) endRun() {
	if b.run > 0 {
		b.sec[secRuns] = binary.AppendUvarint(b.sec[secRuns], uint64(b.run))
		b.run = 0
	}
}

func (b *blockWriter) event(e *event, more bool) {
	b.events++
	flags := byte(e.kind)
	if more {
		flags |= flagMore
	}
	b.sec[secOrds] = binary.AppendUvarint(b.sec[secOrds], zigzag(int64(e.ord)-int64(b.ord)))
	b.ord = e.ord
	if e.kind == gone {
		b.sec[secFlags] = append(b.sec[secFlags], flags)
		return
	}
	if e.size != 0 {
		flags |= flagSize
		b.sec[secSizes] = binary.AppendUvarint(b.sec[secSizes], uint64(e.size))
	}
	if len(e.link) > 0 {
		flags |= flagLink
		b.sec[secLinks] = binary.AppendUvarint(b.sec[secLinks], uint64(len(e.link)))
		b.sec[secLinks] = append(b.sec[secLinks], e.link...)
	}
	b.sec[secFlags] = append(b.sec[secFlags], flags)
	b.owner(e.owner)
	b.sec[secTimes] = appendTime(b.sec[secTimes], e.mtime, b.mtime)
	b.mtime = e.mtime
}

func (b *blockWriter) owner(o owner) {
	if o == b.last && len(b.owners) > 0 {
		b.sec[secOwners] = binary.AppendUvarint(b.sec[secOwners], b.lastNo)
		return
	}
	no, known := b.owners[o]
	if !known {
		no = uint64(len(b.owners))
		b.owners[o] = no
	}
	s := binary.AppendUvarint(b.sec[secOwners], no)
	if !known {
		for _, v := range [...]uint32{o.mode, o.uid, o.gid} {
			s = binary.AppendUvarint(s, uint64(v))
		}
	}
	b.sec[secOwners], b.last, b.lastNo = s, o, no
}

// finish returns the block and begins the next. The slice is the caller's.
func (b *blockWriter) finish() []byte {
	b.endRun()
	head := binary.AppendUvarint([]byte(blockHead), uint64(b.keys))
	head = binary.AppendUvarint(head, uint64(b.events))
	body := b.packed[:0]
	for _, s := range b.sec {
		from := len(body)
		body = b.enc.EncodeAll(s, body)
		packed := len(body) - from
		if packed >= len(s) {
			body, packed = append(body[:from], s...), 0
		}
		head = binary.AppendUvarint(head, uint64(len(s)))
		head = binary.AppendUvarint(head, uint64(packed))
	}
	b.packed = body
	out := make([]byte, 0, len(head)+len(body)+crc32.Size)
	out = append(append(out, head...), body...)
	out = binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
	for i := range b.sec {
		b.sec[i] = b.sec[i][:0]
	}
	b.keys, b.events, b.ord, b.mtime, b.dirs = 0, 0, 0, 0, 0
	clear(b.owners)
	return out
}

// blockSum returns the checksum that stands at the end of a block.
func blockSum(b []byte) uint32 {
	return binary.LittleEndian.Uint32(b[len(b)-crc32.Size:])
}

// appendTime writes a time as the difference to the one before: in whole
// seconds, times two, where that is exact, which it often is; else in
// milliseconds, times two and one. A lone 1 announces one that would overflow.
func appendTime(dst []byte, t, before int64) []byte {
	d := t - before // wraps, and wraps back
	if d%1000 == 0 {
		return binary.AppendUvarint(dst, zigzag(d/1000)<<1)
	}
	z := zigzag(d)
	if z>>63 != 0 {
		return binary.AppendUvarint(append(dst, 1), z)
	}
	return binary.AppendUvarint(dst, z<<1|1)
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
