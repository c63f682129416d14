package incidents

import (
	"context"
	"maps"
	"slices"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// draftsAtOnce is how many notices one transaction writes: long enough to be
// quick, short enough that nobody else waits for it.
const draftsAtOnce = 200

// MakeDrafts drafts the next notice to everybody in a case who is to be told and
// has no open draft; customers given limit it to them. To who was not told yet it
// is the first one. Left says of whom nothing could be written, and why, by id: a
// person has to call them. Permission: incident.write.
func (s *Service) MakeDrafts(ctx context.Context, scope policy.Scope, id string, purpose Purpose, customers ...string) (made []Notice, left map[string]string, err error) {
	if !ofBreach(purpose) && purpose != Withdrawal {
		return nil, nil, invalid("/purpose", "Notices to customers of a case are first, update, final or withdrawal.")
	}
	k, err := s.kitFor(ctx, scope, id)
	if err != nil {
		return nil, nil, wrap("make drafts", err)
	}
	if k.c.State == Merged {
		return nil, nil, conflict("Go on in the case that it goes on in.", "This case goes on in another one")
	}
	langs, err := s.languages(ctx)
	if err != nil {
		return nil, nil, wrap("make drafts", err)
	}
	all := leftOut{}
	for part := range slices.Chunk(k.toDraft(purpose, customers), draftsAtOnce) {
		var ids []string
		for _, a := range part {
			ids = append(ids, a.Customer)
		}
		gone, err := s.readyEach(ctx, ids...)
		if err == nil {
			err = s.leaveOut(ctx, k, gone)
		}
		if err != nil {
			return made, all.words(), wrap("make drafts", err)
		}
		maps.Copy(all, gone)
		part = slices.DeleteFunc(slices.Clone(part), func(a Affected) bool { return gone[a.Customer] != nil })
		var more []Notice
		err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
			if more, err = s.draftPart(tx, k, part, purpose, langs); err != nil {
				return err
			}
			return s.notLeft(tx, k.c.ID, gone.without(ids)...)
		})
		if err != nil {
			return made, all.words(), wrap("make drafts", err)
		}
		made = append(made, more...)
	}
	return made, all.words(), nil
}

// toDraft are who is to be told by a purpose, or those of some customers.
func (k *kit) toDraft(purpose Purpose, customers []string) (whom []Affected) {
	for _, a := range k.c.Affected {
		asked := slices.Contains(customers, a.Customer)
		switch {
		case len(customers) > 0 && !asked:
		case purpose == Withdrawal && !k.told(a.Customer):
		case purpose != Withdrawal && (a.State == Cleared || k.c.State == FalseAlarm):
		default:
			whom = append(whom, a)
		}
	}
	return whom
}

// kitFor reads what the notices of a case are made of, for staff.
func (s *Service) kitFor(ctx context.Context, scope policy.Scope, id string) (k *kit, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := caseRowIn(tx, scope, id)
		if err != nil {
			return err
		}
		k, err = s.kitIn(tx, row.ID)
		return err
	})
	return k, err
}

// languages are what the contacts who are written to first read, by customer.
func (s *Service) languages(ctx context.Context) (out map[string]string, err error) {
	err = s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		rows, err := s.ownersSpeak(tx)
		out = map[string]string{}
		for _, r := range rows {
			if out[r.CustomerID] == "" {
				out[r.CustomerID] = noticeLang(r.Language)
			}
		}
		return err
	})
	return out, err
}

// draftPart drafts for some customers, in one transaction.
func (s *Service) draftPart(tx *db.Tx, k *kit, part []Affected, purpose Purpose, langs map[string]string) ([]Notice, error) {
	heads, err := noticeHeads(tx, k.c.ID)
	if err != nil {
		return nil, err
	}
	now := *k
	now.heads = heads // others may have drafted meanwhile
	var rows []noticeRow
	var out []Notice
	for _, a := range part {
		p := purpose
		if ofBreach(p) && !now.told(a.Customer) {
			p = First
		} else if p == First {
			p = Update
		}
		if now.open(a.Customer, p) {
			continue
		}
		n := Notice{ID: controlplane.NewID(controlplane.PrefixBreachNotice), Case: k.c.ID, Customer: a.Customer, Audience: ToCustomer, Purpose: p,
			Phase: now.phase(a.Customer, ToCustomer, ""), Regime: k.regimeOf(a.Customer), Lang: langs[a.Customer], State: Draft, Author: actorOf(tx.Context()).ID,
			MadeAt: tx.Now, Drill: k.c.Drill, Version: 1}
		n.Lang = noticeLang(n.Lang)
		n.DueAt = now.due(n)
		before, err := s.fieldsBefore(tx, heads, n)
		if err != nil {
			return nil, err
		}
		r, n, err := s.draftRow(&now, n, before, tx)
		if err != nil {
			return nil, err
		}
		rows, out = append(rows, r), append(out, n)
	}
	if err := insertNotices(tx, rows); err != nil || len(rows) == 0 {
		return nil, err
	}
	return out, s.enterDrafts(tx, k.c.ID, out)
}

