package restic

import (
	"bytes"
	"errors"
	"io/fs"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"ostler/agents/wire"
)

// lsNode is one line of `ls --json`, read without allocating: a large snapshot
// has a million of them. Its slices are valid until the next line is read.
type lsNode struct {
	node wire.Node
	// path has U+FFFD where it has a byte that is not UTF-8; lost is how many such
	// bytes there are.
	path []byte
	lost int

	isNode  bool
	scratch []byte

	name, rawPath []byte // as they are written
	mode          uint64
}

var errLine = errors.New("restic: a line of ls that is not JSON as restic writes it")

// parse reads one line. A line that is no node leaves isNode false.
func (l *lsNode) parse(line []byte) error {
	l.node, l.path, l.lost, l.isNode = wire.Node{}, nil, 0, false
	l.name, l.rawPath, l.mode = nil, nil, 0
	s := scanner{b: line}
	if !s.skip('{') {
		return errLine
	}
	for first := true; !s.skip('}'); first = false {
		if !first && !s.skip(',') {
			return errLine
		}
		key, ok := s.str()
		if !ok || !s.skip(':') || !l.member(&s, key) {
			return errLine
		}
	}
	if !l.isNode {
		return nil
	}
	l.node.Mode = uint32(fs.FileMode(l.mode) & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky))
	// A name that is no plain name would stand in the path as another.
	n := len(l.rawPath) - len(l.name)
	if len(l.name) == 0 || n < 1 || l.rawPath[0] != '/' || l.rawPath[n-1] != '/' || !bytes.HasSuffix(l.rawPath, l.name) {
		return errLine
	}
	return l.unquote(l.rawPath)
}

// member reads the value of one key.
func (l *lsNode) member(s *scanner, key []byte) bool {
	var v []byte
	var n uint64
	ok := false
	switch string(key) {
	case "name":
		l.name, ok = s.str()
	case "path":
		l.rawPath, ok = s.str()
	case "type":
		v, ok = s.str()
		l.node.Type = nodeType(v)
	case "uid":
		n, ok = s.number()
		l.node.UID = uint32(n)
	case "gid":
		n, ok = s.number()
		l.node.GID = uint32(n)
	case "size":
		n, ok = s.number()
		l.node.Size = int64(n)
	case "mode":
		l.mode, ok = s.number()
	case "mtime":
		if v, ok = s.str(); ok {
			l.node.MTime, ok = unixMilli(v)
		}
	case "message_type", "struct_type":
		v, ok = s.str()
		l.isNode = l.isNode || string(v) == "node"
	default:
		ok = s.value()
	}
	return ok
}

// unquote sets path, and the name at its end.
func (l *lsNode) unquote(raw []byte) error {
	if bytes.IndexByte(raw, '\\') < 0 {
		l.path = raw
	} else if err := l.unescape(raw); err != nil {
		return err
	}
	l.node.Name = baseName(l.path)
	if len(l.node.Name) == 0 || string(l.node.Name) == "." || string(l.node.Name) == ".." || bytes.IndexByte(l.node.Name, 0) >= 0 {
		return errLine
	}
	return nil
}

func (l *lsNode) unescape(raw []byte) error {
	out := l.scratch[:0]
	for i := 0; i < len(raw); {
		j := bytes.IndexByte(raw[i:], '\\')
		if j < 0 {
			out = append(out, raw[i:]...)
			break
		}
		out = append(out, raw[i:i+j]...)
		i += j + 1
		if i >= len(raw) {
			return errLine
		}
		c := raw[i]
		i++
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'u':
			r, ok := hex4(raw[i:])
			if !ok {
				return errLine
			}
			i += 4
			if utf16.IsSurrogate(r) && i+6 <= len(raw) && raw[i] == '\\' && raw[i+1] == 'u' {
				if low, ok := hex4(raw[i+2:]); ok {
					r = utf16.DecodeRune(r, low)
					i += 6
				}
			}
			if r == utf8.RuneError { // it is written so for a byte only; the sign itself is not escaped
				l.lost++
			}
			out = utf8.AppendRune(out, r)
		default:
			return errLine
		}
	}
	l.scratch, l.path = out, out
	return nil
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// nodeType returns the type of that name without allocating.
func nodeType(b []byte) wire.NodeType {
	for _, t := range nodeTypes {
		if string(b) == string(t) {
			return t
		}
	}
	return wire.NodeIrregular
}

// scanner goes through one line of JSON as Go's encoder writes it: without
// spaces.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) skip(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// str returns a string as it is written, without its quotes.
func (s *scanner) str() ([]byte, bool) {
	if !s.skip('"') {
		return nil, false
	}
	start := s.i
	for {
		j := bytes.IndexByte(s.b[s.i:], '"')
		if j < 0 {
			return nil, false
		}
		end := s.i + j
		slashes := 0
		for k := end - 1; k >= start && s.b[k] == '\\'; k-- {
			slashes++
		}
		s.i = end + 1
		if slashes%2 == 0 {
			return s.b[start:end], true
		}
	}
}

func (s *scanner) number() (uint64, bool) {
	start, v := s.i, uint64(0)
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		v = v*10 + uint64(s.b[s.i]-'0')
		s.i++
	}
	return v, s.i > start && s.i-start <= 20
}

// value passes over any value.
func (s *scanner) value() bool {
	for depth := 0; s.i < len(s.b); {
		switch s.b[s.i] {
		case '"':
			if _, ok := s.str(); !ok {
				return false
			}
		case '{', '[':
			depth++
			s.i++
			continue
		case '}', ']':
			if depth == 0 {
				return true
			}
			depth--
			s.i++
		case ',':
			if depth == 0 {
				return true
			}
			s.i++
			continue
		default:
			s.i++
			continue
		}
		if depth == 0 {
			return true
		}
	}
	return false
}

// unixMilli reads a time as Go writes it.
func unixMilli(b []byte) (int64, bool) {
	// 2026-11-22T00:40:46.504627554Z
	if len(b) < 20 || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return slowMilli(b)
	}
	year, ok1 := digits(b[0:4])
	month, ok2 := digits(b[5:7])
	day, ok3 := digits(b[8:10])
	hour, ok4 := digits(b[11:13])
	minute, ok5 := digits(b[14:16])
	second, ok6 := digits(b[17:19])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) || year == 0 || month < 1 || month > 12 || day < 1 || day > 31 {
		return slowMilli(b)
	}
	i, milli := 19, int64(0)
	if b[i] == '.' {
		scale := int64(100)
		for i++; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
			milli += int64(b[i]-'0') * scale
			scale /= 10
		}
	}
	if i != len(b)-1 || b[i] != 'Z' {
		return slowMilli(b)
	}
	return (daysSince1970(int64(year), int64(month), int64(day))*86400+int64(hour*3600+minute*60+second))*1000 + milli, true
}

func slowMilli(b []byte) (int64, bool) {
	t, err := time.Parse(time.RFC3339Nano, string(b))
	return t.UnixMilli(), err == nil
}

func digits(b []byte) (int, bool) {
	v := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	return v, true
}

// daysSince1970 counts days of the Gregorian calendar, whose year begins in
// March here: the leap day is its last.
func daysSince1970(y, m, d int64) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400 // years are not negative
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

// mangle is how restic's JSON shows a name: U+FFFD for each byte that is not
// part of UTF-8.
func mangle(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	return string([]rune(name))
}
