package sessions

import (
	"context"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/findings"
	"ostler/controlplane/policy"
)

// Judge gives a verdict. Version is the one that was read. Permission: session.review.
// Errors: conflict where another verdict came first, where somebody else has the
// session, where the recording is missing (it cannot be reviewed) or not here,
// where a question is open that nobody has answered and the verdict is fine, and
// where whoever says fine has not looked (see looked); forbidden for a participant; invalid where a question or a violation has no text.
func (s *Service) Judge(ctx context.Context, scope policy.Scope, session string, v Verdict, text string, version int64) (Session, error) {
	if !v.Valid() {
		return Session{}, controlplane.Invalid(controlplane.Field{Pointer: "/verdict", Message: "Choose fine, question or violation."})
	}
	text, err := words("/text", text, v != Fine)
	if err != nil {
		return Session{}, err
	}
	return s.onReview(ctx, scope, session, "judge", func(x *reviewing) error {
		if err := s.mayReview(x); err != nil {
			return err
		}
		if err := s.mayJudge(x, v, version); err != nil {
			return err
		}
		return s.judged(x, v, text)
	})
}

// mayJudge refuses what came too late, and what nobody can have looked at.
func (s *Service) mayJudge(x *reviewing, v Verdict, version int64) error {
	if ReviewState(x.r.State) == Reviewed {
		return s.alreadyJudged(x)
	}
	if err := s.free(x); err != nil {
		return err
	}
	if x.row.Version != version {
		return controlplane.Errorf(controlplane.CodeConflict, "Open the session again, look at what is new, and judge it then.", "The session has changed since you opened it")
	}
	if ReviewState(x.r.State) == Asked && v == Fine && len(x.r.Answer) == 0 {
		return controlplane.Errorf(controlplane.CodeConflict, "Wait for the answer, or say why it is a violation.", "The question about this session has no answer yet")
	}
	if _, err := s.playable(x.tx, x.row); err != nil || v != Fine {
		return err
	}
	return s.looked(x)
}

// playable is the recording of a session that can be watched. Errors: conflict
// where it cannot, with the cause.
func (s *Service) playable(tx *db.Tx, row sessionRow) (Recording, error) {
	recordings, err := s.recordingsOf(tx, []string{row.ID})
	if err != nil {
		return Recording{}, err
	}
	x := Session{State: State(row.State)}
	rec, here := recordings[row.ID]
	if here {
		x.Recording = &rec
	}
	return rec, playable(x)
}

// judged writes a verdict down, with how much of the recording its reviewer watched.
func (s *Service) judged(x *reviewing, v Verdict, text string) error {
	watched, err := s.watchedShare(x.tx, x.row, x.actor.ID)
	if err != nil {
		return err
	}
	r := &x.r
	*r = r.unclaimed()
	if err := s.keepQuestion(r); err != nil {
		return err
	}
	r.ByID, r.Verdict, r.VerdictAt, r.Watched = x.actor.ID, string(v), x.tx.NowMillis(), watched
	if r.Text = nil; text != "" {
		if r.Text, err = s.sealReview(*r, "text", text); err != nil {
			return err
		}
	}
	data := map[string]any{"verdict": string(v), "watched_permille": watched}
	personal := map[string]string{}
	if text != "" {
		personal["text"] = text
	}
	if v == Question {
		r.State, r.Answer, r.AnsweredBy, r.AnsweredAt = string(Asked), nil, "", 0
		if r.DueAt == 0 {
			r.QueuedAt, r.DueAt = x.tx.NowMillis(), x.tx.Now.Add(s.opts.ReviewWithin).UnixMilli()
		}
		return s.tell(x, "session.questioned", data, personal)
	}
	r.State, r.Void = string(Reviewed), nil
	if err := s.settle(x, findings.SessionReviewVoid, "somebody else reviewed it"); err != nil {
		return err
	}
	if err := s.tell(x, "session.reviewed", data, personal); err != nil {
		return err
	}
	if v == Fine {
		return s.settle(x, findings.SessionViolation, "a later review found nothing wrong")
	}
	return s.violation(x, text)
}

// keepQuestion keeps the question that was open beside the verdict that follows it:
// it stays whose it was.
func (s *Service) keepQuestion(r *reviewRow) error {
	if ReviewState(r.State) != Asked {
		return nil
	}
	text, err := s.open(r.SealOwner, "session_reviews", "text", r.SessionID, r.Text)
	if err != nil {
		return err
	}
	r.QuestionBy, r.QuestionAt = r.ByID, r.VerdictAt
	r.Question, err = s.sealReview(*r, "question", text)
	return err
}

