package certs

import (
	"cmp"
	"strings"

	"ostler/certs/preflight"
)

// sentence is how a code reads: what is so, and the one next step ("" where
// nobody has to do anything). {name}, {until} and the arguments are filled in.
type sentence struct{ cause, next string }

// Codes of failures and waits; with preflight's and the steps' they are the
// closed list.
const (
	WhyInternal     = "internal"
	WhyChanged      = "changed"       // its names or key changed in the middle
	WhyCancelled    = "cancelled"     // a person stopped it
	WhyEnded        = "ended"         // the certificate is looked after no more
	WhyPaused       = "paused"        // by a person; until
	WhyNotCovered   = "not_covered"   // a name is no site of the tenancy any more; name
	WhyNoAuthority  = "no_authority"  // none was added yet
	WhyNoProvider   = "no_provider"   // the DNS provider is gone
	WhyNoZone       = "no_zone"       // there is no zone of ours to delegate to
	WhyProvider     = "provider"      // the DNS provider refused; name
	WhyServerSilent = "server_silent" // the host's job has not come back
	WhyHostRefused  = "host_refused"  // the host's own policy refuses
	WhyHostFailed   = "host_failed"   // the host could not make key or request
	WhyOldAgent     = "old_agent"     // the agent does not know the action

	WhyCSRBroken  = "csr_broken"
	WhyCSRNames   = "csr_names"
	WhyCSRKey     = "csr_key"
	WhyKeyBlocked = "key_blocked"
	WhyKeyReused  = "key_reused"
	WhyKeyAccount = "key_account"

	WhyUnreachable = "ca_unreachable" // authority
	WhyRateLimited = "ca_rate_limited"
	WhyLimit       = "limit"     // our own twin of a limit says: wait; limit, count, max
	WhyCAPaused    = "ca_paused" // the CA paused the name; link
	WhyCARefused   = "ca_refused"
	WhyValidation  = "ca_validation" // name, detail
	WhyOrderLost   = "ca_order_lost"
	WhyOrderBad    = "ca_order_invalid"
	WhyCAAccount   = "ca_account"
	WhyProfile     = "ca_profile"
	WhyUnsupported = "ca_unsupported"
	WhyBadAnswer   = "ca_bad_answer"
	WhyWrongChain  = "wrong_chain" // what the CA issued is not what was asked for
	WhyRevokedCert = "ca_revoked"

	WhyServiceConfig = "service_config"
	WhyServiceReload = "service_reload"
	WhyNoService     = "no_service"
	WhyNotServed     = "not_served"
	WhyDiskFull      = "disk_full"
	WhyDeploy        = "deploy_failed"
	WhyKeyMissing    = "key_missing"   // the round's key is not on the host any more
	WhyChainRefused  = "chain_refused" // the host does not take the chain
	WhyFolder        = "host_folder"   // something on the host is in the way of the files
	WhyRenewer       = "renewer"

	WhyInLine   = "in_line"   // other orders are before it
	WhyUnderWay = "under_way" // an attempt is under way
	WhyNotDue   = "not_due"   // until
	WhyBackOff  = "back_off"  // the last attempt failed; until
	WhyARIBad   = "ari_bad"   // the CA's answer about the renewal cannot be used
)

// Codes of steps.
const (
	StepStarted    = "step_started"
	StepAsked      = "step_asked" // server
	StepRequest    = "step_request"
	StepChecked    = "step_checked"
	StepNewOrder   = "step_new_order"
	StepWaiting    = "step_waiting"
	StepResumed    = "step_resumed"
	StepIssued     = "step_issued"
	StepDeploying  = "step_deploying"
	StepServed     = "step_served"
	StepRolledBack = "step_rolled_back"
	StepFailed     = "step_failed"
	StepDryRunGood = "step_dry_run_good"
	StepFallback   = "step_fallback"
	StepReplaced   = "step_replaces_dropped"
	StepValidated  = "step_validated"
	StepPresented  = "step_presented"
	StepReused     = "step_reused"
	StepFinalizing = "step_finalizing"
	StepOtherChain = "step_chain_not_offered"
	StepOldKept    = "step_old_kept"
	StepOldRevoked = "step_old_revoked"
	StepOldRenewer = "step_renewer_stopped"
)

