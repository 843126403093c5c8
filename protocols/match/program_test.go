package match

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
	"consilium/organ/policy"
)

// sharer is the participant that is no party and shares the inputs.
const sharer = mpc.PartyID(3)

// onShares shares columns and returns what op makes of them, opened.
func onShares(t interface{ Fatal(...any) }, columns [][]int64, op func(s *mpc.Session, x []rss.Vec) []rss.Vec) ([][]int64, *memnet.World) {
	w := memnet.New(memnet.Config{N: 4, Seed: 7, Timeout: time.Minute})
	out, err := memnet.Collect(w, func(s *mpc.Session) ([][]int64, error) {
		in := make([]rss.Vec, len(columns))
		for i, c := range columns {
			var own ring.Vec64
			if s.Self() == sharer {
				own = ring.FromInt64(c)
			}
			in[i] = rss.Input(s.Step("in", i), sharer, len(c), own)
		}
		if s.Role() < 0 {
			return nil, s.Err()
		}
		var opened [][]int64
		for i, x := range op(s.Step("op"), in) {
			opened = append(opened, rss.Open(s.Step("out", i), x).Int64())
		}
		return opened, s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return out[0], w
}

// greatest is the greatest magnitude of a program's values.
const greatest = 1<<62 - 1

// programDraw draws programs that hold every operation, of all widths.
type programDraw struct {
	*rapid.T
	p policy.Program
}

func (d *programDraw) upTo(n int, name string) int { return rapid.IntRange(0, n).Draw(d.T, name) }

func (d *programDraw) add(n policy.Node) int {
	for _, a := range n.Args {
		n.Candidate = n.Candidate || d.p.Nodes[a].Candidate
	}
	d.p.Nodes = append(d.p.Nodes, n)
	return len(d.p.Nodes) - 1
}

// input adds an input of the range, of a candidate or the donor.
func (d *programDraw) input(low, high int64, kind policy.Kind) int {
	info := policy.InputInfo{Kind: kind, Low: low, High: high}
	n := policy.Node{Op: policy.OpInput, Low: low, High: high}
	if n.Candidate = d.upTo(2, "side") > 0; n.Candidate {
		n.K, d.p.Candidate = int64(len(d.p.Candidate)), append(d.p.Candidate, info)
	} else {
		n.K, d.p.Donor = int64(len(d.p.Donor)), append(d.p.Donor, info)
	}
	return d.add(n)
}

// number draws any node, and truth one of 0 and 1, but no word.
func (d *programDraw) number() int { return d.among(func(*policy.Node) bool { return true }) }
func (d *programDraw) truth() int  { return d.among((*policy.Node).Boolean) }

func (d *programDraw) among(ok func(*policy.Node) bool) int {
	var all []int
	for i := range d.p.Nodes {
		n := &d.p.Nodes[i]
		isWord := n.Op == policy.OpInput && n.Candidate && d.p.Candidate[n.K].Kind == policy.Word ||
			n.Op == policy.OpInput && !n.Candidate && d.p.Donor[n.K].Kind == policy.Word
		if ok(n) && !isWord {
			all = append(all, i)
		}
	}
	return rapid.SampledFrom(all).Draw(d.T, "node")
}

// span is the range of an operation's value over the ends of its arguments, or
// false where it does not fit.
func (d *programDraw) span(f func(z, x, y *big.Int) *big.Int, x, y int) (low, high int64, ok bool) {
	a, b := &d.p.Nodes[x], &d.p.Nodes[y]
	var ends []*big.Int
	for _, p := range []int64{a.Low, a.High} {
		for _, q := range []int64{b.Low, b.High} {
			ends = append(ends, f(new(big.Int), big.NewInt(p), big.NewInt(q)))
		}
	}
	compare := func(p, q *big.Int) int { return p.Cmp(q) }
	least, most := slices.MinFunc(ends, compare), slices.MaxFunc(ends, compare)
	limit := big.NewInt(greatest)
	return least.Int64(), most.Int64(), least.CmpAbs(limit) <= 0 && most.CmpAbs(limit) <= 0
}

// step adds one operation over nodes that there are, if its value fits.
func (d *programDraw) step() {
	n := policy.Node{Op: policy.Op(2 + d.upTo(int(policy.OpIntersects)-2, "op")), High: 1}
	x, y := d.number(), d.number()
	a, b := &d.p.Nodes[x], &d.p.Nodes[y]
	fits := true
	switch n.Op {
	case policy.OpAdd:
		n.Args = []int{x, y}
		n.Low, n.High, fits = d.span((*big.Int).Add, x, y)
	case policy.OpSub:
		n.Args = []int{x, y}
		n.Low, n.High, fits = d.span((*big.Int).Sub, x, y)
	case policy.OpMul:
		n.Args = []int{x, y}
		n.Low, n.High, fits = d.span((*big.Int).Mul, x, y)
	case policy.OpMulConst:
		n.Args, n.K = []int{x}, rapid.Int64Range(-1000, 1000).Draw(d.T, "factor")
		k := d.add(policy.Node{Op: policy.OpConst, K: n.K, Low: n.K, High: n.K})
		n.Low, n.High, fits = d.span((*big.Int).Mul, x, k)
	case policy.OpFloorDiv:
		n.Args, n.K = []int{x}, d.divisor()
		n.Low, n.High = floorDiv(a.Low, n.K), floorDiv(a.High, n.K)
	case policy.OpLess, policy.OpEqual:
		n.Args = []int{x, y}
	case policy.OpAnd, policy.OpOr:
		n.Args = []int{d.truth(), d.truth()}
	case policy.OpNot:
		n.Args = []int{d.truth()}
	case policy.OpSelect:
		n.Args, n.Low, n.High = []int{d.truth(), x, y}, min(a.Low, b.Low), max(a.High, b.High)
	case policy.OpLookup:
		x = d.among(func(n *policy.Node) bool { return n.Low >= 0 && n.High < 40 })
		n.Table = make([]int64, int(d.p.Nodes[x].High)+1+d.upTo(3, "beyond"))
		for i := range n.Table {
			n.Table[i] = rapid.Int64Range(-1<<uint(d.upTo(61, "size")), 1<<20).Draw(d.T, "cell")
		}
		n.Args, n.Low, n.High = []int{x}, slices.Min(n.Table), slices.Max(n.Table)
	case policy.OpMin:
		n.Args, n.Low, n.High = []int{x, y}, min(a.Low, b.Low), min(a.High, b.High)
	case policy.OpMax:
		n.Args, n.Low, n.High = []int{x, y}, max(a.Low, b.Low), max(a.High, b.High)
	case policy.OpCountNew:
		n.Args, n.High = []int{x, y, d.number(), d.number()}, 2
	case policy.OpIntersects:
		words := 1 + d.upTo(2, "words")
		for range 2 * words {
			n.Args = append(n.Args, d.input(0, 1<<uint(1+d.upTo(59, "bits"))-1, policy.Word))
		}
	default:
		n.Op, n.K = policy.OpConst, rapid.Int64Range(-5, 5).Draw(d.T, "constant")
		n.Low, n.High = n.K, n.K
	}
	if fits {
		d.add(n)
	}
}

func (d *programDraw) divisor() int64 {
	switch d.upTo(3, "divisor") {
	case 0:
		return 1 << uint(1+d.upTo(61, "power"))
	case 1:
		return rapid.Int64Range(2, 20).Draw(d.T, "small")
	case 2:
		return rapid.SampledFrom([]int64{1_000_000_000, 1<<61 - 1, math.MaxInt64, 1<<62 + 1, 3 << 60}).Draw(d.T, "given")
	}
	return rapid.Int64Range(2, math.MaxInt64).Draw(d.T, "any")
}

func floorDiv(x, d int64) int64 {
	q := x / d
	if x%d < 0 {
		q--
	}
	return q
}

func drawProgram(t *rapid.T) *policy.Program {
	d := &programDraw{T: t}
	for range 2 {
		d.input(0, 1, policy.Boolean)
	}
	d.input(0, int64(d.upTo(30, "codes")), policy.Code)
	d.input(0, 7, policy.Antigen)
	for range 3 {
		low := rapid.Int64Range(-greatest, greatest).Draw(t, "low") >> uint(d.upTo(61, "low bits"))
		high := rapid.Int64Range(-greatest, greatest).Draw(t, "high") >> uint(d.upTo(61, "high bits"))
		d.input(min(low, high), max(low, high), policy.Number)
	}
	for range 1 + d.upTo(24, "steps") {
		d.step()
	}
	return &d.p
}

// fillInputs draws a number for each input of a row: often an end of its range.
func fillInputs(rng *rand.Rand, inputs []policy.InputInfo) []int64 {
	out := make([]int64, len(inputs))
	for i, in := range inputs {
		span := uint64(in.High) - uint64(in.Low)
		out[i] = in.Low + int64(rng.Uint64N(span+1))
		switch rng.IntN(6) {
		case 0:
			out[i] = in.Low
		case 1:
			out[i] = in.High
		case 2:
			out[i] = min(max(in.Low, int64(rng.IntN(3))-1), in.High)
		}
	}
	return out
}

// TestProgramsOnShares: every node of a random program has the value that the
// evaluation in the clear gives it, as a number and, of 0 and 1, as a bit.
func TestProgramsOnShares(t *testing.T) {
	met := map[policy.Op]int{}
	rapid.Check(t, func(t *rapid.T) {
		p := drawProgram(t)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "values"), 1))
		n := rapid.SampledFrom([]int{1, 2, 63, 64, 65, 130}).Draw(t, "rows")
		donor := fillInputs(rng, p.Donor)
		columns := make([][]int64, len(p.Candidate))
		var want [][]int64
		for range n {
			row := fillInputs(rng, p.Candidate)
			for i, v := range row {
				columns[i] = append(columns[i], v)
			}
			want = append(want, p.Run(row, donor))
		}
		for _, v := range donor {
			columns = append(columns, []int64{v})
		}
		var nodes []int // by what is opened
		got, _ := onShares(t, columns, func(s *mpc.Session, x []rss.Vec) []rss.Vec {
			c := newCircuit(p)
			var wanted, asked []int
			for i := range p.Nodes {
				asked, wanted = append(asked, i), append(wanted, c.number(i))
				if p.Nodes[i].Boolean() {
					asked, wanted = append(asked, i), append(wanted, c.toNumber(c.bit(i)))
				}
			}
			if s.Role() == 0 {
				nodes = asked
			}
			return c.run(s, n, x[:len(p.Candidate)], x[len(p.Candidate):], wanted...)
		})
		for k, i := range nodes {
			met[p.Nodes[i].Op]++
			for row := range n {
				if got[k][row] != want[row][i] {
					t.Fatalf("node %d, %v %v of %d to %d, row %d: %d, want %d",
						i, p.Nodes[i].Op, p.Nodes[i].Args, p.Nodes[i].Low, p.Nodes[i].High, row, got[k][row], want[row][i])
				}
			}
		}
	})
	for op := policy.OpInput; op <= policy.OpIntersects; op++ {
		if met[op] == 0 {
			t.Errorf("%v was never tried", op)
		}
	}
}

