package server

// For the tests of this package, which stand outside of it.
var (
	PathText    = pathText
	Disposition = disposition
)
