package findings

// Kinds of finding.
const (
	BackupMissed       = "backup.missed"
	BackupFailed       = "backup.failed"
	BackupPartial      = "backup.partial"
	ServerSilent       = "server.silent"
	ServerNeverSeen    = "server.never_connected"
	ServerClockSkew    = "server.clock_skew"
	ServerDiskLow      = "server.disk_low"
	AgentCloned        = "agent.cloned"
	EnrolmentReused    = "enrolment.reused"
	KeyUnconfirmed     = "key.unconfirmed"
	StoreUnreachable   = "store.unreachable"
	StoreFull          = "store.full"
	StoreRefused       = "store.refused"
	RepositoryDamaged  = "repository.damaged"
	RepositoryPassword = "repository.wrong_password"
	LedgerBroken       = "ledger.broken"
	JobStuck           = "job.stuck"
	ResticOld          = "restic.old"
	SignerDown         = "signer.down"
	InventoryFailed    = "inventory.failed"
	FolderMissing      = "backup.folder_missing"
	StoreUsers         = "store.users_failed"
	SnapshotGone       = "snapshot.gone"
	CatalogueDamaged   = "catalogue.damaged"
	RestoreAsked       = "restore.asked"
	RestoreIncomplete  = "restore.incomplete"
	MailUnreachable    = "mail.unreachable"
	MailUnconfigured   = "mail.unconfigured"
	MailFailed         = "mail.failed"
	MailBounced        = "mail.bounced"
	MailNotice         = "mail.notice"
)