// divisors and ends of ranges at which divisions go wrong if anywhere.
var (
	triedDivisors = []int64{2, 3, 5, 7, 10, 1 << 31, 1_000_000_000, 1<<40 + 1, 1 << 61, 1<<61 + 1, 1<<62 - 1, 1 << 62, 1<<62 + 1, math.MaxInt64}
	triedEnds     = []int64{0, 1, 2, 9, 1 << 20, 1<<43 + 12345, 1<<61 - 1, 1 << 61, greatest - 1, greatest}
)

// check holds a division of numbers of a range against the bounds of its proof and,
// over integers, against the truth.
func (d division) check(t *testing.T, by, x int64) {
	t.Helper()
	if d.times == 0 {
		if by != 1<<d.power || d.power > 61 {
			t.Fatalf("%d is divided as 2^%d", by, d.power)
		}
		return
	}
	product := new(big.Int).SetInt64(x)
	product.Lsh(product, 1).Add(product, big.NewInt(1)).Mul(product, new(big.Int).SetUint64(d.times))
	most, longest := 62, 61
	if d.long {
		most, longest = 126, 125
	}
	if product.BitLen() > most || d.shift > longest {
		t.Fatalf("%d by %d: the product has %d bits, of which %d are cut", x, by, product.BitLen(), d.shift)
	}
	if got := product.Rsh(product, uint(d.shift)).Int64(); got != floorDiv(x, by) {
		t.Fatalf("%d by %d: %d, want %d", x, by, got, floorDiv(x, by))
	}
}

