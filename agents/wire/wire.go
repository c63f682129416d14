// Package wire is the protocol between the control plane and the agents on
// customers' servers. Both sides import it, and it imports the standard library
// only: everything that the plane can ask of a server is in this one package.
//
// Transport: one WebSocket over mutual TLS 1.3, dialled by the agent, that
// carries Frame values as JSON text messages. The stream carries offers and
// hints; the truth is the plane's job table and the host's journal.
package wire

import "encoding/json"

// Version is the protocol's version. The plane refuses agents that are older
// than MinVersion and says so.
const (
	Version    = 1
	MinVersion = 1
)

// Limits of the protocol.
const (
	MaxFrame  = 4 << 20 // bytes of one frame
	ChunkSize = 8 << 20 // bytes of one chunk of a download
)

// Paths of the agents' endpoints.
const (
	PathEnrol  = "/agent/v1/enrol"  // POST EnrolRequest (enrolment listener, server TLS with a pinned key)
	PathRenew  = "/agent/v1/renew"  // POST RenewRequest (agents' listener, mutual TLS)
	PathStream = "/agent/v1/stream" // WebSocket (agents' listener, mutual TLS)
	PathChunks = "/agent/v1/chunks" // PUT {PathChunks}/{job}/{index} (agents' listener, mutual TLS)
)

// Headers of a chunk upload.
const (
	HeaderChunkSHA256 = "Ostler-Chunk-Sha256" // hex SHA-256 of the body
	HeaderEpoch       = "Ostler-Epoch"        // the job's epoch
)

// FrameType says what a frame is.
type FrameType string

// Frames from the agent.
const (
	FrameHello     FrameType = "hello"
	FrameHeartbeat FrameType = "heartbeat"
	FrameAccept    FrameType = "accept"
	FrameReject    FrameType = "reject"
	FrameProgress  FrameType = "progress"
	FrameResult    FrameType = "result"
	FrameHit       FrameType = "hit" // a CA's validator fetched a challenge's token
)

// Frames from the plane.
const (
	FrameWelcome FrameType = "welcome"
	FrameOffer   FrameType = "offer"
	FrameAck     FrameType = "ack" // the result is stored: forget it
	FrameCancel  FrameType = "cancel"
	FrameDrain   FrameType = "drain" // reconnect at a random time within DrainMillis
)

// Frame is one message. Exactly one of the pointers is set, as Type says.
type Frame struct {
	Type      FrameType  `json:"type"`
	Hello     *Hello     `json:"hello,omitempty"`
	Heartbeat *Heartbeat `json:"heartbeat,omitempty"`
	Welcome   *Welcome   `json:"welcome,omitempty"`
	Offer     *Offer     `json:"offer,omitempty"`
	JobRef    *JobRef    `json:"job_ref,omitempty"` // accept, ack, cancel
	Reject    *Reject    `json:"reject,omitempty"`
	Progress  *Progress  `json:"progress,omitempty"`
	Result    *Result    `json:"result,omitempty"`
	Hit       *Hit       `json:"hit,omitempty"`
	// DrainMillis is the time within which a drained agent reconnects.
	DrainMillis int64 `json:"drain_millis,omitempty"`
}

// Hello is the agent's first frame.
type Hello struct {
	Version      int      `json:"version"`
	AgentVersion string   `json:"agent_version"`
	BootID       string   `json:"boot_id"`
	MachineID    string   `json:"machine_id"`
	Actions      []Action `json:"actions"` // what this agent can do and its policy allows
	// SealKey is the agent's public HPKE key (X25519, raw 32 bytes): secrets
	// that come down are sealed to it.
	SealKey []byte `json:"seal_key"`
	// Running are jobs that the agent still works at (after a reconnect).
	Running []JobRef `json:"running,omitempty"`
	// Instance is random for each start of the agent; two live sessions with
	// different instances on one certificate are a clone.
	Instance string `json:"instance"`
}

// Heartbeat is sent every HeartbeatSeconds of Welcome.
type Heartbeat struct {
	// UnixMilli is the host's clock, for skew.
	UnixMilli     int64   `json:"unix_milli"`
	Load1         float64 `json:"load1"`
	DiskFreeBytes int64   `json:"disk_free_bytes"`
	DiskSizeBytes int64   `json:"disk_size_bytes"`
}

// Welcome answers Hello.
type Welcome struct {
	Server           string `json:"server"`
	HeartbeatSeconds int    `json:"heartbeat_seconds"`
	// Generation is the plane's cluster generation. It rises when an older
	// database was restored: agents then replay their journals' results.
	Generation int64 `json:"generation"`
	UnixMilli  int64 `json:"unix_milli"` // the plane's clock
}

// JobRef names a job in an epoch. A frame of an older epoch is ignored.
type JobRef struct {
	Job   string `json:"job"`
	Epoch int64  `json:"epoch"`
}

// Offer hands a job to the agent. The epoch stands outside the signed envelope,
// so a new offer needs no new signature.
type Offer struct {
	Epoch    int64          `json:"epoch"`
	Envelope SignedEnvelope `json:"envelope"`
}

// SignedEnvelope is an Envelope as the signed bytes, and their signature.
type SignedEnvelope struct {
	Payload   []byte `json:"payload"`   // JSON of Envelope
	Signature []byte `json:"signature"` // Ed25519 over SignContext + Payload
	KeyID     string `json:"key_id"`    // which signer key: hex of the first 8 bytes of its SHA-256
}

// SignContext separates these signatures from any other use of the key.
const SignContext = "ostler job envelope v1\n"