// Arguments, by name: server, plan, store, agent and job are names as people
// know them; for, last and since are times as people say them ("27 hours",
// "yesterday 13:02"); count is a number with its noun ("3 files"); cause is a wire.Cause; detail is one
// short technical line for staff.
var kinds = withIncidents(withVault(withSessions(withAccess(withCerts(map[string]kind{
	BackupMissed: {
		Args: []string{"server", "plan", "for", "last", "cause", "detail", "store", "path"},
		Ops: text{
			Title: []string{"{server} has had no backup for {for}", "{server} has had no backup when one was due", "A server has had no backup when one was due"},
			Cause: []string{"The latest one ended {last}; the plan {plan} has been due since.", "The latest one ended {last}.", "The run did not start, and no cause was reported."},
			Step:  "step.open_plan",
		},
		Customer: text{
			Title: []string{"{server} has had no backup for {for}", "{server} was not backed up when it was due", "A server was not backed up when it was due"},
			Cause: []string{"The latest backup is from {last}; it is safe and can be restored from.", "We do not know yet why the backup did not run."},
			Step:  "step.we_act",
		},
	},
	BackupFailed: {
		Args: []string{"server", "plan", "for", "last", "cause", "detail", "store", "path"},
		Ops: text{
			Title: []string{"The backup of {server} failed", "A backup failed"},
			Cause: []string{"The server reports: {detail}.", "The server did not report why."},
			Step:  "step.open_run",
		},
		Customer: text{
			Title: []string{"The last backup of {server} failed", "A backup failed"},
			Cause: []string{"The latest good backup is from {last}; it can be restored from.", "We do not know yet why."},
			Step:  "step.we_act",
		},
	},
	BackupPartial: {
		Args: []string{"server", "plan", "count", "path", "last"},
		Ops: text{
			Title: []string{"{count} on {server} could not be read by the backup", "The backup of {server} is partial", "A backup is partial"},
			Cause: []string{"The first is {path}. Everything else is in the snapshot.", "Everything else is in the snapshot; the run lists what is not."},
			Step:  "step.open_run",
		},
		Customer: text{
			Title: []string{"On {server}, {count} could not be read by the last backup", "The last backup of {server} is not complete", "A backup is not complete"},
			Cause: []string{"The first is {path}. Everything else was backed up.", "Everything else was backed up; the backup lists what was not."},
			Step:  "step.see_files",
		},
	},
	FolderMissing: {
		Args: []string{"server", "plan", "count", "path", "last"},
		Ops: text{
			Title: []string{"{count} of the plan are not on {server}", "A folder of the plan is not on {server}", "A folder of a plan is not on its server"},
			Cause: []string{"The first of {count} is {path}: make it, or change the plan. Everything else is in the snapshot.", "{path} does not exist: make it, or change the plan. Everything else is in the snapshot.", "It does not exist: make it, or change the plan. Everything else is in the snapshot."},
			Step:  "step.open_plan",
		},
		Customer: text{
			Title: []string{"{count} that are to be backed up are not on {server}", "A folder that is to be backed up is not on {server}", "A folder that is to be backed up is not on its server"},
			Cause: []string{"The first of {count} is {path}. Everything else was backed up.", "{path} does not exist. Everything else was backed up.", "It does not exist. Everything else was backed up."},
			Step:  "step.see_files",
		},
	},
	ServerSilent: {
		Args: []string{"server", "for", "since"},
		Ops: text{
			Title: []string{"{server} has not been heard of for {for}", "{server} has not been heard of", "A server has not been heard of"},
			Cause: []string{"Its agent was last heard of {since}. Jobs for it wait.", "Its agent is not connected. Jobs for it wait."},
			Step:  "step.open_server",
		},
		Customer: text{
			Title: []string{"We have not heard of {server} for {for}", "We have not heard of {server}", "We have not heard of one of your servers"},
			Cause: []string{"Until it answers, no backup of it runs. Backups made before are safe.", "Until it answers, no backup of it runs."},
			Step:  "step.we_act",
		},
	},
	ServerNeverSeen: {
		Args: []string{"server", "for", "since"},
		Ops: text{
			Title: []string{"{server} was enrolled and has never connected", "{server} has never connected", "A server has never connected"},
			Cause: []string{"It got its certificate {since}; port 8444 of the control plane may be closed to it.", "Port 8444 of the control plane may be closed to it."},
			Step:  "step.open_server",
		},
		Customer: text{
			Title: []string{"{server} is not looked after yet: it has never connected to us", "A server is not looked after yet: it has never connected to us"},
			Cause: []string{"Its backups begin once it does."},
			Step:  "step.we_act",
		},
	},
	ServerClockSkew: {
		Args: []string{"server", "for"},
		Ops: text{
			Title: []string{"The clock of {server} is off by {for}", "The clock of {server} is off", "A server's clock is off"},
			Cause: []string{"Its time service may have stopped. Its logs and file times are wrong by that much."},
			Step:  "step.open_server",
		},
	},
	ServerDiskLow: {
		Args: []string{"server", "free", "size"},
		Ops: text{
			Title: []string{"{server} has {free} of disk left", "{server} is short of disk", "A server is short of disk"},
			Cause: []string{"That is what is left of {size}. Restores to this server, and what runs on it, may stop.", "Restores to this server, and what runs on it, may stop."},
			Step:  "step.open_server",
		},
		Customer: text{
			Title: []string{"{server} has {free} of disk left", "{server} is short of disk", "A server is short of disk"},
			Cause: []string{"That is what is left of {size}. Files may not fit when they are restored to it.", "Files may not fit when they are restored to it."},
			Step:  "step.make_room_server",
		},
	},
	AgentCloned: {
		Args: []string{"server", "agent", "since"},
		Ops: text{
			Title: []string{"Two machines say that they are {server}", "Two machines use one agent's certificate"},
			Cause: []string{"Both hold its certificate since {since}: a copied disk, or a stolen key. Jobs for it are frozen.", "A copied disk, or a stolen key. Jobs for it are frozen."},
			Step:  "step.check_clone",
		},
	},
	EnrolmentReused: {
		Args: []string{"server", "since"},
		Ops: text{
			Title: []string{"The enrolment token of {server} was used again with another key", "An enrolment token was used again with another key"},
			Cause: []string{"The second use, {since}, was refused. Somebody else may have read the token.", "The second use was refused. Somebody else may have read the token."},
			Step:  "step.check_enrolment",
		},
	},
	KeyUnconfirmed: {
		Args: []string{"server", "plan", "since"},
		Ops: text{
			Title: []string{"Nobody has confirmed the recovery key for {server}", "Nobody has confirmed a recovery key"},
			Cause: []string{"Until the customer does, no backup runs: the only key would be on the server.", "Until the customer does, no backup runs."},
			Step:  "step.remind_key",
		},
		Customer: text{
			Title: []string{"Backups of {server} wait for you to keep the recovery key", "Backups wait for you to keep the recovery key"},
			Cause: []string{"It is the only way to your files should the server be lost, so no backup runs before you have a copy."},
			Step:  "step.confirm_key",
		},
	},
	StoreUnreachable: {
		Args: []string{"store", "server", "for", "since", "detail", "next"},
		Ops: text{
			Title: []string{"The store {store} does not answer", "A store does not answer"},
			Cause: []string{"{server} reports: {detail}. The next backup is due {next}; once the store answers, one can be started by hand.", "Since {since}: {detail}.", "{server} reports: {detail}.", "Backups and restores through it fail until it does."},
			Step:  "step.open_store",
		},
		Customer: text{
			Title: []string{"The place where your backups are kept does not answer"},
			Cause: []string{"The last backup failed and files cannot be restored now. What is stored there is not affected; the next backup is due {next}.", "Since {since}, backups fail and files cannot be restored. What is stored there is not affected.", "Backups fail and files cannot be restored. What is stored there is not affected."},
			Step:  "step.we_act",
		},
	},
	StoreFull: {
		Args: []string{"store", "server", "free", "size", "since", "detail"},
		Ops: text{
			Title: []string{"The store {store} is full", "A store is full"},
			Cause: []string{"The store answers “{detail}”: {free} left of {size} since {since}.", "The store answers “{detail}”: {free} left of {size}.", "The store answers “{detail}”.", "No backup fits until there is room."},
			Step:  "step.make_room",
		},
		Customer: text{
			Title: []string{"The place where your backups are kept is full"},
			Cause: []string{"New backups wait for room. Backups made before are safe and can be restored from."},
			Step:  "step.we_act",
		},
	},
	StoreRefused: {
		Args: []string{"store", "server", "since", "detail"},
		Ops: text{
			Title: []string{"The store {store} refuses {server}", "A store refuses a server"},
			Cause: []string{"The store answers “{detail}”.", "Its password for the store is not known there, or it may not do that."},
			Step:  "step.open_store",
		},
		Customer: text{
			Title: []string{"The place where your backups are kept refuses {server}", "The place where your backups are kept refuses one of your servers"},
			Cause: []string{"No new backup can be made until we have put that right. Backups made before are safe."},
			Step:  "step.we_act",
		},
	},
	StoreUsers: {
		Args: []string{"store", "server", "detail"},
		Ops: text{
			Title: []string{"The store {store} cannot be told of new servers", "A store cannot be told of new servers"},
			Cause: []string{"{server} waits for it: {detail}. It is tried again by itself.", "The control plane reports: {detail}.", "The control plane can not write its user file, or not have it read again."},
			Step:  "step.open_store",
		},
	},
	RepositoryDamaged: {
		Args: []string{"server", "plan", "store", "since", "detail"},
		Ops: text{
			Title: []string{"The backups of {server} are damaged", "A backup repository is damaged"},
			Cause: []string{"restic reports: {detail}.", "Data that snapshots need is missing or wrong in the store."},
			Step:  "step.open_repository",
		},
		Customer: text{
			Title: []string{"Some backups of {server} are damaged", "Some of your backups are damaged"},
			Cause: []string{"Part of what they need is missing or wrong where they are kept. We are finding out which files it is."},
			Step:  "step.we_act",
		},
	},
	RepositoryPassword: {
		Args: []string{"server", "plan", "store", "since", "detail"},
		Ops: text{
			Title: []string{"The key on {server} does not open its backups", "A server's key does not open its backups"},
			Cause: []string{"The repository was made with another password, or the file on the server was replaced."},
			Step:  "step.open_repository",
		},
		Customer: text{
			Title: []string{"The key on {server} does not open its backups", "A server's key does not open its backups"},
			Cause: []string{"No backup can be made or restored with it. Your recovery key, if you kept it, still opens the earlier ones."},
			Step:  "step.we_act",
		},
	},
	RestoreAsked: {
		Args: []string{"customer"},
		Ops: text{
			Title: []string{"{customer} asks us to restore something", "A customer asks us to restore something"},
			Cause: []string{"They wrote down what they need. To see their files, start an assist with a reason and a ticket."},
			Step:  "step.open_ask",
		},
		Customer: text{
			Title: []string{"You asked us to restore something"},
			Cause: []string{"We have your request and answer it here."},
			Step:  "step.see_ask",
		},
	},
	RestoreIncomplete: {
		Args: []string{"server", "count"},
		Ops: text{
			Title: []string{"{count} of {server} could not be restored from its backups", "Files of {server} could not be restored from its backups", "Files could not be restored from backups"},
			Cause: []string{"Data that a snapshot needs is missing or wrong in the store. Check the repository before anything is deleted from it."},
			Step:  "step.open_server",
		},
		Customer: text{
			Title: []string{"{count} of {server} could not be restored", "Files of {server} could not be restored", "Files could not be restored"},
			Cause: []string{"Part of what is kept is missing or wrong. An earlier or later backup may have them whole."},
			Step:  "step.we_act",
		},
	},
	SnapshotGone: {
		Args: []string{"server", "plan", "store", "count", "since", "last"},
		Ops: text{
			Title: []string{"{count} of {server} that we had are no longer in the store", "A copy of {server} that we had is no longer in the store", "A copy that we had is no longer in its store"},
			Cause: []string{"The newest of them is from {since}. {server} does not find it in {store}: somebody or something deleted it there.", "The server does not find it in the store: somebody or something deleted it there."},
			Step:  "step.open_store",
		},
		Customer: text{
			Title: []string{"{count} of {server} are no longer where your backups are kept", "A backup of {server} is no longer where your backups are kept", "A backup is no longer where your backups are kept"},
			Cause: []string{"The newest of them is from {since}. The others can be restored from.", "It cannot be restored from. The others can."},
			Step:  "step.we_act",
		},
	},
	CatalogueDamaged: {
		Args: []string{"server", "plan"},
		Ops: text{
			Title: []string{"The list of what is in the backups of {server} is damaged", "A list of what is in backups is damaged"},
			Cause: []string{"What is stored of it does not open. It is made anew from the backups, which are not affected; until then folders are asked of the server."},
			Step:  "step.open_plan",
		},
	},
	LedgerBroken: {
		Args: []string{"entry", "since", "detail"},
		Ops: text{
			Title: []string{"The ledger does not verify from entry {entry} on", "The ledger does not verify"},
			Cause: []string{"{detail}.", "What is stored is not what was signed."},
			Step:  "step.open_ledger",
		},
		Customer: text{
			Title: []string{"Our record of what was done does not verify"},
			Cause: []string{"What is stored is not what was signed. Until we know why, do not rely on the record after that point."},
			Step:  "step.we_act",
		},
	},
	JobStuck: {
		Args: []string{"job", "server", "for", "detail"},
		Ops: text{
			Title: []string{"The job “{job}” has not moved for {for}", "The job “{job}” does not move", "A job does not move"},
			Cause: []string{"{detail}.", "It is neither waiting for its time nor for a server that is silent."},
			Step:  "step.open_job",
		},
	},
	SignerDown: {
		Ops: text{
			Title: []string{"Jobs cannot be signed, so none goes out to any server"},
			Cause: []string{"The process ostler signer does not answer, or the Vault that has its key does not. Jobs wait and are not lost."},
			Step:  "step.start_signer",
		},
	},
	InventoryFailed: {
		Args: []string{"server", "cause", "detail"},
		Ops: text{
			Title: []string{"{server} does not say what it is", "A server does not say what it is"},
			Cause: []string{"Its inventory failed: {detail}.", "Its inventory failed, or could not be read."},
			Step:  "step.open_job",
		},
	},
	MailUnreachable: {
		Args: []string{"mail_server", "for", "detail"},
		Ops: text{
			Title: []string{"The mail server {mail_server} has taken no mail for {for}", "The mail server takes no mail"},
			Cause: []string{"It answers: {detail}. Mails wait and are tried for two days.", "Mails wait and are tried for two days."},
			Step:  "step.check_mail",
		},
	},
	MailUnconfigured: {
		Ops: text{
			Title: []string{"Mails are not sent: no mail server is configured"},
			Cause: []string{"What they tell of stands in the portal only. Set the mail section of the configuration and restart."},
			Step:  "step.set_mail",
		},
	},
	MailFailed: {
		Args: []string{"to", "because", "detail"},
		Ops: text{
			Title: []string{"A mail to {to} was not delivered", "A mail was not delivered"},
			Cause: []string{"{because}: {detail}.", "{because}.", "It is not tried again."},
			Step:  "step.reach_person",
		},
	},
	MailBounced: {
		Args: []string{"to", "because", "detail"},
		Ops: text{
			Title: []string{"A mail to {to} came back", "A mail came back"},
			Cause: []string{"It had been accepted, and was then reported as undeliverable: {detail}.", "It had been accepted, and was then reported as undeliverable."},
			Step:  "step.reach_person",
		},
	},
	MailNotice: {
		Args: []string{"to", "because", "detail"},
		Ops: text{
			Title: []string{"A mail to {to} went out without its content", "A mail went out without its content"},
			Cause: []string{"The mail server offers no encryption, so the mail says only that there is something in the portal. Call the person, and note the call."},
			Step:  "step.reach_person",
		},
	},
	ResticOld: {
		Args: []string{"server", "version", "want"},
		Ops: text{
			Title: []string{"restic on {server} is too old", "restic on a server is too old"},
			Cause: []string{"It is {version}; {want} or newer is needed.", "Its backups cannot run with it."},
			Step:  "step.open_server",
		},
	},
})))))

// plain is the sentence where a kind has none for the reader.
var plain = text{
	Title: []string{"Something needs attention"},
	Cause: []string{"We know of it and look into it."},
	Step:  "step.we_act",
}
