package deploy

import (
	"path"
	"strings"
)

// role is what a configuration names a file for.
type role int

const (
	roleCertificate role = iota
	roleKey
	roleChain
)

// use is a file that a service's configuration names.
type use struct {
	config string // the configuration file
	path   string // the file, beneath the root
	role   role
}

// Where nginx and Apache are configured.
var (
	nginxConfigs = []string{"/etc/nginx/nginx.conf", "/etc/nginx/conf.d/*.conf", "/etc/nginx/sites-enabled/*", "/etc/nginx/snippets/*.conf",
		"/etc/nginx/vhosts.d/*.conf"}
	apacheConfigs = []string{"/etc/apache2/apache2.conf", "/etc/apache2/sites-enabled/*", "/etc/apache2/conf-enabled/*.conf", "/etc/apache2/mods-enabled/*.conf",
		"/etc/apache2/vhosts.d/*.conf", "/etc/httpd/conf/httpd.conf", "/etc/httpd/conf.d/*.conf"}
)

// uses are the files of certificates that nginx and Apache name. Names with a
// variable in them stand for many files, and are left out.
func (e *Engine) uses() []use {
	var out []use
	collect := func(patterns []string, prefix string, parse func(string) []use) {
		for _, pattern := range patterns {
			for _, config := range e.glob(pattern) {
				text, err := e.read(config)
				if err != nil {
					e.log.Debug("certificate.config_unread", "err", err)
					continue
				}
				for _, u := range parse(string(text)) {
					if u.path == "" || strings.ContainsAny(u.path, "$\x00") || strings.HasPrefix(u.path, "data:") || strings.HasPrefix(u.path, "engine:") {
						continue
					}
					if !path.IsAbs(u.path) {
						u.path = path.Join(prefix, u.path)
					}
					u.config, u.path = config, e.inside(u.path)
					out = append(out, u)
				}
			}
		}
	}
	collect(nginxConfigs, "/etc/nginx", nginxUses)
	collect(apacheConfigs[:5], "/etc/apache2", apacheUses)
	collect(apacheConfigs[5:], "/etc/httpd", apacheUses)
	return out
}

// nginxUses reads statements: words up to a semicolon or a brace.
func nginxUses(text string) (out []use) {
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	flush := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case (c == '"' || c == '\'') && !inWord:
			quote, inWord = c, true
		case c == '#' && !inWord:
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			flush()
		case c == ';' || c == '{' || c == '}':
			flush()
			if len(words) == 2 && c == ';' {
				switch words[0] {
				case "ssl_certificate":
					out = append(out, use{path: words[1], role: roleCertificate})
				case "ssl_certificate_key":
					out = append(out, use{path: words[1], role: roleKey})
				}
			}
			words = words[:0]
		default:
			inWord = true
			word.WriteByte(c)
		}
	}
	return out
}

// apacheUses reads lines: a directive and one argument.
func apacheUses(text string) (out []use) {
	for line := range strings.Lines(text) {
		directive, rest, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")), " ")
		arg := strings.TrimSpace(rest)
		if len(arg) > 1 && (arg[0] == '"' || arg[0] == '\'') && arg[len(arg)-1] == arg[0] {
			arg = arg[1 : len(arg)-1]
		}
		switch strings.ToLower(directive) {
		case "sslcertificatefile":
			out = append(out, use{path: arg, role: roleCertificate})
		case "sslcertificatekeyfile":
			out = append(out, use{path: arg, role: roleKey})
		case "sslcertificatechainfile":
			out = append(out, use{path: arg, role: roleChain})
		}
	}
	return out
}