// violation opens the finding that asks for an incident, for every customer.
func (s *Service) violation(x *reviewing, text string) error {
	args := map[string]string{"person": personOf(x.data), "where": x.row.Host, "at": clock(controlplane.FromMillis(x.row.StartedAt)), "because": causeOf(text)}
	if err := s.raise(x, findings.SessionViolation, findings.Bad, args); err != nil {
		return err
	}
	if s.opts.OnViolation == nil {
		return nil
	}
	return s.opts.OnViolation(x.tx, x.row.ID, text)
}

// causeOf is a text as a cause without its full stop, cut to one line.
func causeOf(text string) string {
	line := controlplane.Line(text, 300)
	for len(line) > 0 && line[len(line)-1] == '.' {
		line = line[:len(line)-1]
	}
	return line
}

// personOf is the name to show of who began a session.
func personOf(d sessionData) string {
	if d.PersonName != "" {
		return d.PersonName
	}
	return d.User
}

// raise opens a finding about a session, for each customer whom it touches.
func (s *Service) raise(x *reviewing, kind string, severity findings.Severity, args map[string]string) error {
	for _, c := range ownersOf(x.customers) {
		if c != "" && s.erased(c) { // nobody is left to be told
			continue
		}
		err := s.findings.Raise(x.tx, findings.Finding{Key: findingKey(kind, x.row.ID, c), Group: kind + ":" + x.row.ID, Customer: c, Server: x.row.ServerID,
			Subject: x.row.ID, Kind: kind, Severity: severity, Owner: findings.Ops, Args: args, Link: "/sessions/" + x.row.ID})
		if err != nil {
			return err
		}
	}
	return nil
}

// settle closes what raise opened.
func (s *Service) settle(x *reviewing, kind, cause string) error {
	for _, c := range ownersOf(x.customers) {
		if err := s.findings.Close(x.tx, findingKey(kind, x.row.ID, c), cause); err != nil {
			return err
		}
	}
	return nil
}

// ownersOf are whose findings those about a session are: its customers', the
// company's where there are none.
func ownersOf(customers []string) []string {
	if len(customers) == 0 {
		return []string{""}
	}
	return customers
}

func findingKey(kind, session, customer string) string { return kind + ":" + session + ":" + customer }

// AnswerQuestion answers a reviewer's question; the reviewer then judges. Of a
// session that nobody can review any more it says what else is known of it, and
// the finding about it is closed. Permission: session.read, of staff. Errors: invalid without a text, forbidden
// for anybody but staff, conflict where no question is open.
func (s *Service) AnswerQuestion(ctx context.Context, scope policy.Scope, session, text string) (Session, error) {
	text, err := words("/text", text, true)
	if err != nil {
		return Session{}, err
	}
	return s.onReview(ctx, scope, session, "answer", func(x *reviewing) error {
		switch {
		case x.actor.Kind != controlplane.ActorStaff:
			return controlplane.Errorf(controlplane.CodeForbidden, "Tell us what you know; we write it there.", "Questions about sessions are answered by people of the hosting company")
		case ReviewState(x.r.State) == Unreviewable:
		case ReviewState(x.r.State) != Asked:
			return controlplane.Errorf(controlplane.CodeConflict, "Open the session again to see how its review stands.", "No question about this session is open")
		}
		var err error
		if x.r.Answer, err = s.sealReview(x.r, "answer", text); err != nil {
			return err
		}
		x.r.AnsweredBy, x.r.AnsweredAt = x.actor.ID, x.tx.NowMillis()
		if err := s.settle(x, findings.SessionReviewImpossible, "somebody wrote down what is known of the session"); err != nil {
			return err
		}
		return s.tell(x, "session.answered", nil, map[string]string{"text": text})
	})
}

// voidEvery is how often verdicts are held against who uses which name.
const voidEvery = time.Hour

// Recheck holds every verdict against who uses which name at the cluster now, and
// takes those back whose reviewer turned out to have taken part. Watch does it
// every hour; call it when somebody's names changed. It returns how many were void.
func (s *Service) Recheck(ctx context.Context, _ policy.Scope) (void int, err error) {
	ctx = asReviews(ctx)
	var ids []string
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) { ids, err = s.judgedByParticipants(tx); return err })
	if err != nil {
		return 0, wrap("recheck", err)
	}
	for _, id := range ids {
		done, err := s.void(ctx, id)
		if err != nil {
			return void, wrap("recheck", err)
		}
		if done {
			void++
		}
	}
	return void, nil
}

