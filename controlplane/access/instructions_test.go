package access_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/access"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// authorised returns by what an act may be done now.
func (w *teller) authorised(act, by string) (id string, err error) {
	w.Write(func(tx *db.Tx) error { id, err = w.access.Authorised(tx, w.Maple.ID, act, by); return nil })
	return id, err
}

func TestWhoMayInstruct(t *testing.T) {
	tellEach(t, func(w *teller) {
		start := w.Clock.Now()
		reader := w.contact(w.Maple, "Rita", policy.RoleReader)
		ctx, scope := w.AsContact(w.anna)
		designee := must[access.Authorisation](w.T)(w.access.AddAuthorisation(ctx, scope, access.Authorisation{Customer: w.Maple.Slug, Contact: reader.ID,
			Acts: []string{access.ActRestore, access.ActRestore}, From: start.Add(day), Until: start.Add(10 * day), Document: "folder 7"}))
		if designee.Name != "Rita" || designee.Capacity != access.CapacityDesignee || len(designee.Acts) != 1 {
			w.T.Errorf("designee: got %+v", designee)
		}
		lawyer := must[access.Authorisation](w.T)(w.access.AddAuthorisation(w.Ctx, w.all, access.Authorisation{Customer: w.Maple.ID, Name: "Lea Lawyer", Acts: []string{access.ActAll}, From: start.Add(-day)}))
		for _, tc := range []struct {
			name    string
			at      time.Duration
			act, by string
			want    string // "" is a conflict
		}{
			{"anybody: who is registered comes first", 0, access.ActRestore, "", lawyer.ID},
			{"not yet", 0, access.ActRestore, reader.ID, ""},
			{"an owner without being registered", 0, access.ActSession, w.anna.ID, w.anna.ID},
			{"her time", 2 * day, access.ActRestore, reader.ID, designee.ID},
			{"another act", 2 * day, access.ActSession, reader.ID, ""},
			{"over", 11 * day, access.ActRestore, reader.ID, ""},
			{"nobody", 0, access.ActRestore, "con_nobody", ""},
		} {
			w.Clock.Advance(start.Add(tc.at).Sub(w.Clock.Now()))
			got, err := w.authorised(tc.act, tc.by)
			if got != tc.want || (tc.want == "") != (code(err) == controlplane.CodeConflict) {
				w.T.Errorf("%s: got %q, %v; want %q", tc.name, got, err, tc.want)
			}
		}
		w.Clock.Advance(start.Add(12 * day).Sub(w.Clock.Now()))
		for range 2 {
			if err := w.access.EndAuthorisation(ctx, scope, lawyer.ID); err != nil {
				w.T.Fatal(err)
			}
		}
		if err := w.Customers.RemoveContact(w.Ctx, w.all, w.berta.ID); err != nil {
			w.T.Fatal(err)
		}
		names := func(at time.Time) (out []string) {
			for _, a := range must[[]access.Authorisation](w.T)(w.access.Authorisations(ctx, scope, w.Maple.ID, at)) {
				out = append(out, a.Name)
			}
			slices.Sort(out)
			return out
		}
		same(w.T, "before", names(start.Add(-time.Hour)), []string{"Lea Lawyer"})
		same(w.T, "then", names(start.Add(2*day)), []string{"Anna", "Berta", "Lea Lawyer", "Rita"})
		same(w.T, "now", names(w.Clock.Now().Add(time.Millisecond)), []string{"Anna"})
		same(w.T, "all there were", names(time.Time{}), []string{"Anna", "Berta", "Lea Lawyer", "Rita"})

		other, others := w.Owner(w.Harbour)
		if _, err := w.access.Authorisations(other, others, w.Maple.ID, time.Time{}); code(err) != controlplane.CodeNotFound {
			w.T.Errorf("another customer reads: got %v, want not found", err)
		}
		if err := w.access.EndAuthorisation(other, others, designee.ID); code(err) != controlplane.CodeNotFound {
			w.T.Errorf("another customer ends: got %v, want not found", err)
		}
		for pointer, a := range map[string]access.Authorisation{
			"/name":     {Acts: []string{access.ActAll}},
			"/acts":     {Name: "x", Acts: []string{"everything"}},
			"/capacity": {Name: "x", Acts: []string{access.ActAll}, Capacity: access.CapacityOwner},
			"/contact":  {Contact: w.berta.ID, Acts: []string{access.ActAll}},
			"/until":    {Name: "x", Acts: []string{access.ActAll}, From: start, Until: start},
		} {
			a.Customer = w.Maple.ID
			_, err := w.access.AddAuthorisation(w.Ctx, w.all, a)
			wantField(w.T, err, pointer)
		}
	})
}