// TestDivisionsAreExact tries ranges of all sizes, their ends, and both sides of where
// a quotient changes.
func TestDivisionsAreExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	divisors := slices.Clone(triedDivisors)
	for range 10 {
		divisors = append(divisors, 2+rng.Int64N(math.MaxInt64-2)>>rng.IntN(62))
	}
	for _, a := range triedEnds {
		for _, b := range triedEnds {
			for _, r := range [][2]int64{{-a, b}, {min(a, b), max(a, b)}, {-max(a, b), -min(a, b)}} {
				for _, by := range divisors {
					d := newDivision(r[0], r[1], by)
					for range 4 {
						x := r[0] + int64(rng.Uint64N(uint64(r[1])-uint64(r[0])+1))
						edge := floorDiv(x, by) * by // may wrap: then it is no such edge
						for _, v := range []int64{r[0], r[1], x, edge, edge - 1, edge + by - 1, 0, -1} {
							if r[0] <= v && v <= r[1] {
								d.check(t, by, v)
							}
						}
					}
				}
			}
		}
	}
}

func TestQuotientsOnShares(t *testing.T) {
	var x []int64
	for _, e := range triedEnds {
		x = append(x, e, -e)
		for _, by := range triedDivisors {
			edge := e / by * by
			x = append(x, edge, -edge, edge-1, 1-edge)
		}
	}
	x = slices.DeleteFunc(x, func(v int64) bool { return v > greatest || v < -greatest })
	for _, by := range triedDivisors {
		got, _ := onShares(t, [][]int64{x}, func(s *mpc.Session, in []rss.Vec) []rss.Vec {
			return []rss.Vec{newDivision(-greatest, greatest, by).quotient(s, in[0])}
		})
		for i, v := range x {
			if got[0][i] != floorDiv(v, by) {
				t.Errorf("%d by %d: %d, want %d", v, by, got[0][i], floorDiv(v, by))
			}
		}
	}
}

// TestFewCalls: what can go together does. Conditions that do not depend on each other
// are one batch, whatever order a policy writes them in.
func TestFewCalls(t *testing.T) {
	p := &policy.Program{}
	add := func(n policy.Node) int {
		p.Nodes = append(p.Nodes, n)
		return len(p.Nodes) - 1
	}
	var wanted []int
	for k := range int64(20) {
		x := add(policy.Node{Op: policy.OpInput, K: k, High: 5 + 5*k, Candidate: true})
		c := add(policy.Node{Op: policy.OpConst, K: 3, Low: 3, High: 3})
		op := policy.OpEqual
		if k%2 == 1 {
			op = policy.OpLess
		}
		wanted = append(wanted, add(policy.Node{Op: op, Args: []int{x, c}, High: 1, Candidate: true}))
	}
	c := newCircuit(p)
	for i, node := range wanted {
		wanted[i] = c.number(node)
	}
	var batches []string
	for _, b := range c.schedule(wanted) {
		batches = append(batches, fmt.Sprint(len(b), " ", c.code[b[0]].act))
	}
	if got := strings.Join(batches, ", "); got != "10 zero, 10 negative, 20 number" {
		t.Errorf("the batches are %s", got)
	}
}
