//go:build race

package jobs_test

// many is how many jobs TestManyJobs has: the race detector makes the
// translated SQLite an order of magnitude slower.
const many = 250
