// Package policy reads allocation policies: files that say who is eligible for an
// organ, in which tier, with how many points and in what order. Registries change
// these rules every year, so none of them is written in Go.
//
// A File is checked and compiled to a Policy. Its expressions are of two kinds:
//
//   - values of a site are computed in the clear, in float64, from one row alone
//     (logarithms, tables, dates, the mismatch probability), and then declared as
//     a number of steps in a range: what enters the match;
//   - everything after that is a Program over whole numbers with static ranges,
//     which runs on secret shares, and here in the clear for tests and replays.
//
// Nothing about a Program depends on a row: which nodes there are, how many bits
// each has and how many words a set takes follow from the file.
//
// # Expressions
//
// Expressions are CEL (the Common Expression Language), parsed and type-checked by
// cel-go over this package's own functions, which environment.go lists. Numbers
// are one type, exact in the match: a literal is the decimal number that is
// written, of up to 15 digits, products with literals make the step finer, and
// round and floor act where they are written and nowhere else.
//
// # Errors
//
// One line each. What is wrong with the file is shown with the place in it; what
// is wrong with a row by the row's number and column, never by a value of the row.
package policy
