package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions"
)

// PlayerSecurityPolicy is sent with the page on which a recording is watched,
// and with no other: the terminal there is WebAssembly, and brings a font.
const PlayerSecurityPolicy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; font-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// PolicyOf is the Content-Security-Policy that a page is sent with.
func PolicyOf(v View) string {
	if _, ok := v.(*Replay); ok {
		return PlayerSecurityPolicy
	}
	return ContentSecurityPolicy
}

// How much of a recording a page shows at once.
const (
	transcriptLines = 400
	shownMoments    = 500
)

// watch begins a look at a recording: it is on record, and the customer sees it.
func (p *Portal) watch(v *visit) error {
	scope, s, err := v.sessionByID(policy.SessionWatch)
	if err != nil {
		return err
	}
	purpose := v.formValue("purpose")
	if purpose == "" {
		purpose = v.purposes(s)[0].Value
	}
	if purpose == "review" && v.can(policy.SessionReview) && !v.reviews(s.Review) {
		if _, err := p.Sessions.Claim(v.ctx, scope, s.ID); err != nil {
			return v.sessionFault(scope, err)
		}
	}
	way := "player"
	if v.formValue("way") == "transcript" { // for who has no player
		way = "transcript"
	}
	w, err := p.Sessions.OpenViewing(v.ctx, scope, s.ID, way, purpose)
	if err != nil {
		return v.sessionFault(scope, err)
	}
	return v.redirect("/sessions/"+s.ID+"/replay?"+query("viewing", w.ID, "at", v.formValue("at")), "")
}

// reviews reports whether the reader has a session for review, or asked the
// question about it that is open.
func (v *visit) reviews(r sessions.Review) bool {
	return r.ClaimedBy == v.actor.ID && r.ClaimedUntil.After(v.now) || r.State == sessions.Asked && r.By == v.actor.ID
}

// replay is the page on which a recording is watched.
func (p *Portal) replay(v *visit) error {
	page, err := v.replayPage()
	if err != nil {
		return err
	}
	return v.render(page)
}

// replayPage puts the page of an open viewing together. Without one it leads
// back to where one begins.
func (v *visit) replayPage() (*Replay, error) {
	scope, s, err := v.sessionByID(policy.SessionWatch)
	if err != nil {
		return nil, err
	}
	viewing := v.c.FormValue("viewing")
	cast, err := v.p.Sessions.OpenCast(v.ctx, scope, s.ID, viewing)
	if err != nil {
		return nil, err
	}
	defer func() { _ = cast.Close() }()
	page := &Replay{Page: v.page(v.sessionNav(), v.t("replay.title"), ""), Keys: v.replayKeys()}
	if err := v.replayHead(page, s); err != nil {
		return nil, err
	}
	at, _ := strconv.ParseInt(v.c.FormValue("at"), 10, 64)
	rec := cast.Recording
	base := "/sessions/" + s.ID
	page.Player = Player{Cast: base + "/cast?" + query("viewing", viewing), Watched: base + "/watched", Viewing: viewing, Size: cast.Size, Duration: rec.Duration.Milliseconds(), From: max(0, at), Columns: max(rec.Width, 20), Height: max(rec.Height, 5)}
	if err := v.replayParts(page, scope, s, viewing); err != nil {
		return nil, err
	}
	page.Noting = v.noteForm(s, viewing)
	page.Verdict = v.verdictForm(s, viewing)
	page.Purpose = "support"
	if !v.staff() {
		page.Purpose = v.purposes(s)[0].Value
	} else if page.Verdict != nil {
		page.Purpose = "review"
	}
	page.Read = base + "/watch"
	return page, nil
}

// replayHead is the sentence, the facts and whose look it is.
func (v *visit) replayHead(page *Replay, s sessions.Session) error {
	servers, err := v.serversOf([]sessions.Session{s})
	if err != nil {
		return err
	}
	where := v.sessionWhere(s, servers)
	page.Say = v.t("replay.say", "who", capital(v.sessionWho(s)), "where", where.Label, "when", v.moment(s.StartedAt), "span", offset(s.Recording.Duration))
	page.Sub = v.t("replay.sub")
	page.Crumbs = []Link{v.sessionHome(), {v.t("session.title"), "/sessions/" + s.ID}}
	if proof := v.proof(s); proof != nil {
		page.Facts = append(page.Facts, Fact{Label: v.t("session.integrity"), State: proof.State, Note: proof.Lead})
	}
	page.Facts = append(page.Facts, Fact{Label: v.t("session.purpose_of"), State: State{Word: orDashWord(s.Ground.Ticket)}, Note: PlainName([]byte(s.Ground.Reason))}, Fact{Label: v.t("session.review"), State: v.reviewState(s)})
	if lacks := v.lacks(s); lacks != "" {
		page.Facts = append(page.Facts, Fact{Label: v.t("session.missing"), State: State{ToneWarn, v.t("session.lacks", "what", lacks)}})
	}
	if v.viewer.Auditor {
		page.Mark, page.Marked = v.person.Name, v.now
		page.Watermark = v.person.Name + " · " + instant(v.now, v.zone)
	}
	return nil
}

