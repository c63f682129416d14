package web

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"image"
	"image/png"

	"github.com/pquerna/otp"
)

// QR is a drawing of an otpauth address, as an image's address; "" is none.
type QR = template.URL

// NewQR draws an otpauth address.
func NewQR(otpauth string) (QR, error) {
	key, err := otp.NewKeyFromURL(otpauth)
	if err != nil {
		return "", fmt.Errorf("web: draw code: %w", err)
	}
	const size = 232
	code, err := key.Image(size, size)
	if err != nil {
		return "", fmt.Errorf("web: draw code: %w", err)
	}
	grey := image.NewGray(code.Bounds())
	for y := range size {
		for x := range size {
			grey.Set(x, y, code.At(x, y))
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, grey); err != nil {
		return "", fmt.Errorf("web: draw code: %w", err)
	}
	return QR("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}
