package backups

import (
	"time"

	"ostler/agents/wire"
)

// CatalogueStatus says whether a plan's snapshots can be browsed and searched
// without asking its server.
type CatalogueStatus string

// The states of a catalogue. One that is declined waits for the yes of a
// customer who alone holds the key; one that is off was turned off by a person.
const (
	CatalogueReady    CatalogueStatus = "ready"
	CatalogueBuilding CatalogueStatus = "building"
	CatalogueDamaged  CatalogueStatus = "damaged" // it is being made anew
	CatalogueDeclined CatalogueStatus = "declined"
	CatalogueOff      CatalogueStatus = "off"
)

// Valid reports whether s is a known state.
func (s CatalogueStatus) Valid() bool {
	switch s {
	case CatalogueReady, CatalogueBuilding, CatalogueDamaged, CatalogueDeclined, CatalogueOff:
		return true
	}
	return false
}

// Source says where the names of a page come from.
type Source string

// The sources.
const (
	SourceCatalogue Source = "catalogue" // kept with us: at once
	SourceLive      Source = "live"      // asked of the server now
)

// Valid reports whether s is a known source.
func (s Source) Valid() bool { return s == SourceCatalogue || s == SourceLive }

// The text keys of why a catalogue does not answer for a snapshot, or not for
// all of a plan's.
const (
	WhyNotChosen = "catalogue.not_chosen" // the customer alone holds the key, and has not said yes
	WhyOff       = "catalogue.off"        // turned off
	WhyBuilding  = "catalogue.building"   // not in it yet; it comes by itself
	WhyWaiting   = "catalogue.waiting"    // the server did not list it yet: offline, too old, or its store does not answer
	WhyFailed    = "catalogue.failed"     // the server could not list it
	WhySkipped   = "catalogue.skipped"    // older than what is in it; a rebuild has it
	WhyDamaged   = "catalogue.damaged"    // damaged where it is kept; it is being rebuilt
	WhyUnread    = "catalogue.unreadable" // where it is kept does not answer
	WhyGone      = "catalogue.gone"       // the store has the snapshot no more
)

// CatalogueState is how a plan's catalogue stands.
type CatalogueState struct {
	Plan, Customer, Server string
	Status                 CatalogueStatus
	// Why is a text key; "" where every living snapshot is in it.
	Why string
	// Cause is a wire.Cause where Why is WhyWaiting or WhyFailed.
	Cause string
	// Generation counts the rebuilds, from 1 on; 0 where there was none yet.
	Generation int64
	// Snapshots are in it, Behind are living and not in it.
	Snapshots, Behind int
	Entries, Bytes    int64 // of its blocks, as they are kept
	UpdatedAt         time.Time
	// Choosable reports that the customer decides whether there is one.
	Choosable bool
}

// PlanBehind is a plan of which a search did not see every snapshot.
type PlanBehind struct {
	Plan, Name, Server string
	Snapshots          int    // that were not searched
	Why                string // text key: one of the Why constants
}

// FindQuery is what is looked for; zero fields do not narrow.
type FindQuery struct {
	// Customer is needed where the scope reaches more than one.
	Customer, Server, Plan string
	// Text is a part of the name, or a pattern with * and ?; ".ods" is an
	// extension, and a text with a slash is compared with the whole path. Upper
	// and lower case are the same.
	Text string
	// Ext is an extension without its dot.
	Ext                      string
	Type                     wire.NodeType
	MinSize, MaxSize         int64     // bytes, both included
	ModifiedFrom, ModifiedTo time.Time // from included, to excluded
	// On is a date (its year, month and day are read): the newest snapshot of
	// each plan at or before the end of that day in the plan's zone is searched.
	// Zero searches all.
	On      time.Time
	Beneath []byte // a folder
	Limit   int    // at most 200; 0 means 50
	// PageToken is Found.Next of the page before.
	PageToken string
}

// Found is a page of files.
type Found struct {
	Files []FoundFile
	Next  string // "" at the end
	// Snapshots is how many were searched, on Servers (ids).
	Snapshots int
	Servers   []string
	// Behind are the plans whose snapshots were not all searched.
	Behind []PlanBehind
}

// FoundFile is one path of one plan with what is known of it over all snapshots.
type FoundFile struct {
	Customer, Server, Plan string
	Path                   []byte // raw
	Type                   wire.NodeType
	// Size and MTime are those of the newest version that answers the query, and
	// In is the newest living snapshot that has it; with FindQuery.On, of that day.
	Size     int64
	MTime    time.Time
	In       Snapshot
	Versions int
	// First and Last are the oldest and the newest living snapshot that have it.
	First, Last Snapshot
	// Present reports that the newest snapshot of the catalogue has it.
	Present bool
	// MissingSince is the first living snapshot after Last, nil where Present.
	MissingSince *Snapshot
	// Unread reports that the backup of MissingSince could not read it.
	Unread bool
}

// FileHistory is everything known of one path of a plan.
type FileHistory struct {
	Customer, Server, Plan string
	Path                   []byte
	Versions               []FileVersion // newest first
	Present                bool          // as in FoundFile
	MissingFrom            *Snapshot
	Unread                 bool
	Source                 Source
	// Behind and Why say how many living snapshots it does not know, and why.
	Behind int
	Why    string
}

// FileVersion is a path as it was in some snapshots.
type FileVersion struct {
	Type           wire.NodeType
	Size           int64
	MTime          time.Time
	Mode, UID, GID uint32
	Link           []byte
	// FirstSeen and LastSeen are living snapshots; Copies is how many have it.
	FirstSeen, LastSeen Snapshot
	Copies              int
}
