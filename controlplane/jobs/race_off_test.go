//go:build !race

package jobs_test

// many is how many jobs TestManyJobs has.
const many = 5000
