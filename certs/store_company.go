package certs

import (
	"encoding/json"

	"ostler/agents/wire"
	"ostler/controlplane"
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

// value is the row as others see it; block is what keeps all from it, if anything.
func (r authorityRow) value(block blockRow) (Authority, error) {
	a := Authority{ID: r.ID, Name: r.Name, Directory: r.Directory, Role: AuthorityRole(r.Role), Contact: r.Contact, Profile: r.Profile,
		AccountURL: r.AccountURL, Thumbprint: r.Thumbprint, RootsPEM: r.RootsPEM, CreatedAt: controlplane.FromMillis(r.CreatedAt),
		BlockedUntil: controlplane.FromMillis(block.Until)}
	var err error
	a.BlockedWhy, err = decode[Why](block.Why)
	return a, err
}

type blockRow struct {
	AuthorityID string `gorm:"primaryKey"`
	Scope       string `gorm:"primaryKey"`
	Until       int64
	Why         string
}

func (blockRow) TableName() string { return "cert_blocks" }

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
