package ledger

import (
	"bytes"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"

	"ostler/controlplane"
)

// VerifyBundle verifies a bundle with nothing but the log's verifier key, which
// the reader has from elsewhere. "" takes the key that the bundle brings along,
// which shows that the bundle fits together and not who signed it.
//
// A whole bundle is compared with every checkpoint in it: nothing in the log
// was changed, left out or put in. A customer's bundle shows that each leaf is
// in the log and that the chain has no gap up to its end; compare that end with
// a daily head to know that it is the end.
//
// Errors: a file that is no bundle. What differs stands in the report.
func VerifyBundle(r io.Reader, vkey string) (Report, error) {
	dec := json.NewDecoder(r)
	var head bundleLine
	if err := dec.Decode(&head); err != nil || head.Type != lineBundle || head.Version != bundleVersion {
		return Report{}, controlplane.Errorf(controlplane.CodeInvalid, "Give a file that was exported as a bundle, whole and unchanged.", "The file is not a bundle of a ledger").Because(err)
	}
	if head.Scope != bundleOfLog && head.Scope != bundleOfCustomer {
		return Report{}, controlplane.Errorf(controlplane.CodeInvalid, "Verify it with a newer program.", "The bundle's scope %q is not known", head.Scope)
	}
	b := &bundle{head: head, chains: chains{}, tree: newTree(), commitments: map[string][]byte{}, last: Problem{Leaf: -1}}
	if b.key = vkey; vkey == "" {
		b.key = head.Key
	}
	b.report = Report{Origin: head.Origin, Key: b.key}
	var err error
	if b.c, err = OpenCheckpoint([]byte(head.Checkpoint), b.key); err != nil {
		b.report.add(Problem{Leaf: -1, What: fmt.Sprintf("the bundle's checkpoint is forged, damaged, or by another key: %v", err)})
		return b.report, nil
	}
	b.report.Checkpoints, b.report.Size = 1, b.c.Size
	for {
		var line bundleLine
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			b.report.add(b.last.with("the bundle is cut off or damaged after it"))
			break
		}
		if err := b.line(line); err != nil {
			return Report{}, fmt.Errorf("ledger: verify the bundle: %w", err)
		}
	}
	if err := b.end(); err != nil {
		return Report{}, fmt.Errorf("ledger: verify the bundle: %w", err)
	}
	b.report.sort()
	return b.report, nil
}

// bundle is a bundle while it is verified.
type bundle struct {
	head   bundleLine
	key    string
	c      Checkpoint
	report Report
	chains chains
	tree   *tree

	last        Problem // names the last leaf read
	next        int64   // the place that comes next in a whole log
	commitments map[string][]byte
	good        int64 // the tree of this size matched a checkpoint
	first       Problem
	broken      bool
}

func (b *bundle) whole() bool { return b.head.Scope == bundleOfLog }

func (b *bundle) line(line bundleLine) error {
	switch line.Type {
	case lineLeaf:
		return b.leaf(line)
	case linePersonal:
		b.personal(line)
	case lineCheckpoint:
		c, err := OpenCheckpoint([]byte(line.Checkpoint), b.key)
		if err != nil || c.Size != b.next {
			b.report.add(b.last.with("the checkpoint after it is forged, damaged or in the wrong place"))
			return nil
		}
		b.report.Checkpoints++
		return b.compare(c)
	default:
		b.report.add(b.last.with("the bundle has a line of type %q after it", line.Type))
	}
	return nil
}

func (b *bundle) leaf(line bundleLine) error {
	hash := tlog.RecordHash([]byte(line.Leaf))
	l, err := parseLeaf([]byte(line.Leaf))
	p := Problem{Leaf: line.Index}
	if err == nil {
		p.Entry, p.At = l.ID, controlplane.FromMillis(l.At)
	}
	b.report.Leaves++
	b.last, b.commitments = p, map[string][]byte{}
	if err != nil {
		b.report.add(p.with("%v", err))
		b.broken = true
	} else {
		if err := b.chains.check(l, hash); err != nil {
			b.report.add(p.with("%v", err))
		}
		if b.commitments, err = l.commitments(); err != nil {
			b.report.add(p.with("%v", err))
		}
	}
	if !b.whole() {
		if l.Customer != b.head.Customer {
			b.report.add(p.with("it is of another customer"))
		}
		proof := Proof{Entry: l.ID, Leaf: line.Leaf, Index: line.Index, Hashes: line.Proof}
		if err := proof.check(b.c); err != nil {
			b.report.add(p.with("its proof does not lead to the checkpoint: it was changed"))
		}
		return nil
	}
	if b.tree.size == b.good {
		b.first = p
	}
	if line.Index != b.next {
		b.report.add(p.with("leaf %d was left out before it", b.next))
		b.broken = true
	}
	b.next = line.Index + 1
	if !bytes.Equal(line.Hash, hash[:]) {
		b.report.add(p.with("its content does not match its hash: it was changed"))
		b.broken = true
	}
	_, err = b.tree.add(hash)
	return err
}

func (b *bundle) personal(line bundleLine) {
	want, ok := b.commitments[line.Name]
	if line.Entry != b.last.Entry || !ok || !hmac.Equal(commit(line.Salt, line.Value), want) {
		b.report.add(b.last.with("its personal value %s is not the one it commits to", line.Name))
		return
	}
	b.report.Personal++
}

// compare compares the tree so far with a signed checkpoint of its size.
func (b *bundle) compare(c Checkpoint) error {
	if b.broken {
		return nil
	}
	root, err := b.tree.root()
	if err != nil {
		return err
	}
	if root == c.Root {
		b.good = c.Size
		return nil
	}
	b.broken = true
	b.report.add(b.first.with("it or another of the leaves %d to %d was changed: the root is not the one signed at size %d", b.good, c.Size-1, c.Size))
	return nil
}

func (b *bundle) end() error {
	b.report.Chains = int64(len(b.chains))
	if b.report.Leaves != b.head.Count {
		b.report.add(b.last.with("the bundle says that it has %d leaves, and has %d: leaves were left out", b.head.Count, b.report.Leaves))
		return nil
	}
	if !b.whole() {
		return nil
	}
	if b.tree.size != b.c.Size {
		b.report.add(b.last.with("the checkpoint covers %d leaves, and the bundle has %d", b.c.Size, b.tree.size))
		return nil
	}
	return b.compare(b.c)
}
