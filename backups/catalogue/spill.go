package catalogue

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// spill keeps chunks of bytes in the order they come: in memory, and in a file
// without a name once it is told to.
type spill struct {
	dir  string
	mem  []byte
	file *os.File
	out  *bufio.Writer
	size int64 // of all chunks
}

// append adds bytes; where says where they begin.
func (s *spill) append(parts ...[]byte) (where int64, err error) {
	where = s.size
	for _, p := range parts {
		s.size += int64(len(p))
		if s.file == nil {
			s.mem = append(s.mem, p...)
		} else if _, err := s.out.Write(p); err != nil {
			return 0, err
		}
	}
	return where, nil
}

// toDisk moves what is in memory to a file, and has all that follows go there.
func (s *spill) toDisk() error {
	if s.file != nil {
		return nil
	}
	f, err := os.CreateTemp(s.dir, "listing-*") // 0600
	if err != nil {
		return err
	}
	s.file, s.out = f, bufio.NewWriterSize(f, 256<<10)
	if err := os.Remove(f.Name()); err != nil { // nothing stays behind, however we end
		return err
	}
	_, err = s.out.Write(s.mem)
	s.mem = nil
	return err
}

// ready is called between the last append and the first at.
func (s *spill) ready() error {
	if s.file == nil {
		return nil
	}
	return s.out.Flush()
}

// at appends n bytes from where on to dst.
func (s *spill) at(dst []byte, where int64, n int) ([]byte, error) {
	if where < 0 || where+int64(n) > s.size {
		return dst, io.ErrUnexpectedEOF
	}
	if s.file == nil {
		return append(dst, s.mem[where:where+int64(n)]...), nil
	}
	from := len(dst)
	if cap(dst)-from < n {
		dst = append(make([]byte, 0, max(2*cap(dst), from+n)), dst...)
	}
	dst = dst[:from+n]
	_, err := s.file.ReadAt(dst[from:], where)
	return dst, err
}

func (s *spill) close() error {
	s.mem = nil
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file, s.out, s.size = nil, nil, 0
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// A chunk is part of one folder: a head and entries. The chunks of a folder are
// found backwards.
const chunkHead = 8 + 4 + 4 // where the chunk before begins, plus one; bytes of the path; bytes of entries

func putChunkHead(dst []byte, before int64, path, entries int) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(before))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(path))
	return binary.LittleEndian.AppendUint32(dst, uint32(entries))
}

// appendEntry writes an entry of a chunk.
func appendEntry(dst, name []byte, s *state) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(name)))
	dst = append(append(dst, name...), byte(s.kind))
	dst = binary.AppendUvarint(dst, uint64(s.size))
	dst = binary.AppendUvarint(dst, zigzag(s.mtime))
	for _, v := range [...]uint32{s.owner.mode, s.owner.uid, s.owner.gid} {
		dst = binary.AppendUvarint(dst, uint64(v))
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.link)))
	return append(dst, s.link...)
}

// readEntry is the other way round; what it returns shares r's memory.
func readEntry(r *byteReader, s *state) (name []byte, err error) {
	name = r.take(r.count())
	k := r.take(1)
	size, mtime := r.uvarint(), r.uvarint()
	var o [3]uint32
	for i := range o {
		o[i] = uint32(r.uvarint())
	}
	link := r.take(r.count())
	if r.bad {
		return nil, io.ErrUnexpectedEOF
	}
	*s = state{kind: kind(k[0]), size: int64(size), mtime: unzigzag(mtime), owner: owner{o[0], o[1], o[2]}, link: link}
	return name, nil
}
