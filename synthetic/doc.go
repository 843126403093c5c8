// Package synthetic makes up datasets: a cardiac cohort by a documented model, of
// any size, and twins of a study's datasets, which follow their schema alone. No
// record of anybody goes in.
//
// A dataset is a function of a seed and of the row's number. So rows can be made
// in any order and by any number of goroutines, and a dataset of a billion rows
// needs the memory of a few blocks.
package synthetic
