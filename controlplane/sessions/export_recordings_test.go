package sessions

import (
	"context"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/policy"
	"ostler/controlplane/sessions/cast"
)

// Planted is a session that is there without a feed.
type Planted struct {
	SID                 string
	Kind                Kind
	State               State
	Server, Host        string
	Customers           []string
	Person, Name        string
	Started, Ended, Due time.Time
}

// Plant puts a session into the database, and wants its recording where it is Uploaded.
func (s *Service) Plant(tx *db.Tx, p Planted) (id string, err error) {
	id = controlplane.NewID(controlplane.PrefixStaffSession)
	row := sessionRow{ID: id, Cluster: "test", Mark: p.SID, SID: p.SID, Kind: string(p.Kind), State: string(p.State), ServerID: p.Server, Host: p.Host,
		SealOwner: sealOwner(p.Customers), PersonID: p.Person, StartedAt: controlplane.Millis(p.Started), EndedAt: controlplane.Millis(p.Ended), DueAt: controlplane.Millis(p.Due),
		FirstSeen: tx.NowMillis(), Version: 1}
	if row.Mark == "" {
		row.Mark = id
	}
	if err := s.sealData(&row, sessionData{User: "bob", PersonName: p.Name}); err != nil {
		return "", err
	}
	if err := db.Insert(tx, &row); err != nil {
		return "", err
	}
	for _, c := range p.Customers {
		if err := db.Insert(tx, &customerRow{SessionID: id, CustomerID: c, StartedAt: row.StartedAt}); err != nil {
			return "", err
		}
	}
	if p.Person != "" {
		if err := db.Insert(tx, &peopleRow{SessionID: id, UserMark: "bob", PersonID: p.Person, StartedAt: row.StartedAt}); err != nil {
			return "", err
		}
	}
	if p.State != Uploaded {
		return id, nil
	}
	return id, s.wantRecording(tx, id)
}

// LetLook sets who may look at recordings.
func (s *Service) LetLook(look func(ctx context.Context, session, viewing string) error) {
	s.sight.look = func(ctx context.Context, _ policy.Scope, session, viewing string) error {
		return look(ctx, session, viewing)
	}
}

// OnSearched is told of every search.
func (s *Service) OnSearched(f func(tx *db.Tx, sessions []string, query string) error) {
	s.sight.searched = f
}

// OnStored is told of recordings that came.
func (s *Service) OnStored(f func(tx *db.Tx, id string) error) { s.onStored = append(s.onStored, f) }

// RecordingMissing calls recordingMissing.
func (s *Service) RecordingMissing(tx *db.Tx, session, why string) error {
	return s.recordingMissing(tx, session, why)
}

// FetchOnce runs a fetch as its job does, without the job around it.
func (s *Service) FetchOnce(ctx context.Context, session string) error {
	_, err := s.runFetch(ctx, jobs.Job{Params: []byte(`{"session":"` + session + `"}`), Attempt: 1, MaxAttempts: 10})
	return err
}

// PlantCommands is Plant for a session whose recording is here, as far as a search sees.
func (s *Service) PlantCommands(tx *db.Tx, p Planted, commands []string) error {
	p.State = Stored
	id, err := s.Plant(tx, p)
	if err != nil {
		return err
	}
	var list []cast.Moment
	for i, c := range commands {
		list = append(list, cast.Moment{At: time.Duration(i) * 20 * time.Second, Kind: cast.Command, Text: c, Read: cast.Screen})
	}
	row := commandsRow{SessionID: id, SealOwner: sealOwner(p.Customers), StartedAt: controlplane.Millis(p.Started)}
	lines, _ := encodeMoments(list)
	if row.Commands, err = s.sealMoments(row, "commands", lines); err != nil {
		return err
	}
	return db.Insert(tx, &row)
}

// Assess works out a session's risk anew.
func (s *Service) Assess(ctx context.Context, session string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error { return s.assess(tx, session) })
}