// replayParts fills the timeline, the transcript and the remarks.
func (v *visit) replayParts(page *Replay, scope policy.Scope, s sessions.Session, viewing string) error {
	moments, err := v.p.Sessions.Timeline(v.ctx, scope, s.ID, viewing)
	if err != nil {
		return err
	}
	notes, err := v.p.Sessions.Notes(v.ctx, scope, s.ID)
	if err != nil {
		return err
	}
	page.Strip = v.strip(moments, notes, time.Duration(page.Player.Duration)*time.Millisecond)
	page.Moments = v.momentRows(moments)
	if more := len(page.Moments) - shownMoments; more > 0 {
		page.Moments, page.MoreOf = page.Moments[:shownMoments], more
	}
	for _, n := range notes {
		page.Notes = append(page.Notes, NoteRow{At: n.At, Text: PlainName([]byte(n.Text)), By: n.Name, MadeAt: n.MadeAt, Shown: n.Shown})
	}
	from, _ := strconv.Atoi(v.c.QueryParam("from"))
	from = max(0, from)
	lines, more, err := v.p.Sessions.Transcript(v.ctx, scope, s.ID, viewing, from, transcriptLines)
	if err != nil {
		return err
	}
	for _, l := range lines {
		page.Lines = append(page.Lines, LineRow{At: l.At, Text: PlainName([]byte(l.Text))})
	}
	self := "/sessions/" + s.ID + "/replay?" + query("viewing", viewing)
	if from > 0 {
		page.Later.First = self + "#transcript"
	}
	if more {
		page.Later.Next = self + "&from=" + strconv.Itoa(from+len(lines)) + "#transcript"
	}
	return nil
}

// cast is the recording itself, in ranges, for the player. An error has a
// sentence for it.
func (p *Portal) cast(v *visit) error {
	scope, err := v.scope(policy.SessionWatch)
	if err != nil {
		return v.playerFault(err)
	}
	c, err := p.Sessions.OpenCast(v.ctx, scope, v.c.Param("id"), v.c.QueryParam("viewing"))
	if err != nil {
		return v.playerFault(err)
	}
	defer func() { _ = c.Close() }()
	v.c.Response().Header().Set("Content-Type", "application/x-asciicast")
	http.ServeContent(v.c.Response(), v.c.Request(), "", time.Time{}, c)
	return nil
}

// playerFault answers the player with a cause and the next step.
func (v *visit) playerFault(err error) error {
	e := &controlplane.Error{Code: controlplane.CodeInternal, Message: v.t("fault.internal"), Next: v.t("fault.internal_next")}
	var known *controlplane.Error
	if errors.As(err, &known) && known.Code != controlplane.CodeInternal {
		e = known
	} else {
		v.p.log.ErrorContext(v.ctx, "web.error", "request_id", controlplane.RequestID(v.ctx), "error", err)
	}
	return v.c.JSON(status(e.Code), map[string]string{"cause": capital(trimDot(e.Message)) + ".", "next": e.Next})
}

// watched takes in which stretches were played: "0-5000,9000-12000" in
// milliseconds of the recording.
func (p *Portal) watched(v *visit) error {
	scope, _, err := v.sessionByID(policy.SessionWatch)
	if err != nil {
		return v.playerFault(err)
	}
	parts, ok := stretches(v.c.FormValue("parts"))
	if !ok {
		return v.playerFault(controlplane.Invalid(controlplane.Field{Pointer: "/parts", Message: v.t("replay.bad_parts")}))
	}
	w, err := p.Sessions.Watched(v.ctx, scope, v.c.FormValue("viewing"), parts)
	if err != nil {
		return v.playerFault(err)
	}
	return v.c.JSON(http.StatusOK, map[string]string{"watched": v.t("replay.watched", "span", offset(w.Watched))})
}

// stretches reads what a player says was played.
func stretches(s string) (out []sessions.Stretch, ok bool) {
	for _, one := range strings.Split(s, ",") {
		a, b, found := strings.Cut(one, "-")
		from, err1 := strconv.ParseInt(a, 10, 64)
		to, err2 := strconv.ParseInt(b, 10, 64)
		if !found || err1 != nil || err2 != nil || from < 0 || to <= from || to > (30*24*time.Hour).Milliseconds() || len(out) >= 1000 {
			return nil, false
		}
		out = append(out, sessions.Stretch{From: time.Duration(from) * time.Millisecond, To: time.Duration(to) * time.Millisecond})
	}
	return out, true
}

