package teleport

import "slices"

// Via is how a user reaches servers.
type Via string

// The ways in.
const (
	ViaLabel       Via = "label"       // a role names values of the label
	ViaWildcard    Via = "wildcard"    // a role matches every value
	ViaOther       Via = "other"       // a role matches by other labels only
	ViaExpression  Via = "expression"  // a label expression or a template that we do not evaluate
	ViaAdmin       Via = "admin"       // may write roles, users or the like, and so give themselves access
	ViaImpersonate Via = "impersonate" // may take certificates of other users or roles
	ViaRequest     Via = "request"     // may ask for further roles
	ViaJoin        Via = "join"        // may join other users' sessions
)

// Valid says whether v is one of the above.
func (v Via) Valid() bool {
	return slices.Contains([]Via{ViaLabel, ViaWildcard, ViaOther, ViaExpression, ViaAdmin, ViaImpersonate, ViaRequest, ViaJoin}, v)
}

// Way is one way in of one user by one role. Each of Logins is reached on each
// node that the role matches: a role is a product. Two roles of one user do
// not multiply on Teleport's nodes: each is checked with its own logins.
type Way struct {
	User, Connector string
	Bot             bool
	Role            string
	Via             Via
	Logins          []string
	// Values are values of the label that are reached: those that the role
	// names, and those of nodes that it matches by pattern or by other labels.
	// "*" is all of them, those of nodes to come too. For ViaExpression they
	// are not known, and empty.
	Values []string
	// Patterns are the globs and expressions among the role's values.
	Patterns []string
	// Except are values (and patterns) that a deny rule of any role of the user
	// takes away from "*" and from Patterns.
	Except []string
	// Also are further labels that a node must carry.
	Also map[string][]string
	// Nodes are the ids of nodes that are reached now; Unlabelled those among
	// them that do not carry the label at all.
	Nodes, Unlabelled []string
	// Through are the roles or users that are impersonated or asked for, or the
	// kinds of resource that are written.
	Through []string
	// Unsure says that less may be reached: by a deny rule that is an
	// expression, or by a template that we do not evaluate.
	Unsure bool
}

// Reaches says who reaches which value of a label now.
func Reaches(s State, labelKey string) []Way { return nil }

// Reaches says whether the way leads to nodes with this value of the label;
// for ViaExpression we cannot tell, and say no.
func (w Way) Reaches(value string) bool { return false }
