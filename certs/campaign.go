package certs

import (
	"context"
	"fmt"
	"strings"

	"ostler/controlplane"
	"ostler/controlplane/db"
	"ostler/controlplane/ledger"
	"ostler/controlplane/policy"
)

// The states of one certificate of a campaign.
const (
	itemWaiting = "waiting"
	itemOpen    = "open"
	itemServed  = "served"
	itemFailed  = "failed"
)

const (
	maxSerials = 200_000
	maxUnknown = 1000
	// campaignOpen bounds the attempts of a campaign at a time: what is due by
	// itself goes on beside it.
	campaignOpen = 50
)

// serial is a serial number as it is kept: lower-case hex without leading zeros.
func serial(text string) string {
	text = strings.ToLower(strings.NewReplacer(":", "", " ", "").Replace(strings.TrimSpace(text)))
	if text == "" || strings.Trim(text, "0123456789abcdef") != "" || len(text) > 64 {
		return ""
	}
	if len(text)%2 == 1 {
		text = "0" + text
	}
	for strings.HasPrefix(text, "00") {
		text = text[2:]
	}
	return text
}

// Replace starts a mass re-issue. Permission: cert.admin; scope must reach
// every customer. Errors: invalid with fields, conflict where none of the
// serials is installed.
func (s *Service) Replace(ctx context.Context, scope policy.Scope, in Replacement) (Campaign, error) {
	if !scope.All() {
		return Campaign{}, controlplane.NotFound("campaign")
	}
	if err := checkReason("/reason", in.Reason, true); err != nil {
		return Campaign{}, err
	}
	serials, err := cleanSerials(in.Serials)
	if err != nil {
		return Campaign{}, err
	}
	if err := s.keeper.EnsureKey(ctx, ""); err != nil {
		return Campaign{}, fmt.Errorf("certs: replace: %w", err)
	}
	row := campaignRow{ID: controlplane.NewID(controlplane.PrefixCampaign), State: string(CampaignRunning)}
	if row.Reason, err = s.keeper.Seal("", ad("cert_campaigns", "reason", row.ID), []byte(in.Reason)); err != nil {
		return Campaign{}, fmt.Errorf("certs: replace: %w", err)
	}
	var out Campaign
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		items, unknown, err := itemsOf(tx, row.ID, serials)
		if err != nil {
			return err
		}
		if len(items) == 0 {
			return controlplane.Errorf(controlplane.CodeConflict, "Check the list: serial numbers are hexadecimal.", "None of these serial numbers is installed anywhere")
		}
		a, _ := controlplane.ActorFrom(tx.Context())
		row.Total, row.StartedBy, row.StartedAt = int64(len(items)), a.ID, tx.NowMillis()
		row.Unknown = encode(unknown[:min(len(unknown), maxUnknown)])
		if err := db.Insert(tx, &row); err != nil {
			return err
		}
		if err := insertAll(tx, items); err != nil {
			return err
		}
		if _, err := s.ledger.Append(tx, ledger.Entry{Subject: row.ID, Kind: "certificate.campaign_started", Data: map[string]any{"total": row.Total, "unknown": len(unknown)},
			Personal: personal(in.Reason)}); err != nil {
			return err
		}
		tx.AfterCommit(func() { s.opts.Bus.Publish(topicWatch) })
		out, err = s.campaign(tx, row)
		return err
	})
	return out, err
}

