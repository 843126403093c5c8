package protocols

import (
	"errors"
	"math"
	"math/big"
	"strconv"

	"gonum.org/v1/gonum/mathext"

	"consilium/job"
)

// What tests and estimates share: p-values, intervals and how a clinical paper
// prints them.

// confidence reads the argument conf_level, 0.95 if a job does not give it. Its
// error is for after args.Err.
func confidence(args *job.Args) (float64, error) {
	level, _ := args.OptionalDecimal("conf_level", big.NewRat(95, 100)).Float64()
	if level <= 0 || level >= 1 {
		return 0, errors.New("conf_level lies between 0 and 1: give 0.95 for 95 %")
	}
	return level, nil
}

// tailOfF is the probability that F with those degrees of freedom is above x. It is
// the integral's complement, where 1 less the integral would be rounded away.
func tailOfF(x, between, within float64) float64 {
	return mathext.RegIncBeta(within/2, between/2, within/(within+between*x))
}

// printedP writes a p-value.
func printedP(p float64) string {
	switch {
	case math.IsNaN(p):
		return undefined
	case p < 0.001:
		return "<0.001"
	default:
		return strconv.FormatFloat(p, 'f', 3, 64)
	}
}

// printedStatistic writes a test statistic.
func printedStatistic(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }

// significant writes x with as many digits as a reader can use, without
// exponents where these can be avoided: 12345, 123, 12.3, 1.23, 0.123.
func significant(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return undefined
	}
	const digits = 3
	size := 1 // digits before the point
	if x != 0 {
		size = int(math.Floor(math.Log10(math.Abs(x)))) + 1
	}
	if size < -digits || size > 15 {
		return strconv.FormatFloat(x, 'g', digits, 64)
	}
	return strconv.FormatFloat(x, 'f', max(digits-size, 0), 64)
}

// printedInterval writes an estimate with its interval: 1.61 (1.06 to 2.45).
func printedInterval(estimate, low, high float64) string {
	if math.IsNaN(low) || math.IsNaN(high) {
		return significant(estimate) + " (" + undefined + ")"
	}
	return significant(estimate) + " (" + significant(low) + " to " + significant(high) + ")"
}

// printedLevel writes a confidence level: 95% CI.
func printedLevel(level float64) string {
	return strconv.FormatFloat(math.Round(level*1e6)/1e4, 'f', -1, 64) + "% CI"
}

// figure is a float for a result: nil where it is undefined.
func figure(x float64) any {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return x
}
