// Package examples carries a ready study: data files of five hospitals, their
// study file, job files, and what R computes for each job over the pooled rows.
// The data are the public sets lung and transplant of R's survival package and
// PimaIndiansDiabetes2 of mlbench, split over hospitals.
package examples

import "embed"

// FS holds study.yaml, jobs/*.yaml, expected.json and data/DATASET/hospital-K.csv.
//
//go:embed study.yaml expected.json jobs/*.yaml data/*/*.csv
var FS embed.FS