// An instruction that would break the law pauses the work on its subject, and
// the customer is told why.
func TestInstructionsThatAreFlagged(t *testing.T) {
	tellEach(t, func(w *teller) {
		held := func(about ...string) (code_ controlplane.Code) {
			w.Write(func(tx *db.Tx) error { code_ = code(w.access.Hold(tx, w.Maple.ID, about...)); return nil })
			return code_
		}
		in := access.Instruction{Customer: w.Maple.Slug, What: "restore the mailbox of a former employee", Ticket: "T-77", Subject: "asi_1", Why: "the employee has not agreed."}
		for pointer, change := range map[string]func(*access.Instruction){
			"/what":          func(i *access.Instruction) { i.What = "" },
			"/why":           func(i *access.Instruction) { i.Why = "" },
			"/subject":       func(i *access.Instruction) { i.Subject, i.Ticket = "", "" },
			"/authorisation": func(i *access.Instruction) { i.Authorisation = "aut_nobody" },
		} {
			x := in
			change(&x)
			_, err := w.access.FlagInstruction(w.Ctx, w.all, x)
			wantField(w.T, err, pointer)
		}
		in.Authorisation = w.anna.ID
		if got := held("asi_1"); got != "" {
			w.T.Errorf("before: got %q", got)
		}
		flagged := must[access.Instruction](w.T)(w.access.FlagInstruction(w.Ctx, w.all, in))
		same(w.T, "mails", w.to(), []string{"access.flagged " + anna, "access.flagged " + berta})
		if flagged.Mail != w.post.ids["access.flagged "+anna] || flagged.FlaggedBy != w.ada.Staff || w.post.sent[0].Args["because"] != in.Why || w.post.sent[0].Path != "/access/instructions/"+flagged.ID {
			w.T.Errorf("flagged: got %+v, %+v", flagged, w.post.sent[0])
		}
		same(w.T, "findings", w.found(w.Maple.ID), []string{"access.instruction_flagged"})
		for _, about := range [][]string{{"asi_1"}, {"T-77"}, {"res_1", "T-77"}} {
			if got := held(about...); got != controlplane.CodeConflict {
				w.T.Errorf("%v: got %q, want conflict", about, got)
			}
		}
		for _, about := range [][]string{{"asi_2"}, {""}, {}} {
			if got := held(about...); got != "" {
				w.T.Errorf("%v: got %q, want nothing", about, got)
			}
		}
		grant := access.NewGrant{Customer: w.Maple.ID, Person: w.bob.ID, Role: "operator", Reason: "restores the mailbox", Ticket: "T-77", Until: w.Clock.Now().Add(day)}
		if _, err := w.access.Grant(w.Ctx, w.all, grant); code(err) != controlplane.CodeConflict {
			w.T.Errorf("a grant for it: got %v, want conflict", err)
		}
		before := grant
		before.Ticket, before.Role = "T-78", "engineer"
		there := must[access.Grant](w.T)(w.access.Grant(w.Ctx, w.all, before))
		if _, err := w.access.Extend(w.Ctx, w.all, there.ID, w.Clock.Now().Add(2*day), "restores the mailbox", "T-77"); code(err) != controlplane.CodeConflict {
			w.T.Errorf("a grant made longer for it: got %v, want conflict", err)
		}
		ctx, scope := w.AsContact(w.anna)
		if _, err := w.access.DecideInstruction(ctx, scope, flagged.ID, access.DecisionLawful, "we say so"); code(err) != controlplane.CodeInvalid {
			w.T.Errorf("the customer decides what is lawful: got %v, want invalid", err)
		}
		other, others := w.Owner(w.Harbour)
		if _, err := w.access.DecideInstruction(other, others, flagged.ID, access.DecisionWithdrawn, "we do"); code(err) != controlplane.CodeNotFound {
			w.T.Errorf("another customer: got %v, want not found", err)
		}
		decided := must[access.Instruction](w.T)(w.access.DecideInstruction(w.Ctx, w.all, flagged.ID, access.DecisionLawful, "the employee agreed in writing"))
		if decided.Decision != access.DecisionLawful || decided.Reasons != "the employee agreed in writing" || decided.What != in.What || decided.Why != in.Why {
			w.T.Errorf("decided: got %+v", decided)
		}
		same(w.T, "mails after it", w.to()[2:], []string{"access.decided " + anna, "access.decided " + berta})
		same(w.T, "findings after it", w.found(w.Maple.ID), nil)
		if got := held("asi_1", "T-77"); got != "" {
			w.T.Errorf("after it: got %q", got)
		}
		if _, err := w.access.DecideInstruction(w.Ctx, w.all, flagged.ID, access.DecisionChanged, "again"); code(err) != controlplane.CodeConflict {
			w.T.Errorf("twice: got %v, want conflict", err)
		}
		must[access.Grant](w.T)(w.access.Grant(w.Ctx, w.all, grant))

		in.Subject, in.Ticket = "asi_3", ""
		second := must[access.Instruction](w.T)(w.access.FlagInstruction(w.Ctx, w.all, in))
		must[access.Instruction](w.T)(w.access.DecideInstruction(ctx, scope, second.ID, access.DecisionWithdrawn, "we do not want it any more"))
		if got := held("asi_3"); got != controlplane.CodeConflict {
			w.T.Errorf("what was withdrawn is never done: got %q", got)
		}
		all := must[[]access.Instruction](w.T)(w.access.Instructions(ctx, scope, w.Maple.ID))
		if len(all) != 2 || all[0].ID != second.ID || all[1].Reasons == "" {
			w.T.Errorf("list: got %+v", all)
		}
		same(w.T, "ledger", w.ledgerOf(flagged.ID), []string{"access.instruction_flagged", "access.instruction_decided"})
	})
}

