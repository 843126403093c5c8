package rss_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"consilium/mpc"
	"consilium/mpc/memnet"
	"consilium/mpc/ring"
	"consilium/mpc/rss"
)

// shape is what came back: planes by bits, or elements.
func shapeOf(b rss.Bits) string { return fmt.Sprint(b.Width(), "x", b.Len()) }

func countOf[V ring.Vector[V]](x rss.Share[V]) string { return fmt.Sprint(x.Len()) }

func TestCircuitMisuse(t *testing.T) {
	three, four, none := rss.Zero[ring.Vec64](3), rss.Zero[ring.Vec64](4), rss.Zero[ring.Vec64](0)
	wide := rss.Zero[ring.Vec128](3)
	p, q, narrow, empty := rss.ZeroBits(3, 2), rss.ZeroBits(4, 2), rss.ZeroBits(3, 1), rss.ZeroBits(0, 2)
	torn := rss.Bits{A: p.A, B: narrow.A}
	short := p
	short.B.Words = short.B.Words[:1]
	for what, c := range map[string]struct {
		op          func(s *mpc.Session) string
		shape, want string
	}{
		"And of two lengths":       {func(s *mpc.Session) string { return shapeOf(rss.And(s, p, q)) }, "2x3", "2 planes of 3 bits meet 2 planes of 4 bits"},
		"Or of two widths":         {func(s *mpc.Session) string { return shapeOf(rss.Or(s, narrow, p)) }, "1x3", "1 planes of 3 bits meet 2 planes of 3 bits"},
		"Xor of a torn share":      {func(s *mpc.Session) string { return shapeOf(rss.Xor(s, torn, p)) }, "2x3", "2 planes of 3 bits meet 1 planes of 3 bits"},
		"Not of a short share":     {func(s *mpc.Session) string { return shapeOf(rss.Not(s, short)) }, "2x3", "meet 2 planes of 3 bits in 1 words"},
		"And of nothing":           {func(s *mpc.Session) string { return shapeOf(rss.And(s, empty, empty)) }, "2x0", "vector of 0 elements"},
		"And of no planes":         {func(s *mpc.Session) string { return shapeOf(rss.And(s, rss.ZeroBits(3, 0), rss.ZeroBits(3, 0))) }, "0x3", "vector of 0 planes"},
		"AndAll of nothing":        {func(s *mpc.Session) string { return shapeOf(rss.AndAll(s, empty)) }, "1x0", "vector of 0 elements"},
		"OrAll of no planes":       {func(s *mpc.Session) string { return shapeOf(rss.OrAll(s, rss.ConcatPlanes())) }, "1x0", "vector of 0 elements"},
		"AndAll of a mixture":      {func(s *mpc.Session) string { return shapeOf(rss.AndAll(s, rss.ConcatPlanes(rss.ZeroBits(65, 1), p))) }, "1x65", "planes of 65 bits in 4 words"},
		"PublicBits of too little": {func(s *mpc.Session) string { return shapeOf(rss.PublicBits(s, short.B)) }, "2x3", "in 1 words"},
		"OpenBits of a short one":  {func(s *mpc.Session) string { return fmt.Sprint(rss.OpenBits(s, short).N) }, "3", "in 1 words"},
		"Less of two lengths":      {func(s *mpc.Session) string { return shapeOf(rss.Less(s, three, four, 64)) }, "1x3", "vectors of 3 and 4 elements meet"},
		"Less of 65 bits":          {func(s *mpc.Session) string { return shapeOf(rss.Less(s, three, three, 65)) }, "1x3", "width of 65, want 1 to 64"},
		"Less of 129 bits":         {func(s *mpc.Session) string { return shapeOf(rss.Less(s, wide, wide, 129)) }, "1x3", "width of 129, want 1 to 128"},
		"LessPublic of no bits":    {func(s *mpc.Session) string { return shapeOf(rss.LessPublic(s, three, 1, 0)) }, "1x3", "width of 0, want 1 to 64"},
		"Msb of nothing":           {func(s *mpc.Session) string { return shapeOf(rss.Msb(s, none)) }, "1x0", "vector of 0 elements"},
		"Equal of -1 bits":         {func(s *mpc.Session) string { return shapeOf(rss.Equal(s, three, three, -1)) }, "1x3", "width of -1, want 1 to 64"},
		"EqualPublic of nothing":   {func(s *mpc.Session) string { return shapeOf(rss.EqualPublic(s, none, 1, 4)) }, "1x0", "vector of 0 elements"},
		"Decompose of 65 bits":     {func(s *mpc.Session) string { return shapeOf(rss.Decompose(s, three, 65)) }, "65x3", "width of 65, want 1 to 64"},
		"Decompose of -1 bits":     {func(s *mpc.Session) string { return shapeOf(rss.Decompose(s, three, -1)) }, "0x3", "width of -1, want 1 to 64"},
		"ToArith of a torn share":  {func(s *mpc.Session) string { return countOf(rss.ToArith(s, torn)) }, "6", "meet 1 planes of 3 bits"},
		"ToArith128 of nothing":    {func(s *mpc.Session) string { return countOf(rss.ToArith128(s, empty)) }, "0", "vector of 0 elements"},
		"Select of two lengths":    {func(s *mpc.Session) string { return countOf(rss.Select(s, three, three, four)) }, "3", "vectors of 3 and 4 elements meet"},
		"SelectBit of two lengths": {func(s *mpc.Session) string { return countOf(rss.SelectBit(s, q, three, three)) }, "3", "vectors of 3 and 8 elements meet"},
		"Trunc by 62":              {func(s *mpc.Session) string { return countOf(rss.Trunc(s, three, 62)) }, "3", "shift of 62, want 0 to 61"},
		"TruncFast by -1":          {func(s *mpc.Session) string { return countOf(rss.TruncFast(s, three, -1)) }, "3", "shift of -1, want 0 to 61"},
		"Trunc128 by 126":          {func(s *mpc.Session) string { return countOf(rss.Trunc128(s, wide, 126)) }, "3", "shift of 126, want 0 to 125"},
		"Lift of nothing":          {func(s *mpc.Session) string { return countOf(rss.Lift(s, none)) }, "0", "vector of 0 elements"},
		"MatMul of other shapes":   {func(s *mpc.Session) string { return countOf(rss.MatMul(s, three, four, 3, 1, 3)) }, "9", "a 3 x 1 matrix of 3 elements meets a 1 x 3 matrix of 4"},
		"MatMul of no columns":     {func(s *mpc.Session) string { return countOf(rss.MatMul(s, three, none, 3, 1, 0)) }, "0", "meets a 1 x 0 matrix of 0"},
		"DotRows of part rows":     {func(s *mpc.Session) string { return countOf(rss.DotRows(s, three, three, 2)) }, "0", "rows of 2 elements in a vector of 3"},
		"Dots of no pairs":         {func(s *mpc.Session) string { return countOf(rss.Dots(s, []rss.Vec{three}, nil)) }, "1", "inner products of 1 vectors with 0"},
		"Dots of two lengths":      {func(s *mpc.Session) string { return countOf(rss.Dots(s, []rss.Vec{three}, []rss.Vec{four})) }, "1", "vectors of 3 and 4 elements meet"},
		"Parity of nothing":        {func(s *mpc.Session) string { return shapeOf(rss.Parity(s, none)) }, "1x0", "vector of 0 elements"},
		"MulPublic of two lengths": {func(s *mpc.Session) string { return countOf(rss.MulPublic(s, three, make(ring.Vec64, 2))) }, "3", "vectors of 3 and 2 elements meet"},
	} {
		t.Run(what, func(t *testing.T) {
			w := memnet.New(memnet.Config{})
			_ = w.Run(func(s *mpc.Session) error {
				if s.Self() == 1 {
					if got := c.op(s.Step("cells")); got != c.shape {
						t.Errorf("%s came back, want %s", got, c.shape)
					}
				} else {
					<-s.Context().Done()
				}
				return s.Err()
			})
			for p, err := range w.Errors() {
				if err == nil || !strings.Contains(err.Error(), "p1, step cells") || !strings.Contains(err.Error(), c.want) {
					t.Errorf("p%d: got %v, want %s", p, err, c.want)
				}
			}
		})
	}
}

