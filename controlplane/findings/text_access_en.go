package findings

import "maps"

// Kinds of finding about who can reach customers' servers.
const (
	AccessDrift              = "access.drift"                // list and reality differ
	AccessUnexplained        = "access.unexplained"          // a way in nobody answers for
	AccessForeignRole        = "access.foreign_role"         // a role of the cluster that is not ours
	AccessClusterUnreachable = "access.cluster_unreachable"  // enforcement is unconfirmed
	AccessClusterIdentity    = "access.cluster_identity"     // expires, expired, wrong CA
	AccessLocksRefused       = "access.locks_refused"        // a session could not be cut
	AccessHostUnread         = "access.host_unread"          // a host could not be looked at whole
	AccessSameLogin          = "access.same_login"           // two persons use one name
	AccessGrantExpiring      = "access.grant_expiring"       // a renewal is to be asked for
	AccessBreakGlassReview   = "access.break_glass_review"   // nobody has looked at it yet
	AccessTicketMissing      = "access.ticket_missing"       // to be filled in by a time
	AccessLastOnCall         = "access.last_on_call"         // the last one who could come was not confirmed
	AccessNoticeUndelivered  = "access.notice_undelivered"   // no contact could be reached
	AccessNoticeLate         = "access.notice_late"          // the agreed time is over
	AccessPaperExpiring      = "access.paper_expiring"       // a person's agreement, training or brief ends
	AccessBaselineReview     = "access.baseline_review"      // what was accepted on day one is to be looked at
	AccessFacilityPaper      = "access.facility_certificate" // a facility's certificate ends
	AccessInstructionFlagged = "access.instruction_flagged"  // work is paused
	AccessNotConfirmed       = "access.not_confirmed"        // the customer says: not ours
	AccessRolePutBack        = "access.role_put_back"        // single sign-on gave a role again
)