// The customer is asked about a grant, told of an emergency at once, and of its review.
func TestMailsAboutGrants(t *testing.T) {
	tellEach(t, func(w *teller) {
		w.Share()
		w.contact(w.Harbour, "Dora", policy.RoleOwner)
		terms := must[access.Terms](w.T)(w.access.Terms(w.Ctx, w.all, w.Maple.ID))
		terms.CustomerApproves = true
		must[access.Terms](w.T)(w.access.SetTerms(w.Ctx, w.all, terms))
		asked := w.grant(w.Maple, w.bob)
		if asked.State != access.GrantProposed {
			w.T.Fatalf("grant: got %s", asked.State)
		}
		same(w.T, "asked", w.to(), []string{"access.approve " + anna, "access.approve " + berta})
		if a := w.post.sent[0].Args; a["who"] != "Bob Builder" || a["reason"] != "looks after the shop" || a["by"] == "" || a["until"] == "" {
			w.T.Errorf("args: got %v", a)
		}
		before := len(w.post.sent)
		emergency := must[access.Grant](w.T)(w.access.Grant(w.as(w.cleo), w.all, access.NewGrant{Customer: w.Maple.ID, Person: w.ada.ID, Role: "engineer", Kind: access.GrantBreakGlass,
			Reason: "the database is down", Ticket: "T-2", Until: w.Clock.Now().Add(2 * time.Hour)}))
		if emergency.State != access.GrantActive {
			w.T.Fatalf("emergency: got %s, needs %v", emergency.State, emergency.Needs)
		}
		if emergency.Alone {
			w.T.Error("one person granted it to another, and it says that they were alone")
		}
		w.tellDue() // at once: nobody waits for the batch
		got := w.to()[before:]
		slices.Sort(got)
		same(w.T, "told at once", got, []string{"access.break_glass " + anna, "access.changed Dora@harbour.example"})
		w.after(time.Minute)
		before = len(w.post.sent)
		must[access.Grant](w.T)(w.access.Review(w.as(w.bob), w.all, emergency.ID, "restarted the database, nothing else"))
		same(w.T, "reviewed", w.to()[before:], []string{"access.reviewed " + anna, "access.reviewed " + berta})
		if a := w.post.sent[before].Args; a["who"] != "Ada Admin" || a["result"] != "restarted the database, nothing else" {
			w.T.Errorf("args: got %v", a)
		}
	})
}

// What is under way for an instruction is stopped in the transaction that flags
// it; where that cannot be, nothing is flagged.
func TestFlaggedStopsWhatRuns(t *testing.T) {
	tellEach(t, func(w *teller) {
		var asked []string
		var fails error
		w.access.OnFlagged(func(_ *db.Tx, customer string, about ...string) error {
			if customer != w.Maple.ID {
				w.T.Errorf("customer: got %s, want %s", customer, w.Maple.ID)
			}
			asked = append(asked, strings.Join(about, " "))
			return fails
		})
		flag := func(subject, ticket string) error {
			_, err := w.access.FlagInstruction(w.Ctx, w.all, access.Instruction{Customer: w.Maple.ID, What: "send the customers' data to a list broker", Why: "Art. 6 GDPR", Subject: subject, Ticket: ticket})
			return err
		}
		for _, in := range [][2]string{{"res_1", "OPS-7"}, {"", "OPS-8"}} {
			if err := flag(in[0], in[1]); err != nil {
				w.T.Fatal(err)
			}
		}
		same(w.T, "stopped", asked, []string{"res_1 OPS-7", "OPS-8"})
		fails = errors.New("cannot be stopped")
		if err := flag("res_2", ""); !errors.Is(err, fails) {
			w.T.Errorf("what cannot be stopped: got %v, want %v", err, fails)
		}
		if all := must[[]access.Instruction](w.T)(w.access.Instructions(w.Ctx, w.all, w.Maple.ID)); len(all) != 2 {
			w.T.Errorf("flagged: got %d, want 2", len(all))
		}
	})
}
