package findings

import "ostler/agents/wire"

// causes is how what a host reports reads as the cause of a finding.
var causes = map[wire.Cause]cause{
	wire.CauseStoreUnreachable: {
		Ops:      []string{"The store {store} does not answer: {detail}.", "The store does not answer: {detail}.", "The store does not answer."},
		Customer: []string{"The place where your backups are kept did not answer."}, Step: "step.open_store",
	},
	wire.CauseStoreFull: {
		Ops:      []string{"The store answers “{detail}”: it has no room.", "The store has no room."},
		Customer: []string{"The place where your backups are kept has no room left."}, Step: "step.make_room",
	},
	wire.CauseStoreRefused: {
		Ops:      []string{"The store answers “{detail}”: it refuses this server.", "The store refuses this server."},
		Customer: []string{"The place where your backups are kept refused the server."}, Step: "step.open_store",
	},
	wire.CauseWrongPassword: {
		Ops:      []string{"The key on the server does not open the repository."},
		Customer: []string{"The key on the server does not open its backups."}, Step: "step.open_repository",
	},
	wire.CauseNoRepository: {
		Ops:      []string{"There is no repository where the plan says: {detail}.", "There is no repository where the plan says."},
		Customer: []string{"Its backups are not where they should be."}, Step: "step.open_repository",
	},
	wire.CauseLocked: {
		Ops:      []string{"Another run holds the repository's lock: {detail}.", "Another run holds the repository's lock."},
		Customer: []string{"Another run was at work on the same backups."}, Step: "step.open_repository",
	},
	wire.CauseDamaged: {
		Ops:      []string{"The repository is damaged: {detail}.", "The repository is damaged."},
		Customer: []string{"Part of what is kept is missing or wrong."}, Step: "step.open_repository",
	},
	wire.CauseSourceMissing: {
		Ops:      []string{"{path} is in the plan and not on the server.", "A path of the plan is not on the server."},
		Customer: []string{"{path} is to be backed up and is not on the server.", "A folder that is to be backed up is not on the server."}, Step: "step.open_plan",
	},
	wire.CauseNotFound: {
		Ops:      []string{"The snapshot or the path in it is not there."},
		Customer: []string{"The backup or the file in it is not there."},
	},
	wire.CauseDiskFull: {
		Ops:      []string{"The server's disk is full: {detail}.", "The server's disk is full."},
		Customer: []string{"The server's disk is full."}, Step: "step.open_server",
	},
	wire.CauseStoreUsers: {
		Ops:      []string{"The control plane cannot tell the store of the server: {detail}.", "The control plane cannot tell the store of the server."},
		Customer: []string{"The place where your backups are kept does not know the server yet."}, Step: "step.open_store",
	},
	wire.CausePlane: {
		Ops:      []string{"The control plane reports: {detail}.", "The control plane could not do its part."},
		Customer: []string{"We do not know yet why."}, Step: "step.open_job",
	},
	wire.CausePolicy: {
		Ops:      []string{"The server's own policy refuses it: {detail}.", "The server's own policy refuses it."},
		Customer: []string{"The server's own rules do not allow it."}, Step: "step.open_server",
	},
	wire.CauseSignature: {
		Ops:      []string{"The server does not know the key that signed the job."},
		Customer: []string{"The server could not check that the order came from us."}, Step: "step.open_server",
	},
	wire.CauseUnsupported: {
		Ops:      []string{"The agent or restic on the server is too old: {detail}.", "The agent or restic on the server is too old."},
		Customer: []string{"Our software on the server is too old for it."}, Step: "step.open_server",
	},
	wire.CauseTimeout: {
		Ops:      []string{"It took longer than it may: {detail}.", "It took longer than it may."},
		Customer: []string{"It took longer than it may."},
	},
	wire.CauseExists: {
		Ops:      []string{"The target is there already."},
		Customer: []string{"A file of that name is there already."},
	},
	wire.CauseUnsafePath: {
		Ops:      []string{"The path leads out of the tenancy's folders, or through a link."},
		Customer: []string{"The path leads out of your folders, or through a link."},
	},
	wire.CauseNoKey: {
		Ops:      []string{"The repository's password is not on the server."},
		Customer: []string{"The key is not on the server any more."}, Step: "step.open_repository",
	},
	wire.CauseInternal: {
		Ops:      []string{"The agent reports: {detail}.", "The agent stopped without a cause."},
		Customer: []string{"We do not know yet why."},
	},
}
