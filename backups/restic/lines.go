package restic

import (
	"bytes"

	"ostler/controlplane"
)

// maxLine bounds what is kept of one line. Lines of restic are far shorter; one
// that is longer is cut, and its rest is skipped without being held.
const maxLine = 1 << 20

// lines is a writer that hands on whole lines, of any length, in bounded
// memory. The slice is valid during the call only. The last line needs no
// newline: call flush.
type lines struct {
	each func(line []byte, cut bool)
	buf  []byte
	cut  bool
}

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		part := p
		if i >= 0 {
			part = p[:i]
		}
		if room := maxLine - len(l.buf); len(part) > room {
			part, l.cut = part[:room], true
		}
		if i < 0 {
			l.buf = append(l.buf, part...)
			break
		}
		if len(l.buf) == 0 {
			l.emit(part)
		} else {
			l.buf = append(l.buf, part...)
			l.emit(l.buf)
		}
		p = p[i+1:]
	}
	return n, nil
}

func (l *lines) emit(line []byte) {
	if len(line) > 0 || l.cut {
		l.each(line, l.cut)
	}
	l.cut = false
	if cap(l.buf) > 64<<10 {
		l.buf = nil
	}
	l.buf = l.buf[:0]
}

func (l *lines) flush() { l.emit(l.buf) }

// tail keeps the last few lines, each of them short.
type tail struct {
	kept []string
}

const (
	tailLines = 20
	tailWidth = 500
)

func (t *tail) add(line []byte) {
	s := controlplane.Line(string(line[:min(len(line), tailWidth)]), tailWidth)
	if len(t.kept) == tailLines {
		copy(t.kept, t.kept[1:])
		t.kept[tailLines-1] = s
		return
	}
	t.kept = append(t.kept, s)
}
