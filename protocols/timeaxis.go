package protocols

import (
	"fmt"
	"math/big"
	"math/bits"

	"consilium/job"
)

// Names of a sample's vectors, which no column can have.
const (
	timeVector    = ".time"
	endVector     = ".event"
	stratumVector = ".stratum"
)

// timeAxis is the public side of a column of times, and of strata if there are any.
type timeAxis struct {
	column  *job.Column
	least   int64 // the least code
	bits    int   // of a doubled time
	strata  *job.Column
	stratum int64 // the least code of a stratum
	width   int   // of a doubled time with the stratum above it
}

const (
	// widestTimes is how many bits doubled times may have, with strata.
	widestTimes = 60
	// mostRiskRows is for how many rows the numbers of these analyses fit: its
	// logarithm is less than 16.
	mostRiskRows = 8_000_000
)

// newTimeAxis refuses what is no time.
func newTimeAxis(d *job.Dataset, name string) (timeAxis, error) {
	c, ok := d.Schema.Column(name)
	if !ok {
		return timeAxis{}, fmt.Errorf("time: %w", unknownColumn(d, name))
	}
	if c.Type == job.Text {
		return timeAxis{}, fmt.Errorf("time: column %q is text; name the column of the times until event or censoring", name)
	}
	if d.Rows() > mostRiskRows {
		return timeAxis{}, fmt.Errorf("an analysis of survival takes up to %d rows; dataset %s declares %d", mostRiskRows, d.Name, d.Rows())
	}
	least, greatest := c.Codes()
	width := bits.Len64(uint64(greatest-least)+1) + 1
	if width > widestTimes {
		return timeAxis{}, fmt.Errorf("time: column %q has 2^%d steps or more from its minimum to its maximum; declare a narrower range or a larger step", name, widestTimes-1)
	}
	return timeAxis{column: c, least: least, bits: width, width: width}, nil
}

// within returns the axis with risk sets of their own for each value of a column.
func (a timeAxis) within(d *job.Dataset, name string) (timeAxis, error) {
	c, ok := d.Schema.Column(name)
	if !ok {
		return a, fmt.Errorf("strata: %w", unknownColumn(d, name))
	}
	levels, err := c.Levels()
	if err != nil {
		return a, fmt.Errorf("strata: %w", err)
	}
	span := bits.Len64(uint64(levels[len(levels)-1] - levels[0]))
	if a.bits+span > widestTimes {
		return a, fmt.Errorf("strata: columns %q and %q together have 2^%d steps or more; declare narrower ranges or larger steps", a.column.Name, name, widestTimes-1)
	}
	a.strata, a.stratum, a.width = c, levels[0], a.bits+span
	return a, nil
}

// vectors are those of the time and the strata.
func (a timeAxis) vectors() []job.Vector {
	v := []job.Vector{{Name: timeVector, Column: a.column.Name}}
	if a.strata != nil {
		v = append(v, job.Vector{Name: stratumVector, Column: a.strata.Name})
	}
	return v
}

// endOf is the vector of the event expression with which a time ends, if it is not
// censored.
func endOf(expression string, d *job.Dataset) (job.Vector, error) {
	v, err := eventVector("event", expression, d)
	v.Name = endVector
	return v, err
}

// A row's doubled time counts from 2 for the least time that the column may have;
// it is 0 for rows outside the sample. An odd number lies between two times.

// after returns the doubled time of which rows later than t have more, and others
// less.
func (a timeAxis) after(t *big.Rat) int64 { return a.doubled(t, false) }

// from returns the doubled time of which rows at t or later have more, and others
// less.
func (a timeAxis) from(t *big.Rat) int64 { return a.doubled(t, true) }

func (a timeAxis) doubled(t *big.Rat, including bool) int64 {
	steps := new(big.Rat).Quo(t, a.column.StepRat())
	code := new(big.Int).Div(steps.Num(), steps.Denom()) // floor: the denominator is positive
	if including && steps.IsInt() {
		code.Sub(code, big.NewInt(1))
	}
	// Rows beyond that code are later.
	code.Sub(code, big.NewInt(a.least-1))
	switch most := int64(1)<<(a.bits-1) - 1; {
	case code.Sign() < 0:
		return 1
	case !code.IsInt64() || code.Int64() > most:
		return 2*most + 1
	default:
		return 2*code.Int64() + 1
	}
}

// value returns the time of a doubled time, which may lie between two steps.
func (a timeAxis) value(doubled *big.Rat) *big.Rat {
	code := new(big.Rat).Quo(doubled, big.NewRat(2, 1))
	code.Add(code, new(big.Rat).SetInt64(a.least-1))
	return code.Mul(code, a.column.StepRat())
}
