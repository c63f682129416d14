package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"path"
)

// The vendor folder holds htmx and the icons, which "make web" copies from npm;
// a clean clone has only its README, and pages work without.
//
//go:embed static
var staticFiles embed.FS

// Asset is one static file with its content's hash.
type Asset struct {
	Body        []byte
	Gzip        []byte // Body compressed; pages themselves are not, as they hold secrets
	ContentType string
	Hash        string
}

// loadAssets reads every static file once.
func loadAssets() (map[string]Asset, error) {
	assets := map[string]Asset{}
	root, err := fs.Sub(staticFiles, "static")
	if err != nil {
		return nil, fmt.Errorf("web: static files: %w", err)
	}
	types := map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml", "": "text/plain; charset=utf-8",
	}
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		kind, ok := types[path.Ext(name)]
		if !ok {
			kind = mime.TypeByExtension(path.Ext(name))
		}
		small, err := compressed(b)
		if err != nil {
			return err
		}
		assets[name] = Asset{Body: b, Gzip: small, ContentType: kind, Hash: hex.EncodeToString(sum[:6])}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("web: static files: %w", err)
	}
	return assets, nil
}

func compressed(b []byte) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
