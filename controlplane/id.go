package controlplane

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"
)

// Prefixes of ids, one for each noun. An id is its prefix and 26 base32
// characters of a version 7 UUID (RFC 9562), so ids of one kind sort by the
// time they were made.
const (
	PrefixCustomer   = "cus_"
	PrefixContact    = "con_"
	PrefixStaff      = "stf_"
	PrefixServer     = "srv_"
	PrefixTenancy    = "ten_"
	PrefixAgent      = "agt_"
	PrefixEnrolment  = "enr_"
	PrefixJob        = "job_"
	PrefixSchedule   = "sch_"
	PrefixPlan       = "pln_"
	PrefixRepository = "rep_"
	PrefixStore      = "sto_"
	PrefixSnapshot   = "snap_"
	PrefixRun        = "run_"
	PrefixRestore    = "res_"
	PrefixDownload   = "dl_"
	PrefixItem       = "itm_"
	PrefixAssist     = "asi_"
	PrefixAsk        = "ask_"
	PrefixFinding    = "fnd_"
	PrefixEntry      = "led_"
	PrefixSession    = "ses_"
	PrefixToken      = "tok_"
	PrefixEvent      = "evt_"
	PrefixMail       = "mail_"
	PrefixWindow     = "win_"

	PrefixCertificate = "crt_"
	PrefixIssue       = "iss_"
	PrefixAuthority   = "ca_"
	PrefixDNS         = "dns_"
	PrefixCampaign    = "cmp_"
	PrefixFound       = "fct_"

	PrefixPerson        = "prs_"
	PrefixPaper         = "pap_"
	PrefixTeam          = "tea_"
	PrefixGrant         = "grt_"
	PrefixSpan          = "spn_"
	PrefixChange        = "chg_"
	PrefixFoundAccess   = "key_"
	PrefixNotice        = "ntc_"
	PrefixFacility      = "fac_"
	PrefixAccessEntry   = "ent_"
	PrefixRecertify     = "rec_"
	PrefixRecertifyItem = "rci_"
	PrefixAuthorisation = "aut_"
	PrefixInstruction   = "ins_"

	PrefixStaffSession = "ssn_" // on a customer's server; PrefixSession is a sign-in here
	PrefixLogin        = "lgn_"
	PrefixQuarantined  = "qua_"
	PrefixHold         = "hld_"
	PrefixViewing      = "vwg_"
	PrefixNote         = "nte_"
	PrefixDraw         = "drw_"

	PrefixIncident     = "inc_"
	PrefixAssertion    = "asr_"
	PrefixCaseEvent    = "cev_"
	PrefixTask         = "tsk_"
	PrefixAction       = "act_"
	PrefixDecision     = "dec_"
	PrefixReport       = "rpt_"
	PrefixBreachNotice = "bnt_" // of a breach; PrefixNotice is of a change to a list
	PrefixAdvisory     = "adv_"
	PrefixSecond       = "sec_" // what waits for a second person in a case
)

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID returns a fresh id with the given prefix. Its time part is the
// process clock's, to a quarter of a microsecond (RFC 9562, section 6.2, method
// 3): it orders ids, and no rule reads it.
func NewID(prefix string) string {
	var u [16]byte
	_, _ = rand.Read(u[8:]) // crypto/rand.Read never returns an error
	now := time.Now()
	binary.BigEndian.PutUint64(u[:8], uint64(now.UnixMilli())<<16)
	fraction := uint16(now.Nanosecond() % 1e6 * 4096 / 1e6)
	binary.BigEndian.PutUint16(u[6:8], 0x7000|fraction)
	u[8] = u[8]&0x3f | 0x80
	return prefix + idEncoding.EncodeToString(u[:])
}

// ValidID reports whether s is an id with the given prefix.
func ValidID(prefix, s string) bool {
	rest, ok := strings.CutPrefix(s, prefix)
	if !ok || len(rest) != 26 {
		return false
	}
	_, err := idEncoding.DecodeString(rest)
	return err == nil
}
