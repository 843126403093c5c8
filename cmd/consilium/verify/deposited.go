package verify

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"consilium/job"
)

// With Options.Deposited the cases' datasets are deposited with the three parties. Then
// the data files are removed, of parties that are sites too, and all other nodes are
// killed; and the cases run on what the parties keep.

// copied copies the folder's files to dir, from where they can be removed.
func (f *Folder) copied(dir string) (*Folder, error) {
	out := *f
	out.Files = make(map[string]map[int]string)
	for name, files := range f.Files {
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(to, 0o700); err != nil {
			return nil, err
		}
		out.Files[name] = make(map[int]string)
		for k, path := range files {
			out.Files[name][k] = filepath.Join(to, strconv.Itoa(k)+filepath.Ext(path))
			if err := copyFile(out.Files[name][k], path); err != nil {
				return nil, err
			}
		}
	}
	return &out, nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close() // what went wrong has been said
		return err
	}
	return out.Close()
}

// deposit has all datasets deposited that the cases are about.
func (s *study) deposit(ctx context.Context, cases []Case, log io.Writer) error {
	names := map[string]bool{}
	for _, c := range cases {
		names[c.Dataset] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		fmt.Fprintf(log, "depositing %s …\n", name)
		_, err := s.answer(ctx, &job.File{Study: "verify", Dataset: name, Analysis: "deposit", Engine: job.EngineShares, Args: map[string]any{}})
		if err != nil {
			return fmt.Errorf("deposit dataset %s: %w", name, err)
		}
	}
	return nil
}

// leaveParties removes the data files and kills all nodes that are no party.
func (s *study) leaveParties(f *Folder) error {
	for _, files := range f.Files {
		for _, path := range files {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	parties := s.client.Roster().Roster.Parties
	for _, d := range s.layout.Nodes {
		if slices.Contains(parties, d.Name) {
			continue
		}
		if err := s.network.Signal(d.Name, syscall.SIGKILL); err != nil {
			return err
		}
	}
	return nil
}
