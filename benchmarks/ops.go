package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"consilium/mpc"
	"consilium/mpc/rss"
	"consilium/protocols/match"
)

// op is one operation that can be measured.
type op struct {
	name  string
	about string                       // what N, and C of RxC, stand for
	most  size                         // cols 0: takes plain N only
	setup func(d *dealer, n size) task // nil: a sum over sites
}

// task is an operation with its inputs shared.
type task struct {
	run      func(s *mpc.Session) output // what the clock measures
	check    func(c *checker, out output) error
	products float64      // local multiplications of a party, where they bound the time
	prepared float64      // seconds that a store took to write
	reads    int          // bytes of values that a run reads from it
	once     bool         // run it once, and count no rounds: the count would take memory by itself
	close    func() error // nil: there is nothing to close
}

// output is what an operation returns.
type output struct {
	vecs   []rss.Vec
	bits   []rss.Bits
	values map[string]rss.Vec128 // of an analysis
}

// bytes returns the size of the shares.
func (o output) bytes() int {
	n := 0
	for _, x := range o.vecs {
		n += x.A.Size() + x.B.Size()
	}
	for _, x := range o.bits {
		n += 8 * (len(x.A.Words) + len(x.B.Words))
	}
	for _, x := range o.values {
		n += x.A.Size() + x.B.Size()
	}
	return n
}

// ops lists all operations.
var ops = []op{
	{"mul", "N products", size{rows: maxSize}, setupMul},
	{"dot", "inner product of N elements", size{rows: maxSize}, setupDot},
	{"matmul", "product of two N x N matrices in fixed point, or of R x C by C x R; one truncation", size{10_000, 10_000}, setupMatMul},
	{"cmp", "N comparisons of 63-bit numbers", size{rows: maxSize}, setupCmp},
	{"cmp32", "N comparisons of 31-bit numbers by their difference of 32 bits", size{rows: maxSize}, setupCmp32},
	{"eq16", "N tests of 16-bit numbers for equality", size{rows: maxSize}, setupEq16},
	{"sort", "N rows by a 32-bit key, with a payload column", size{rows: maxSize}, setupSort},
	{"sort-chunked", "N rows by a 32-bit key, with two payload columns, by way of the parties' disks", size{rows: maxSize}, setupSortChunked},
	{"shuffle", "N rows of one column into a secret random order", size{rows: maxSize}, setupShuffle},
	{"topk", "the 10 greatest of N rows, or the C greatest of R, by a 32-bit key", size{maxSize, maxSize}, setupTopK},
	{"div", "N quotients of 30-bit fixed-point numbers", size{rows: maxSize}, setupDiv},
	{"sqrt", "N square roots of 30-bit fixed-point numbers", size{rows: maxSize}, setupSqrt},
	{"exp", "N exponentials of fixed-point numbers up to 8", size{rows: maxSize}, setupExp},
	{"sigmoid", "N sigmoids of fixed-point numbers up to 16", size{rows: maxSize}, setupSigmoid},
	{"join", "N rows with N, or R with C, of unique 32-bit keys", size{maxSize, maxSize}, setupJoin},
	{"groupby", "N rows in N/10 groups, or R in C, one column summed", size{maxSize, maxSize}, setupGroupBy},
	{"match", "the best 10 of N candidates, or C of R: 6 weighted equalities, a filter", size{maxSize, maxSize}, setupMatch},
	{"exchange", "disjoint cycles among N pairs, of up to 3 arcs, or of up to C among R", size{match.MaxPairs, 3}, setupExchange},
	{"exchange-weighted", "as exchange, by weights of donor and recipient together", size{match.MaxPairsOfArcs, 3}, setupWeighted},
	{"match-etkas", "the best 50 of N candidates for a kidney, or C of R, by the ETKAS policy, and each hospital's own", size{mostListed, mostListed}, setupETKAS},
	{"match-etkas-full", "N candidates for a kidney, all of them, by the ETKAS policy", size{rows: mostListed}, setupETKASFull},
	{"median", "median, quartiles, extremes and moments of N values, a tenth missing", size{rows: maxSize}, dealt(medianCohort)},
	{"mannwhitney", "rank-sum test of N values in two groups", size{rows: maxSize}, dealt(mannWhitneyCohort)},
	{"km", "Kaplan-Meier survival of N patients at five times", size{rows: maxSize}, dealt(kaplanMeierCohort)},
	{"logistic", "logistic regression of N patients on 5 covariates, or of R on C, standard errors included", size{maxSize, 200}, dealt(logisticCohort)},
	{"describe-store", "n, sum and sum of squares of 5 deposited columns of N rows, from the parties' disks", size{rows: mostStored}, setupStore},
	{"cox", "proportional hazards of N patients on 5 covariates, or of R on C, Efron ties", size{maxSize, 200}, dealt(coxCohort)},
	{"describe-rows", "as median, of three in five of N deposited rows that a filter takes, from the parties' disks; once", size{rows: mostStored}, stored(filteredCohort)},
	{"km-rows", "as km, of N deposited rows, from the parties' disks; once", size{rows: mostStored}, stored(kaplanMeierCohort)},
	{"logistic-rows", "as logistic, from the parties' disks; once", size{mostStored, 200}, stored(logisticCohort)},
	{"cox-rows", "as cox, from the parties' disks; once", size{mostStored, 200}, stored(coxCohort)},
}

// known lists the operations for an error.
func known() string {
	var b strings.Builder
	b.WriteString("known operations:")
	for _, o := range ops {
		fmt.Fprintf(&b, "\n  %-16s %s", o.name, o.about)
	}
	b.WriteString("\nat one site:")
	for _, o := range lone {
		fmt.Fprintf(&b, "\n  %-16s %s", o.name, o.about)
	}
	b.WriteString("\nover any number of sites (--sites):")
	for _, o := range sums {
		fmt.Fprintf(&b, "\n  %-16s %s", o.name, o.about)
	}
	return b.String()
}

// find returns the operation of that name, or nil.
func find(name string) *op {
	if i := slices.IndexFunc(ops, func(o op) bool { return o.name == name }); i >= 0 {
		return &ops[i]
	}
	if o := findLone(name); o != nil {
		return &o.op
	}
	if o := findSum(name); o != nil {
		return &o.op
	}
	return nil
}

// accepts refuses a size that the operation cannot have.
func (o *op) accepts(n size) error {
	switch {
	case n.cols != 0 && o.most.cols == 0:
		return errors.New("takes one number, not RxC")
	case n.rows > o.most.rows || n.cols > o.most.cols:
		return fmt.Errorf("at most %v", o.most)
	}
	return nil
}
