package policy

// Audience is who a route is for. A route without an audience does not exist.
type Audience string

// The audiences.
const (
	Public    Audience = "public"    // no sign-in: sign-in page, static files, health
	Staff     Audience = "staff"     // people of the hosting company
	Customers Audience = "customers" // contacts of a customer
	SignedIn  Audience = "signed_in" // any person
	Agents    Audience = "agents"    // agents on servers, by certificate
)

// Route is one line of a route table: everything that answers a request is in
// one, and start-up refuses any other route.
type Route struct {
	Method     string     // "GET"; "GET" covers HEAD
	Path       string     // in echo's form: "/servers/:id"
	Audience   Audience   // who may ask at all; others get what a missing page gets
	Permission Permission // what they must be allowed; "" only where Public, or for one's own account
	Staff      Permission // what staff must be allowed instead; "" is the same
	Name       string     // "server.show"
}

// Admits reports whether an actor's kind belongs to the audience.
func (a Audience) Admits(kind string) bool {
	switch a {
	case Public:
		return true
	case Staff:
		return kind == "staff"
	case Customers:
		return kind == "contact"
	case Agents:
		return kind == "agent"
	case SignedIn:
		return kind == "staff" || kind == "contact" || kind == "auditor"
	}
	return false
}
