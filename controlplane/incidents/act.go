package incidents

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

// actLost is after how long an action whose end nobody wrote is held to be lost.
const actLost = 15 * time.Minute

// maxResult bounds what is kept of what came of an action.
const maxResult = 2000

// targets are what a kind of action may be about, by prefix of ids; "" is the
// servers of the case.
var targets = map[ActionKind][]string{
	ActRevoke:   {controlplane.PrefixPerson, controlplane.PrefixTeam, controlplane.PrefixGrant},
	ActLock:     {controlplane.PrefixPerson},
	ActRotate:   {controlplane.PrefixCertificate, controlplane.PrefixServer, ""},
	ActSnapshot: {controlplane.PrefixServer, controlplane.PrefixPlan, ""},
}

// Act contains, and records who did it and what came of it: first that it was
// begun, then its end. What could not be done is an Action that Failed, and no
// error. In a drill nothing is done. Permission: incident.write, and whatever
// the act itself needs.
func (s *Service) Act(ctx context.Context, scope policy.Scope, id string, in NewAction) (out Action, err error) {
	if err := in.check(); err != nil {
		return Action{}, err
	}
	if in.Why, err = textField("/why", in.Why, maxWhy, true); err != nil {
		return Action{}, err
	}
	if err := s.ready(ctx); err != nil {
		return Action{}, err
	}
	var row actionRow
	var c Case
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		open, err := openRow(tx, scope, id)
		if err != nil {
			return err
		}
		if c, err = s.caseIn(tx, scope, open.ID); err != nil {
			return err
		}
		row, err = s.beginAction(tx, c, in)
		return err
	})
	if err != nil {
		return Action{}, wrap("act", err)
	}
	result, refs, failed := s.carryOut(ctx, scope, c, in)
	return s.endAction(ctx, row.ID, result, refs, failed)
}

func (in NewAction) check() error {
	if !in.Kind.Valid() {
		return invalid("/kind", "Choose revoke, lock, rotate, snapshot or done.")
	}
	if in.Kind == ActDone {
		return nil
	}
	for _, prefix := range targets[in.Kind] {
		if prefix == "" && in.Target == "" || prefix != "" && controlplane.ValidID(prefix, in.Target) {
			return nil
		}
	}
	return invalid("/target", map[ActionKind]string{ActRevoke: "Choose a person, a team, or a grant.", ActLock: "Choose a person.", ActRotate: "Choose a certificate or a server, or nothing for all servers of the case.",
		ActSnapshot: "Choose a server or a plan, or nothing for all servers of the case."}[in.Kind])
}

func (s *Service) beginAction(tx *db.Tx, c Case, in NewAction) (row actionRow, err error) {
	row = actionRow{ID: controlplane.NewID(controlplane.PrefixAction), CaseID: c.ID, Kind: string(in.Kind), Target: in.Target, ByID: actorOf(tx.Context()).ID, At: tx.NowMillis()}
	if row.Why, err = s.seal("", "incident_actions", "why", row.ID, in.Why); err != nil {
		return row, err
	}
	if err := db.Insert(tx, &row); err != nil {
		return row, err
	}
	return row, s.enter(tx, c.ID, "incident.action", map[string]any{"action": row.ID, "kind": row.Kind, "target": row.Target, "begun": true}, map[string]string{"why": in.Why})
}

// carryOut does what was asked for, outside of any transaction.
func (s *Service) carryOut(ctx context.Context, scope policy.Scope, c Case, in NewAction) (result string, refs []string, failed bool) {
	switch {
	case in.Kind == ActDone:
		return "Done by hand.", nil, false
	case c.Drill:
		return "A drill: nothing was done.", nil, false
	case s.deps.Acts == nil:
		return "This cannot be done from here. Do it by hand, and write it down.", nil, true
	}
	result, refs, err := s.deps.Acts.Act(ctx, scope, c, in)
	if err == nil {
		return result, refs, false
	}
	said := "It could not be done: something went wrong inside. Do it by hand, and write it down."
	var e *controlplane.Error
	if errors.As(err, &e) {
		said = strings.TrimSpace("It could not be done: " + e.Message + ". " + e.Next)
	} else {
		s.opts.Log.ErrorContext(ctx, "incidents.act", "case", c.ID, "kind", string(in.Kind), "err", err)
	}
	if result != "" {
		said = result + " " + said
	}
	return said, refs, true
}

// endAction writes what came of an action, whatever became of who asked for it.
func (s *Service) endAction(ctx context.Context, id, result string, refs []string, failed bool) (out Action, err error) {
	list, err := json.Marshal(refs)
	if err != nil {
		return Action{}, wrap("end action", err)
	}
	err = s.db.Write(context.WithoutCancel(ctx), func(tx *db.Tx) error {
		row, err := oneByID[actionRow](tx, everyone(), "action", id)
		if err != nil {
			return err
		}
		if row.EndedAt != 0 {
			out, err = s.actionOf(row)
			return err
		}
		row.EndedAt, row.Failed, row.Refs = tx.NowMillis(), flag(failed), string(list)
		if row.Result, err = s.seal("", "incident_actions", "result", row.ID, cut(result, maxResult)); err != nil {
			return err
		}
		if err := db.Save(tx, &row); err != nil {
			return err
		}
		if err := s.enter(tx, row.CaseID, "incident.action", map[string]any{"action": row.ID, "kind": row.Kind, "target": row.Target, "failed": failed, "refs": refs}, map[string]string{"result": result}); err != nil {
			return err
		}
		out, err = s.actionOf(row)
		return err
	})
	return out, wrap("end action", err)
}

// actionsDue ends actions whose end nobody wrote: the process was stopped in the
// middle of them.
func (s *Service) actionsDue(ctx context.Context) error {
	var rows []actionRow
	err := s.db.Read(asSystem(ctx), func(tx *db.Tx) (err error) { rows, err = lostActions(tx, actLost); return err })
	for _, r := range rows {
		if err == nil {
			_, err = s.endAction(asSystem(ctx), r.ID, "What came of it is not known: we were stopped in the middle of it. Look, and do it again if needed.", nil, true)
		}
	}
	return wrap("actions due", err)
}

// cut bounds a text.
func cut(text string, max int) string {
	if r := []rune(text); len(r) > max {
		return string(r[:max-1]) + "…"
	}
	return text
}
