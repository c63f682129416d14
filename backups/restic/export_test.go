package restic

import (
	"io"
	"strings"

	"ostler/agents/wire"
)

// Explain classifies what restic wrote to stderr, as run does.
func Explain(exit int, stderr string) wire.Failure {
	h := &heard{}
	l := &lines{each: h.stderrLine}
	_, _ = io.WriteString(l, stderr)
	l.flush()
	return classify(exit, h.words(), "", nil)
}

// ReadTree decodes the output of cat tree.
func ReadTree(r io.Reader) ([]wire.Node, error) {
	var nodes []wire.Node
	err := decodeTree(newDecoder(r), func(n wire.Node) { nodes = append(nodes, n) })
	return nodes, err
}

// ReadLine decodes one line of ls; lost is how many bytes JSON could not hold.
func ReadLine(line string) (path string, n wire.Node, lost int, isNode bool, err error) {
	var l lsNode
	err = l.parse([]byte(line))
	return string(l.path), l.node, l.lost, l.isNode, err
}

// Lines splits what is written in pieces of size n.
func Lines(text string, n int) (got []string, cut []bool) {
	l := &lines{each: func(line []byte, c bool) { got, cut = append(got, string(line)), append(cut, c) }}
	for r := strings.NewReader(text); r.Len() > 0; {
		_, _ = io.CopyN(l, r, int64(n))
	}
	l.flush()
	return got, cut
}

// MaxLine is the bound of one line.
const MaxLine = maxLine

// PatternLine and the others are rules by themselves.
var (
	PatternLine  = patternLine
	Escape       = escape
	JudgeVersion = judgeVersion
	Match        = match
	IncludeLine  = includeLine
	SameShown    = sameShown
)