// Envelope is what is signed: one job for one server.
type Envelope struct {
	Job    string `json:"job"`
	Server string `json:"server"`
	Action Action `json:"action"`
	// Resource orders jobs: one at a time for each resource of a server.
	Resource  string          `json:"resource"`
	Params    json.RawMessage `json:"params"`
	NotBefore int64           `json:"not_before"` // Unix milliseconds
	ExpiresAt int64           `json:"expires_at"` // Unix milliseconds: not started after this instant
	// TimeoutSeconds bounds the run; 0 means the action's default.
	TimeoutSeconds int `json:"timeout_seconds"`
}

// Reject refuses an offer for good: bad signature, unknown action, host policy.
type Reject struct {
	JobRef
	Failure Failure `json:"failure"`
}

// Progress reports on a running job; the newest one counts.
type Progress struct {
	JobRef
	Seq   int64  `json:"seq"`
	Step  string `json:"step"` // "prepare", "scan", "backup", "restore", "upload"
	Done  int64  `json:"done"` // bytes
	Total int64  `json:"total"`
	Files int64  `json:"files"`
	// TotalFiles is 0 while unknown.
	TotalFiles int64 `json:"total_files"`
	// Current is the file at work now: raw bytes from the host, personal data.
	Current string `json:"current,omitempty"`
	Errors  int64  `json:"errors"`
}

// Outcome is how a job ended on the host.
type Outcome string

// The outcomes.
const (
	Succeeded   Outcome = "succeeded"
	Failed      Outcome = "failed"
	Interrupted Outcome = "interrupted" // the agent or host stopped in the middle
	Expired     Outcome = "expired"     // its time was over before it started
	Cancelled   Outcome = "cancelled"
)

// Valid reports whether o is a known outcome.
func (o Outcome) Valid() bool {
	switch o {
	case Succeeded, Failed, Interrupted, Expired, Cancelled:
		return true
	}
	return false
}

// Result ends a job. The host keeps it until the plane acknowledges it.
type Result struct {
	JobRef
	Outcome Outcome         `json:"outcome"`
	Data    json.RawMessage `json:"data,omitempty"` // the action's result type
	Failure *Failure        `json:"failure,omitempty"`
	// StartedAt and EndedAt are the host's clock, Unix milliseconds.
	StartedAt int64 `json:"started_at"`
	EndedAt   int64 `json:"ended_at"`
}

// Cause is the machine's word for why something failed. The plane maps it to
// sentences and findings; an unknown one is shown with its detail.
type Cause string

// Causes of failure.
const (
	CauseStoreUnreachable Cause = "store_unreachable"  // no connection, or a deadline passed in silence
	CauseStoreFull        Cause = "store_full"         // 507, quota, no space at the store
	CauseStoreRefused     Cause = "store_refused"      // 401, 403: credentials or append-only
	CauseWrongPassword    Cause = "wrong_password"     // restic exit 12
	CauseNoRepository     Cause = "no_repository"      // restic exit 10
	CauseLocked           Cause = "repository_locked"  // restic exit 11
	CauseDamaged          Cause = "repository_damaged" // pack or tree missing or wrong
	CauseSourceMissing    Cause = "source_missing"     // a path of the plan does not exist
	CauseNotFound         Cause = "not_found"          // no such snapshot or path in it
	CauseDiskFull         Cause = "disk_full"          // on the host
	CausePlaneFull        Cause = "plane_full"         // the control plane has no room for a download (507)
	CauseNothingToUndo    Cause = "nothing_to_undo"    // the server knows of nothing that a restore changed
	CauseStoreUsers       Cause = "store_users"        // the control plane cannot write the store's users, or have it read them
	CauseMailServer       Cause = "mail_server"        // our mail server did not take a mail, or does not answer
	CauseMailRefused      Cause = "mail_refused"       // our mail server refused a mail for good
	CausePlane            Cause = "plane_internal"     // anything else in a job of the control plane's own
	CausePolicy           Cause = "policy"             // the host's own policy refuses
	CauseSignature        Cause = "signature"          // the envelope is not signed by a known key
	CauseUnsupported      Cause = "unsupported"        // unknown action, or restic too old
	CauseTimeout          Cause = "timeout"            // the run's time was over
	CauseExists           Cause = "exists"             // the target is there already
	CauseUnsafePath       Cause = "unsafe_path"        // outside the tenancy's paths, or through a link
	CauseNoKey            Cause = "no_key"             // the repository password is not on the host
	CauseServiceConfig    Cause = "service_config"     // a service refuses its configuration (nginx -t)
	CauseServiceReload    Cause = "service_reload"     // a service could not be reloaded
	CauseNotServed        Cause = "not_served"         // an endpoint shows another certificate, or none
	CauseNoService        Cause = "no_service"         // the host's configuration does not have the service
	CauseChain            Cause = "certificate_chain"  // the chain does not fit the key, the names or the time
	CauseCertKey          Cause = "certificate_key"    // the round's key is not on the host, or is another one
	CauseCertFolder       Cause = "certificate_folder" // something on the host is in the way of a certificate's files
	CauseRenewer          Cause = "renewer"            // the other renewer could not be stopped or started
	CauseCA               Cause = "ca_unreachable"     // the CA does not answer, or answers with an error of its own
	CauseCARefused        Cause = "ca_refused"         // the CA refused for good
	CauseInternal         Cause = "internal"           // anything else
)

// Failure is a cause with its detail. Detail is one short line for the log and
// the ops page: no secrets, no stack traces; file names only in Data.
type Failure struct {
	Cause  Cause  `json:"cause"`
	Detail string `json:"detail,omitempty"`
}
