package teleport

// FromRole is for tests of what becomes of a role's rules.
var FromRole = fromRole
