package wire

// Certificates. The key of a certificate is made on the host and never leaves
// it: what comes up is a certificate signing request (RFC 2986), what goes down
// is the chain that the CA issued.
//
// On the host each certificate has a folder of its own,
// {certificates}/{Folder}/, with one folder for each round in it (privkey.pem,
// fullchain.pem, chain.pem, combined.pem; all 0600 but the chains) and the link
// "live" that names one of them, or a placeholder signed by itself where there
// is none yet. A switch of "live" is one rename: key and chain change together
// or not at all.

// KeyType is the kind of a certificate's key.
type KeyType string

// The kinds of keys.
const (
	KeyP256    KeyType = "ec256" // the default
	KeyP384    KeyType = "ec384"
	KeyRSA2048 KeyType = "rsa2048"
	KeyRSA3072 KeyType = "rsa3072"
	KeyRSA4096 KeyType = "rsa4096"
)

// Valid reports whether k is a known kind.
func (k KeyType) Valid() bool {
	switch k {
	case KeyP256, KeyP384, KeyRSA2048, KeyRSA3072, KeyRSA4096:
		return true
	}
	return false
}

// CertRequestParams has the host make a key and a signing request for it. The
// same certificate and round answer the same request again.
type CertRequestParams struct {
	Certificate string   `json:"certificate"` // crt_
	Folder      string   `json:"folder"`      // the name of its folder: [a-z0-9._-], as people know it
	Round       int64    `json:"round"`       // rises with every attempt; a round has one key
	Names       []string `json:"names"`       // DNS names (lower case, A-labels) and IP addresses; all go into the SAN, the CN is empty
	Key         KeyType  `json:"key"`
	// Answer has the host answer http-01 challenges (RFC 8555, 8.3) for Names
	// until AnswerUntil: {token}.{Thumbprint}, the account key's RFC 7638
	// thumbprint. "" leaves what it answers alone.
	Thumbprint  string `json:"thumbprint,omitempty"`
	AnswerUntil int64  `json:"answer_until,omitempty"` // Unix milliseconds
}

// CertRequested answers CertRequestParams.
type CertRequested struct {
	CSR []byte `json:"csr"` // PKCS #10, DER
	// Responder is where the host answers http-01 challenges ("0.0.0.0:80"), ""
	// where it does not.
	Responder string `json:"responder,omitempty"`
}

// Hit tells the plane that a CA's validator has just fetched a token. It is a
// hint: a lost one costs time, nothing else.
type Hit struct {
	Token string `json:"token"`
	Name  string `json:"name"` // the Host that was asked, without its port
}

// Service is a program on a host that serves certificates. How it is tested and
// reloaded is the host's own configuration, never the plane's.
type Service string

// The services.
const (
	ServiceNginx   Service = "nginx"
	ServiceApache  Service = "apache"
	ServiceHAProxy Service = "haproxy"
	ServicePostfix Service = "postfix"
	ServiceDovecot Service = "dovecot"
	ServiceCaddy   Service = "caddy"
)

// Services lists every service in a fixed order.
func Services() []Service {
	return []Service{ServiceNginx, ServiceApache, ServiceHAProxy, ServicePostfix, ServiceDovecot, ServiceCaddy}
}

// Valid reports whether s is in the closed set.
func (s Service) Valid() bool {
	for _, o := range Services() {
		if s == o {
			return true
		}
	}
	return false
}

// CertProtocol is how a certificate is reached at an address.
type CertProtocol string

// The protocols: TLS from the first byte, or after STARTTLS.
const (
	ProtocolTLS  CertProtocol = "tls"  // 443, 465, 993, 995
	ProtocolSMTP CertProtocol = "smtp" // STARTTLS on 25, 587 (RFC 3207)
	ProtocolIMAP CertProtocol = "imap" // STARTTLS on 143 (RFC 9051)
	ProtocolPOP3 CertProtocol = "pop3" // STLS on 110 (RFC 2595)
)

// Valid reports whether p is a known protocol.
func (p CertProtocol) Valid() bool {
	switch p {
	case ProtocolTLS, ProtocolSMTP, ProtocolIMAP, ProtocolPOP3:
		return true
	}
	return false
}

// Endpoint is one place where a name of a certificate is served.
type Endpoint struct {
	Name     string       `json:"name"`    // sent as SNI
	Address  string       `json:"address"` // "192.0.2.7:443", "[2001:db8::7]:443"
	Protocol CertProtocol `json:"protocol"`
}

