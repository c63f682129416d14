package providers

import (
	"net/url"
	"slices"
	"strings"

	"ostler/controlplane"
)

// Kind is a provider's kind.
type Kind string

// The kinds. httpreq and exec are for all that have no kind of their own.
const (
	ACMEDNS    Kind = "acmedns"
	Cloudflare Kind = "cloudflare"
	Exec       Kind = "exec"
	Hetzner    Kind = "hetzner"
	HTTPReq    Kind = "httpreq"
	OVH        Kind = "ovh"
	PowerDNS   Kind = "pdns"
	RFC2136    Kind = "rfc2136"
	Route53    Kind = "route53"
)

// Valid reports whether k is a known kind.
func (k Kind) Valid() bool {
	_, ok := describe(k)
	return ok
}

// Field is one of a kind's fields, for forms and the API.
type Field struct {
	Name     string   `json:"name"`
	Label    string   `json:"label"`
	Help     string   `json:"help,omitempty"`
	Secret   bool     `json:"secret"`
	Required bool     `json:"required"`
	Default  string   `json:"default,omitempty"`
	Choices  []string `json:"choices,omitempty"`
	isURL    bool
}

// Description is one kind.
type Description struct {
	Kind   Kind    `json:"kind"`
	Label  string  `json:"label"`
	Fields []Field `json:"fields"`
	open   func(fields map[string]string, o Options) (writer, error)
}

// zoneField is for all kinds that write into a zone by its name.
var zoneField = Field{Name: "zone", Label: "Zone", Help: "The zone that records are written to. Empty: it is found through the DNS, for each name."}

// Kinds describes every kind, in the order of their labels.
func Kinds() []Description {
	return []Description{
		{ACMEDNS, "acme-dns", []Field{
			{Name: "url", Label: "Address of the API", Required: true, isURL: true, Help: "For example https://auth.example.org"},
			{Name: "username", Label: "User name", Required: true},
			{Name: "password", Label: "Password", Required: true, Secret: true},
			{Name: "subdomain", Label: "Subdomain", Required: true, Help: "As the registration gave it; _acme-challenge must be a CNAME to it."},
		}, openACMEDNS},
		{Cloudflare, "Cloudflare", []Field{
			{Name: "api_token", Label: "API token", Required: true, Secret: true, Help: "With the permissions Zone Read and DNS Edit for the zone."},
			zoneField,
		}, openCloudflare},
		{RFC2136, "DNS update (RFC 2136)", []Field{
			{Name: "nameserver", Label: "Name server", Required: true, Help: "Host, or host:port, of the server that takes updates."},
			{Name: "tsig_key", Label: "TSIG key's name"},
			{Name: "tsig_secret", Label: "TSIG secret", Secret: true, Help: "In base64."},
			{Name: "tsig_algorithm", Label: "TSIG algorithm", Default: "hmac-sha256", Choices: []string{"hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"}},
			zoneField,
		}, openRFC2136},
		{Hetzner, "Hetzner", []Field{
			{Name: "api_token", Label: "API token", Required: true, Secret: true, Help: "Of the project that has the zone, with permission to write."},
			zoneField,
		}, openHetzner},
		{HTTPReq, "HTTP request", []Field{
			{Name: "endpoint", Label: "Address", Required: true, isURL: true, Help: "POST {address}/present and {address}/cleanup with {\"fqdn\", \"value\"}."},
			{Name: "username", Label: "User name"},
			{Name: "password", Label: "Password", Secret: true},
		}, openHTTPReq},
		{OVH, "OVH", []Field{
			{Name: "endpoint", Label: "Endpoint", Default: "ovh-eu", Choices: []string{"ovh-eu", "ovh-ca", "ovh-us"}},
			{Name: "application_key", Label: "Application key", Required: true},
			{Name: "application_secret", Label: "Application secret", Required: true, Secret: true},
			{Name: "consumer_key", Label: "Consumer key", Required: true, Secret: true},
			zoneField,
		}, openOVH},
		{PowerDNS, "PowerDNS", []Field{
			{Name: "url", Label: "Address of the API", Required: true, isURL: true, Help: "For example http://ns1.example.org:8081"},
			{Name: "api_key", Label: "API key", Required: true, Secret: true},
			{Name: "server_id", Label: "Server", Default: "localhost"},
			zoneField,
		}, openPowerDNS},
		{Exec, "Program on the control plane", []Field{
			{Name: "program", Label: "Program", Required: true, Help: "One that the control plane's configuration lists. It is called with present or cleanup, the name, and the value."},
		}, openExec},
		{Route53, "Route 53", []Field{
			{Name: "access_key_id", Label: "Access key", Required: true},
			{Name: "secret_access_key", Label: "Secret access key", Required: true, Secret: true},
			{Name: "hosted_zone_id", Label: "Hosted zone", Required: true, Help: "The id of the zone that records are written to."},
			{Name: "region", Label: "Region", Default: "us-east-1"},
			{Name: "role_arn", Label: "Role to assume"},
			{Name: "external_id", Label: "External id of the role"},
		}, openRoute53},
	}
}

func describe(k Kind) (Description, bool) {
	all := Kinds()
	i := slices.IndexFunc(all, func(d Description) bool { return d.Kind == k })
	if i < 0 {
		return Description{}, false
	}
	return all[i], true
}

// unknownKind names the kinds there are, not what was asked for.
func unknownKind(Kind) error {
	var names []string
	for _, d := range Kinds() {
		names = append(names, string(d.Kind))
	}
	return controlplane.Invalid(controlplane.Field{Pointer: "/kind", Message: "There is no such kind of DNS provider. The kinds are " + strings.Join(names, ", ") + "."})
}

// check returns the fields with their defaults, or everything that is wrong.
func (d Description) check(in map[string]string) (map[string]string, error) {
	out := map[string]string{}
	var wrong []controlplane.Field
	say := func(field, message string) {
		wrong = append(wrong, controlplane.Field{Pointer: "/config/" + field, Message: message})
	}
	for _, f := range d.Fields {
		v := strings.TrimSpace(in[f.Name])
		if v == "" {
			v = f.Default
		}
		switch {
		case v == "" && f.Required:
			say(f.Name, f.Label+" is needed.")
		case v != "" && len(f.Choices) > 0 && !slices.Contains(f.Choices, v):
			say(f.Name, f.Label+" is one of "+strings.Join(f.Choices, ", ")+".")
		case v != "" && f.isURL && !webAddress(v):
			say(f.Name, f.Label+" is a web address that begins with http:// or https://.")
		case strings.ContainsAny(v, "\r\n\x00"):
			say(f.Name, f.Label+" is one line.")
		}
		out[f.Name] = v
	}
	for name := range in {
		if !slices.ContainsFunc(d.Fields, func(f Field) bool { return f.Name == name }) {
			say("", d.Label+" has a field too many. Its fields are "+strings.Join(d.names(), ", ")+".")
			break
		}
	}
	if len(wrong) > 0 {
		return nil, controlplane.Invalid(wrong...)
	}
	return out, nil
}

func (d Description) names() []string {
	var names []string
	for _, f := range d.Fields {
		names = append(names, f.Name)
	}
	return names
}

// webAddress reports whether v is a URL that requests can be sent to. A password
// in it would be a secret in a field that is none.
func webAddress(v string) bool {
	u, err := url.Parse(v)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}
