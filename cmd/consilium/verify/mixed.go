package verify

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"consilium/job"
)

// Under engine mixed the sites of every dataset of which a case can be answered make a
// key, and deposit what its cases need; any two of them then answer, with the parties.
// The ciphertexts are kept at one site, from which the other fetches them.

// vaultFor returns how the datasets of a study are kept for an engine.
func vaultFor(engine string) func(*job.Dataset) job.Vault {
	return func(d *job.Dataset) job.Vault {
		if engine != job.EngineMixed || len(d.Sites) < 2 {
			return job.Vault{}
		}
		return job.Vault{Quorum: 2, Mixed: true}
	}
}

// need is what is deposited of a dataset.
type need struct{ columns, filters []string }

// needs are those of the cases, by dataset. What is wrong with a case that cannot be
// planned is said when it is run.
func (s *study) needs(cases []Case) (map[string]*need, error) {
	all := make(map[string]*need)
	for _, k := range cases {
		prepared, err := s.client.Prepare(s.file(k))
		if err != nil {
			continue
		}
		columns, filters, err := prepared.Plan().Needs()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", k.ID, err)
		}
		if all[k.Dataset] == nil {
			all[k.Dataset] = &need{}
		}
		n := all[k.Dataset]
		n.columns, n.filters = distinct(n.columns, columns), distinct(n.filters, filters)
	}
	return all, nil
}

// distinct joins lists, sorted.
func distinct(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}

// encrypt has the datasets of the cases deposited under encryption.
func (s *study) encrypt(ctx context.Context, cases []Case, log io.Writer) error {
	all, err := s.needs(cases)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d, _ := s.client.Roster().Roster.Dataset(name)
		fmt.Fprintf(log, "making a key for %s, and depositing …\n", name)
		deposit := map[string]any{"columns": all[name].columns, "at": []string{d.Sites[0].Node}}
		if len(all[name].filters) > 0 {
			deposit["filters"] = all[name].filters
		}
		for _, step := range []job.File{{Analysis: "rekey", Args: map[string]any{}}, {Analysis: "deposit", Args: deposit}} {
			step.Study, step.Dataset, step.Engine = "verify", name, job.EngineMHE
			if _, err := s.answer(ctx, &step); err != nil {
				return fmt.Errorf("%s dataset %s: %w", step.Analysis, name, err)
			}
		}
	}
	return nil
}