// enterDrafts writes to the ledger that notices were drafted.
func (s *Service) enterDrafts(tx *db.Tx, subject string, made []Notice) error {
	ids := make([]any, len(made))
	for i, n := range made {
		ids[i] = n.ID
	}
	return s.enter(tx, subject, "incident.notice_drafted", map[string]any{"notices": ids, "purpose": string(made[0].Purpose), "audience": string(made[0].Audience)}, nil)
}

// fieldsBefore are the fields of the latest notice to the same recipient.
func (s *Service) fieldsBefore(tx *db.Tx, heads []noticeRow, n Notice) ([]Field, error) {
	if !ofBreach(n.Purpose) {
		return nil, nil
	}
	id := ""
	for _, r := range heads {
		if r.CustomerID == n.Customer && r.Audience == string(n.Audience) && r.SentAt > 0 && ofBreach(Purpose(r.Purpose)) && (n.Audience == ToCustomer || r.Regime == n.Regime) {
			id = r.ID
		}
	}
	if id == "" {
		return nil, nil
	}
	r, err := db.One[noticeRow](tx, noticesScope(), "notice", id)
	if err != nil {
		return nil, err
	}
	_, d, err := s.openNotice(r)
	return d.Fields, err
}

// draftRow is a new draft as it is kept.
func (s *Service) draftRow(k *kit, n Notice, before []Field, tx *db.Tx) (noticeRow, Notice, error) {
	var err error
	if ofBreach(n.Purpose) {
		if n.Fields, err = k.begin(n, before, tx.Now); err != nil {
			return noticeRow{}, n, err
		}
	}
	d := noticeData{Fields: n.Fields}
	n, _, err = k.write(n, d, tx.Now)
	if err != nil {
		return noticeRow{}, n, err
	}
	d.Title = n.Title
	r := noticeRow{ID: n.ID, CaseID: n.Case, AdvisoryID: n.Advisory, CustomerID: n.Customer, Audience: string(n.Audience), Purpose: string(n.Purpose), Phase: int64(n.Phase),
		Regime: n.Regime, Lang: n.Lang, State: string(n.State), Drill: flag(n.Drill), Unsafe: flag(k.c.ChannelUnsafe), Author: n.Author, MadeAt: tx.NowMillis(),
		DueAt: controlplane.Millis(n.DueAt), Version: 1}
	return r, n, s.sealNotice(&r, d, "") // what it says is written anew until it is sent
}

// MakeDraftFor drafts one for an authority, the CSIRT or people. It is a paper: it
// is recorded when it was handed in (Tell). Permission: incident.write.
func (s *Service) MakeDraftFor(ctx context.Context, scope policy.Scope, id string, to Audience, regime string, purpose Purpose) (Notice, error) {
	switch {
	case !to.Valid() || to == ToCustomer:
		return Notice{}, invalid("/audience", "Say whether it is for the authority, the CSIRT, or people.")
	case !slices.Contains(regimes(), regime) || (to == ToCSIRT) != (regime == "nis2"):
		return Notice{}, invalid("/regime", "An authority and people are told by gdpr or uk-gdpr, the CSIRT by nis2.")
	case !ofBreach(purpose) && purpose != Withdrawal:
		return Notice{}, invalid("/purpose", "Say first, update, final or withdrawal.")
	}
	k, err := s.kitFor(ctx, scope, id)
	if err == nil {
		err = s.ready(ctx)
	}
	if err != nil {
		return Notice{}, wrap("make draft", err)
	}
	var n Notice
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if k.heads, err = noticeHeads(tx, k.c.ID); err != nil {
			return err
		}
		for _, r := range k.heads {
			if r.Audience == string(to) && r.Regime == regime && r.State == string(Draft) {
				return conflict("Change the one that is there, or put it aside.", "There is a draft for them already")
			}
		}
		n = Notice{ID: controlplane.NewID(controlplane.PrefixBreachNotice), Case: k.c.ID, Audience: to, Purpose: purpose, Phase: k.phase("", to, regime), Regime: regime, Lang: s.homeLang(k),
			State: Draft, Author: actorOf(tx.Context()).ID, MadeAt: tx.Now, Drill: k.c.Drill, Version: 1}
		n.DueAt = k.due(n)
		before, err := s.fieldsBefore(tx, k.heads, n)
		if err != nil {
			return err
		}
		r, made, err := s.draftRow(k, n, before, tx)
		if err != nil {
			return err
		}
		n = made
		if err := insertNotices(tx, []noticeRow{r}); err != nil {
			return err
		}
		return s.enterDrafts(tx, k.c.ID, []Notice{n})
	})
	return n, wrap("make draft", err)
}

// homeLang is the language that our own authority reads.
func (s *Service) homeLang(k *kit) string {
	switch land, _, _ := strings.Cut(k.company.Country, "-"); land {
	case "DE", "AT", "LI":
		return "de"
	}
	return "en"
}