// noteForm makes a remark; nil where the reader may not.
func (v *visit) noteForm(s sessions.Session, viewing string) *NoteForm {
	if !v.can(policy.SessionReview) && !v.viewer.Auditor {
		return nil
	}
	at := v.c.FormValue("at")
	if v.c.Request().Method == http.MethodGet { // the page's own place, in milliseconds
		ms, _ := strconv.ParseInt(at, 10, 64)
		at = offset(time.Duration(max(0, ms)) * time.Millisecond)
	}
	return &NoteForm{Action: "/sessions/" + s.ID + "/notes", Viewing: viewing, At: at, Text: v.c.FormValue("text"), Shown: v.c.FormValue("shown") != "", MayShow: v.staff()}
}

// noteAdd makes a remark at a second.
func (p *Portal) noteAdd(v *visit) error {
	scope, _, err := v.sessionByID(policy.SessionWatch)
	if err != nil {
		return err
	}
	id := v.c.Param("id")
	at, ok := offsetOf(v.c.FormValue("at"))
	text := v.formValue("text")
	if ok && text != "" {
		_, err = p.Sessions.AddNote(v.ctx, scope, sessions.Note{Session: id, At: at, Text: text, Shown: v.staff() && v.c.FormValue("shown") != ""})
	} else {
		var fields []controlplane.Field
		if !ok {
			fields = append(fields, controlplane.Field{Pointer: "/at", Message: v.t("note.bad_at")})
		}
		if text == "" {
			fields = append(fields, controlplane.Field{Pointer: "/text", Message: v.t("note.bad_text")})
		}
		err = controlplane.Invalid(fields...)
	}
	if err != nil {
		return v.replayInvalid(err, "")
	}
	return v.redirect("/sessions/"+id+"/replay?"+query("viewing", v.c.FormValue("viewing"), "at", strconv.FormatInt(at.Milliseconds(), 10)), "noted")
}

// replayInvalid shows the page again with what is wrong with a form marked;
// prefix is what the form's inputs are called before the service's own names.
func (v *visit) replayInvalid(err error, prefix string) error {
	if c := controlplane.ErrorCode(err); c != controlplane.CodeInvalid && c != controlplane.CodeConflict {
		return err
	}
	page, perr := v.replayPage()
	if perr != nil {
		return err
	}
	page.Player.From = 0
	if at, ok := offsetOf(v.c.FormValue("at")); ok {
		page.Player.From = at.Milliseconds()
	}
	var e *controlplane.Error
	if errors.As(err, &e) && prefix != "" {
		named := *e
		named.Fields = nil
		for _, f := range e.Fields {
			if f.Pointer == "/text" {
				f.Pointer = "/" + prefix
			}
			named.Fields = append(named.Fields, f)
		}
		err = &named
	}
	return v.invalid(page, err)
}

// verdictForm judges a session; nil where the reader does not have it.
func (v *visit) verdictForm(s sessions.Session, viewing string) *VerdictForm {
	if !v.staff() || !v.can(policy.SessionReview) || !v.reviews(s.Review) {
		return nil
	}
	f := &VerdictForm{Action: "/sessions/" + s.ID + "/verdict", Viewing: viewing, Version: s.Version, Text: v.c.FormValue("verdict-text"), Unclaim: "/sessions/" + s.ID + "/unclaim"}
	for _, c := range []struct {
		is         sessions.Verdict
		label, say string
	}{{sessions.Fine, "verdict.fine", "verdict.fine_note"}, {sessions.Question, "verdict.question", "verdict.question_note"}, {sessions.Violation, "verdict.violation", "verdict.violation_note"}} {
		f.Choices = append(f.Choices, RoleChoice{Value: string(c.is), Label: v.t(c.label), Note: v.t(c.say), Chosen: v.c.FormValue("verdict") == string(c.is)})
	}
	return f
}

// verdict judges a session.
func (p *Portal) verdict(v *visit) error {
	scope, err := v.scope(policy.SessionReview)
	if err != nil {
		return err
	}
	id, is, text := v.c.Param("id"), sessions.Verdict(v.formValue("verdict")), v.formValue("verdict-text")
	switch {
	case !is.Valid():
		err = controlplane.Invalid(controlplane.Field{Pointer: "/verdict", Message: v.t("verdict.missing")})
	case is != sessions.Fine && text == "":
		err = controlplane.Invalid(controlplane.Field{Pointer: "/text", Message: v.t("verdict.text_missing")})
	default:
		_, err = p.Sessions.Judge(v.ctx, scope, id, is, text, v.version())
	}
	if err != nil {
		return v.replayInvalid(err, "verdict-text")
	}
	return v.redirect("/sessions/"+id, "judged")
}

// replayAddress leads to a place in a recording, through a viewing of its own.
func replayAddress(session string, at time.Duration) string {
	return "/sessions/" + session + "?" + url.Values{"at": {strconv.FormatInt(at.Milliseconds(), 10)}}.Encode() + "#watch"
}
