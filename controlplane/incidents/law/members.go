package law

import "slices"

// members are the countries in which the GDPR is in force: the member states and, by
// the EEA Agreement, Iceland, Liechtenstein and Norway. ISO 3166-1.
var members = []string{"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"}

// InUnion reports whether the GDPR is in force in a country, by its code.
func InUnion(country string) bool { return slices.Contains(members, country) }
