package incidents

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/incidents/law"
)

// What hangs on a case of tasks, actions and decisions, in the order in which
// they were made.

func (s *Service) tasksOf(tx *db.Tx, incident string) ([]Task, error) {
	rows, err := ofCase[taskRow](tx, incident, "made_at, id")
	if err != nil {
		return nil, err
	}
	out, names := make([]Task, len(rows)), map[string]string{}
	for i, r := range rows {
		if out[i], err = s.taskOf(tx, r, names); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// taskOf opens a row; names remembers how people are called.
func (s *Service) taskOf(tx *db.Tx, r taskRow, names map[string]string) (t Task, err error) {
	at := controlplane.FromMillis
	t = Task{ID: r.ID, Case: r.CaseID, Owner: r.OwnerID, MadeAt: at(r.MadeAt), MadeBy: r.MadeBy, DueAt: at(r.DueAt), DoneAt: at(r.DoneAt), DoneBy: r.DoneBy}
	if t.Text, err = s.open("", "incident_tasks", "text", r.ID, r.Text); err != nil {
		return t, err
	}
	if t.Note, err = s.open("", "incident_tasks", "note", r.ID, r.Note); err != nil {
		return t, err
	}
	t.OwnerName, err = s.nameIn(tx, names, r.OwnerID)
	return t, err
}

// nameIn is how somebody of ours is called; "" is nobody, or somebody who is not known any more.
func (s *Service) nameIn(tx *db.Tx, names map[string]string, id string) (string, error) {
	if !controlplane.ValidID(controlplane.PrefixStaff, id) {
		return "", nil
	}
	if name, ok := names[id]; ok {
		return name, nil
	}
	name, err := s.identity.NameIn(tx, id)
	if controlplane.ErrorCode(err) == controlplane.CodeNotFound {
		name, err = "", nil
	}
	names[id] = name
	return name, err
}

func (s *Service) actionsOf(tx *db.Tx, incident string) ([]Action, error) {
	rows, err := ofCase[actionRow](tx, incident, "at, id")
	if err != nil {
		return nil, err
	}
	out := make([]Action, len(rows))
	for i, r := range rows {
		if out[i], err = s.actionOf(r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Service) actionOf(r actionRow) (a Action, err error) {
	a = Action{ID: r.ID, Case: r.CaseID, Kind: ActionKind(r.Kind), Target: r.Target, By: r.ByID, At: controlplane.FromMillis(r.At), Failed: r.Failed == 1, Open: r.EndedAt == 0}
	if a.Why, err = s.open("", "incident_actions", "why", r.ID, r.Why); err != nil {
		return a, err
	}
	if a.Result, err = s.open("", "incident_actions", "result", r.ID, r.Result); err != nil || r.Refs == "" {
		return a, err
	}
	if err = json.Unmarshal([]byte(r.Refs), &a.Refs); err != nil {
		return a, fmt.Errorf("action %s: %w", r.ID, err)
	}
	return a, nil
}

func (s *Service) decisionsOf(tx *db.Tx, incident string) ([]Decision, error) {
	rows, err := ofCase[decisionRow](tx, incident, "at, id")
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	certain, err := assertionRows(tx, incident)
	if err != nil {
		return nil, err
	}
	out, latest := make([]Decision, len(rows)), map[string]int{}
	for i, r := range rows {
		if out[i], err = s.decisionOf(r); err != nil {
			return nil, err
		}
		latest[r.Rule] = i
	}
	for _, i := range latest {
		if out[i].Again, err = s.again(tx, rows[i], certain); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Service) decisionOf(r decisionRow) (d Decision, err error) {
	d = Decision{ID: r.ID, Case: r.CaseID, Risk: Level(r.Risk), By: r.ByID, At: controlplane.FromMillis(r.At), NewDecision: NewDecision{Likelihood: Level(r.Likelihood),
		Severity: Level(r.Severity), Authority: r.Authority == 1, People: r.People == 1, Exemption: Exemption(r.Exemption), Rule: r.Rule, NotDue: r.NotDue == 1}}
	d.Reasons, err = s.open("", "incident_decisions", "reasons", r.ID, r.Reasons)
	return d, err
}

// again is what became known after a decision that it did not take into account;
// "" is nothing.
func (s *Service) again(tx *db.Tx, r decisionRow, said []assertionRow) (string, error) {
	for _, a := range said {
		if law.Certainty(a.Certainty) == law.Certain && a.RecordedAt > r.At {
			return "Somebody became certain of more after it was made.", nil
		}
	}
	then, err := s.impactAt(tx, r.CaseID, r.At)
	if err != nil {
		return "", err
	}
	now, err := s.impactAt(tx, r.CaseID, tx.NowMillis())
	if err != nil || reflect.DeepEqual(then, now) {
		return "", err
	}
	return "More is known of the impact than when it was made.", nil
}

// impactAt is what was recorded of a case's impact at an instant; nil is nothing.
func (s *Service) impactAt(tx *db.Tx, incident string, at int64) (*law.Impact, error) {
	row, ok, err := versionAt(tx, incident, at)
	if err != nil || !ok {
		return nil, err
	}
	text, err := s.open("", "incident_versions", "data", incident+":"+strconv.FormatInt(row.Version, 10), row.Data)
	if err != nil || text == "" {
		return nil, err
	}
	var v struct{ Data caseData }
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return nil, fmt.Errorf("read version: %w", err)
	}
	return v.Data.Impact, nil
}
