package ledger

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

// keyName is the log's signing key in the keyring; all generations share it.
const keyName = "ledger"

// signer signs checkpoints as a C2SP signed note with an Ed25519 key. The
// name of the key is the log's origin.
type signer struct {
	name string
	hash uint32
	key  ed25519.PrivateKey
}

// newSigner returns the signer of a log, and its verifier key.
func newSigner(origin string, key ed25519.PrivateKey) (*signer, string, error) {
	vkey, err := note.NewEd25519VerifierKey(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, "", fmt.Errorf("ledger: %w", err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, "", fmt.Errorf("ledger: origin %q: %w", origin, err)
	}
	return &signer{name: origin, hash: v.KeyHash(), key: key}, vkey, nil
}

// Name implements note.Signer.
func (s *signer) Name() string { return s.name }

// KeyHash implements note.Signer.
func (s *signer) KeyHash() uint32 { return s.hash }

// Sign implements note.Signer.
func (s *signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// Checkpoint is the state of a log at a size: a C2SP tlog-checkpoint.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
}

// text is the body of the signed note: origin, size in decimal and root in
// base64, each on a line of its own.
func (c Checkpoint) text() string {
	return c.Origin + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

func (s *signer) sign(c Checkpoint) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: c.text()}, s)
	if err != nil {
		return nil, fmt.Errorf("sign the checkpoint of size %d: %w", c.Size, err)
	}
	return signed, nil
}

// OpenCheckpoint checks the signature of a checkpoint against a verifier key
// ("name+hash+key") and returns what it says. It needs no database.
func OpenCheckpoint(signed []byte, vkey string) (Checkpoint, error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("ledger: the public key is malformed")
	}
	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("ledger: the checkpoint's signature is not by %s", v.Name())
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 {
		return Checkpoint{}, fmt.Errorf("ledger: the checkpoint is malformed")
	}
	c := Checkpoint{Origin: lines[0]}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	root, rootErr := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || rootErr != nil || size < 0 || len(root) != tlog.HashSize {
		return Checkpoint{}, fmt.Errorf("ledger: the checkpoint is malformed")
	}
	c.Size, c.Root = size, tlog.Hash(root)
	if c.text() != n.Text {
		return Checkpoint{}, fmt.Errorf("ledger: the checkpoint is not in its one form")
	}
	if c.Origin != v.Name() {
		return Checkpoint{}, fmt.Errorf("ledger: the checkpoint is of %q, and the key of %q", c.Origin, v.Name())
	}
	return c, nil
}

// Checkpoint returns the newest signed checkpoint of the log.
func (l *Ledger) Checkpoint(ctx context.Context) (signed []byte, err error) {
	err = l.d.Read(ctx, func(tx *db.Tx) error {
		row, ok, err := newestCheckpoint(tx, l.generation)
		if err == nil && !ok {
			return controlplane.NotFound("checkpoint")
		}
		signed = row.Note
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: checkpoint: %w", err)
	}
	return signed, nil
}

// originOf returns the origin line of a generation.
func originOf(base string, generation int64) string {
	return base + "/g" + strconv.FormatInt(generation, 10)
}

// vkeyOf returns the verifier key of any generation of this ledger.
func (l *Ledger) vkeyOf(generation int64) (string, error) {
	return note.NewEd25519VerifierKey(originOf(l.base, generation), l.signer.key.Public().(ed25519.PublicKey))
}