// judgedByParticipants are the sessions whose verdict counts and whose reviewer
// took part in them.
func (s *Service) judgedByParticipants(tx *db.Tx) (ids []string, err error) {
	known := rechecked{s: s, tx: tx, persons: map[string]Somebody{}, users: map[string][]Somebody{}}
	var last judgedRow
	for {
		rows, err := judgedAfter(tx, last.VerdictAt, last.SessionID, 500)
		if err != nil || len(rows) == 0 {
			return ids, err
		}
		sessions, err := sessionRows(tx, judgedIDs(rows))
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			own, err := known.own(sessions[r.SessionID], r.ByID)
			if err != nil {
				return nil, err
			}
			if own {
				ids = append(ids, r.SessionID)
			}
		}
		last = rows[len(rows)-1]
	}
}

func judgedIDs(rows []judgedRow) []string {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.SessionID
	}
	return ids
}

// rechecked remembers who is who while verdicts are gone through.
type rechecked struct {
	s       *Service
	tx      *db.Tx
	persons map[string]Somebody   // by staff
	users   map[string][]Somebody // by name at the cluster
}

// own reports whether one of our staff uses a name that took part in a session.
func (k rechecked) own(row sessionRow, staff string) (bool, error) {
	who, ok := k.persons[staff]
	if !ok {
		var err error
		if who, _, err = k.s.lists.ByStaff(k.tx, staff); err != nil {
			return false, err
		}
		k.persons[staff] = who
	}
	d, err := k.s.dataOf(row)
	if err != nil {
		return false, err
	}
	for _, user := range namesOf(d) {
		uses, ok := k.users[user]
		if !ok {
			if uses, err = k.s.lists.ByUser(k.tx, user); err != nil {
				return false, err
			}
			k.users[user] = uses
		}
		for _, p := range uses {
			if p.ID == who.ID && who.ID != "" || p.Staff == staff {
				return true, nil
			}
		}
	}
	return false, nil
}

// void takes a verdict back whose reviewer took part, and puts the session into
// the queue again.
func (s *Service) void(ctx context.Context, session string) (done bool, err error) {
	if err := s.readyFor(ctx, session); err != nil {
		return false, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		done = false
		x, err := s.reviewing(tx, everybody(), session)
		if err != nil || ReviewState(x.r.State) != Reviewed {
			return err
		}
		who, _, err := s.lists.ByStaff(tx, x.r.ByID)
		if err != nil {
			return err
		}
		as, err := s.tookPart(tx, x.row, x.data, who.ID, x.r.ByID)
		if err != nil || as == "" {
			return err
		}
		done = true
		return s.voided(x, as)
	})
	return done, err
}

func (s *Service) voided(x *reviewing, as string) error {
	name, err := s.nameIn(x.tx, map[string]string{}, x.r.ByID)
	if err != nil {
		return err
	}
	name = whoever(name)
	was := x.r
	x.r.State, x.r.ByID, x.r.Verdict, x.r.VerdictAt, x.r.Watched, x.r.Text = string(Waiting), "", "", 0, 0, nil
	x.r.QueuedAt, x.r.DueAt = x.tx.NowMillis(), x.tx.Now.Add(s.opts.ReviewWithin).UnixMilli()
	if x.r.Because == "" {
		x.r.Because = "asked"
	}
	why := name + " judged it (" + was.Verdict + ", " + clock(controlplane.FromMillis(was.VerdictAt)) + ") and took part in it as " + as
	if x.r.Void, err = s.sealReview(x.r, "void", why); err != nil {
		return err
	}
	if err := saveReview(x.tx, x.r); err != nil {
		return err
	}
	if err := saveSession(x.tx, &x.row); err != nil {
		return err
	}
	if err := s.raise(x, findings.SessionReviewVoid, findings.Warn, map[string]string{"person": name, "where": x.row.Host, "because": "They took part as " + as}); err != nil {
		return err
	}
	return s.tell(x, "session.review_voided", map[string]any{"reviewer": was.ByID, "verdict": was.Verdict}, map[string]string{"why": why})
}
