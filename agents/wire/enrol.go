package wire

// EnrolRequest redeems an enrolment token. The key is made on the host; only
// the certificate signing request travels.
type EnrolRequest struct {
	Token     string `json:"token"`
	CSR       []byte `json:"csr"` // PKCS #10, DER, P-256
	MachineID string `json:"machine_id"`
	BootID    string `json:"boot_id"`
	Hostname  string `json:"hostname"`
}

// EnrolResponse carries the identity. A lost one can be asked for again with
// the same key: the answer is the same certificate.
type EnrolResponse struct {
	Server      string   `json:"server"`
	Agent       string   `json:"agent"`
	Certificate []byte   `json:"certificate"` // DER
	CA          []byte   `json:"ca"`          // DER of the agents' CA
	StreamURL   string   `json:"stream_url"`  // "https://host:8444"
	SignerKeys  [][]byte `json:"signer_keys"` // raw Ed25519 public keys
}

// RenewRequest asks for a new certificate over the still valid one.
type RenewRequest struct {
	CSR []byte `json:"csr"`
}

// RenewResponse answers RenewRequest.
type RenewResponse struct {
	Certificate []byte   `json:"certificate"`
	CA          []byte   `json:"ca"`
	SignerKeys  [][]byte `json:"signer_keys"`
}

// Refusal is the body of an error answer on the agents' endpoints.
type Refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Next    string `json:"next"`
}
