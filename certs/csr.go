package certs

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ostler/agents/wire"
	"ostler/controlplane/db"
)

// maxCSR bounds a signing request: a hundred names of full length fit.
const maxCSR = 64 << 10

// checkCSR checks a host's signing request against what was asked of it: names
// and kind of key exactly, the signature, and nothing that a CA would put into
// the certificate beside them. It returns the hash of the public key info.
func checkCSR(der []byte, names []string, key wire.KeyType) (spki string, why *Why) {
	refuse := func(code string, args map[string]string, detail string) (string, *Why) {
		return "", &Why{Code: code, Args: args, Detail: detail}
	}
	if len(der) > maxCSR {
		return refuse(WhyCSRBroken, nil, "it has "+strconv.Itoa(len(der))+" bytes")
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return refuse(WhyCSRBroken, nil, err.Error())
	}
	if err := csr.CheckSignature(); err != nil {
		return refuse(WhyCSRBroken, nil, err.Error())
	}
	got, want := slices.Sorted(slices.Values(csr.DNSNames)), slices.Sorted(slices.Values(names))
	if cn := csr.Subject.CommonName; !slices.Equal(got, want) || cn != "" && !slices.Contains(names, cn) ||
		len(csr.IPAddresses)+len(csr.EmailAddresses)+len(csr.URIs) > 0 {
		return refuse(WhyCSRNames, map[string]string{"names": strings.Join(slices.Concat(csr.DNSNames, csr.EmailAddresses), ", ")}, "")
	}
	if more := besides(csr); more != "" {
		return refuse(WhyCSRNames, map[string]string{"names": more}, "")
	}
	if kind := keyType(csr.PublicKey); kind != string(key) {
		return refuse(WhyCSRKey, map[string]string{"key": kind, "want": string(key)}, "")
	}
	if spki, err = spkiOf(csr.PublicKey); err != nil {
		return refuse(WhyCSRBroken, nil, err.Error())
	}
	return spki, nil
}

// sanExtension is subjectAltName (RFC 5280, 4.2.1.6), the one extension that a
// host asks for.
var sanExtension = asn1.ObjectIdentifier{2, 5, 29, 17}

// besides is what a signing request asks for besides its names: a subject's
// organisation, a CA's rights. "" where there is nothing.
func besides(csr *x509.CertificateRequest) string {
	for _, e := range csr.Extensions {
		if !e.Id.Equal(sanExtension) {
			return "extension " + e.Id.String()
		}
	}
	for _, n := range csr.Subject.Names {
		if !n.Type.Equal(commonName) {
			return "subject field " + n.Type.String()
		}
	}
	return ""
}

var commonName = asn1.ObjectIdentifier{2, 5, 4, 3}

// keyType is a public key's kind in the words of wire.KeyType, or what it is
// where it is none of them: weak keys among them.
func keyType(key any) string {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		switch name := k.Curve.Params().Name; name {
		case "P-256":
			return string(wire.KeyP256)
		case "P-384":
			return string(wire.KeyP384)
		default:
			return name
		}
	case *rsa.PublicKey:
		if k.E != 65537 {
			return fmt.Sprintf("rsa%d with exponent %d", k.N.BitLen(), k.E)
		}
		return "rsa" + strconv.Itoa(k.N.BitLen())
	}
	return fmt.Sprintf("%T", key)
}

// claimKey notes a public key for a round of a certificate. A key that is
// blocked, that any other round or certificate had, or that is an account's is
// refused: a key has one use.
func claimKey(tx *db.Tx, spki string, issue issueRow) (*Why, error) {
	rows, err := company[keyRow](tx, "spki", 1, "spki = ?", spki)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, db.Insert(tx, &keyRow{SPKI: spki, CertificateID: issue.CertificateID, Round: issue.Round, SeenAt: tx.NowMillis()})
	}
	k := rows[0]
	switch {
	case k.BlockedAt > 0:
		return &Why{Code: WhyKeyBlocked, Detail: "spki " + spki}, nil
	case strings.HasPrefix(k.CertificateID, "ca_"):
		return &Why{Code: WhyKeyAccount, Detail: "spki " + spki}, nil
	case k.CertificateID != issue.CertificateID || k.Round != issue.Round:
		return &Why{Code: WhyKeyReused, Detail: "spki " + spki}, nil
	}
	return nil, nil
}
