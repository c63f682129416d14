package findings

import "maps"

// Kinds of finding about sessions on customers' servers and their recordings.
const (
	SessionUngrounded       = "session.ungrounded"        // no grant, ticket or authorisation
	SessionRecordingMissing = "session.recording_missing" // none came in time, or none can be read
	SessionRecordingPartial = "session.recording_partial" // only a part of it came
	SessionHoldAlone        = "session.hold_alone"        // one person ended a hold
	SessionUnrecorded       = "session.unrecorded"        // the cluster records nothing of it
	SessionEndless          = "session.endless"           // no end was seen, and it does not run
	SessionLoginOutside     = "session.login_outside"     // a host saw a login that the cluster did not
	SessionRecordingChanged = "session.recording_changed" // its bytes are not those of the ledger
	SessionNotStored        = "session.not_stored"        // the store took it not
	SessionFeedStopped      = "session.feed_stopped"      // the audit log cannot be read
	SessionFeedIdentity     = "session.feed_identity"     // our identity may not read it
	SessionQuarantined      = "session.quarantined"       // events that could not be taken in
	SessionLoginsUnread     = "session.logins_unread"     // a host's records are not known whole
	SessionPersonUnknown    = "session.person_unknown"    // a name at the cluster is nobody's
	SessionViolation        = "session.violation"         // a reviewer's verdict
	SessionReviewOverdue    = "session.review_overdue"    // nobody has judged it in time
	SessionReviewVoid       = "session.review_void"       // its reviewer took part in it
	SessionReviewImpossible = "session.review_impossible" // wanted, and its recording went before anybody judged
	SessionUnchecked        = "session.unchecked"         // recordings cannot be compared with the ledger
	SessionDrawMissed       = "session.draw_missed"       // no seed was committed before a day, or not this one
	SessionClockOff         = "session.clock_off"         // an event's time cannot be right
)

