package access

import (
	"fmt"

	"ostler/controlplane"
	"ostler/controlplane/db"
)

type teamRow struct {
	ID        string `gorm:"primaryKey"`
	Name      string
	Version   int64
	CreatedAt int64 `gorm:"autoCreateTime:false"`
	UpdatedAt int64 `gorm:"autoUpdateTime:false"`
}

func (teamRow) TableName() string { return "access_teams" }

type memberRow struct {
	TeamID   string `gorm:"primaryKey"`
	PersonID string `gorm:"primaryKey"`
	FromAt   int64  `gorm:"primaryKey;autoIncrement:false"`
	UntilAt  int64
}

func (memberRow) TableName() string { return "access_members" }

func namesOfTeams(tx *db.Tx, ids []string) (map[string]string, error) {
	out := map[string]string{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []teamRow
	if err := oneOf(tx.DB, tx.Dialect(), "id", ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find teams: %w", err)
	}
	for _, r := range rows {
		out[r.ID] = r.Name
	}
	return out, nil
}

// membersOf are the members of teams, by team, at any time.
func membersOf(tx *db.Tx, teams []string) (map[string][]memberRow, error) {
	out := map[string][]memberRow{}
	if len(teams) == 0 {
		return out, nil
	}
	var rows []memberRow
	if err := oneOf(tx.DB, tx.Dialect(), "team_id", teams).Order("person_id, from_at").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find members: %w", err)
	}
	for _, r := range rows {
		out[r.TeamID] = append(out[r.TeamID], r)
	}
	return out, nil
}

func allTeams(tx *db.Tx) (rows []teamRow, err error) {
	err = tx.Order("name, id").Find(&rows).Error
	return rows, err
}

func oneTeam(tx *db.Tx, id string) (teamRow, error) {
	var rows []teamRow
	if err := tx.Where("id = ?", id).Find(&rows).Error; err != nil {
		return teamRow{}, fmt.Errorf("find team: %w", err)
	}
	if len(rows) == 0 {
		return teamRow{}, controlplane.NotFound("team")
	}
	return rows[0], nil
}

// replaceMembers writes who is in a team.
func replaceMembers(tx *db.Tx, team string, rows []memberRow) error {
	if err := tx.Where("team_id = ?", team).Delete(&memberRow{}).Error; err != nil {
		return fmt.Errorf("replace members: %w", err)
	}
	return insertAll(tx, rows)
}

// endMemberships ends the memberships of a person who leaves.
func endMemberships(tx *db.Tx, person string) error {
	if err := tx.Exec("DELETE FROM access_members WHERE person_id = ? AND from_at >= ?", person, tx.NowMillis()).Error; err != nil {
		return fmt.Errorf("end memberships: %w", err)
	}
	if err := tx.Exec("UPDATE access_members SET until_at = ? WHERE person_id = ? AND (until_at = 0 OR until_at > ?)", tx.NowMillis(), person, tx.NowMillis()).Error; err != nil {
		return fmt.Errorf("end memberships: %w", err)
	}
	return nil
}
