package preflight

// Code is what was found.
type Code string

// The codes. codeTexts has a sentence for each of them.
const (
	BadName       Code = "preflight_bad_name"
	WildcardDNS   Code = "preflight_wildcard_dns" // a wildcard by http-01
	AddressHTTP   Code = "preflight_address_http" // an IP address by dns-01
	NoName        Code = "preflight_no_name"      // NXDOMAIN
	NoAddress     Code = "preflight_no_address"   // neither A nor AAAA
	DNSFailed     Code = "preflight_dns_failed"   // SERVFAIL, REFUSED
	DNSTimeout    Code = "preflight_dns_timeout"  // no answer in time
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
	HTTPBroken    Code = "preflight_http_broken" // connected, then no HTTP
	HTTPUnchecked Code = "preflight_http_unchecked"
	HTTPOther     Code = "preflight_http_other"  // another server answers
	HTTPStatus    Code = "preflight_http_status" // not 200
	HTTPLoop      Code = "preflight_http_loop"   // redirects without an end
	HTTPAway      Code = "preflight_http_away"   // redirect to where no CA goes
	HTTPNotPlane  Code = "preflight_http_not_plane"

	ZoneUnknown      Code = "preflight_zone_unknown"
	NSUnreachable    Code = "preflight_ns_unreachable"
	NSSome           Code = "preflight_ns_some" // some name servers do not answer
	DelegationNone   Code = "preflight_delegation_none"
	DelegationOther  Code = "preflight_delegation_other"
	DelegationRecord Code = "preflight_delegation_record" // TXT beside or in place of the CNAME
	ChallengeAway    Code = "preflight_challenge_away"    // _acme-challenge is a CNAME that we follow
	StaleTXT         Code = "preflight_stale_txt"
)