func cleanSerials(in []string) ([]string, error) {
	if len(in) == 0 || len(in) > maxSerials {
		return nil, controlplane.Invalid(controlplane.Field{Pointer: "/serials", Message: fmt.Sprintf("Name at least one serial number, and at most %d.", maxSerials)})
	}
	seen := map[string]bool{}
	var out []string
	for i, text := range in {
		v := serial(text)
		if v == "" {
			return nil, controlplane.Invalid(controlplane.Field{Pointer: fmt.Sprintf("/serials/%d", i), Message: "A serial number is hexadecimal, with or without colons."})
		}
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out, nil
}

// itemsOf finds the certificates of serial numbers, in their order.
func itemsOf(tx *db.Tx, campaign string, serials []string) (items []itemRow, unknown []string, err error) {
	there, err := bySerial(tx)
	if err != nil {
		return nil, nil, err
	}
	taken := map[string]bool{}
	for _, v := range serials {
		row, ok := there[v]
		switch {
		case !ok:
			unknown = append(unknown, v)
		case !taken[row.ID]:
			taken[row.ID] = true
			items = append(items, itemRow{CampaignID: campaign, CertificateID: row.ID, CustomerID: row.CustomerID, Position: int64(len(items) + 1), State: itemWaiting})
		}
	}
	return items, unknown, nil
}

// campaign is a row with its progress.
func (s *Service) campaign(tx *db.Tx, r campaignRow) (c Campaign, err error) {
	reason, err := s.keeper.Open("", ad("cert_campaigns", "reason", r.ID), r.Reason)
	if err != nil {
		return c, fmt.Errorf("certs: campaign: %w", err)
	}
	c = Campaign{ID: r.ID, Reason: string(reason), State: CampaignState(r.State), Total: int(r.Total), StartedBy: r.StartedBy,
		StartedAt: controlplane.FromMillis(r.StartedAt), EndedAt: controlplane.FromMillis(r.EndedAt)}
	if c.Unknown, err = decode[[]string](r.Unknown); err != nil {
		return c, err
	}
	for state, n := range map[string]*int{itemWaiting: &c.Waiting, itemOpen: &c.Open, itemServed: &c.Served, itemFailed: &c.Failed} {
		k, err := count[itemRow](tx, "campaign_id = ? AND state = ?", r.ID, state)
		if err != nil {
			return c, err
		}
		*n = int(k)
	}
	return c, nil
}

// Campaigns returns the mass re-issues, newest first. Permission: cert.admin.
func (s *Service) Campaigns(ctx context.Context, scope policy.Scope, p Page) (items []Campaign, next string, err error) {
	if !scope.All() {
		return nil, "", nil
	}
	at, id, err := readToken(p.Token)
	if err != nil {
		return nil, "", err
	}
	size := pageSize(p.Size)
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		items, next = nil, ""
		rows, err := company[campaignRow](tx, "started_at DESC, id DESC", size+1, "(? = '' OR started_at < ? OR started_at = ? AND id < ?)", id, at, at, id)
		if err != nil {
			return err
		}
		rows, next = cut(rows, size, func(r campaignRow) (int64, string) { return r.StartedAt, r.ID })
		for _, r := range rows {
			c, err := s.campaign(tx, r)
			if err != nil {
				return err
			}
			items = append(items, c)
		}
		return nil
	})
	return items, next, err
}

func campaignIn(tx *db.Tx, scope policy.Scope, id string) (campaignRow, error) {
	if !scope.All() {
		return campaignRow{}, controlplane.NotFound("campaign")
	}
	return db.One[campaignRow](tx, scope, "campaign", id)
}

// GetCampaign returns a mass re-issue with its progress. Permission: cert.admin.
func (s *Service) GetCampaign(ctx context.Context, scope policy.Scope, id string) (out Campaign, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		row, err := campaignIn(tx, scope, id)
		if err != nil {
			return err
		}
		out, err = s.campaign(tx, row)
		return err
	})
	return out, err
}

// CampaignCertificates returns the certificates of a mass re-issue in their
// order. Permission: cert.admin.
func (s *Service) CampaignCertificates(ctx context.Context, scope policy.Scope, id string, p Page) (items []Certificate, next string, err error) {
	at, _, err := readToken(p.Token)
	if err != nil {
		return nil, "", err
	}
	size := pageSize(p.Size)
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		items, next = nil, ""
		if _, err := campaignIn(tx, scope, id); err != nil {
			return err
		}
		rows, err := company[itemRow](tx, "position", size+1, "campaign_id = ? AND position > ?", id, at)
		if err != nil {
			return err
		}
		rows, next = cut(rows, size, func(r itemRow) (int64, string) { return r.Position, r.CertificateID })
		for _, r := range rows {
			cert, err := db.One[certRow](tx, scope, "certificate", r.CertificateID)
			if err != nil {
				return err
			}
			c, err := s.value(cert)
			if err != nil {
				return err
			}
			items = append(items, c)
		}
		return nil
	})
	return items, next, err
}