// After a failure every primitive returns at once and sends nothing.
func TestCircuitsOfAFailedSession(t *testing.T) {
	for _, n := range []int{3, 9000} {
		w := memnet.New(memnet.Config{})
		_ = w.Run(func(s *mpc.Session) error {
			if s.Self() != 0 {
				<-s.Context().Done()
				return s.Err()
			}
			x, b := operands(s, n, 3)
			s.Step("start").Fail(errors.New("no power"))
			for _, p := range primitives {
				p.op(s.Step(strings.ReplaceAll(p.name, " ", "")), x, b)
			}
			return s.Err()
		})
		for _, r := range w.Transcript() {
			if r.Step != "abort" {
				t.Errorf("sent after the failure: %v", r)
			}
		}
	}
}

// A frame of another length, or none, ends the session with the step's name; what
// comes back is zeros, not half a secret.
func TestCircuitsNoticeBadFrames(t *testing.T) {
	for _, p := range primitives {
		run := func(cfg memnet.Config) (*memnet.World, error) {
			w := memnet.New(cfg)
			return w, w.Run(func(s *mpc.Session) error {
				x, b := operands(s, 4, 3)
				p.op(s.Step("op"), x, b)
				return s.Err()
			})
		}
		w, err := run(memnet.Config{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		records := w.Transcript()
		for i, r := range records {
			cfg := memnet.Config{Seed: 1, Hooks: hit(r, func(b []byte) ([]byte, bool) { return b[1:], true })}
			_, err := run(cfg)
			want := fmt.Sprintf("step %s: frame from p%d has %d bytes, want %d", r.Step, r.From, r.Length-1, r.Length)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: a cut frame: %v, want %s", p.name, err, want)
			}
			if i != len(records)/2 {
				continue
			}
			cfg.Timeout = 20 * time.Millisecond
			cfg.Hooks = hit(r, func([]byte) ([]byte, bool) { return nil, false })
			if _, err := run(cfg); err == nil || !strings.Contains(err.Error(), "step op") {
				t.Errorf("%s: a lost frame: %v", p.name, err)
			}
		}
	}
}

func TestCircuitsReturnZerosWhenTheyFail(t *testing.T) {
	const n = 8400
	for _, step := range []string{"deal", "carry", "level.4", "shifted", "result", "bit", "flip"} {
		cfg := memnet.Config{Seed: 2, Hooks: memnet.Hooks{Tamper: func(m memnet.Message) ([]byte, bool) {
			if strings.HasSuffix(m.Channel.Step, "strand.1/"+step) {
				return m.Frame[1:], true
			}
			return m.Frame, true
		}}}
		failed := memnet.New(cfg).Run(func(s *mpc.Session) error {
			x, b := operands(s, n, 3)
			var all []ring.Vec64 // what was returned after the failure
			note := func(parts ...ring.Vec64) {
				if s.Err() != nil {
					all = append(all, parts...)
				}
			}
			y := rss.Msb(s.Step("msb"), x)
			note(ring.Vec64(y.A.Words), ring.Vec64(y.B.Words))
			y = rss.Decompose(s.Step("bits"), x, 64)
			note(ring.Vec64(y.A.Words), ring.Vec64(y.B.Words))
			z := rss.Trunc(s.Step("trunc"), x, 16)
			note(z.A, z.B)
			z = rss.ToArith(s.Step("arith"), b.Plane(0))
			note(z.A, z.B)
			for i, v := range all {
				for _, e := range v {
					if e != 0 {
						t.Errorf("%s at %s: vector %d of a failed session is not zero", step, s.Name(s.Self()), i)
						break
					}
				}
			}
			return s.Err()
		})
		if failed == nil {
			t.Errorf("%s: not noticed", step)
		}
	}
}

func TestSharedBitsPrintRedacted(t *testing.T) {
	var out strings.Builder
	p := ring.Planes{N: 64, W: 1, Words: ring.Words{987654321}}
	b := rss.Bits{A: p, B: p}
	table := struct{ Column rss.Bits }{b}
	for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x", "%s", "%q"} {
		fmt.Fprintf(&out, verb+" "+verb+"\n", b, table)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("bits", "b", b, "table", table)
	fmt.Fprintln(&out, b.String(), b.GoString())
	if got := strings.Count(out.String(), "redacted"); got != 7*2+2+2 || strings.Contains(out.String(), "987654321") || strings.Contains(out.String(), "3ade68b1") {
		t.Errorf("redacted %d times:\n%s", got, out.String())
	}
}
