package protocols

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"consilium/organ/hla"
	"consilium/organ/policy"
)

// replay implements replayer. The recipient has no rows.
func (k *reaching) replay(p *Plan, in []*policy.Rows) (status string, rows []any, err error) {
	return k.told(p, k.inTheClear(p, in)).Status, []any{}, nil
}

// replaySite implements siteReplayer: the candidate's hospital must keep the same numbers.
func (k *reaching) replaySite(p *Plan, in []*policy.Rows, runs []*MatchRun) (*Result, error) {
	result := k.told(p, k.inTheClear(p, in))
	want, err := json.Marshal(result.Value)
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		if run.Site != k.hospital || run.Result == nil {
			continue
		}
		kept, err := json.Marshal(run.Result.Value)
		if err != nil || run.Result.Status != result.Status || !bytes.Equal(kept, want) {
			return nil, fmt.Errorf("the numbers that %s keeps of the run are not what its inputs give", k.hospital)
		}
		return result, nil
	}
	return nil, fmt.Errorf("what %s was told is missing: ask it for its file of the run", k.hospital)
}

// inTheClear answers the question from what the sites put in, by its definition: with the
// whole list, and with the list less one antigen, for each. Nothing is told of a panel
// below the policy's minimum.
func (k *reaching) inTheClear(p *Plan, in []*policy.Rows) reached {
	own := in[len(in)-1].Row(0)
	var donors [][]int64
	for _, site := range in[:len(in)-1] {
		for i := range site.N {
			if d := site.Row(i); slices.Max(d) > 0 {
				donors = append(donors, d)
			}
		}
	}
	if len(donors) < p.match.policy.Panel.Minimum {
		return reached{}
	}
	loci := p.match.policy.Program.Crossmatch().Loci
	listed := hla.Unpack(loci, own)
	r := reached{donors: int64(len(donors)), acceptable: acceptable(own, donors)}
	for i, a := range listed {
		var shorter hla.Set
		for _, other := range slices.Delete(slices.Clone(listed), i, i+1) {
			shorter.Add(other)
		}
		r.dropped = append(r.dropped, dropped{a, acceptable(shorter.Words(loci), donors)})
	}
	return r
}

// acceptable counts the donors whose words meet none of a candidate's.
func acceptable(candidate []int64, donors [][]int64) (n int64) {
	for _, d := range donors {
		meets := false
		for w := range candidate {
			meets = meets || candidate[w]&d[w] != 0
		}
		if !meets {
			n++
		}
	}
	return n
}
