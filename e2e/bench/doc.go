// Package bench measures the budgets. Each figure compares two things in one
// run, turn by turn, on the machine at hand: a ratio, or a number beside its
// budget. It keeps true that nothing fails because a machine is slow: it prints
// "ok" or "over" beside each budget, and people judge.
//
//	make bench
package bench
