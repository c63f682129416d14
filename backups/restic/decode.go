package restic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"ostler/agents/wire"
)

// decoder reads one JSON document of any size token by token: no single token,
// and no value that is taken whole, may be longer than maxLine.
type decoder struct {
	*json.Decoder
	from *bounded
}

var errTooLong = errors.New("a JSON value is too long")

// bounded gives up where more than left bytes are wanted at once.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func newDecoder(r io.Reader) *decoder {
	b := &bounded{r: r}
	return &decoder{json.NewDecoder(b), b}
}

func (d *decoder) token() (json.Token, error) {
	d.from.left = maxLine
	return d.Token()
}

func (d *decoder) value(v any) error {
	d.from.left = maxLine
	return d.Decode(v)
}

func (d *decoder) delim(want json.Delim) error {
	t, err := d.token()
	if err == nil && t != want {
		err = fmt.Errorf("%v where %v is wanted", t, want)
	}
	return err
}

// array reads an array; each reads one element.
func (d *decoder) array(each func() error) error {
	if err := d.delim('['); err != nil {
		return err
	}
	for d.More() {
		if err := each(); err != nil {
			return err
		}
		d.from.left = maxLine // for More
	}
	return d.delim(']')
}

// object reads an object; member reads the value of one key.
func (d *decoder) object(member func(key string) error) error {
	if err := d.delim('{'); err != nil {
		return err
	}
	for d.More() {
		t, err := d.token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		if err := member(key); err != nil {
			return err
		}
		d.from.left = maxLine
	}
	return d.delim('}')
}

// skip reads over one value, however large.
func (d *decoder) skip() error {
	for depth := 0; ; {
		t, err := d.token()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// stream runs a command whose output is one JSON document and decodes it while
// it comes. What comes after the decoder stopped is read and dropped, so that
// restic ends by itself and its exit code counts.
func (s *session) stream(ctx context.Context, c command, decode func(*decoder) error) error {
	r, w := io.Pipe()
	c.stdout = w
	decoded := make(chan error, 1)
	go func() {
		err := decode(newDecoder(r))
		_, _ = io.Copy(io.Discard, r)
		decoded <- err
	}()
	_, err := s.run(ctx, c)
	_ = w.Close()
	decodeErr := <-decoded
	if err != nil {
		return err
	}
	if decodeErr != nil {
		return failure(wire.CauseDamaged, "what restic read from the repository is not well formed").because(decodeErr)
	}
	return nil
}
