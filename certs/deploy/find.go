package deploy

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"path"
	"slices"
	"strings"

	"ostler/agents/wire"
	"ostler/controlplane"
)

// The renewers that are known.
const (
	renewerCertbot = "certbot"
	renewerAcmeSh  = "acme.sh"
	renewerLego    = "lego"
	renewerCaddy   = "caddy"
)

const (
	maxFoundBytes = wire.MaxFrame - (512 << 10) // of a frame; what was seen needs the rest
	maxUsedBy     = 20
	maxQuoted     = 255 // characters of a name
)

// lineage is one certificate of a renewer.
type lineage struct {
	renewer, name string
	config        string // the renewer's own file for it, "" where it has none that can be moved away
	path          string // of the chain
	files         []file // what services read, as far as it is known
}

// file is a file of another renewer and ours that can take its place.
type file struct{ path, ours string }

// Find returns the certificates on this host that are not ours.
func (e *Engine) Find() []wire.FoundCert {
	out := []wire.FoundCert{}
	at := map[string]int{} // resolved path to its place in out
	for _, l := range e.lineages() {
		if f, ok := e.found(l.path); ok {
			f.Renewer, f.Lineage = l.renewer, l.name
			for _, alias := range append(l.files, file{path: l.path}) {
				if r, err := e.resolve(alias.path); err == nil {
					at[r] = len(out)
				}
			}
			out = append(out, f)
		}
	}
	for _, u := range e.uses() {
		r, err := e.resolve(u.path)
		if err != nil || u.role != roleCertificate || e.isOurs(r) {
			continue
		}
		i, known := at[r]
		if !known {
			f, ok := e.found(u.path)
			if !ok {
				continue
			}
			i, at[r], out = len(out), len(out), append(out, f)
		}
		if !slices.Contains(out[i].UsedBy, u.config) && len(out[i].UsedBy) < maxUsedBy {
			out[i].UsedBy = append(out[i].UsedBy, u.config)
		}
	}
	return fit(out)
}

// fit shortens a list until it fits into a frame.
func fit(list []wire.FoundCert) []wire.FoundCert {
	size := 0
	for i, f := range list {
		b, err := json.Marshal(f)
		if size += len(b) + 1; err != nil || size > maxFoundBytes {
			return list[:i]
		}
	}
	return list
}

func (e *Engine) isOurs(resolved string) bool {
	folder, err := e.resolve(e.o.Folder)
	return err == nil && strings.HasPrefix(resolved, folder+"/")
}

// found reads the first certificate of a file.
func (e *Engine) found(name string) (f wire.FoundCert, ok bool) {
	b, err := e.read(name)
	if err != nil {
		return f, false
	}
	cert := firstCertificate(b)
	if cert == nil {
		return f, false
	}
	issuer := cert.Issuer.CommonName
	if issuer == "" && len(cert.Issuer.Organization) > 0 {
		issuer = cert.Issuer.Organization[0]
	}
	names := certNames(cert)
	if len(names) > maxNames {
		names = names[:maxNames]
	}
	for i, n := range names {
		names[i] = controlplane.Line(n, maxQuoted)
	}
	serial := cert.SerialNumber.Text(16)
	return wire.FoundCert{Path: e.inside(name), Names: names, Issuer: controlplane.Line(issuer, maxQuoted), Serial: serial[:min(len(serial), maxQuoted)], NotBefore: cert.NotBefore.UnixMilli(),
		NotAfter: cert.NotAfter.UnixMilli(), Leaf: LeafHash(cert.Raw), UsedBy: []string{}}, true
}

func firstCertificate(b []byte) *x509.Certificate {
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			return nil
		}
		if block.Type == "CERTIFICATE" || block.Type == "TRUSTED CERTIFICATE" {
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil
			}
			return cert
		}
	}
}

// lineages are the certificates of all known renewers.
func (e *Engine) lineages() []lineage {
	return slices.Concat(e.certbot(), e.acmeSh(), e.lego(), e.caddy())
}

// settings reads lines of "key = value", with the value in quotes at most.
func settings(text []byte) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			break // certbot: what follows is how it renews
		}
		key, value, ok := strings.Cut(line, "=")
		if ok && !strings.HasPrefix(line, "#") {
			m[strings.TrimSpace(key)] = strings.Trim(strings.TrimSpace(value), `'"`)
		}
	}
	return m
}

func (e *Engine) certbot() (out []lineage) {
	for _, conf := range e.glob("/etc/letsencrypt/renewal/*.conf") {
		text, err := e.read(conf)
		if err != nil {
			continue
		}
		m := settings(text)
		l := lineage{renewer: renewerCertbot, name: strings.TrimSuffix(path.Base(conf), ".conf"), config: conf, path: m["fullchain"]}
		for _, f := range []file{{m["fullchain"], fullchainFile}, {m["privkey"], keyFile}, {m["chain"], chainFile}, {m["cert"], leafFile}} {
			if f.path != "" {
				l.files = append(l.files, file{e.inside(f.path), f.ours})
			}
		}
		if l.path != "" {
			out = append(out, l)
		}
	}
	return out
}

// acmeSh reads the certificates of root's acme.sh. Those that it copied
// elsewhere are found where services read them.
func (e *Engine) acmeSh() (out []lineage) {
	for _, home := range []string{"/root/.acme.sh", "/etc/acme.sh"} {
		for _, dir := range e.glob(home + "/*") {
			name := path.Base(dir)
			domain := strings.TrimSuffix(name, "_ecc")
			conf := path.Join(dir, domain+".conf")
			text, err := e.read(conf)
			if err != nil {
				continue
			}
			m := settings(text)
			if m["Le_Domain"] == "" {
				continue
			}
			l := lineage{renewer: renewerAcmeSh, name: name, config: conf, path: path.Join(dir, "fullchain.cer")}
			if real := m["Le_RealFullChainPath"]; real != "" {
				l.path = real
			}
			for _, f := range []struct{ copied, own, ours string }{
				{m["Le_RealFullChainPath"], "fullchain.cer", fullchainFile}, {m["Le_RealKeyPath"], domain + ".key", keyFile},
				{m["Le_RealCACertPath"], "ca.cer", chainFile}, {m["Le_RealCertPath"], domain + ".cer", leafFile},
			} {
				l.files = append(l.files, file{path.Join(dir, f.own), f.ours})
				if f.copied != "" {
					l.files = append(l.files, file{e.inside(f.copied), f.ours})
				}
			}
			out = append(out, l)
		}
	}
	return out
}

func (e *Engine) lego() (out []lineage) {
	for _, home := range []string{"/root/.lego", "/etc/lego", "/var/lib/lego"} {
		for _, meta := range e.glob(home + "/certificates/*.json") {
			stem := strings.TrimSuffix(meta, ".json")
			out = append(out, lineage{renewer: renewerLego, name: path.Base(stem), config: meta, path: stem + ".crt",
				files: []file{{stem + ".crt", fullchainFile}, {stem + ".key", keyFile}, {stem + ".issuer.crt", chainFile}}})
		}
	}
	return out
}

func (e *Engine) caddy() (out []lineage) {
	for _, home := range []string{"/var/lib/caddy/.local/share/caddy", "/root/.local/share/caddy"} {
		for _, crt := range e.glob(home + "/certificates/*/*/*.crt") {
			out = append(out, lineage{renewer: renewerCaddy, name: strings.TrimSuffix(path.Base(crt), ".crt"), path: crt})
		}
	}
	return out
}
