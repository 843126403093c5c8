// Package hla names the antigens of six HLA loci and gives them fixed public
// codes: what a laboratory's typing says becomes small whole numbers and bit
// vectors, on which a match can run. All of it happens in the clear at the site
// that holds the typing.
//
// # Levels
//
// Serology knows some antigens at two levels: A9 is broad, its splits are A23 and
// A24, and A2403 is an associated antigen of A24. Of an antigen
//
//   - Broad is the broad antigen that it belongs to (A24 and A2403: A9; A1: A1);
//   - Split is the split that it belongs to (A2403: A24; A203: A2), and itself
//     where it is a split, has none, or is known at broad level only (A9: A9).
//
// Each antigen, at either level, is a legal typing.
//
// # Errors
//
// A text that is no antigen came out of somebody's record. No error of this
// package repeats it, not even in part: it says what is wrong and how to mend it,
// and the caller adds the row and the column.
package hla
