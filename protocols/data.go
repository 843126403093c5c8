package protocols

import (
	"context"
	"math/big"

	"github.com/apache/arrow/go/v17/arrow/array"

	"consilium/job"
)

// SiteData is what the runner asks of a site about its own rows. It is where
// raw records end: what it returns is summed or sealed at once.
type SiteData interface {
	// Summaries returns one vector of sums for each summary, in order, over the
	// rows that where selects (nil: all).
	Summaries(ctx context.Context, where job.Predicate, summaries []job.Summary) ([][]*big.Int, error)
	// Rows streams the vectors as Arrow record batches with, for each in order, one
	// non-null Int64 field of codes named after it and one Boolean field
	// NAME+".valid", and at the end a Boolean field ".selected".
	// All rows of the file come; those that where does not select are zeroed with
	// validity and selection false.
	Rows(ctx context.Context, where job.Predicate, vectors []job.Vector) (array.RecordReader, error)
}
