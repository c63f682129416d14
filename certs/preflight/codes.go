package preflight

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Code is what was found.
type Code string

// The codes. Each has its sentences in sentences.
const (
	BadName       Code = "preflight_bad_name"
	WildcardDNS   Code = "preflight_wildcard_dns" // a wildcard by http-01
	AddressHTTP   Code = "preflight_address_http" // an IP address by dns-01
	NoName        Code = "preflight_no_name"      // NXDOMAIN
	NoAddress     Code = "preflight_no_address"   // neither A nor AAAA
	DNSFailed     Code = "preflight_dns_failed"   // SERVFAIL, REFUSED
	DNSTimeout    Code = "preflight_dns_timeout"  // no answer in time
	DNSSEC        Code = "preflight_dnssec"       // signatures are not valid
	CNAMEDangling Code = "preflight_cname_dangling"
	CNAMELoop     Code = "preflight_cname_loop"
	OtherA        Code = "preflight_other_a"    // an A record points elsewhere
	OtherAAAA     Code = "preflight_other_aaaa" // an AAAA record points elsewhere
	PrivateAddr   Code = "preflight_private_address"

	CAAOther    Code = "preflight_caa_other"    // other CAs are allowed, ours is not
	CAANone     Code = "preflight_caa_none"     // no CA is allowed
	CAAAccount  Code = "preflight_caa_account"  // accounturi is another account's
	CAAMethod   Code = "preflight_caa_method"   // validationmethods does not have ours
	CAACritical Code = "preflight_caa_critical" // a critical tag that CAs do not know
	CAAFailed   Code = "preflight_caa_failed"   // no answer about CAA: a CA stops there

	HTTPRefused   Code = "preflight_http_refused"
	HTTPTimeout   Code = "preflight_http_timeout"
	HTTPBroken    Code = "preflight_http_broken"    // connected, then no HTTP
	HTTPUnchecked Code = "preflight_http_unchecked" // the plane has no IPv6
	HTTPOther     Code = "preflight_http_other"     // another server answers
	HTTPStatus    Code = "preflight_http_status"    // not 200
	HTTPLoop      Code = "preflight_http_loop"      // redirects without an end
	HTTPAway      Code = "preflight_http_away"      // redirect to where no CA goes
	HTTPDeadEnd   Code = "preflight_http_dead_end"  // redirect to where nothing answers
	HTTPNotPlane  Code = "preflight_http_not_plane" // no redirect to the control plane

	ZoneUnknown      Code = "preflight_zone_unknown"
	NSUnreachable    Code = "preflight_ns_unreachable"
	NSSome           Code = "preflight_ns_some" // some name servers do not answer
	DelegationNone   Code = "preflight_delegation_none"
	DelegationOther  Code = "preflight_delegation_other"
	DelegationRecord Code = "preflight_delegation_record" // TXT in place of the CNAME
	ChallengeAway    Code = "preflight_challenge_away"    // _acme-challenge is a CNAME that we follow
	StaleTXT         Code = "preflight_stale_txt"
)

// Codes lists every code, sorted.
func Codes() []Code { return slices.Sorted(maps.Keys(sentences)) }

// Valid reports whether c is in the closed list.
func (c Code) Valid() bool {
	_, ok := sentences[c]
	return ok
}

// A text is what is so, and the one thing to change ("" where nobody has to).
type text struct{ cause, next string }