var sentences = map[string]sentence{
	WhyInternal:     {"Something went wrong in our house.", "Look at the control plane's log; it is tried again by itself."},
	WhyChanged:      {"Its names or its key were changed while this was under way.", ""},
	WhyCancelled:    {"A person stopped it.", ""},
	WhyEnded:        {"This certificate is looked after no more.", ""},
	WhyPaused:       {"It is paused until {until}.", "Resume it when it should go on."},
	WhyNotCovered:   {"{name} is no longer among the customer's sites on this server.", "Add the site again, or take the name out of the certificate."},
	WhyNoAuthority:  {"No certificate authority has been added yet: nothing is issued, and all is only watched.", "Add an authority and accept its terms."},
	WhyNoProvider:   {"The DNS provider of this certificate is gone.", "Choose another provider, or another challenge."},
	WhyNoZone:       {"There is no zone of ours that _acme-challenge could lead to.", "Add a DNS provider of the company with its zone."},
	WhyProvider:     {"The DNS provider did not take the record for {name}.", "Check the provider's credentials."},
	WhyServerSilent: {"The server has not answered: it is silent, or its agent is stopped.", "See why the server is silent; the certificate goes on when it is back."},
	WhyHostRefused:  {"The server's own policy does not allow this.", "Allow certificates in the agent's policy on the server."},
	WhyHostFailed:   {"The server could not make the key or the signing request.", "Look at the agent's log on the server."},
	WhyOldAgent:     {"The agent on the server does not know how to do this.", "Update the agent."},

	WhyCSRBroken:  {"The signing request from the server cannot be read, or its signature is wrong. It was not sent on.", "Look at the agent's log on the server."},
	WhyCSRNames:   {"The signing request from the server has other names than those asked for: {names}. It was not sent on.", "Find out why before you try again: the server may not be what it was."},
	WhyCSRKey:     {"The signing request from the server has a key of the kind {key}, not {want}. It was not sent on.", "Look at the agent's log on the server."},
	WhyKeyBlocked: {"The server used a key that is blocked because others know it. It was not sent on.", "Have the key deleted on the server, then try again."},
	WhyKeyReused:  {"The server used a key that another certificate had before. It was not sent on.", "Find out how the key came to be there twice, then try again."},
	WhyKeyAccount: {"The server used the key of our own account at the authority. It was not sent on.", "Treat the account's key as known to others: change it now."},

	WhyUnreachable: {"{authority} does not answer, or answers with an error of its own.", "Nothing to do: it is tried again by itself."},
	WhyRateLimited: {"{authority} asks us to wait until {until}.", "Nothing to do: it goes on by itself."},
	WhyLimit:       {"A limit of {authority} is reached ({limit}: {count} of {max}). It goes on at {until}.", "Nothing to do: it goes on by itself."},
	WhyCAPaused:    {"{authority} has paused {name} after too many failures.", "Mend what is wrong with the name, then end the pause: {link}"},
	WhyCARefused:   {"{authority} refused {name}.", "Read what it says, and change the names if they are the reason."},
	WhyValidation:  {"{authority} could not see that {name} is ours.", "Check where {name} points, and that port 80 of the server answers there."},
	WhyOrderLost:   {"{authority} let the order lapse again and again.", "Nothing to do: it is tried again by itself."},
	WhyOrderBad:    {"{authority} refused the order after the signing request was sent.", "Read what it says; it is tried again by itself."},
	WhyCAAccount:   {"{authority} does not let our account in.", "Check the account at the authority."},
	WhyProfile:     {"{authority} does not offer the profile.", "Choose a profile that it offers, or none."},
	WhyUnsupported: {"{authority} does not offer what is needed.", "Choose another challenge, or another authority."},
	WhyBadAnswer:   {"{authority} answered with something that cannot be read.", "Nothing to do: it is tried again by itself."},
	WhyWrongChain:  {"What {authority} issued is not what was asked for. It was not installed.", "Look at the certificate in the log of the authority."},
	WhyRevokedCert: {"The certificate was revoked.", "Nothing to do: a new one is on its way."},

	WhyServiceConfig: {"A service on the server refuses its configuration with the new certificate. The one before is in use.", "Mend the service's configuration on the server, then try again."},
	WhyServiceReload: {"A service on the server could not be reloaded. The certificate before is in use.", "See why the service does not reload on the server, then try again."},
	WhyNoService:     {"The server's own configuration does not have one of the services.", "Name the service in the agent's configuration, or take it out of the certificate."},
	WhyNotServed:     {"{name} still shows another certificate at {address}.", "See which service answers there, and whether it reads our files."},
	WhyDiskFull:      {"The server's disk is full.", "Make room on the server, then try again."},
	WhyDeploy:        {"The server could not install the certificate. The one before is in use.", "Look at the agent's log on the server."},
	WhyKeyMissing:    {"The key of this certificate is not on the server any more. A new one is asked for.", ""},
	WhyChainRefused:  {"The server did not take the certificate: it does not fit its key, its names or the time.", "Check the server's clock, then try again."},
	WhyFolder:        {"Something on the server is in the way of the certificate's files.", "Look at the agent's log on the server, and move it away."},
	WhyRenewer:       {"The old renewer on the server could not be stopped or started.", "Look at the agent's log on the server."},

	WhyInLine:   {"Other orders at {authority} are before it.", ""},
	WhyUnderWay: {"An attempt is under way: it is {state}.", ""},
	WhyNotDue:   {"It is not due: it is renewed at {until}.", ""},
	WhyBackOff:  {"The last attempt failed; the next one is at {until}.", "Try again now if you have mended the cause."},
	WhyARIBad:   {"The answer of {authority} about the renewal cannot be used; we go by the certificate's lifetime.", ""},

	StepStarted:    {"It began.", ""},
	StepAsked:      {"The server was asked for a key and a signing request.", ""},
	StepRequest:    {"The server made a key and sent a signing request; it was checked.", ""},
	StepChecked:    {"The names were looked at before the authority is asked: nothing stands in the way.", ""},
	StepNewOrder:   {"{authority} has the order.", ""},
	StepWaiting:    {"It waits until {until}.", ""},
	StepResumed:    {"The order goes on where it stood.", ""},
	StepIssued:     {"{authority} issued the certificate, valid until {until}.", ""},
	StepDeploying:  {"The server installs it.", ""},
	StepServed:     {"Every name shows the new certificate.", ""},
	StepRolledBack: {"It is not served: the certificate before is in use again.", ""},
	StepFailed:     {"It came to nothing.", ""},
	StepDryRunGood: {"The dry run went well: {authority} would issue it. Nothing was installed.", ""},
	StepFallback:   {"{authority} is asked in place of the first authority, which has failed for long.", ""},
	StepReplaced:   {"{authority} did not take it as the renewal of the certificate before; it was ordered as a new one.", ""},
	StepValidated:  {"{authority} saw that {name} is ours.", ""},
	StepPresented:  {"The answer for {name} stands ready.", ""},
	StepReused:     {"{authority} still takes {name} for ours.", ""},
	StepFinalizing: {"Every name is shown to be ours; the signing request goes off.", ""},
	StepOtherChain: {"The chain that was asked for is not offered; the usual one was taken.", ""},
	StepOldKept:    {"The certificate that was issued before is installed again.", ""},
	StepOldRevoked: {"The certificate before will be revoked.", ""},
	StepOldRenewer: {"The old renewer was stopped.", ""},
}

