package certs

import (
	"encoding/json"
	"fmt"
	"slices"

	"gorm.io/gorm/clause"

	"ostler/agents/wire"
	"ostler/controlplane"
	"ostler/controlplane/db"
)

type authorityRow struct {
	ID, Name, Directory, Role, Contact, Profile string
	AccountURL                                  string `gorm:"column:account_url"`
	Thumbprint                                  string
	AccountKey, NextKey                         []byte
	EABKeyID                                    string `gorm:"column:eab_key_id"`
	EABKey                                      []byte `gorm:"column:eab_key"`
	RootsPEM                                    []byte `gorm:"column:roots_pem"`
	CreatedAt                                   int64  `gorm:"autoCreateTime:false"`
}

func (authorityRow) TableName() string { return "cert_authorities" }

// value is the row as others see it.
func (r authorityRow) value() Authority {
	return Authority{ID: r.ID, Name: r.Name, Directory: r.Directory, Role: AuthorityRole(r.Role), Contact: r.Contact, Profile: r.Profile,
		AccountURL: r.AccountURL, Thumbprint: r.Thumbprint, RootsPEM: r.RootsPEM, CreatedAt: controlplane.FromMillis(r.CreatedAt)}
}

type providerRow struct {
	ID, CustomerID, Name, Kind, Zone string
	Config                           []byte
	Fields                           string
	CreatedAt                        int64 `gorm:"autoCreateTime:false"`
	RemovedAt                        int64
}

func (providerRow) TableName() string { return "cert_providers" }

func (r providerRow) value() (p Provider, err error) {
	p = Provider{ID: r.ID, Customer: r.CustomerID, Name: r.Name, Kind: r.Kind, Zone: r.Zone, CreatedAt: controlplane.FromMillis(r.CreatedAt)}
	p.Fields, err = decode[[]string](r.Fields)
	return p, err
}

type foundRow struct {
	ID, CustomerID, ServerID, Path, Data string
	SeenAt, GoneAt                       int64
	TakenBy                              string
}

func (foundRow) TableName() string { return "cert_found" }

func (r foundRow) value() (f Found, err error) {
	f = Found{ID: r.ID, Customer: r.CustomerID, Server: r.ServerID, SeenAt: controlplane.FromMillis(r.SeenAt), TakenBy: r.TakenBy}
	var w wire.FoundCert
	err = json.Unmarshal([]byte(r.Data), &w)
	f.FoundCert = w
	return f, err
}

type serverRow struct {
	ServerID         string `gorm:"primaryKey"`
	LookAt, LookedAt int64
}

func (serverRow) TableName() string { return "cert_servers" }

type campaignRow struct {
	ID                 string
	Reason             []byte
	State              string
	Total              int64
	Unknown, StartedBy string
	StartedAt, EndedAt int64
}

func (campaignRow) TableName() string { return "cert_campaigns" }

type itemRow struct {
	CampaignID, CertificateID string `gorm:"primaryKey"`
	CustomerID                string
	Position                  int64
	State, IssueID            string
}

func (itemRow) TableName() string { return "cert_campaign_items" }

// saveItem writes how one certificate of a campaign stands.
func saveItem(tx *db.Tx, it itemRow) error {
	err := tx.Exec("UPDATE cert_campaign_items SET state = ?, issue_id = ? WHERE campaign_id = ? AND certificate_id = ?", it.State, it.IssueID, it.CampaignID, it.CertificateID).Error
	if err != nil {
		return fmt.Errorf("certs: save: %w", err)
	}
	return nil
}

// insertAll inserts many rows, some at a time.
func insertAll[T any](tx *db.Tx, rows []T) error {
	for part := range slices.Chunk(rows, 100) {
		if err := tx.Create(&part).Error; err != nil {
			return fmt.Errorf("certs: insert: %w", err)
		}
	}
	return nil
}

// bySerial are the certificates that are installed, by serial number.
func bySerial(tx *db.Tx) (map[string]certRow, error) {
	var rows []certRow
	if err := tx.Select("id", "customer_id", "serial").Where("serial <> '' AND ended_at = 0").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("certs: by serial: %w", err)
	}
	out := make(map[string]certRow, len(rows))
	for _, r := range rows {
		out[r.Serial] = r
	}
	return out, nil
}

// wakeNew has what waits for an authority begin.
func wakeNew(tx *db.Tx) error {
	err := tx.Model(&certRow{}).Where("ended_at = 0 AND open_issue = '' AND issued_round = 0 AND attempts = 0").
		Updates(map[string]any{"next_try": tx.NowMillis(), "due_at": tx.NowMillis()}).Error
	if err != nil {
		return fmt.Errorf("certs: wake: %w", err)
	}
	return nil
}

// dueCerts are certificates about which something is to be done now, the
// longest due first.
func dueCerts(tx *db.Tx, limit int) ([]certRow, error) {
	return company[certRow](tx, "due_at, id", limit, "due_at > 0 AND due_at <= ?", tx.NowMillis())
}

// insertOnce inserts a row where its key is not taken.
func insertOnce[T any](tx *db.Tx, row *T) error {
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(row).Error; err != nil {
		return fmt.Errorf("certs: insert: %w", err)
	}
	return nil
}

// duePolls are the ids of certificates whose CA is to be asked now.
func duePolls(tx *db.Tx, limit int) (ids []string, err error) {
	err = tx.Model(&certRow{}).Where("due_at > 0 AND due_at <= ? AND poll_at > 0 AND poll_at <= ? AND ari_id <> ''", tx.NowMillis(), tx.NowMillis()).
		Order("due_at, id").Limit(limit).Pluck("id", &ids).Error
	if err != nil {
		return nil, fmt.Errorf("certs: due polls: %w", err)
	}
	return ids, nil
}

// claimDue marks those of the certificates that are still due to be asked about.
func claimDue(tx *db.Tx, ids []string, now, mark int64) error {
	for part := range slices.Chunk(ids, idsAtOnce) {
		if err := tx.Model(&certRow{}).Where("id IN ? AND poll_at > 0 AND poll_at <= ?", part, now).UpdateColumn("poll_at", mark).Error; err != nil {
			return fmt.Errorf("certs: claim: %w", err)
		}
	}
	return nil
}

// claimedPolls are the certificates of a claim, as far as is needed to ask about them.
func claimedPolls(tx *db.Tx, mark int64) (rows []certRow, err error) {
	err = tx.Select("id", "issued_by", "ari_id").Where("poll_at = ? AND due_at <= ? AND due_at > 0 AND ended_at = 0", mark, tx.NowMillis()).Order("id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("certs: claimed polls: %w", err)
	}
	return rows, nil
}

// polledCerts are certificates as far as an answer about their renewal needs
// them (polled, due): a sweep over all of them reads each. What is not read here
// is not written either.
func polledCerts(tx *db.Tx, ids []string) (rows []certRow, err error) {
	err = tx.Select("id", "customer_id", "server_id", "names", "ari_id", "issued_round", "not_before", "not_after", "hurried",
		"plan_for", "renew_from", "window_start", "window_end", "renew_at", "explanation", "poll_at", "ari_failures",
		"attempts", "next_try", "paused_until", "open_issue", "look_at", "notice_at", "due_at", "ended_at").Where("id IN ?", ids).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("certs: polled: %w", err)
	}
	return rows, nil
}
