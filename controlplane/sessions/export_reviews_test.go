package sessions

import (
	"cmp"
	"context"
	"encoding/hex"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/sessions/cast"
)

// Made is a session as a test of reviews wants it, as if ingest had taken it in
// and its recording had come.
type Made struct {
	Server, Host string
	Customers    []string
	Users        []string // at the cluster, the first one began it
	Login        string
	Address      string
	Start        time.Time
	Length       time.Duration
	State        State // default Stored
	GrantKind    string
	Lacks        string
	Commands     []string // a second apart
	Idle         []Stretch
	Partial      string
	Endless      bool
}

// Make stores it and tells whoever is told of ends and recordings.
func (s *Service) Make(ctx context.Context, m Made) (id string, err error) {
	if err := s.ready(ctx, m.Customers...); err != nil {
		return "", err
	}
	id = controlplane.NewID(controlplane.PrefixStaffSession)
	return id, s.db.Write(ctx, func(tx *db.Tx) error {
		row := sessionRow{ID: id, Cluster: "test", Mark: id, SID: id, Kind: string(Interactive), State: string(cmp.Or(m.State, Stored)), ServerID: m.Server, Host: m.Host,
			SealOwner: sealOwner(m.Customers), StartedAt: m.Start.UnixMilli(), EndedAt: m.Start.Add(m.Length).UnixMilli(), Lacks: m.Lacks, FirstSeen: tx.NowMillis(), Version: 1}
		if m.Endless {
			row.Endless, row.EndedAt = 1, 0
		}
		d := sessionData{User: m.Users[0], Login: m.Login, Address: m.Address}
		var people []peopleRow
		for i, u := range m.Users {
			uses, err := s.lists.ByUser(tx, u)
			if err != nil {
				return err
			}
			p := Participant{User: u}
			for _, x := range uses {
				p.Persons = append(p.Persons, x.ID)
				people = append(people, peopleRow{SessionID: id, UserMark: hex.EncodeToString(s.keeper.Index("test.user", u)), PersonID: x.ID, StartedAt: row.StartedAt})
			}
			if len(uses) == 1 {
				p.Name = uses[0].Name
				if i == 0 {
					row.PersonID, d.PersonName = uses[0].ID, uses[0].Name
				}
			}
			d.Participants = append(d.Participants, p)
		}
		if err := s.sealData(&row, d); err != nil {
			return err
		}
		if err := db.Insert(tx, &row); err != nil {
			return err
		}
		for _, c := range m.Customers {
			if err := db.Insert(tx, &customerRow{SessionID: id, CustomerID: c, StartedAt: row.StartedAt, GrantKind: m.GrantKind, Lacks: m.Lacks}); err != nil {
				return err
			}
		}
		for _, p := range people {
			if err := db.Insert(tx, &p); err != nil {
				return err
			}
		}
		return s.makeRecording(tx, row, m)
	})
}

func (s *Service) makeRecording(tx *db.Tx, row sessionRow, m Made) error {
	if State(row.State) == Stored {
		rec := recordingRow{SessionID: row.ID, SealOwner: row.SealOwner, Bytes: 1000, CastBytes: 900, DurationMS: m.Length.Milliseconds(), Partial: m.Partial,
			StoredAt: tx.NowMillis(), KeptUntil: tx.Now.AddDate(1, 0, 0).UnixMilli(), LookAt: tx.Now.AddDate(1, 0, 0).UnixMilli(), CheckAt: tx.Now.AddDate(1, 0, 0).UnixMilli(), Integrity: string(Unchecked)}
		if err := db.Insert(tx, &rec); err != nil {
			return err
		}
		var moments []cast.Moment
		for i, c := range m.Commands {
			moments = append(moments, cast.Moment{At: time.Duration(i) * time.Second, Kind: cast.Command, Text: c})
		}
		for _, x := range m.Idle {
			moments = append(moments, cast.Moment{At: x.From, Kind: cast.Idle, For: x.To - x.From})
		}
		lines, others := encodeMoments(moments)
		c := commandsRow{SessionID: row.ID, SealOwner: row.SealOwner, StartedAt: row.StartedAt}
		var err error
		if c.Commands, err = s.sealMoments(c, "commands", lines); err != nil {
			return err
		}
		if c.Others, err = s.sealMoments(c, "others", others); err != nil {
			return err
		}
		if err := db.Insert(tx, &c); err != nil {
			return err
		}
	}
	for _, tell := range append(s.onEnded, s.onStored...) {
		if err := tell(tx, row.ID); err != nil {
			return err
		}
	}
	return nil
}

// Spoil changes the row of a session's recording as somebody would who can write
// to the database.
func (s *Service) Spoil(ctx context.Context, session string, columns map[string]any) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Model(&recordingRow{}).Where("session_id = ?", session).Updates(columns).Error
	})
}

// SpoilDraw does so with a day's sample.
func (s *Service) SpoilDraw(ctx context.Context, day string, columns map[string]any) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Model(&drawRow{}).Where("day = ?", day).Updates(columns).Error
	})
}

// SearchMost is how many sessions a search looks through at once.
func (s *Service) SearchMost(n int) { s.sight.most = n }

// ShowNote has a remark shown to customers.
func (s *Service) ShowNote(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error { return tx.Model(&noteRow{}).Where("id = ?", id).Update("shown", 1).Error })
}

// Lacks changes what a customer's list lacks of a session's ground.
func (s *Service) Lacks(ctx context.Context, session, customer, lacks string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Model(&customerRow{}).Where("session_id = ? AND customer_id = ?", session, customer).Update("lacks", lacks).Error
	})
}

// MayLook asks as every read of a recording does.
func (s *Service) MayLook(ctx context.Context, session, viewing string) error {
	return s.look(ctx, everybody(), session, viewing)
}

// Found is a search that found sessions.
func (s *Service) Found(ctx context.Context, query string, sessions ...string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error { return s.searched(tx, sessions, query) })
}

// IsDrawn is the rule of the sample.
func IsDrawn(seed []byte, session string, percent int) bool { return isDrawn(seed, session, percent) }

// RiskFacts and RiskOf are the rule of the risk.
type RiskFacts = riskFacts

// RiskOf is riskOf.
func RiskOf(f RiskFacts) Risk { return riskOf(f) }