// sentences are the sentences of the codes. {name} and the arguments are filled in.
var sentences = map[Code]text{
	BadName:       {"{name} is not a name that a certificate can have.", "Correct the name: letters, digits and hyphens, with at least one dot."},
	WildcardDNS:   {"{name} is a wildcard, and a wildcard can only be shown to be ours in the DNS.", "Choose one of the two ways by DNS for this certificate."},
	AddressHTTP:   {"{name} is an IP address, and an address cannot be shown to be ours in the DNS.", "Choose the server itself, or a redirect to us, for this certificate."},
	NoName:        {"{name} does not exist in the DNS.", "Add an A or AAAA record for {name} that points to {server}."},
	NoAddress:     {"{target} has no address: neither an A nor an AAAA record.", "Add an A or AAAA record for {target} that points to {server}."},
	DNSFailed:     {"The name servers of {name} answer with an error ({error}) when asked for its {type}.", "Have whoever runs the DNS of {name} look at its name servers and at DNSSEC."},
	DNSTimeout:    {"The name servers of {name} did not answer in time when asked for its {type}.", "Have whoever runs the DNS of {name} look at whether its name servers can be reached."},
	DNSSEC:        {"The DNSSEC signatures of {name} are not valid, so nobody who checks them gets its {type}.", "Have whoever runs the DNS of {name} sign the zone again, or correct its DS record at the registrar."},
	CNAMEDangling: {"{name} is an alias of {target}, which does not exist.", "Change the CNAME record of {name} to a name that exists, or replace it by an A record that points to {server}."},
	CNAMELoop:     {"The aliases of {name} lead in a circle: {chain}.", "Change one of these CNAME records so that they end at a name with addresses."},
	OtherA:        {"{name} points to {others} (A), which is not this server.", "{change}."},
	OtherAAAA:     {"{name} points to {others} (AAAA), which is not this server; certificate authorities try IPv6 first.", "{change}."},
	PrivateAddr:   {"{name} points to {private}, an address that cannot be reached from the internet.", "Change its records to {server}, or choose one of the two ways by DNS for this certificate."},

	CAAOther:    {"A CAA record at {at} allows {allowed} only, and not {ca}.", "Add the CAA record: {at} CAA 0 issue \"{ca}\"."},
	CAANone:     {"A CAA record at {at} allows no certificate authority at all.", "Change the CAA record at {at} to: 0 issue \"{ca}\"."},
	CAAAccount:  {"A CAA record at {at} allows {ca} for the account {wanted} only, and ours is {account}.", "Change accounturi in the CAA record at {at} to {account}, or add a second record with it."},
	CAAMethod:   {"A CAA record at {at} allows {ca} by {methods} only, and this certificate goes by {method}.", "Add {method} to validationmethods in the CAA record at {at}, or choose another way for this certificate."},
	CAACritical: {"A CAA record at {at} has the critical property {tag}, which certificate authorities do not know.", "Remove that CAA record, or take away its critical flag (128)."},
	CAAFailed:   {"The CAA records at {at} cannot be looked up ({error}), and certificate authorities stop there.", "Have whoever runs the DNS of {at} see to it that questions for CAA are answered, if only with an empty answer."},

	HTTPRefused:   {"{address} refuses connections on port 80 for {name}.", "Let the web server of {name} listen on port 80 at {address}, or let our agent do so."},
	HTTPTimeout:   {"{address} does not answer on port 80 for {name}.", "Open port 80 in the firewall before {address}, or remove the address from {name}."},
	HTTPBroken:    {"{address} answers on port 80 for {name}, but not as a web server.", "Let a web server answer on port 80 at {address}; TLS belongs on port 443."},
	HTTPUnchecked: {"{address} could not be tried from here, as there is no way to it over IPv6.", ""},
	HTTPOther:     {"{address} answers for {name} with something other than the challenge.", "Have {path} on {name} passed on to our agent; on the server, ostler-agent acme-snippet prints the lines for nginx and Apache."},
	HTTPStatus:    {"{url} answers with status {status} at {address}.", "Have {path} on {name} passed on to our agent, without a password or a rule in front of it; on the server, ostler-agent acme-snippet prints the lines for nginx and Apache."},
	HTTPLoop:      {"Port 80 of {name} redirects in a circle at {address}, last to {url}.", "Except {path} from the redirect, or correct the redirect."},
	HTTPAway:      {"Port 80 of {name} redirects to {url}, where no certificate authority follows.", "Except {path} from the redirect: only ports 80 and 443 of a name are followed."},
	HTTPDeadEnd:   {"Port 80 of {name} redirects to {url}, and nothing usable answers there.", "Except {path} from the redirect, or let a web server answer at {url}."},
	HTTPNotPlane:  {"{name} does not redirect its challenges to us at {address}; it answers with status {status}.", "Redirect {path} on {name} to {plane}{path}, with the rest of the path kept."},

	ZoneUnknown:      {"No DNS zone was found for {record}.", "Register the domain of {name}, or correct its name servers."},
	NSUnreachable:    {"None of the name servers for {record} answers: {silent}.", "Have whoever runs the DNS of {name} look at these name servers."},
	NSSome:           {"Some of the name servers for {record} do not answer: {silent}.", "Have whoever runs the DNS of {name} repair them, or take them out of the zone."},
	DelegationNone:   {"{record} does not lead to us: it has no CNAME record.", "Add the record: {record} CNAME {target}."},
	DelegationOther:  {"{record} leads to {end}, and not to us.", "Change the record to: {record} CNAME {target}."},
	DelegationRecord: {"{record} has a TXT record where a CNAME record is wanted.", "Remove the TXT record and add: {record} CNAME {target}."},
	ChallengeAway:    {"{record} is an alias; the challenge is written at {end}.", ""},
	StaleTXT:         {"{record} still has {count} TXT values of earlier challenges.", "Remove them if no other program uses them."},
}

// Text returns a code as sentences: what is so, and the one thing to change (""
// where nobody has to). An argument that is missing reads "unknown". ok is false
// for a code that is not in the list.
func Text(code Code, name string, args map[string]string) (cause, next string, ok bool) {
	t, ok := sentences[code]
	if !ok {
		return "", "", false
	}
	all := map[string]string{"name": cmp.Or(name, "this name")}
	maps.Copy(all, args)
	return fill(t.cause, all), fill(t.next, all), true
}

// Text returns the problem as sentences: what is so, and what to change.
func (p Problem) Text() (cause, next string) {
	cause, next, _ = Text(p.Code, p.Name, p.Args)
	return cause, next
}

// Sentence is the problem in one piece.
func (p Problem) Sentence() string {
	cause, next := p.Text()
	return strings.TrimSpace(cause + " " + next)
}

// fill puts arguments into a sentence.
func fill(s string, args map[string]string) string {
	var out strings.Builder
	for {
		from := strings.IndexByte(s, '{')
		if from < 0 {
			out.WriteString(s)
			return out.String()
		}
		to := from + strings.IndexByte(s[from:], '}')
		out.WriteString(s[:from] + cmp.Or(args[s[from+1:to]], "unknown"))
		s = s[to+1:]
	}
}
