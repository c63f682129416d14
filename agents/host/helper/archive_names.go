package helper

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"ostler/agents/wire"
)

// Names that an archive has beside those of the files.
const (
	manifestName = "ostler-manifest.json"
	sumsName     = "SHA256SUMS"
)

// namer gives the entries of an archive their names. A tar carries any bytes. A
// zip goes to any computer: there, a name is UTF-8 without control characters
// and backslashes, and no two differ only in what some computer does not tell
// apart: case, composed letters, dots and spaces at the end.
type namer struct {
	format wire.ArchiveFormat
	seed   maphash.Seed
	// stack are the open folders, the archive's root first. Files come depth
	// first, so a folder that was left does not come again.
	stack []openFolder
}

type openFolder struct {
	original string
	name     string            // in the archive
	taken    map[uint64]uint32 // hashes of folded names, with the last number given
}

func newNamer(f wire.ArchiveFormat) *namer {
	n := &namer{format: f, seed: maphash.MakeSeed(), stack: []openFolder{{taken: map[uint64]uint32{}}}}
	for _, s := range []string{manifestName, sumsName} {
		n.stack[0].taken[n.hash(s)] = 1
	}
	return n
}

// begin starts a selection.
func (n *namer) begin(label string) {
	n.stack = n.stack[:1]
	if label != "" {
		n.stack = append(n.stack, openFolder{name: label, taken: map[uint64]uint32{}})
	}
}

// name returns the entry's name for an absolute path, without a slash at its end.
func (n *namer) name(path []byte, label string) string {
	base := 1
	if label != "" {
		base = 2
	}
	parts := bytes.Split(bytes.TrimPrefix(path, []byte("/")), []byte("/"))
	depth := base
	for depth < len(n.stack) && depth-base < len(parts)-1 && n.stack[depth].original == string(parts[depth-base]) {
		depth++
	}
	n.stack = n.stack[:depth]
	for i := depth - base; i < len(parts); i++ {
		n.stack = append(n.stack, openFolder{original: string(parts[i]), name: n.pick(&n.stack[len(n.stack)-1], parts[i])})
	}
	return n.stack[len(n.stack)-1].name
}

// pick chooses the name of something in a folder.
func (n *namer) pick(in *openFolder, original []byte) string {
	prefix := in.name
	if prefix != "" {
		prefix += "/"
	}
	name := string(original)
	if n.format == wire.ArchiveZip {
		name = zipName(original)
	}
	if in.taken == nil {
		in.taken = map[uint64]uint32{}
	}
	last, taken := in.taken[n.hash(name)]
	if !taken {
		in.taken[n.hash(name)] = 1
		return prefix + name
	}
	stem, ext := name, ""
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		stem, ext = name[:i], name[i:]
	}
	for k := last + 1; ; k++ {
		other := fmt.Sprintf("%s (%d)%s", stem, k, ext)
		if _, taken := in.taken[n.hash(other)]; !taken {
			in.taken[n.hash(name)], in.taken[n.hash(other)] = k, 1
			return prefix + other
		}
	}
}

// hash is of what tells two names apart.
func (n *namer) hash(name string) uint64 {
	if n.format == wire.ArchiveZip {
		name = folded(name)
	}
	return maphash.String(n.seed, name)
}

// folded is a name as the least exact file system has it.
func folded(name string) string {
	ascii := true
	for i := range len(name) {
		ascii = ascii && name[i] < utf8.RuneSelf
	}
	if !ascii {
		name = norm.NFC.String(strings.ToLower(strings.ToUpper(norm.NFC.String(name)))) // ſ and s, ς and σ
	}
	return strings.TrimRight(strings.ToLower(name), ". ")
}

// zipName writes one name so that every computer can hold it: what cannot stand
// there becomes %XX, byte by byte.
func zipName(original []byte) string {
	clean := true
	for _, c := range original {
		clean = clean && c >= ' ' && c < 0x7f && c != '\\'
	}
	if clean {
		return string(original)
	}
	var b strings.Builder
	for len(original) > 0 {
		r, size := utf8.DecodeRune(original)
		if r == utf8.RuneError && size == 1 || r == '\\' || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			for _, c := range original[:size] {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		} else {
			b.Write(original[:size])
		}
		original = original[size:]
	}
	return b.String()
}
