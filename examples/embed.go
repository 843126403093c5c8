// Package examples carries ready studies. The first has data files of five hospitals, job
// files, and what R computes for each job over the pooled rows; the data are the public
// sets lung and transplant of R's survival package and PimaIndiansDiabetes2 of mlbench,
// split over hospitals. The second is an organ registry of four hospitals with waiting
// lists, donors and pairs, all drawn by the generator of testdata/organ.
package examples

import (
	"embed"
	"io/fs"
)

// FS holds study.yaml, jobs/*.yaml, expected.json and data/DATASET/hospital-K.csv.
//
//go:embed study.yaml expected.json jobs/*.yaml data/*/*.csv
var FS embed.FS

//go:embed registry
var registry embed.FS

// Registry returns study.yaml, README.md, which is a walk through it, data/LIST/NODE.csv, and
// expected.csv, the ranked lists that the generator's reference gives.
func Registry() fs.FS {
	sub, err := fs.Sub(registry, "registry")
	if err != nil {
		panic(err) // the name is a constant and valid
	}
	return sub
}
