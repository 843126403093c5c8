package node

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"consilium/job"
	"consilium/organ/policy"
	"consilium/protocols"
)

// list is how a file is read that holds rows of a list.
type list struct {
	policy *policy.Policy
	sides  []job.Side // candidate, donor, or both of pairs
}

func newList(r *job.Roster, d *job.Dataset) (*list, error) {
	p, err := protocols.PolicyOf(r, d.List.Policy)
	if err != nil {
		return nil, err
	}
	if d.List.Side == job.Pairs {
		return &list{p, []job.Side{job.Candidates, job.Donors}}, nil
	}
	return &list{p, []job.Side{d.List.Side}}, nil
}

// maxList caps a list's file, in bytes.
const maxList = 1 << 30

// read reads all rows, of every side, as they count on a day.
func (l *list) read(f *file, day time.Time) (map[job.Side]*policy.Rows, error) {
	text, err := job.ReadFile(f.path, maxList)
	if err != nil {
		return nil, err
	}
	all := make(map[job.Side]*policy.Rows, len(l.sides))
	for _, side := range l.sides {
		rows, err := protocols.ReadList(l.policy, side, bytes.NewReader(text), day)
		if err != nil {
			return nil, err
		}
		if rows.N > f.rows {
			return nil, fmt.Errorf("the file has %d rows and the roster declares %d; agree on a roster with the new number", rows.N, f.rows)
		}
		all[side] = rows
	}
	return all, nil
}

// checkListHeader reads the file's first row alone, which must name the columns.
func (f *file) checkListHeader(context.Context) error {
	in, err := os.Open(f.path)
	if err != nil {
		return err
	}
	defer in.Close()
	header, err := csv.NewReader(io.LimitReader(in, maxFile)).Read()
	if err != nil {
		return errors.New("the file's first row names no columns")
	}
	var row bytes.Buffer
	w := csv.NewWriter(&row)
	if err := w.Write(header); err != nil {
		return err
	}
	w.Flush()
	for _, side := range f.list.sides {
		if _, err := protocols.ReadList(f.list.policy, side, bytes.NewReader(row.Bytes()), time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// siteLists is protocols.ListData over this site's files, for one job. All sides of a
// list are read at once, so that those of a pair belong together even if its file is
// replaced meanwhile.
type siteLists struct {
	data *datasets
	log  *slog.Logger
	read map[string]map[job.Side]*policy.Rows
}

func newSiteLists(data *datasets, log *slog.Logger) *siteLists {
	return &siteLists{data, log, map[string]map[job.Side]*policy.Rows{}}
}

// Rows implements protocols.ListData.
func (d *siteLists) Rows(ctx context.Context, dataset string, side job.Side, day time.Time) (*policy.Rows, error) {
	f := d.data.files[dataset]
	if f == nil || f.list == nil {
		return nil, fmt.Errorf("this node holds no list %s", dataset)
	}
	if d.read[dataset] == nil {
		all, err := f.list.read(f, day)
		if err != nil {
			return nil, f.publicError(ctx, err, d.log)
		}
		d.read[dataset] = all
	}
	rows, inputs := d.read[dataset][side], f.list.policy.Program.Candidate
	if rows == nil {
		return nil, fmt.Errorf("list %s has no rows of side %s", dataset, side)
	}
	if side == job.Donors {
		inputs = f.list.policy.Program.Donor
	}
	return rows, rows.Pad(inputs, f.rows)
}

// CheckList reads a file of a list as its node would, on that day, and tells how many
// rows it has.
func CheckList(r *job.Roster, d *job.Dataset, path string, rows int, day time.Time) (int, error) {
	l, err := newList(r, d)
	if err != nil {
		return 0, err
	}
	all, err := l.read(&file{dataset: d.Name, path: path, rows: rows}, day)
	if err != nil {
		return 0, err
	}
	return all[l.sides[0]].N, nil
}
