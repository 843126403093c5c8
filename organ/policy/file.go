package policy

// Kinds of policies.
const (
	Rank     = "rank"     // a donor against a waiting list: eligible, tiers, points, order
	Exchange = "exchange" // pairs among themselves: eligible, weight
)

// What mode exact of an exchange makes most of.
const (
	MostTransplants = "transplants"
	MostWeight      = "weight" // of all arcs that are used, in sum
)

// File is a policy as it is written. Unknown keys are refused.
type File struct {
	Name    string   `yaml:"name" json:"name"`
	Version string   `yaml:"version" json:"version"`
	Kind    string   `yaml:"kind" json:"kind"` // Rank or Exchange
	Source  string   `yaml:"source" json:"source"`
	Remarks []string `yaml:"remarks" json:"remarks,omitempty"` // such as which figures are recalled

	Tables    []Table     `yaml:"tables" json:"tables,omitempty"`
	Candidate Side        `yaml:"candidate" json:"candidate"`
	Donor     Side        `yaml:"donor" json:"donor"`
	Match     []Value     `yaml:"match" json:"match,omitempty"`   // named values on shares; later ones may use earlier ones
	Eligible  []Condition `yaml:"eligible" json:"eligible"`       // all must hold
	Tiers     []Condition `yaml:"tiers" json:"tiers,omitempty"`   // best first; of every row exactly one must hold
	Points    string      `yaml:"points" json:"points,omitempty"` // a number; the more the better
	Order     []OrderKey  `yaml:"order" json:"order,omitempty"`   // ends in the candidate's id
	Weight    string      `yaml:"weight" json:"weight,omitempty"` // of exchange policies: a number for each arc; the more the better
	Exact     string      `yaml:"exact" json:"exact,omitempty"`   // of exchange policies: what mode exact makes most of; blank: MostTransplants

	Entitlement Entitlement `yaml:"entitlement" json:"entitlement"`
	Panel       *Panel      `yaml:"panel" json:"panel,omitempty"` // of policies that rank, optional

	Offers   *Offers   `yaml:"offers" json:"offers,omitempty"`     // of ranks that are offered one at a time
	Refusals []Refusal `yaml:"refusals" json:"refusals,omitempty"` // why an offer may be refused
}

// Table is public data that expressions look up: inline rows or a CSV file beside
// the policy. The first row is the header.
type Table struct {
	Name   string     `yaml:"name" json:"name"`
	Form   string     `yaml:"form" json:"form"`           // map, mask, intervals, frequencies, molecular
	File   string     `yaml:"file" json:"file,omitempty"` // in the canonical form empty: the rows are in Rows
	Rows   [][]string `yaml:"rows,flow" json:"rows,omitempty"`
	Remark string     `yaml:"remark" json:"remark,omitempty"`
}

// Side is what the policy reads of a candidate or of a donor.
type Side struct {
	Inputs []Input `yaml:"inputs" json:"inputs"`
	Site   []Input `yaml:"site" json:"site,omitempty"` // with Value: computed at the site, in the order of the file
}

// Input declares a value of a row. Texts of files are cast by it and by nothing
// that the file says of itself.
type Input struct {
	Name    string   `yaml:"name" json:"name"`
	Type    string   `yaml:"type" json:"type"`                      // integer, decimal, boolean, category, id; inputs also date, antigens, set, label
	Value   string   `yaml:"value" json:"value,omitempty"`          // of a site value: its expression
	Columns []string `yaml:"columns,flow" json:"columns,omitempty"` // the file's columns; the name if left out
	Step    string   `yaml:"step" json:"step,omitempty"`            // integer, decimal
	Min     string   `yaml:"min" json:"min,omitempty"`              // integer, decimal, id
	Max     string   `yaml:"max" json:"max,omitempty"`              // integer, decimal, id
	Values  []string `yaml:"values,flow" json:"values,omitempty"`   // category
	Locus   string   `yaml:"locus" json:"locus,omitempty"`          // antigens
	Loci    []string `yaml:"loci,flow" json:"loci,omitempty"`       // set
	Blank   *string  `yaml:"blank" json:"blank,omitempty"`          // what a blank cell stands for; refused if left out
	Remark  string   `yaml:"remark" json:"remark,omitempty"`        //
}

// Value is a named expression.
type Value struct {
	Name   string `yaml:"name" json:"name"`
	Value  string `yaml:"value" json:"value"`
	Remark string `yaml:"remark" json:"remark,omitempty"`
}

// Condition is a named boolean expression.
type Condition struct {
	Name   string `yaml:"name" json:"name"`
	When   string `yaml:"when" json:"when"`
	Remark string `yaml:"remark" json:"remark,omitempty"`
}

// OrderKey is one key of the order. By is "tier" (best first), "points" or a
// number of the match or of the candidate.
type OrderKey struct {
	By        string `yaml:"by" json:"by"`
	Direction string `yaml:"direction" json:"direction"` // ascending, descending
}

// Entitlement is who sees which columns of a result: "run", "sequence", "tier",
// "points", "candidate" (the id), "hospital", or a number of the match. A hospital
// sees rows of its own candidates alone.
type Entitlement struct {
	Office   []string `yaml:"office,flow" json:"office"`
	Hospital []string `yaml:"hospital,flow" json:"hospital"`
}

// Panel lets hospitals ask how many of a list of donors one of their candidates could
// accept by her unacceptable antigens. A policy without it allows no such question.
type Panel struct {
	Minimum       int `yaml:"minimum" json:"minimum"`                 // the fewest donors of whom anything is told
	QueriesPerDay int `yaml:"queries_per_day" json:"queries_per_day"` // of each hospital, in any 24 hours
}
