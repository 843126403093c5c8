package main

import (
	"fmt"
	"math/big"
	"math/bits"
	"slices"
)

// sumOp is an operation of sites: a sum of vectors under homomorphic encryption.
type sumOp struct {
	op
	vector func(n size, sites int) vector
}

// vector says what the sites add up.
type vector struct {
	values int
	bits   int                    // every sum is smaller than 2^bits in absolute value
	own    func(site int) []int64 // one site's numbers
}

// sums lists the operations of sites.
var sums = []sumOp{
	{op{"mhe-sum", "sums of N numbers of 32 bits", size{rows: 10_000_000}, nil}, numbersOf},
	{op{"mhe-km", "the counts that a Kaplan-Meier curve on a grid of N times needs", size{rows: 5_000_000}, nil}, countsOf},
	{op{"mhe-linear", "the sums that a linear regression on N covariates needs", size{rows: 200}, nil}, productsOf},
}

// findSum returns the operation of sites of that name, or nil.
func findSum(name string) *sumOp {
	if i := slices.IndexFunc(sums, func(o sumOp) bool { return o.name == name }); i >= 0 {
		return &sums[i]
	}
	return nil
}

// numbersOf is any numbers of 32 bits with their sign.
func numbersOf(n size, sites int) vector {
	const width = 32
	return vector{n.rows, width - 1 + bits.Len(uint(sites)), func(site int) []int64 {
		own := make([]int64, n.rows)
		for i := range own {
			own[i] = signed(width, i, site)
		}
		return own
	}}
}

// patients is how many patients each site follows until an event or their leaving.
const patients = 10_000

// countsOf is how many patients leave without the event, and how many have it, at each
// time.
func countsOf(n size, sites int) vector {
	return vector{2 * n.rows, bits.Len(uint(sites * patients)), func(site int) []int64 {
		own := make([]int64, 2*n.rows)
		for i := range patients {
			own[2*below(uint64(n.rows), i, 2*site)+below(2, i, 2*site+1)]++
		}
		return own
	}}
}

// Of a regression each site has so many rows, of numbers of so many bits.
const (
	regressed     = 1000
	covariateBits = 20
)

// productsOf is the sums of all covariates, the outcome and a one, and of the products
// of every two of these.
func productsOf(n size, sites int) vector {
	columns := n.rows + 2
	width := 2*(covariateBits-1) + bits.Len(uint(sites*regressed))
	return vector{columns * (columns + 1) / 2, width, func(site int) []int64 {
		own := make([]int64, 0, columns*(columns+1)/2)
		row := make([]int64, columns)
		for r := range regressed {
			row[0] = 1
			for c := range row[1:] {
				row[c+1] = signed(covariateBits, r, site*columns+c)
			}
			k := 0
			for i, x := range row {
				for _, y := range row[:i+1] {
					if r == 0 {
						own = append(own, 0)
					}
					own[k] += x * y
					k++
				}
			}
		}
		return own
	}}
}

// wide are numbers as an engine takes them, in memory of one piece.
func wide(own []int64) []*big.Int {
	numbers, out := make([]big.Int, len(own)), make([]*big.Int, len(own))
	for i, x := range own {
		out[i] = numbers[i].SetInt64(x)
	}
	return out
}

// compare checks sums against those of the sites' numbers in the clear.
func (v *vector) compare(opened []*big.Int, sites int) error {
	plain := make([]int64, v.values)
	for site := range sites {
		for i, x := range v.own(site) {
			plain[i] += x
		}
	}
	for i, x := range plain {
		if !opened[i].IsInt64() || opened[i].Int64() != x {
			return fmt.Errorf("wrong result: sum %d is %v, want %d", i, opened[i], x)
		}
	}
	return nil
}
