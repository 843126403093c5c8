package protocols

import (
	"fmt"
	"maps"
	"slices"

	"consilium/job"
)

// Analyses returns every analysis of this version. A new one is a line here.
func Analyses() []Analysis {
	return []Analysis{
		Describe{},
		Frequency{},
		Histogram{},
		Anova{},
		TTest{},
		Logistic{},
		Poisson{},
		OddsRatio{},
		ChiSquared{},
		MannWhitney{},
		ROC{},
		KaplanMeier{},
		CumInc{},
		Correlation{},
		PCA{},
		Linear{},
		LogRank{},
		Cox{},
	}
}

// Unsupported says that a job is well formed but asks for what this version
// does not have: an analysis, an argument or an engine.
type Unsupported struct {
	What string // such as `analysis "cox"`
	Hint string // what there is instead
}

// Error implements error.
func (u *Unsupported) Error() string {
	return fmt.Sprintf("%s is not in this version; %s", u.What, u.Hint)
}

// Lookup returns the analysis of that name. The error lists the known names.
func Lookup(name string) (Analysis, error) {
	var known []string
	for _, a := range Analyses() {
		if a.Name() == name {
			return a, nil
		}
		known = append(known, a.Name())
	}
	for _, c := range custodies() { // PlanJob has these
		known = append(known, c.name())
	}
	known = append(known, MatchNext)
	known = append(known, slices.Sorted(maps.Keys(matchKinds()))...)
	return nil, fmt.Errorf("there is no analysis %.64q: %s", name, job.Near(name, known))
}
