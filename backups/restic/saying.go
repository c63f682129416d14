package restic

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

// saying is a JSON line of restic, as far as we read it.
type saying struct {
	Type string `json:"message_type"`

	// exit_error
	Code    int    `json:"code"`
	Message string `json:"message"`

	// error, of backup and restore
	Error struct {
		Message string `json:"message"`
	} `json:"error"`
	During string `json:"during"` // "scan", "archival", "restore"
	Item   string `json:"item"`
}

// heard collects what restic says on both outputs. Memory is bounded whatever
// it says.
type heard struct {
	said func(*saying)

	mu    sync.Mutex
	exit  string   // the exit_error's message
	loose []string // lines that are not JSON, the last few
	tail  tail
}

// stdoutLine takes a line of stdout that no one else reads.
func (h *heard) stdoutLine(line []byte, _ bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(line) > 0 && line[0] == '{' {
		return
	}
	h.keep(line)
}

// stderrLine takes a line of stderr: JSON or loose words.
func (h *heard) stderrLine(line []byte, cut bool) {
	var m saying
	isJSON := !cut && len(line) > 0 && line[0] == '{' && json.Unmarshal(line, &m) == nil && m.Type != ""
	if isJSON && m.Type != "exit_error" && h.said != nil {
		h.said(&m)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case isJSON && m.Type == "exit_error":
		h.exit = m.Message[:min(len(m.Message), 8<<10)]
		h.tail.add([]byte(m.Message))
	case isJSON && m.Type == "error":
		text := m.Message
		if text == "" {
			text = m.Error.Message
		}
		h.keep([]byte(text))
	case h.exit == "" && (strings.HasPrefix(string(line), "panic: ") || strings.HasPrefix(string(line), "fatal error: ")):
		h.exit = string(line[:min(len(line), 8<<10)]) // what follows is a stack trace
		h.tail.add(line)
	default:
		h.keep(line)
	}
}

func (h *heard) keep(line []byte) {
	h.tail.add(line)
	if len(h.loose) == tailLines {
		h.loose = slices.Delete(h.loose, 0, 1)
	}
	h.loose = append(h.loose, string(line[:min(len(line), 8<<10)]))
}

// words returns what tells the cause: the exit message, then the newest lines.
func (h *heard) words() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := []string{h.exit}
	for _, l := range slices.Backward(h.loose) {
		w = append(w, l)
	}
	return w
}
