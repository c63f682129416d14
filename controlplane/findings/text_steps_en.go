package findings

// steps are the next steps, by text key: short imperatives.
var steps = withIncidentSteps(withVaultSteps(withSessionSteps(withAccessSteps(map[string]string{
	"step.open_plan":        "Open the plan",
	"step.open_run":         "Open the run",
	"step.open_server":      "Open the server",
	"step.open_store":       "Check the store",
	"step.open_repository":  "Open the repository",
	"step.open_ledger":      "Open the ledger",
	"step.open_job":         "Open the job",
	"step.make_room":        "Make room",
	"step.make_room_server": "Make room on the server",
	"step.see_files":        "See which files",
	"step.check_clone":      "Find out which machine is real",
	"step.check_enrolment":  "Make a new token",
	"step.remind_key":       "Remind the customer",
	"step.confirm_key":      "Keep the recovery key",
	"step.start_signer":     "Start ostler signer",
	"step.check_mail":       "Check the mail server",
	"step.set_mail":         "Configure a mail server",
	"step.reach_person":     "Reach the person another way",
	"step.open_ask":         "Open the request",
	"step.see_ask":          "See your request",
	"step.open_certificate": "Open the certificate",
	"step.see_certificate":  "See what to change",
	"step.we_act":           "Nothing to do: we look into it",
}))))