// CancelCampaign stops a mass re-issue: what has begun goes on. Permission: cert.admin.
func (s *Service) CancelCampaign(ctx context.Context, scope policy.Scope, id string) (out Campaign, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		row, err := campaignIn(tx, scope, id)
		if err != nil {
			return err
		}
		if row.State == string(CampaignRunning) {
			row.State, row.EndedAt = string(CampaignCancelled), tx.NowMillis()
			if err := db.Save(tx, &row); err != nil {
				return err
			}
			if _, err := s.ledger.Append(tx, ledger.Entry{Subject: id, Kind: "certificate.campaign_cancelled"}); err != nil {
				return err
			}
		}
		out, err = s.campaign(tx, row)
		return err
	})
	return out, err
}

// campaignEnded notes how an attempt at a certificate ended in the campaigns
// that wait for it.
func (s *Service) campaignEnded(tx *db.Tx, row issueRow) error {
	if row.DryRun != 0 {
		return nil
	}
	items, err := company[itemRow](tx, "campaign_id", 20, "certificate_id = ? AND state IN ('open', 'failed')", row.CertificateID)
	if err != nil {
		return err
	}
	for _, it := range items {
		it.State = itemFailed
		if row.State == string(IssueServed) {
			it.State = itemServed
		}
		if err := saveItem(tx, it); err != nil {
			return err
		}
	}
	if len(items) > 0 {
		tx.AfterCommit(func() { s.opts.Bus.Publish(topicWatch) })
	}
	return nil
}

// runCampaigns begins what the campaigns have room for, in their order.
func (s *Service) runCampaigns(ctx context.Context) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		rows, err := company[campaignRow](tx, "started_at, id", 20, "state = ?", CampaignRunning)
		if err != nil {
			return err
		}
		for _, c := range rows {
			if err := s.runCampaign(tx, c); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) runCampaign(tx *db.Tx, c campaignRow) error {
	open, err := count[itemRow](tx, "campaign_id = ? AND state = ?", c.ID, itemOpen)
	if err != nil {
		return err
	}
	room := campaignOpen - int(open)
	if room <= 0 {
		return nil
	}
	items, err := company[itemRow](tx, "position", room, "campaign_id = ? AND state = ?", c.ID, itemWaiting)
	if err != nil {
		return err
	}
	if len(items) == 0 && open == 0 {
		c.State, c.EndedAt = string(CampaignDone), tx.NowMillis()
		if err := db.Save(tx, &c); err != nil {
			return err
		}
		_, err := s.ledger.Append(tx, ledger.Entry{Subject: c.ID, Kind: "certificate.campaign_done", Data: map[string]any{"total": c.Total}})
		return err
	}
	for _, it := range items {
		cert, err := db.One[certRow](tx, forAttempts(), "certificate", it.CertificateID)
		if err != nil {
			return err
		}
		it.State = itemOpen
		switch {
		case cert.EndedAt > 0 || cert.PausedUntil > tx.NowMillis():
			it.State = itemFailed
		case cert.OpenIssue != "":
			it.IssueID = cert.OpenIssue // it brings a new one all the same
		default:
			row, err := s.begin(tx, &cert, start{reason: ReasonReplacement, campaign: c.ID, anew: true})
			if err != nil {
				return err
			}
			if it.IssueID = row.ID; row.ID == "" {
				it.State = itemFailed // no authority
			}
		}
		if err := saveItem(tx, it); err != nil {
			return err
		}
	}
	return nil
}
