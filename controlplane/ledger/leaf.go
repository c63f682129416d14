package ledger

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// leafVersion is the version of the leaf's form.
const leafVersion = 1

// leaf is what the tree hashes, as canonical JSON with exactly these keys:
//
//	actor        {"id", "kind"}: who did it
//	at           Unix milliseconds
//	commitments  {name: base64 of HMAC-SHA-256(salt, value)} of personal values
//	customer     id, "" for the company's own
//	data         clear facts
//	id           the entry's id
//	kind         "noun.past_verb"
//	prev         hex of the leaf hash before it in the customer's chain; 64 zeros for the first
//	seq          place in the customer's chain, from 0
//	server       id, or ""
//	subject      id of what it is about, or ""
//	v            1
//
// Chains are per log: in a new generation each starts at 0 again.
type leaf struct {
	Actor struct {
		ID   string `json:"id"`
		Kind string `json:"kind"`
	} `json:"actor"`
	At          int64           `json:"at"`
	Commitments json.RawMessage `json:"commitments"`
	Customer    string          `json:"customer"`
	Data        json.RawMessage `json:"data"`
	ID          string          `json:"id"`
	Kind        string          `json:"kind"`
	Prev        string          `json:"prev"`
	Seq         int64           `json:"seq"`
	Server      string          `json:"server"`
	Subject     string          `json:"subject"`
	V           int             `json:"v"`
}

// leafOf builds the leaf of a row at a place in its customer's chain.
func leafOf(r entryRow, seq int64, prev tlog.Hash) leaf {
	l := leaf{
		At: r.At, Commitments: r.Commitments, Customer: r.CustomerID, Data: r.Data, ID: r.ID, Kind: r.Kind,
		Prev: hex.EncodeToString(prev[:]), Seq: seq, Server: r.ServerID, Subject: r.Subject, V: leafVersion,
	}
	l.Actor.ID, l.Actor.Kind = r.ActorID, r.ActorKind
	return l
}

// bytes returns the canonical form; Data and Commitments are canonical already.
func (l leaf) bytes() []byte {
	b := make([]byte, 0, 512+len(l.Data)+len(l.Commitments))
	b = appendString(append(b, `{"actor":{"id":`...), l.Actor.ID)
	b = appendString(append(b, `,"kind":`...), l.Actor.Kind)
	b = strconv.AppendInt(append(b, `},"at":`...), l.At, 10)
	b = append(append(b, `,"commitments":`...), l.Commitments...)
	b = appendString(append(b, `,"customer":`...), l.Customer)
	b = append(append(b, `,"data":`...), l.Data...)
	b = appendString(append(b, `,"id":`...), l.ID)
	b = appendString(append(b, `,"kind":`...), l.Kind)
	b = appendString(append(b, `,"prev":`...), l.Prev)
	b = strconv.AppendInt(append(b, `,"seq":`...), l.Seq, 10)
	b = appendString(append(b, `,"server":`...), l.Server)
	b = appendString(append(b, `,"subject":`...), l.Subject)
	b = strconv.AppendInt(append(b, `,"v":`...), int64(l.V), 10)
	return append(b, '}')
}

// parseLeaf reads a leaf and insists on its canonical form.
func parseLeaf(raw []byte) (leaf, error) {
	var l leaf
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil {
		return leaf{}, fmt.Errorf("it is not the JSON of a leaf")
	}
	if l.V != leafVersion {
		return leaf{}, fmt.Errorf("its version is %d, and this program knows %d", l.V, leafVersion)
	}
	var err error
	for _, part := range []*json.RawMessage{&l.Commitments, &l.Data} {
		if *part, err = recanonical(*part); err != nil {
			return leaf{}, fmt.Errorf("it has no canonical form")
		}
	}
	if !bytes.Equal(l.bytes(), raw) {
		return leaf{}, fmt.Errorf("it is not in canonical form")
	}
	return l, nil
}

// commitments returns the commitments by name.
func (l leaf) commitments() (map[string][]byte, error) {
	m := map[string][]byte{}
	if err := json.Unmarshal(l.Commitments, &m); err != nil {
		return nil, fmt.Errorf("its commitments cannot be read")
	}
	return m, nil
}