// sessionKinds are the kinds of sessions. person is a name; what is what was
// done or is wrong; where is a server, a customer or the cluster; count is a
// number with its noun; because is a sentence in plain words without its full
// stop; for is how long, at, by and since are instants as people say them.
var sessionKinds = map[string]kind{
	SessionUngrounded: {
		Args: []string{"person", "where", "at", "what"},
		Ops: text{
			Title: []string{"{person} was on {where} without {what}", "{person} had a session on {where} that lacks its ground", "A session on {where} lacks its ground", "A session lacks its ground"},
			Cause: []string{"It began {at}. Nothing on record says on what it stood.", "Nothing on record says on what it stood."},
			Step:  "step.open_session",
		},
		Customer: text{
			Title: []string{"A session on {where} lacks {what}", "A session on {where} lacks a part of its ground", "A session on one of your servers lacks a part of its ground"},
			Cause: []string{"It was {person}, and it began {at}. We find out why, and write it there.", "We find out why, and write it there."},
			Step:  "step.see_sessions",
		},
	},
	SessionRecordingMissing: {
		Args: []string{"person", "where", "at", "because"},
		Ops: text{
			Title: []string{"There is no recording of the session of {person} on {where}", "There is no recording of a session on {where}", "There is no recording of a session"},
			Cause: []string{"{because}. The session began {at}.", "{because}.", "It did not come in time. What was done in the session is not known."},
			Step:  "step.open_session",
		},
		Customer: text{
			Title: []string{"There is no recording of a session of {person} on {where}", "There is no recording of a session on {where}", "There is no recording of a session on one of your servers"},
			Cause: []string{"It began {at}. We look for the recording, and find out why it did not come.", "We look for the recording, and find out why it did not come."},
			Step:  "step.see_sessions",
		},
	},
	SessionRecordingPartial: {
		Args: []string{"person", "where", "at", "because"},
		Ops: text{
			Title: []string{"The recording of the session of {person} on {where} is not whole", "The recording of a session on {where} is not whole", "The recording of a session is not whole"},
			Cause: []string{"{because}. The session began {at}. What came is kept.", "{because}. What came is kept.", "What came is kept."},
			Step:  "step.open_session",
		},
		Customer: text{
			Title: []string{"The recording of a session on {where} is not whole", "The recording of a session on one of your servers is not whole"},
			Cause: []string{"What came is kept. We find out what is missing, and why."},
			Step:  "step.see_sessions",
		},
	},
	SessionHoldAlone: {
		Ops: text{
			Title: []string{"One person ended a hold on recordings"},
			Cause: []string{"It could not wait for a second one. Somebody else looks at it on the next working day."},
			Step:  "step.review_hold",
		},
		Customer: text{
			Title: []string{"One of our people ended a hold on recordings of yours alone"},
			Cause: []string{"It could not wait for a second one. The reason stands in your log, and a colleague looks at it on the next working day."},
			Step:  "step.see_sessions",
		},
	},
	SessionUnrecorded: {
		Args: []string{"person", "where", "what", "count", "at"},
		Ops: text{
			Title: []string{"{count} on {where} left no recording", "A session of {person} on {where} was not recorded", "A session on {where} was not recorded", "A session was not recorded"},
			Cause: []string{"{what}. The latest began {at}.", "{what}.", "The cluster keeps no recording of it. What was done is known by the event alone."},
			Step:  "step.open_session",
		},
		Customer: text{
			Title: []string{"{count} on {where} left no recording", "A session on {where} was not recorded", "A session on one of your servers was not recorded"},
			Cause: []string{"We know who it was and when; there is nothing to watch."},
			Step:  "step.see_sessions",
		},
	},
	SessionEndless: {
		Args: []string{"person", "where", "at"},
		Ops: text{
			Title: []string{"The session of {person} on {where} has no end", "A session on {where} has no end", "A session has no end"},
			Cause: []string{"It began {at} and does not run any more. The node may have lost its power.", "It does not run any more. The node may have lost its power."},
			Step:  "step.open_session",
		},
	},
	SessionLoginOutside: {
		Args: []string{"where", "what", "count", "at", "because"},
		Ops: text{
			Title: []string{"{count} of {what} on {where} did not come through Teleport", "Somebody logged in to {where} past Teleport", "Somebody logged in to a server past Teleport"},
			Cause: []string{"{because}. The latest was {at}.", "{because}.", "The server's own records tell of it, and no session does. It was not recorded."},
			Step:  "step.explain_login",
		},
		Customer: text{
			Title: []string{"Somebody logged in to {where} without a recorded session", "Somebody logged in to one of your servers without a recorded session"},
			Cause: []string{"The server's own records tell of it; the latest was {at}. We find out who it was, and write it there.", "The server's own records tell of it. We find out who it was, and write it there."},
			Step:  "step.see_sessions",
		},
	},
	SessionRecordingChanged: {
		Args: []string{"person", "where", "at", "because"},
		Ops: text{
			Title: []string{"The recording of the session of {person} on {where} is not what was stored", "The recording of a session on {where} is not what was stored", "The recording of a session is not what was stored"},
			Cause: []string{"{because}.", "Its bytes are not those whose SHA-256 is in the ledger. Somebody, or a disk, changed them."},
			Step:  "step.open_session",
		},
		Customer: text{
			Title: []string{"A recording of a session on {where} is not what was stored", "A recording of a session on one of your servers is not what was stored"},
			Cause: []string{"Our last check found it. The record of what it was at first still stands, and we find out what happened."},
			Step:  "step.see_sessions",
		},
	},
	SessionNotStored: {
		Args: []string{"count", "because", "since"},
		Ops: text{
			Title: []string{"{count} cannot be stored", "Recordings cannot be stored"},
			Cause: []string{"{because}. It goes on by itself once there is room; the cluster still has them.", "The place where recordings are kept does not take them. The cluster still has them."},
			Step:  "step.recording_room",
		},
	},
	SessionFeedStopped: {
		Args: []string{"since", "for", "because"},
		Ops: text{
			Title: []string{"Sessions have not been read from Teleport for {for}", "Sessions cannot be read from Teleport"},
			Cause: []string{"Since {since}: {because}. Nothing is lost: it is read from there on when Teleport answers.", "{because}.", "Nothing is lost: it is read from there on when Teleport answers."},
			Step:  "step.open_feed",
		},
		Customer: text{
			Title: []string{"Since {since}, sessions on your servers have not been read", "Sessions on your servers cannot be read now"},
			Cause: []string{"The system that records them does not answer us. They appear once it does."},
			Step:  "step.we_act",
		},
	},
	SessionFeedIdentity: {
		Args: []string{"since", "for", "because"},
		Ops: text{
			Title: []string{"Ostler's identity may not read Teleport's sessions", "Ostler's identity may not read Teleport's sessions for now"},
			Cause: []string{"{because}. Nothing is lost: it is read from {since} on with one that may.", "{because}.", "Without it no session is known."},
			Step:  "step.renew_identity",
		},
		Customer: text{
			Title: []string{"Since {since}, sessions on your servers have not been read", "Sessions on your servers cannot be read now"},
			Cause: []string{"The system that records them does not let us in. They appear once it does."},
			Step:  "step.we_act",
		},
	},
	SessionQuarantined: {
		Args: []string{"count", "because", "at"},
		Ops: text{
			Title: []string{"{count} of Teleport could not be taken in", "An event of Teleport could not be taken in"},
			Cause: []string{"{because}. Everything after it was taken in.", "Everything after it was taken in. Look at what it may have said."},
			Step:  "step.open_feed",
		},
	},
	SessionLoginsUnread: {
		Args: []string{"where", "because", "for"},
		Ops: text{
			Title: []string{"Who logged in to {where} has been unknown for {for}", "Who logged in to {where} is not known whole", "Who logged in to a server is not known whole"},
			Cause: []string{"{because}.", "The server's own records could not be read. How much was recorded there is unknown."},
			Step:  "step.open_server",
		},
	},
	SessionPersonUnknown: {
		Args: []string{"what", "where", "count", "at"},
		Ops: text{
			Title: []string{"The name {what} had {count}, and is nobody’s on our list of people", "The name {what} is nobody’s on our list of people", "Somebody had a session under a name that is nobody’s"},
			Cause: []string{"The latest was on {where}, {at}. Say whose name it is.", "Say whose name it is. The sessions are matched again then."},
			Step:  "step.open_people",
		},
	},
	SessionViolation: {
		Args: []string{"person", "where", "at", "because"},
		Ops: text{
			Title: []string{"A reviewer found a violation in the session of {person} on {where}", "A reviewer found a violation in a session on {where}", "A reviewer found a violation in a session"},
			Cause: []string{"{because}.", "What it was stands with the session. Decide whether it is an incident."},
			Step:  "step.open_incident",
		},
		Customer: text{
			Title: []string{"A review found something wrong in a session on {where}", "A review found something wrong in a session on one of your servers"},
			Cause: []string{"The session was {at}. We find out what it means, and tell you.", "We find out what it means, and tell you."},
			Step:  "step.see_sessions",
		},
	},
	SessionReviewOverdue: {
		Args: []string{"count", "for", "where"},
		Ops: text{
			Title: []string{"{count} have waited for a review for {for}", "{count} wait for a review past their time", "A session waits for its review past its time"},
			Cause: []string{"The riskiest was on {where}. Whoever did not take part in it may look.", "Whoever did not take part in it may look."},
			Step:  "step.review_sessions",
		},
	},
	SessionReviewVoid: {
		Args: []string{"person", "where", "because"},
		Ops: text{
			Title: []string{"{person} reviewed a session on {where} that they took part in", "Somebody reviewed a session that they took part in"},
			Cause: []string{"{because}. The verdict does not count; somebody else has to look.", "The verdict does not count; somebody else has to look."},
			Step:  "step.review_sessions",
		},
		Customer: text{
			Title: []string{"A review of a session on {where} does not count", "A review of a session on one of your servers does not count"},
			Cause: []string{"Whoever reviewed it turned out to have taken part. Somebody else looks at it."},
			Step:  "step.see_sessions",
		},
	},
	SessionReviewImpossible: {
		Args: []string{"person", "where", "at", "because"},
		Ops: text{
			Title: []string{"The session of {person} on {where} cannot be reviewed any more", "A session on {where} cannot be reviewed any more", "A session cannot be reviewed any more"},
			Cause: []string{"{because}. It began {at}. Write down what else is known of it.", "Write down what else is known of it."},
			Step:  "step.open_session",
		},
		Customer: text{
			Title: []string{"A session on {where} cannot be reviewed any more", "A session on one of your servers cannot be reviewed any more"},
			Cause: []string{"{because}. It began {at}. We write down what else is known of it.", "We write down what else is known of it."},
			Step:  "step.see_sessions",
		},
	},
	SessionUnchecked: {
		Args: []string{"count", "where", "because", "since"},
		Ops: text{
			Title: []string{"{count} cannot be compared with the ledger", "Recordings cannot be compared with the ledger"},
			Cause: []string{"{because}. The last that could be was {since}.", "{because}.", "Whether they were changed is not known."},
			Step:  "step.open_recordings",
		},
	},
	SessionDrawMissed: {
		Args: []string{"from", "until", "because"},
		Ops: text{
			Title: []string{"No sample of the sessions from {from} to {until} can be drawn", "No sample of the sessions of some days can be drawn"},
			Cause: []string{"{because}. Have some of them reviewed by hand.", "Have some of them reviewed by hand."},
			Step:  "step.open_draws",
		},
	},
	SessionClockOff: {
		Args: []string{"where", "for", "what"},
		Ops: text{
			Title: []string{"The clock of {where} is {for} {what}", "The clock of {where} is off", "The clock of a node is off"},
			Cause: []string{"Its events carry times that cannot be right. Sessions show the times as the node said them."},
			Step:  "step.open_server",
		},
	},
}

// sessionSteps are their next steps.
var sessionSteps = map[string]string{
	"step.open_session":    "Open the session",
	"step.see_sessions":    "See who connected",
	"step.explain_login":   "Say who it was",
	"step.recording_room":  "Make room for recordings",
	"step.open_feed":       "Open how reading goes",
	"step.open_incident":   "Open an incident",
	"step.review_sessions": "Review the session",
	"step.open_recordings": "Open sessions",
	"step.open_draws":      "See the samples",
	"step.review_hold":     "Look at the hold",
}

// withSessions adds them to the other kinds.
func withSessions(base map[string]kind) map[string]kind {
	maps.Copy(base, sessionKinds)
	return base
}

// withSessionSteps adds their steps to the others.
func withSessionSteps(base map[string]string) map[string]string {
	maps.Copy(base, sessionSteps)
	return base
}
