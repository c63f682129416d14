package identity

import (
	"bytes"
	"crypto/subtle"
	"encoding/base32"
	"fmt"
	"image/png"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// totpPeriod is how long a code of an authenticator app stands (RFC 6238).
const totpPeriod = 30 * time.Second

func newTOTP(issuer, account string) (secret string, err error) {
	k, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: account, SecretSize: 20})
	if err != nil {
		return "", fmt.Errorf("totp: %w", err)
	}
	return k.Secret(), nil
}

// totpURL is what an authenticator app reads from the picture.
func totpURL(issuer, account, secret string) (*otp.Key, error) {
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		return nil, fmt.Errorf("totp: %w", err)
	}
	k, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: account, Secret: raw})
	if err != nil {
		return nil, fmt.Errorf("totp: %w", err)
	}
	return k, nil
}

// totpStep returns the step whose code was typed: this one, the one before or
// the one after; ok is false for any other code.
func totpStep(secret, code string, now time.Time) (step int64, ok bool, err error) {
	code = strings.ReplaceAll(normal(code), " ", "")
	at := now.Unix() / int64(totpPeriod/time.Second)
	for _, s := range []int64{at, at - 1, at + 1} {
		want, err := hotp.GenerateCodeCustom(secret, uint64(s), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, false, fmt.Errorf("totp: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			return s, true, nil
		}
	}
	return 0, false, nil
}

// isTOTP reports whether what was typed looks like a code of an authenticator
// app and not like a recovery code.
func isTOTP(typed string) bool {
	t := strings.ReplaceAll(normal(typed), " ", "")
	return len(t) == 6 && strings.Trim(t, "0123456789") == ""
}

// QR returns a PNG of the picture that an authenticator app scans, size pixels
// wide and high.
func (i Invitation) QR(size int) ([]byte, error) {
	k, err := otp.NewKeyFromURL(i.TOTPURL)
	if err != nil {
		return nil, fmt.Errorf("identity: qr: %w", err)
	}
	img, err := k.Image(size, size)
	if err != nil {
		return nil, fmt.Errorf("identity: qr: %w", err)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("identity: qr: %w", err)
	}
	return b.Bytes(), nil
}
