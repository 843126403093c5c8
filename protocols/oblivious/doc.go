// Package oblivious computes on shares of stored columns what a site computes on its
// readable rows: which rows a predicate selects, sums over them by cells, and samples
// of rows. job.Eval, job.Grouping.Cell and job.Summary say what comes out; here no
// party learns a row, a bit of a predicate, or how many rows anything selects.
//
// What is asked is compiled once, from public parameters alone, into a Program:
//
//   - comparisons of codes with public numbers, all in one batch, as narrow as the
//     schema allows;
//   - a circuit of AND and XOR over their bits, level by level, in SQL's three-valued
//     logic: each node of a predicate has a plane of rows for which it is true and one
//     of rows for which it is false, and where neither is set it is unknown;
//   - products of numbers, level by level, of the bits that count and of columns;
//   - sums of pairs of products, of which only the sum is ever sent.
//
// A Run applies it to the rows chunk by chunk, and what it makes of them goes on to where
// samples are kept, so that memory is bounded by the chunk. All that is sent depends on
// the program and the number of rows.
package oblivious
