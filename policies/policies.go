// Package policies carries the allocation policies that come with Consilium, and
// their tables. Each is data: copy one, change it, and give its path instead.
package policies

import "embed"

// FS holds NAME.yaml and the CSV files that these name.
//
//go:embed *.yaml *.csv
var FS embed.FS
