package access

import (
	"context"
	"fmt"
	"time"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/jobs"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// Campaign is a recertification of lists.
type Campaign struct {
	ID                   string // rec_
	Title                string
	StartedAt, By, DueAt time.Time // By is DueAt
	StartedBy            string
	EndedAt              time.Time
	Total, Kept, Revoked int
	Open                 int
	Ended                int // the access ended by itself before anybody answered
}

// CampaignItem is one line that somebody has to confirm.
type CampaignItem struct {
	ID, Campaign         string
	Customer             string // "" is what reaches more than one
	Grant                string // grt_ or ent_
	Person, Name, Role   string // Person "" is a team
	Team                 string // tea_
	Way                  Way
	LastUsed             time.Time // zero is unknown: never "unused"
	LastOnCall           bool      // the last one who could come: seven days more, and a finding
	Answer               string    // one of the answers
	AnsweredBy, Because  string
	AnsweredAt, RevokeAt time.Time
}

// The answers to an item of a campaign.
const (
	AnswerOpen    = ""
	AnswerKeep    = "keep"
	AnswerRevoke  = "revoke"
	AnswerSilence = "revoked_silently" // nobody confirmed it by the date
	AnswerEnded   = "ended"            // it ended by itself before
)

// Times of campaigns.
const (
	campaignTime    = 14 * 24 * time.Hour // of those that the schedule starts
	longestCampaign = 92 * 24 * time.Hour
	onCallTime      = 7 * 24 * time.Hour // more for the last one who could come
)

// The schedule that starts a campaign at the beginning of each quarter.
const (
	scheduleCampaign = "access.recertify"
	quarterly        = "0 7 1 1,4,7,10 *"
)

// StartCampaign starts a recertification of all lists of the scope: every grant
// but emergencies, every entry but visits. Customers with an empty list are not
// asked about. Permission: access.admin. Errors: invalid, conflict where there is
// nothing to confirm.
func (s *Service) StartCampaign(ctx context.Context, scope policy.Scope, title string, due time.Time) (Campaign, error) {
	var c inputs
	title = c.line("/title", title, maxName, "Enter a title.")
	if err := c.err(); err != nil {
		return Campaign{}, err
	}
	var id string
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		if !due.After(tx.Now) || due.Sub(tx.Now) > longestCampaign {
			return invalid("/due", "Choose a date within the next three months.")
		}
		n, err := 0, error(nil)
		if id, n, err = s.startCampaign(tx, scope, title, due); err != nil {
			return err
		}
		if n == 0 {
			return conflict("There is nothing to do.", "No list has anybody on it who would have to be confirmed")
		}
		return nil
	})
	if err != nil {
		return Campaign{}, wrap("start campaign", err)
	}
	return s.campaign(ctx, scope, id)
}

// startCampaign stores a campaign with what it asks, unless it asks nothing.
func (s *Service) startCampaign(tx *db.Tx, scope policy.Scope, title string, due time.Time) (id string, n int, err error) {
	items, err := toConfirm(tx, scope)
	if err != nil || len(items) == 0 {
		return "", 0, err
	}
	id = controlplane.NewID(controlplane.PrefixRecertify)
	for i := range items {
		items[i].ID, items[i].CampaignID, items[i].RevokeAt = controlplane.NewID(controlplane.PrefixRecertifyItem), id, due.UnixMilli()
	}
	r := campaignRow{ID: id, Title: title, StartedAt: tx.NowMillis(), StartedBy: actorOf(tx.Context()).ID, DueAt: due.UnixMilli()}
	if err := db.Insert(tx, &r); err != nil {
		return "", 0, err
	}
	if err := insertAll(tx, items); err != nil {
		return "", 0, err
	}
	asked := map[string]int{}
	for _, i := range items {
		asked[i.CustomerID]++
	}
	for customer, n := range asked {
		if err := s.note(tx, ledger.Entry{Customer: customer, Subject: id, Kind: "access.campaign_started",
			Data: map[string]any{"title": title, "due": controlplane.Instant(due), "lines": n}}); err != nil {
			return "", 0, err
		}
	}
	return id, len(items), nil
}

