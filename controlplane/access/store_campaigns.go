package access

import (
	"fmt"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/policy"
)

type campaignRow struct {
	ID         string `gorm:"primaryKey"`
	Title      string
	StartedAt  int64
	StartedBy  string
	DueAt      int64
	EndedAt    int64
	ScheduleAt int64
}

func (campaignRow) TableName() string { return "access_campaigns" }

type campaignItemRow struct {
	ID         string `gorm:"primaryKey"`
	CampaignID string
	CustomerID string
	GroundID   string
	PersonID   string
	TeamID     string
	Role       string
	Way        string
	LastUsedAt int64
	LastOnCall int64
	Answer     string
	AnsweredBy string
	Because    []byte
	AnsweredAt int64
	RevokeAt   int64
	DoneAt     int64
}

func (campaignItemRow) TableName() string { return "access_campaign_items" }

// toConfirm are the lines of a scope that somebody has to confirm, by customer:
// grants but emergencies, entries but visits; one that an open campaign asks
// about already is not asked about again.
func toConfirm(tx *db.Tx, scope policy.Scope) (items []campaignItemRow, err error) {
	const asked = " AND NOT EXISTS (SELECT 1 FROM access_campaign_items i WHERE i.ground_id = g.id AND i.answered_at = 0)"
	const used = "COALESCE((SELECT MAX(u.at) FROM access_used u WHERE u.customer_id = g.customer_id AND u.person_id = g.person_id AND u.way = "
	query := "SELECT g.customer_id, g.id AS ground_id, g.person_id, g.team_id, g.role, 'teleport' AS way, " + used + "'teleport'), 0) AS last_used_at" +
		" FROM access_grants g WHERE g.state = ? AND g.kind <> ?" + asked +
		" UNION ALL SELECT g.customer_id, g.id, g.person_id, '', g.role, g.way, " + used + "g.way), 0)" +
		" FROM access_entries g WHERE g.ended_at = 0 AND g.way <> ?" + asked
	args := []any{string(GrantActive), string(GrantBreakGlass), string(WayVisit)}
	var rows []campaignItemRow
	if err := tx.Raw("SELECT * FROM ("+query+") x ORDER BY customer_id, ground_id", args...).Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("find lines to confirm: %w", err)
	}
	for _, r := range rows {
		if scope.All() || scope.Allows(r.CustomerID) {
			items = append(items, r)
		}
	}
	return items, nil
}

// campaignsOf are the campaigns that ask something of a scope, or one of them.
func campaignsOf(tx *db.Tx, scope policy.Scope, id string) ([]Campaign, error) {
	q := db.Within(tx.Table("access_campaign_items"), scope).Select("campaign_id, answer, COUNT(*) AS n").Group("campaign_id, answer")
	if id != "" {
		q = q.Where("campaign_id = ?", id)
	}
	var counts []struct {
		CampaignID, Answer string
		N                  int
	}
	if err := q.Scan(&counts).Error; err != nil {
		return nil, fmt.Errorf("count items: %w", err)
	}
	byID := map[string]*Campaign{}
	for _, n := range counts {
		c := byID[n.CampaignID]
		if c == nil {
			c = &Campaign{}
			byID[n.CampaignID] = c
		}
		c.Total += n.N
		switch n.Answer {
		case AnswerOpen:
			c.Open += n.N
		case AnswerKeep:
			c.Kept += n.N
		case AnswerRevoke, AnswerSilence:
			c.Revoked += n.N
		case AnswerEnded:
			c.Ended += n.N
		}
	}
	var rows []campaignRow
	if err := tx.Order("started_at DESC, id DESC").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("find campaigns: %w", err)
	}
	at := controlplane.FromMillis
	var out []Campaign
	for _, r := range rows {
		if c := byID[r.ID]; c != nil {
			c.ID, c.Title, c.StartedAt, c.StartedBy, c.DueAt, c.By, c.EndedAt = r.ID, r.Title, at(r.StartedAt), r.StartedBy, at(r.DueAt), at(r.DueAt), at(r.EndedAt)
			out = append(out, *c)
		}
	}
	return out, nil
}

// campaignItems are items of a campaign, open ones first, after a position.
func campaignItems(tx *db.Tx, scope policy.Scope, campaign, customer string, answered int, after string, limit int) ([]campaignItemRow, error) {
	const rank = "(CASE WHEN answered_at = 0 THEN 0 ELSE 1 END)"
	where, args := "campaign_id = ?", []any{campaign}
	if customer != "" {
		where, args = where+" AND customer_id = ?", append(args, customer)
	}
	if after != "" {
		where, args = where+" AND ("+rank+" > ? OR "+rank+" = ? AND id > ?)", append(args, answered, answered, after)
	}
	return db.Where[campaignItemRow](tx, scope, rank+", id", limit, where, args...)
}