// accessKinds are the kinds of access. person is a name; what is what they can
// do or what was found; where is a customer, a server or the cluster; because is
// a sentence in plain words without its full stop; for is the time that is left
// or has passed, by is an instant as people say it.
var accessKinds = map[string]kind{
	AccessDrift: {
		Args: []string{"person", "what", "where", "because"},
		Ops: text{
			Title: []string{"{person} can reach {where} otherwise than the list says", "Somebody can reach {where} otherwise than the list says", "A list and what is enforced differ"},
			Cause: []string{"{because}.", "What is enforced now is not what was granted."},
			Step:  "step.open_list",
		},
		Customer: text{
			Title: []string{"{person} can reach {where} otherwise than your list says", "Your access list and what is enforced differ"},
			Cause: []string{"{because}.", "What is enforced now is not what was granted."},
			Step:  "step.see_list",
		},
	},
	AccessUnexplained: {
		Args: []string{"what", "where", "count", "because"},
		Ops: text{
			Title: []string{"{count} were found on {where}, and nobody answers for them", "{what} was found on {where}, and nobody answers for it", "A way into {where} was found, and nobody answers for it", "A way in was found, and nobody answers for it"},
			Cause: []string{"{because}.", "Say whose it is, or accept what is there as a baseline, with an owner."},
			Step:  "step.explain_found",
		},
		Customer: text{
			Title: []string{"A way into {where} is not explained yet", "A way into one of your servers is not explained yet"},
			Cause: []string{"It was found when we looked at who can reach the server. We find out whose it is."},
			Step:  "step.see_list",
		},
	},
	AccessForeignRole: {
		Args: []string{"role", "where", "because"},
		Ops: text{
			Title: []string{"The role {role} reaches {where}, and is not one of ours", "The role {role} reaches customers' servers, and is not one of ours", "A role reaches customers' servers, and is not one of ours"},
			Cause: []string{"{because}.", "Whoever has it reaches servers past the lists."},
			Step:  "step.open_cluster",
		},
	},
	AccessClusterUnreachable: {
		Args: []string{"for", "since", "because"},
		Ops: text{
			Title: []string{"What Teleport enforces has been unconfirmed for {for}", "What Teleport enforces is unconfirmed"},
			Cause: []string{"Since {since}: {because}.", "{because}.", "The cluster could not be looked at. Changes of lists wait and are not lost."},
			Step:  "step.open_cluster",
		},
		Customer: text{
			Title: []string{"Since {since}, we could not confirm who can reach your servers", "We cannot confirm who can reach your servers now"},
			Cause: []string{"The system that controls our sign-ins does not answer us. Your list says since when it is unconfirmed."},
			Step:  "step.we_act",
		},
	},
	AccessClusterIdentity: {
		Args: []string{"for", "because"},
		Ops: text{
			Title: []string{"Ostler's identity at Teleport ends in {for}", "Ostler's identity at Teleport cannot be used"},
			Cause: []string{"{because}.", "Without it nothing is confirmed and nothing enforced."},
			Step:  "step.renew_identity",
		},
	},
	AccessLocksRefused: {
		Args: []string{"person", "where", "because"},
		Ops: text{
			Title: []string{"A session of {person} could not be cut", "Teleport refuses locks"},
			Cause: []string{"{because}.", "A session that runs goes on after the access is taken away. New ones are refused."},
			Step:  "step.open_cluster",
		},
	},
	AccessHostUnread: {
		Args: []string{"where", "because", "for"},
		Ops: text{
			Title: []string{"Who can get into {where} has been unconfirmed for {for}", "Who can get into {where} is not known whole", "Who can get into a server is not known whole"},
			Cause: []string{"{because}.", "A part of what decides it could not be read."},
			Step:  "step.open_server",
		},
	},
	AccessSameLogin: {
		Args: []string{"what", "person", "other"},
		Ops: text{
			Title: []string{"{person} and {other} use one name: {what}", "Two persons use one name"},
			Cause: []string{"Who of them did something cannot be told. Both stand on the lists."},
			Step:  "step.open_people",
		},
	},
	AccessGrantExpiring: {
		Args: []string{"person", "where", "for", "by"},
		Ops: text{
			Title: []string{"The access of {person} to {where} ends in {for}", "Somebody's access ends in {for}", "Somebody's access ends soon"},
			Cause: []string{"It ends by itself {by}. Ask for a renewal if it is still needed.", "It ends by itself. Ask for a renewal if it is still needed."},
			Step:  "step.open_grant",
		},
	},
	AccessBreakGlassReview: {
		Args: []string{"person", "where", "by", "because"},
		Ops: text{
			Title: []string{"Emergency access of {person} to {where} is to be reviewed", "Emergency access is to be reviewed"},
			Cause: []string{"{because}. Somebody else looks at it by {by}.", "Somebody else looks at it by {by}.", "Somebody else looks at it the next working day."},
			Step:  "step.open_grant",
		},
	},
	AccessTicketMissing: {
		Args: []string{"person", "where", "by"},
		Ops: text{
			Title: []string{"The access of {person} to {where} lacks its ticket", "A grant lacks its ticket"},
			Cause: []string{"It ends {by} unless a ticket is filled in by then.", "It ends unless a ticket is filled in."},
			Step:  "step.open_grant",
		},
	},
	AccessLastOnCall: {
		Args: []string{"person", "where", "by"},
		Ops: text{
			Title: []string{"{person} is the last one who could come to {where}, and was not confirmed", "The last one who could come to {where} was not confirmed", "The last one who could come was not confirmed"},
			Cause: []string{"The access ends {by}. Confirm it, or grant somebody else.", "The access ends in seven days. Confirm it, or grant somebody else."},
			Step:  "step.open_campaign",
		},
	},
	AccessNoticeUndelivered: {
		Args: []string{"where", "because"},
		Ops: text{
			Title: []string{"{where} could not be told of changes to their list", "A customer could not be told of changes to their list"},
			Cause: []string{"{because}. Call them, and note the call.", "No contact of theirs can be reached by mail. Call them, and note the call."},
			Step:  "step.open_notice",
		},
	},
	AccessNoticeLate: {
		Args: []string{"where", "by", "because"},
		Ops: text{
			Title: []string{"{where} has not been told of changes to their list in time", "A customer has not been told of changes to their list in time"},
			Cause: []string{"It was due {by}: {because}.", "It was due {by}.", "The agreed time is over."},
			Step:  "step.open_notice",
		},
		Customer: text{
			Title: []string{"We told you late of a change to your access list", "We are late in telling you of a change to your access list"},
			Cause: []string{"It was due {by}. The change stands in your list.", "The change stands in your list."},
			Step:  "step.see_list",
		},
	},
	AccessPaperExpiring: {
		Args: []string{"person", "what", "where", "for"},
		Ops: text{
			Title: []string{"{what} of {person} ends in {for}", "{what} of {person} has ended", "A person's training or agreement ends"},
			Cause: []string{"Without it nothing is granted to them on {where}.", "Without it nothing is granted to them."},
			Step:  "step.open_people",
		},
	},
	AccessBaselineReview: {
		Args: []string{"what", "where", "person", "by"},
		Ops: text{
			Title: []string{"What was accepted on {where} is to be reviewed", "What was accepted as a baseline is to be reviewed"},
			Cause: []string{"{person} answers for it. The review was due {by}.", "It was found on the first day and accepted until now."},
			Step:  "step.explain_found",
		},
	},
	AccessFacilityPaper: {
		Args: []string{"what", "where", "for"},
		Ops: text{
			Title: []string{"{what} of {where} ends in {for}", "{what} of {where} has ended", "A facility's certificate ends"},
			Cause: []string{"Customers whose servers stand there rely on it. Ask for the new one."},
			Step:  "step.open_facility",
		},
	},
	AccessInstructionFlagged: {
		Args: []string{"what", "where", "because"},
		Ops: text{
			Title: []string{"Work for {where} is paused: an instruction may break the law", "Work is paused: an instruction may break the law"},
			Cause: []string{"{because}.", "The customer was told. It goes on when somebody decides."},
			Step:  "step.decide_instruction",
		},
		Customer: text{
			Title: []string{"We paused work on one of your instructions", "We paused work"},
			Cause: []string{"We think that it may break the law: {because}.", "We think that it may break the law, and wrote to you why."},
			Step:  "step.see_instruction",
		},
	},
	AccessNotConfirmed: {
		Args: []string{"what", "where", "because"},
		Ops: text{
			Title: []string{"{where} says of {what}: we did not let them in", "A customer says of somebody: we did not let them in"},
			Cause: []string{"{because}.", "Find out who can get in, and take it away with the customer's word."},
			Step:  "step.explain_found",
		},
		Customer: text{
			Title: []string{"You told us that {what} is not yours", "You told us that somebody was not let in by you"},
			Cause: []string{"We find out whose it is."},
			Step:  "step.we_act",
		},
	},
	AccessRolePutBack: {
		Args: []string{"person", "role", "because"},
		Ops: text{
			Title: []string{"Single sign-on gave {person} the role {role} again", "Single sign-on gave somebody a role again"},
			Cause: []string{"{because}.", "The connector gives it at each login. Change its mapping, or it comes back."},
			Step:  "step.open_cluster",
		},
	},
}

// accessSteps are their next steps.
var accessSteps = map[string]string{
	"step.open_list":          "Open the list",
	"step.see_list":           "See your list",
	"step.explain_found":      "Say whose it is",
	"step.open_cluster":       "Open Teleport's state",
	"step.renew_identity":     "Renew the identity",
	"step.open_people":        "Open the person",
	"step.open_grant":         "Open the grant",
	"step.open_campaign":      "Open the campaign",
	"step.open_notice":        "Open the notice",
	"step.open_facility":      "Open the facility",
	"step.decide_instruction": "Decide on the instruction",
	"step.see_instruction":    "See the instruction",
}

// withAccess adds them to the other kinds.
func withAccess(base map[string]kind) map[string]kind {
	maps.Copy(base, accessKinds)
	return base
}

// withAccessSteps adds their steps to the others.
func withAccessSteps(base map[string]string) map[string]string {
	maps.Copy(base, accessSteps)
	return base
}