// quarter starts the campaign of a quarter.
func (s *Service) quarter(tx *db.Tx, _ jobs.Schedule, at time.Time) error {
	local := at.In(s.opts.Zone)
	title := fmt.Sprintf("Quarter %d of %d", (int(local.Month())+2)/3, local.Year())
	_, _, err := s.startCampaign(tx, everyone(), title, tx.Now.Add(campaignTime))
	return wrap("start campaign", err)
}

// Campaigns lists them, newest first, with what of them is the scope's. Permission: access.read.
func (s *Service) Campaigns(ctx context.Context, scope policy.Scope) (out []Campaign, err error) {
	err = s.db.Read(asSystem(ctx), func(tx *db.Tx) error { out, err = campaignsOf(tx, scope, ""); return err })
	return out, wrap("campaigns", err)
}

func (s *Service) campaign(ctx context.Context, scope policy.Scope, id string) (Campaign, error) {
	var all []Campaign
	err := s.db.Read(asSystem(ctx), func(tx *db.Tx) (err error) { all, err = campaignsOf(tx, scope, id); return err })
	if err == nil && len(all) == 0 {
		err = controlplane.NotFound("campaign")
	}
	if err != nil {
		return Campaign{}, wrap("campaign", err)
	}
	return all[0], nil
}

// CampaignItems lists what a campaign asks, the open ones first. Permission: access.read.
func (s *Service) CampaignItems(ctx context.Context, scope policy.Scope, campaign, customer string, limit int, pageToken string) (items []CampaignItem, next string, err error) {
	answered, token := 0, pageToken
	if len(token) > 1 {
		answered, token = int(token[0]-'0'), token[1:]
	}
	limit, err = pageOf(controlplane.PrefixRecertifyItem, limit, token)
	if err != nil || answered < 0 || answered > 1 {
		return nil, "", invalid("/page_token", "This is not a page token of this list; leave it out to begin at the first page.")
	}
	err = s.db.Read(asSystem(ctx), func(tx *db.Tx) error {
		whose := ""
		if customer != "" {
			c, err := s.customers.CustomerIn(tx, scope, customer)
			if err != nil {
				return err
			}
			whose = c.ID
		}
		rows, err := campaignItems(tx, scope, campaign, whose, answered, token, limit+1)
		if err != nil {
			return err
		}
		if len(rows) > limit {
			rows = rows[:limit]
			last := rows[limit-1]
			next = "0" + last.ID
			if last.AnsweredAt > 0 {
				next = "1" + last.ID
			}
		}
		items, err = s.campaignItemsOf(tx, rows)
		return err
	})
	return items, next, wrap("campaign items", err)
}

// campaignItemsOf are rows as others see them.
func (s *Service) campaignItemsOf(tx *db.Tx, rows []campaignItemRow) ([]CampaignItem, error) {
	var persons, teams []string
	for _, r := range rows {
		if r.PersonID != "" {
			persons = append(persons, r.PersonID)
		}
		if r.TeamID != "" {
			teams = append(teams, r.TeamID)
		}
	}
	names, err := s.namesIn(tx, persons)
	if err != nil {
		return nil, err
	}
	called, err := teamNames(tx, teams)
	if err != nil {
		return nil, err
	}
	at := controlplane.FromMillis
	out := make([]CampaignItem, 0, len(rows))
	for _, r := range rows {
		i := CampaignItem{ID: r.ID, Campaign: r.CampaignID, Customer: r.CustomerID, Grant: r.GroundID, Person: r.PersonID, Team: r.TeamID, Name: names[r.PersonID], Role: r.Role,
			Way: Way(r.Way), LastUsed: at(r.LastUsedAt), LastOnCall: r.LastOnCall == 1, Answer: r.Answer, AnsweredBy: r.AnsweredBy, AnsweredAt: at(r.AnsweredAt), RevokeAt: at(r.RevokeAt)}
		if r.TeamID != "" {
			i.Name = called[r.TeamID]
		}
		if i.Because, err = s.open(r.CustomerID, "access_campaign_items", "because", r.ID, r.Because); err != nil {
			return nil, fmt.Errorf("item %s: %w", r.ID, err)
		}
		out = append(out, i)
	}
	return out, nil
}
