package world

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"testing"
)

// KeyIn looks for a private key (a PEM file) in data, in every form that it is
// likely to be written in, and says in which one it is there, "" for none.
func KeyIn(t testing.TB, data []byte, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		t.Fatalf("%s is no PEM", file)
	}
	// The first 36 bytes of a P-256 key in PKCS #8 are the same for all keys.
	forms := map[string][]byte{"PKCS #8": block.Bytes[min(36, len(block.Bytes)/2):]}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		if ec, ok := key.(*ecdsa.PrivateKey); ok {
			d, err := ec.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			forms["the number"] = d
		}
	}
	for name, b := range forms {
		b = b[:12] // as much as stands in one line of PEM
		for how, written := range map[string]string{"as it is": string(b), "hex": hex.EncodeToString(b), "HEX": strings.ToUpper(hex.EncodeToString(b)),
			"base64": base64.StdEncoding.EncodeToString(b), "base64url": base64.RawURLEncoding.EncodeToString(b)} {
			if bytes.Contains(data, []byte(written)) {
				return name + ", " + how
			}
		}
	}
	return ""
}

// Dump is every value of every table of the plane's database, as text.
func (w *World) Dump() string {
	w.T.Helper()
	d := w.open()
	defer func() { _ = d.Close() }()
	list := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if w.database != "" {
		list = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
		if _, err := d.Exec("SET ostler.customer = '*'"); err != nil {
			w.T.Fatal(err)
		}
	}
	var tables []string
	rows, err := d.Query(list)
	if err != nil {
		w.T.Fatal(err)
	}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			w.T.Fatal(err)
		}
		tables = append(tables, name)
	}
	if err := rows.Close(); err != nil {
		w.T.Fatal(err)
	}
	var b strings.Builder
	for _, table := range tables {
		w.dumpTable(&b, table)
	}
	return b.String()
}

func (w *World) dumpTable(b *strings.Builder, table string) {
	w.T.Helper()
	d := w.open()
	defer func() { _ = d.Close() }()
	if w.database != "" {
		if _, err := d.Exec("SET ostler.customer = '*'"); err != nil {
			w.T.Fatal(err)
		}
	}
	rows, err := d.Query(`SELECT * FROM "` + table + `"`)
	if err != nil {
		w.T.Fatalf("%s: %v", table, err)
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		w.T.Fatal(err)
	}
	for rows.Next() {
		row := make([]any, len(names))
		for i := range row {
			row[i] = new(any)
		}
		if err := rows.Scan(row...); err != nil {
			w.T.Fatal(err)
		}
		for i, v := range row {
			if raw, ok := (*v.(*any)).([]byte); ok {
				fmt.Fprintf(b, "%s.%s=%s\n", table, names[i], raw)
			} else {
				fmt.Fprintf(b, "%s.%s=%v\n", table, names[i], *v.(*any))
			}
		}
	}
	if err := rows.Err(); err != nil {
		w.T.Fatal(err)
	}
}

// Arg is the nth placeholder of a statement in the world's database.
func (w *World) Arg(n int) string {
	if w.database != "" {
		return fmt.Sprintf("$%d", n)
	}
	return "?"
}
