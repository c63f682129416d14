package jobs

import (
	"fmt"

	"ostler/agents/wire"
)

// explanation is what a person is told about a cause of failure.
type explanation struct{ cause, next string }

// explanations has one entry for each wire.Cause; a test holds it to that.
var explanations = map[wire.Cause]explanation{
	wire.CauseStoreUnreachable: {"The off-site store did not answer.", "Check that the store is running and that this server can reach it; then start it again. The next backup also starts by itself when its plan is due."},
	wire.CauseStoreFull:        {"The off-site store has no room left.", "Make room in the store, or add space; then start the backup again."},
	wire.CauseStoreRefused:     {"The off-site store refused this server's sign-in.", "Check that the store's user file has this server; a newly made user takes up to 30 seconds."},
	wire.CauseWrongPassword:    {"The repository cannot be opened with the password on this server.", "An owner of the customer gives the server the right one: Backups, About the key, “Give the server its key again” (ostler plan key return). Nothing was changed."},
	wire.CauseNoRepository:     {"There is no repository where this server's backups should be.", "Check the off-site store: was its disk replaced or its folder moved?"},
	wire.CauseLocked:           {"The repository is locked by another run.", "Wait for the other run to end. A lock left by a crash is cleared by itself."},
	wire.CauseDamaged:          {"Part of the backup's data is damaged or missing in the store.", "Do not delete anything: check the store's disk, then run a check of the repository."},
	wire.CauseSourceMissing:    {"None of the folders of the plan exist on the server.", "Correct the folders in the plan, or mount what is missing on the server."},
	wire.CauseNotFound:         {"The file or folder is not in this backup.", "Look for it in an earlier or a later backup."},
	wire.CauseNothingToUndo:    {"There is nothing to take back: nothing was changed on the server, or what was replaced is not kept there any more.", "Look at the files on the server."},
	wire.CauseDiskFull:         {"The server's disk is full.", "Free some space on the server, then try again."},
	wire.CausePlaneFull:        {"The control plane has no room left for the file.", "Make room where the control plane keeps downloads, or ask us to; then ask for the file again."},
	wire.CauseStoreUsers:       {"The control plane could not tell the off-site store of this server.", "Let the control plane's user write the store's user file and its folder, and read its process id file; then try again."},
	wire.CauseMailServer:       {"The mail server has not taken the mail.", "Look at the mail server if this lasts: the mail is tried for two days."},
	wire.CauseMailRefused:      {"The mail server refused the mail for good.", "Check the address, and reach the person another way."},
	wire.CausePlane:            {"The control plane could not do it.", "Try again; if it fails again, look at the control plane's log for this job's id."},
	wire.CausePolicy:           {"The server's own policy does not allow this.", "Its policy is in /etc/ostler/policy.d on the server: change it there if this should be allowed."},
	wire.CauseSignature:        {"The server did not accept the order's signature.", "Check that the signer runs with the key that the server knows; if the key was changed, enrol the server again."},
	wire.CauseUnsupported:      {"The agent on this server cannot do this.", "Update the agent and restic on the server."},
	wire.CauseTimeout:          {"It took longer than its time limit and was stopped.", "See what it was doing when it stopped, then try again."},
	wire.CauseExists:           {"A file of that name is there already.", "Rename or remove the file on the server, or download the copy instead."},
	wire.CauseUnsafePath:       {"The target lies outside this customer's folders, or a symbolic link is in the way.", "Download the file instead, or replace the link on the server with a real folder."},
	wire.CauseNoKey:            {"The repository's password is not on this server any more.", "An owner of the customer gives it back: Backups, About the key, “Give the server its key again” (ostler plan key return)."},
	wire.CauseServiceConfig:    {"A service on the server refuses its configuration.", "Read what it says, correct its configuration on the server, then try again. The certificate before is in use."},
	wire.CauseServiceReload:    {"A service on the server could not be reloaded.", "See whether it runs, then try again. The certificate before is in use."},
	wire.CauseNotServed:        {"The service does not show the new certificate.", "Check that its configuration names the certificate's files, then try again. The certificate before is in use."},
	wire.CauseNoService:        {"The agent on the server does not know the service.", "Add it to services in /etc/ostler/agent.yaml on the server, and start the agent again."},
	wire.CauseChain:            {"The certificate that was to be installed does not fit.", "Nothing was changed on the server. Ask for the certificate anew, and compare the server's clock."},
	wire.CauseCertKey:          {"The key of this certificate is missing on the server, or is another one.", "Renew the certificate now: the server makes a new key for it."},
	wire.CauseCertFolder:       {"Something on the server is in the way of this certificate's files.", "Look at /etc/ostler/certificates on the server, and move away what is not Ostler's or has another owner."},
	wire.CauseRenewer:          {"The program that renewed this certificate before could not be stopped.", "Stop its renewal on the server by hand, then try again. Nothing else was changed."},
	wire.CauseCA:               {"The certificate authority does not answer, or answers with an error of its own.", "Nothing needs to be done: it is tried again, later each time."},
	wire.CauseCARefused:        {"The certificate authority refused the request.", "Read the reason it gave, under the certificate's attempts."},
	wire.CauseInternal:         {"Something went wrong that has no name yet.", "Try again; if it fails again, look at the agent's log on the server for this job's id."},
}

// endings explains the states that a job can end in without a failure that has
// a name.
var endings = map[State]explanation{
	Interrupted: {"It was interrupted: the agent or the server stopped in the middle.", "See that the server runs, then start it again."},
	Expired:     {"The server did not start it in time.", "Check that the server is connected, then try again."},
	Cancelled:   {"A person cancelled it.", "Start it again if it is still wanted."},
	Superseded:  {"A newer request took its place before it started.", "Look at the newer one."},
	Rejected:    {"The server refuses it.", "See the agent's log on the server for the reason."},
}

// CauseOf is the word for why a job did not succeed, or why its latest attempt
// failed: a wire.Cause, or the state in which it ended, which says more than a
// failure without a name. "" where there is nothing to explain.
func CauseOf(j Job) wire.Cause {
	_, ended := endings[j.State]
	unnamed := j.Failure == nil || j.Failure.Cause == wire.CauseInternal
	byPerson := j.State == Cancelled || j.State == Superseded
	switch {
	case j.State == Succeeded, j.Failure == nil && !j.State.Terminal():
		return ""
	case j.Executor == Plane && unnamed && !byPerson: // no agent and no server had a part in it
		return wire.CausePlane
	case ended && unnamed:
		return wire.Cause(j.State)
	case j.Failure != nil:
		return j.Failure.Cause
	}
	return wire.CauseInternal
}

// ExplainJob is Explain for a job: one that waits for another attempt says that
// nobody has to do anything yet. Both are "" where there is nothing to explain.
func ExplainJob(j Job) (cause, next string) {
	c := CauseOf(j)
	if c == "" {
		return "", ""
	}
	cause, next = Explain(wire.Failure{Cause: c})
	if !j.State.Terminal() {
		next = fmt.Sprintf("Attempt %d of %d failed; it is tried again by itself.", j.Attempt, j.MaxAttempts)
	}
	return cause, next
}

// Explain returns the cause and the next step of a failure in plain words. Its
// cause may be one of CauseOf. An unknown one reads as internal: it is never
// passed off as fine.
func Explain(f wire.Failure) (cause, next string) {
	e, ok := explanations[f.Cause]
	if !ok {
		e, ok = endings[State(f.Cause)]
	}
	if !ok {
		e = explanations[wire.CauseInternal]
	}
	return e.cause, e.next
}
