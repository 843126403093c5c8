package policy

import (
	"math/big"
	"math/bits"

	"consilium/organ/hla"
)

// Op is what a node computes. Booleans are the numbers 0 and 1.
type Op uint8

// The operations. x, y, … are the arguments in the order of Args.
const (
	OpInput      Op = iota // the input number K of the node's side (Program.Candidate or Program.Donor)
	OpConst                // K
	OpAdd                  // x + y
	OpSub                  // x - y
	OpMulConst             // x * K
	OpMul                  // x * y
	OpFloorDiv             // the greatest whole number at most x / K; K > 1
	OpLess                 // x < y, a boolean
	OpEqual                // x == y, a boolean
	OpAnd                  // x and y, of booleans
	OpOr                   // x or y, of booleans
	OpNot                  // not x, of a boolean
	OpSelect               // x is a boolean: y where it is 1, else z
	OpLookup               // Table[x]; the range of x lies within the table
	OpMin                  // the smaller of x and y
	OpMax                  // the greater of x and y
	OpCountNew             // how many different ones of the codes x, y are neither z nor w: 0, 1 or 2
	OpIntersects           // the first half of the arguments are the words of one set, the others of another: have they a bit in common
)

var opNames = [...]string{
	"input", "const", "add", "sub", "mulconst", "mul", "floordiv", "less", "equal", "and", "or", "not", "select",
	"lookup", "min", "max", "countnew", "intersects",
}

// String returns the operation's name in lower case.
func (o Op) String() string { return opNames[o] }

// Node is one step of a program. Its value is a signed whole number in Low..High
// for all inputs in their ranges, and so is every value on the way: an evaluator
// never needs more than 63 bits with the sign.
type Node struct {
	Op    Op
	Args  []int   // numbers of earlier nodes
	K     int64   // see Op
	Table []int64 // OpLookup: public
	Low   int64
	High  int64

	// Candidate: the value differs from candidate to candidate, it is a column.
	// Otherwise it is one number, of the donor or public, for the whole list, and
	// is computed once.
	Candidate bool
	// Name says where the node comes from, for people.
	Name string
}

// Boolean tells whether the value is 0 or 1.
func (n *Node) Boolean() bool { return n.Low >= 0 && n.High <= 1 }

// Bits is the width of the value in two's complement, the sign included where
// Low < 0; at least 1.
func (n *Node) Bits() int { return width(n.Low, n.High) }

func width(low, high int64) int {
	if low < 0 {
		return bits.Len64(uint64(max(high, -(low+1)))) + 1
	}
	return max(1, bits.Len64(uint64(high)))
}

// Kind is what an input's numbers stand for.
type Kind uint8

// The kinds of inputs.
const (
	Number  Kind = iota // a number of steps
	Boolean             // 0 or 1
	Code                // a category's place in the declared list
	Antigen             // an antigen's code at its locus (hla.Antigen.Code)
	Word                // a packed word of a set: the Bits low bits are antigens; only OpIntersects takes it
)

var kindNames = [...]string{"number", "boolean", "category", "antigen", "set word"}

// String returns the kind in words.
func (k Kind) String() string { return kindNames[k] }

// InputInfo declares one shared number of a side: of every candidate, or of the
// donor. Who seals must keep Low <= value <= High; Table's columns do.
type InputInfo struct {
	Name      string // such as candidate.vpra, candidate.hla_a.broad.1, candidate.unacceptable.word1
	Kind      Kind
	Low, High int64
	Step      *big.Rat    // Number: the value of 1
	Levels    []string    // Code: the categories
	Loci      []hla.Locus // Word: of the whole set, in the order in which words are packed (hla.Set.Words)
	From      []string    // Word: the inputs of the policy that the set is made of, such as candidate.unacceptable
}

// Bits is the input's width; see Node.Bits.
func (i *InputInfo) Bits() int { return width(i.Low, i.High) }

// Shown is a number of the match that an entitlement names.
type Shown struct {
	Name string
	Node int
	Step *big.Rat
}

// Program is what both evaluators run: the one in the clear (Evaluate) and one on
// shares. Nodes come in topological order; an evaluator walks them once, keeps a
// column for each node with Candidate and one number for each other, and takes
// from them the nodes named below. All nodes are needed by one of those, and all
// inputs are inputs of a node: what a policy declares and does not use is not
// sealed.
//
// Costs to expect on shares: Input, Const, Add, Sub, MulConst, and Tier, which is
// a sum of conditions, are local. Of a node whose Candidate is false there is but
// one value. Words meet bit by bit.
type Program struct {
	Nodes     []Node
	Candidate []InputInfo // the columns of every candidate, in this order
	Donor     []InputInfo // the numbers of the donor, in this order

	// Eligible is a boolean. It holds only where the input candidate.present is 1,
	// in policies of kind Exchange also donor.present: what a site fills up with
	// rows that are none has 0 there (Rows.Pad), and what else must not count may
	// get it.
	Eligible int
	ID       int // the candidate's id; in policies of kind Exchange the pair's

	// Excluded is a boolean, of operation OpIntersects: the donor has an antigen that
	// the candidate does not accept. -1 in a policy without Panel.
	Excluded int

	// Policies of kind Rank:

	Tiers  []string // names, best first
	Tier   int      // 0 is the best; only where Fault is 0
	Points int      // in PointsStep
	Fault  int      // boolean: an eligible row of which not exactly one tier holds; -1 where analysis has proved that there is none

	PointsStep *big.Rat

	// Sort are nodes by which ascending order is the policy's: by the first, then
	// the next. The first holds on top whether the row is not eligible, so that
	// such rows come last; the last ends in the id, so that no two rows are equal.
	// Each is 0 to 2^62-1. A policy of ordinary widths has exactly one.
	Sort []int

	Shown []Shown // the numbers of the match that entitlements name

	// Policies of kind Exchange:

	Weight     int // a number for each pair of donor and candidate, or -1
	WeightStep *big.Rat
	Heaviest   bool // mode exact makes most of the weights, in sum over arcs

	candidate []extract // by Candidate
	donor     []extract // by Donor
}