// teamNames are the names of teams, by id.
func teamNames(tx *db.Tx, ids []string) (map[string]string, error) {
	out := map[string]string{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []struct{ ID, Name string }
	if err := oneOf(tx.Table("access_teams"), tx.Dialect(), "id", ids).Select("id, name").Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("find teams: %w", err)
	}
	for _, r := range rows {
		out[r.ID] = r.Name
	}
	return out, nil
}

// isOwn reports whether an item is about a member of the staff, a service account
// that they answer for, or a team that one of them is in.
func isOwn(tx *db.Tx, r campaignItemRow, staff string) (bool, error) {
	if staff == "" {
		return false, nil
	}
	var n int64
	err := tx.Raw(`SELECT COUNT(*) FROM access_persons p LEFT JOIN access_persons o ON o.id = p.owner_id AND p.kind = 'service'
		WHERE (p.staff_id = ? OR o.staff_id = ?) AND (p.id = ? OR EXISTS (
		SELECT 1 FROM access_members m WHERE m.person_id = p.id AND m.team_id = ? AND m.team_id <> '' AND m.from_at <= ? AND (m.until_at = 0 OR m.until_at > ?)))`,
		staff, staff, r.PersonID, r.TeamID, tx.NowMillis(), tx.NowMillis()).Scan(&n).Error
	return n > 0, err
}

// campaignOver is the SQL of campaigns of which nothing is open any more.
const campaignOver = "ended_at = 0 AND NOT EXISTS (SELECT 1 FROM access_campaign_items i WHERE i.campaign_id = access_campaigns.id AND i.answered_at = 0)"

// campaignsOver reports whether there are such campaigns.
func campaignsOver(tx *db.Tx) (bool, error) {
	var n int64
	err := tx.Raw("SELECT COUNT(*) FROM access_campaigns WHERE " + campaignOver).Scan(&n).Error
	return n > 0, err
}

// endCampaigns ends them.
func endCampaigns(tx *db.Tx) error {
	return tx.Exec("UPDATE access_campaigns SET ended_at = ? WHERE "+campaignOver, tx.NowMillis()).Error
}

// itemDone notes that an answer was carried out.
func itemDone(tx *db.Tx, id string) error {
	return tx.Exec("UPDATE access_campaign_items SET done_at = ? WHERE id = ? AND done_at = 0", tx.NowMillis(), id).Error
}

// undoneItems are answers that are not carried out yet.
func undoneItems(tx *db.Tx) ([]campaignItemRow, error) {
	return db.Where[campaignItemRow](tx, everyone(), "id", 500, "done_at = 0 AND answer IN ?", []string{AnswerRevoke, AnswerSilence})
}

// overdueCustomers are the customers with items whose date has come.
func overdueCustomers(tx *db.Tx) (ids []string, err error) {
	err = tx.Table("access_campaign_items").Where("answered_at = 0 AND revoke_at <= ?", tx.NowMillis()).Distinct("customer_id").Order("customer_id").Limit(200).Pluck("customer_id", &ids).Error
	return ids, err
}

// overdueItems are a customer's items whose date has come.
func overdueItems(tx *db.Tx, customer string) ([]campaignItemRow, error) {
	return db.Where[campaignItemRow](tx, everyone(), "id", 0, "customer_id = ? AND answered_at = 0 AND revoke_at <= ?", customer, tx.NowMillis())
}

// activeGrants are the grants by which somebody could come to a customer's
// servers now, the latest granted first.
func activeGrants(tx *db.Tx, customer string) (ids []string, err error) {
	err = tx.Table("access_grants").Where("customer_id = ? AND state = ? AND kind <> ? AND from_at <= ? AND until_at > ?",
		customer, string(GrantActive), string(GrantBreakGlass), tx.NowMillis(), tx.NowMillis()).
		Order("granted_at DESC, id DESC").Pluck("id", &ids).Error
	return ids, err
}

// groundOpen reports whether a grant or an entry still puts anybody on a list.
func groundOpen(tx *db.Tx, id string) (bool, error) {
	var n int64
	err := tx.Raw("SELECT (SELECT COUNT(*) FROM access_grants WHERE id = ? AND state = ?) + (SELECT COUNT(*) FROM access_entries WHERE id = ? AND ended_at = 0)",
		id, string(GrantActive), id).Scan(&n).Error
	return n > 0, err
}