// Text returns the why as sentences: the cause, and the one next step ("" where
// nobody has to do anything). Only "en" is there; any other language reads English.
func (w Why) Text(lang string) (cause, next string) {
	if cause, next, ok := preflight.Text(preflight.Code(w.Code), w.Name, w.Args); ok {
		return cause, next
	}
	s, ok := sentences[w.Code]
	if !ok {
		s = sentences[WhyInternal]
	}
	args := map[string]string{"name": cmp.Or(w.Name, "this name"), "authority": "the authority"}
	if !w.Until.IsZero() {
		args["until"] = w.Until.UTC().Format("2 January 2006 15:04 UTC")
	}
	for k, v := range w.Args {
		args[k] = v
	}
	return fill(s.cause, args), fill(s.next, args)
}

// Text returns the step as a sentence.
func (s Step) Text(lang string) string {
	cause, _ := Why{Code: s.Code, Args: s.Args, Name: s.Args["name"]}.Text(lang)
	return cause
}

// fill puts arguments into a sentence; one that is missing reads "unknown".
func fill(text string, args map[string]string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "{")
		name, after, closed := strings.Cut(rest, "}")
		b.WriteString(before)
		if !ok || !closed {
			return b.String()
		}
		b.WriteString(cmp.Or(args[name], "unknown"))
		text = after
	}
}
