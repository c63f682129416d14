package helper

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"ostler/agents/wire"
)

// act is one line of a restore's journal. Before anything gets its name an
// intent says which thing that will be (Ino and the rest of New), and is on the
// disk; after it, done says what came of it. So an act that a kill cut off is
// recognised by what stands under the name.
type act struct {
	Kind actKind       `json:"k"`
	Seq  int64         `json:"n"` // of the step
	Act  wire.Act      `json:"a,omitempty"`
	To   []byte        `json:"t,omitempty"`
	Type wire.NodeType `json:"y,omitempty"`
	// Bound is the tenancy's path that it was put beneath.
	Bound  string     `json:"b,omitempty"`
	Ground int        `json:"g,omitempty"` // where its slot is
	New    *ident     `json:"w,omitempty"`
	Size   int64      `json:"s,omitempty"`
	Cause  wire.Cause `json:"c,omitempty"`
	Note   string     `json:"o,omitempty"`
	SHA256 string     `json:"h,omitempty"`
}

// actKind tells the lines of a journal apart.
type actKind string

const (
	actIntent actKind = "intent"
	actDone   actKind = "done"
	actUndone actKind = "undone"
)

// undoable reports whether a finished act left something to take back.
func (a *act) undoable() bool {
	return a.Act == wire.ActCreate || a.Act == wire.ActReplace || a.Act == wire.ActBeside
}

// actLog is a restore's journal, open for appending.
type actLog struct {
	f   *os.File
	buf bytes.Buffer
}

// openActs opens a journal and cuts off a line that was not written whole.
func openActs(path string) (*actLog, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("helper: open the restore's journal: %w", err)
	}
	var whole int64
	err = eachAct(f, func(_ act, end int64) error {
		whole = end
		return nil
	})
	if err == nil {
		err = f.Truncate(whole)
	}
	if err == nil {
		_, err = f.Seek(whole, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("helper: open the restore's journal: %w", err), f.Close())
	}
	return &actLog{f: f}, nil
}

// append adds lines; sync has them on the disk before it returns.
func (l *actLog) append(sync bool, lines ...act) error {
	l.buf.Reset()
	enc := json.NewEncoder(&l.buf)
	for i := range lines {
		if err := enc.Encode(&lines[i]); err != nil {
			return err
		}
	}
	_, err := l.f.Write(l.buf.Bytes())
	if err == nil && sync {
		err = l.f.Sync()
	}
	if err != nil {
		return fmt.Errorf("helper: write the restore's journal: %w", err)
	}
	return nil
}

func (l *actLog) close() error { return l.f.Close() }

// readActs calls each for every whole line of a journal; one that is not there
// is empty.
func readActs(path string, each func(act) error) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("helper: read the restore's journal: %w", err)
	}
	defer f.Close()
	return eachAct(f, func(a act, _ int64) error { return each(a) })
}

// eachAct reads whole lines; end is the offset behind each.
func eachAct(r io.Reader, each func(a act, end int64) error) error {
	in := bufio.NewReaderSize(r, 256<<10)
	var end int64
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // a rest without its end was not written whole
		}
		if err != nil {
			return fmt.Errorf("helper: read the restore's journal: %w", err)
		}
		end += int64(len(line))
		var a act
		if err := json.Unmarshal(line, &a); err != nil {
			return fmt.Errorf("helper: read the restore's journal: %w", err)
		}
		if err := each(a, end); err != nil {
			return err
		}
	}
}

// progress is how far a journal came.
type progress struct {
	done    int64         // seq of the last step that is done; -1: none
	undone  int64         // of the last that is taken back; -1: none
	acts    int64         // done ones that can be taken back
	pending map[int64]act // the last intents of steps that are not done
}

func readProgress(path string) (progress, error) {
	p := progress{done: -1, undone: -1, pending: map[int64]act{}}
	err := readActs(path, func(a act) error {
		switch a.Kind {
		case actIntent:
			p.pending[a.Seq] = a
		case actDone:
			p.done = a.Seq
			delete(p.pending, a.Seq)
			if a.undoable() {
				p.acts++
			}
		case actUndone:
			p.undone = a.Seq
		}
		return nil
	})
	return p, err
}