// CertDeployParams has the host install a chain beside the round's key, switch
// to it, test and reload the services, and look at what is served. Where a step
// fails it switches back and reloads again.
type CertDeployParams struct {
	Certificate string     `json:"certificate"`
	Folder      string     `json:"folder"`
	Round       int64      `json:"round"`
	Chain       []byte     `json:"chain"` // PEM: the leaf first, then every intermediate
	Services    []Service  `json:"services"`
	Endpoints   []Endpoint `json:"endpoints"`
	// Take has it take the place of another renewer's certificate in the same
	// step, before services are told; where this one is not served, that one is
	// given back. Services of this job are told in each case.
	Take *CertTakeParams `json:"take,omitempty"`
}

// CertStep is how far an installation came.
type CertStep string

// The steps, in their order.
const (
	CertWritten  CertStep = "written"  // key and chain are in their folder
	CertTested   CertStep = "tested"   // every service accepts its configuration
	CertReloaded CertStep = "reloaded" // every service was told
	CertServed   CertStep = "served"   // every endpoint shows the new leaf and chain
)

// CertDeployed is how an installation ended.
type CertDeployed struct {
	Reached CertStep `json:"reached"`
	// RolledBack says that the certificate before is in use again; Round is the
	// one in use now (0: none).
	RolledBack bool         `json:"rolled_back"`
	Round      int64        `json:"round"`
	Failure    *Failure     `json:"failure,omitempty"` // why it did not reach CertServed
	Seen       []CertSeen   `json:"seen"`              // after the reload; after a rollback as it was before it
	Back       []CertSeen   `json:"back,omitempty"`    // after a rollback that services were told of: Right is the one before
	Services   []CertReload `json:"services"`
	// Taken is what CertDeployParams.Take has changed, and what is still so.
	Taken *CertTaken `json:"taken,omitempty"`
}

// CertReload is what one service said.
type CertReload struct {
	Service Service `json:"service"`
	Tested  bool    `json:"tested"`
	Loaded  bool    `json:"loaded"`
	Output  string  `json:"output,omitempty"` // the last lines of what it said
}

// CertSeen is what one endpoint served.
type CertSeen struct {
	Endpoint
	Leaf     string `json:"leaf,omitempty"`  // hex SHA-256 of the leaf's DER; "" where there was no handshake
	Chain    string `json:"chain,omitempty"` // hex SHA-256 of all DER served, in order
	NotAfter int64  `json:"not_after,omitempty"`
	Right    bool   `json:"right"`             // leaf and chain are those that were issued
	Problem  string `json:"problem,omitempty"` // "connection refused": why there was no handshake
}

// CertLookParams asks what the endpoints serve now, and which certificates are
// on the host that somebody else renews.
type CertLookParams struct {
	Endpoints []Endpoint `json:"endpoints"`
	// Find has the host look for certificates of others (certbot, acme.sh,
	// lego, Caddy, files named by nginx and Apache) too.
	Find bool `json:"find"`
}

// CertLooked answers CertLookParams.
type CertLooked struct {
	Seen  []CertSeen  `json:"seen"`
	Found []FoundCert `json:"found"`
}

// FoundCert is a certificate on the host that is not ours.
type FoundCert struct {
	Path      string   `json:"path"`    // of the chain or leaf
	Renewer   string   `json:"renewer"` // "certbot", "acme.sh", "lego", "caddy"; "" where nobody is known
	Lineage   string   `json:"lineage"` // the renewer's name for it
	Names     []string `json:"names"`
	Issuer    string   `json:"issuer"` // common name, or organisation
	Serial    string   `json:"serial"` // hex
	NotBefore int64    `json:"not_before"`
	NotAfter  int64    `json:"not_after"`
	Leaf      string   `json:"leaf"`    // hex SHA-256 of the DER
	UsedBy    []string `json:"used_by"` // configuration files that name it
}

// CertTakeParams has the host stop the old renewer of a certificate and have
// its files lead to ours, or undo that.
type CertTakeParams struct {
	Certificate string `json:"certificate"`
	Folder      string `json:"folder"`
	Path        string `json:"path"` // FoundCert.Path
	Renewer     string `json:"renewer"`
	Lineage     string `json:"lineage"`
	Undo        bool   `json:"undo"`
	// Services are tested and told afterwards.
	Services []Service `json:"services,omitempty"`
}

// CertTaken answers CertTakeParams: what was changed, in plain words.
type CertTaken struct {
	Changed []string `json:"changed"`
}

// CertForgetParams has the host delete the keys and chains of a certificate
// that is not used any more: all rounds but those of Keep.
type CertForgetParams struct {
	Certificate string  `json:"certificate"`
	Folder      string  `json:"folder"`
	Keep        []int64 `json:"keep"`
}

// CertForgotten answers CertForgetParams: the rounds that were deleted now.
type CertForgotten struct {
	Rounds []int64 `json:"rounds"`
}
