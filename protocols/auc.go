package protocols

import (
	"math/big"

	"consilium/mpc"
	"consilium/mpc/rss"
)

// auc is the area under a ROC curve as a fraction, on shares: the probability that
// a positive row has a greater score than a negative one, ties one half, is
// won / (2 pairs) (Hanley, McNeil: "The meaning and use of the area under a receiver
// operating characteristic (ROC) curve", Radiology 143, 1982). Both are exact
// integers below 2^62, one element each.
type auc struct{ won, pairs rss.Vec128 }

// aucOf takes one column of scores, of less than 2^bits in magnitude, bits at most 60,
// of which those of rows that are no members do not matter; and the rows that they are
// of, in which a vector tells who is positive. Costs of newRanked for keys of bits + 2
// bits, for each chunk 1 round and 8 bytes a row, and those of newAUC.
//
// Scores are compared as they are: rounding them before would make ties.
func aucOf(s *mpc.Session, scores *rss.Chunked, bits int, rows *Sampled, positive string) auc {
	low, high := int64(-1)<<bits, int64(1)<<bits
	r := newRanked(s.Step("ranks"), scores, keyBits(low, high), func(s *mpc.Session, i int) (key, group, member rss.Vec) {
		of := rows.chunk(s, i, positive)
		score := rss.Mul(s.Step("members"), scores.Get(s, i)[0], of.Member)
		return rankKey(s, score, of.Member, low, high).Column, of.Value[positive], of.Member
	})
	defer r.close()
	return newAUC(s.Step("auc"), r)
}

// newAUC takes rows in the order of their scores, of which the positive ones are the
// group. Costs of ranked.pairsWon, and beyond that 3 rounds.
func newAUC(s *mpc.Session, r *ranked) auc {
	won := r.pairsWon(s.Step("won"))
	pairs := rss.Mul(s.Step("pairs"), r.group, rss.Sub(s, r.members, r.group))
	both := rss.Lift(s.Step("lift"), rss.Concat(s, won, pairs))
	return auc{rss.Slice(s, both, 0, 1), rss.Slice(s, both, 1, 2)}
}

// area is the fraction itself, with a relative error of 2^-52, and 0 where there is
// no pair. About 50 rounds.
func (a auc) area(s *mpc.Session) rss.Float {
	const width = 62
	f := rss.Normalise128(s.Step("normalise"), rss.NewFixed128(s, rss.Concat(s, a.won, a.pairs), 0, width))
	return f.Slice(s, 0, 1).Div(s.Step("quotient"), f.Slice(s, 1, 2)).Scale(s, -1)
}

// readArea checks an area that revealReals revealed.
func readArea(area float64) (float64, error) {
	const slack = 1e-12
	if area < 0 || area > 1+slack {
		return 0, errImpossible
	}
	return min(area, 1), nil
}

// aucValue is the fraction of which the recipient opened both terms; nil where there
// is no pair.
func aucValue(won, pairs *big.Int) (*big.Rat, error) {
	if pairs.Sign() == 0 && won.Sign() == 0 {
		return nil, nil
	}
	all := new(big.Int).Lsh(pairs, 1)
	if pairs.Sign() <= 0 || won.Sign() < 0 || won.Cmp(all) > 0 {
		return nil, errImpossible
	}
	return new(big.Rat).SetFrac(won, all), nil
}
