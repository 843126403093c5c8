package render

import (
	"encoding/json"
	"fmt"
	"io"

	"consilium/job"
	"consilium/protocols"
)

// JSON prints {"job", "status", "value"}: the job's id in hex, the status word,
// and the figures in full precision under the names of the analysis's
// documentation. Keys are in bytewise order, so equal results are equal bytes.
// Where the status is not "ok", value is null and "reason" says why. A result with a
// caveat has it under "caveat".
func JSON(w io.Writer, id job.Hash, r *protocols.Result) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(struct {
		Job    string `json:"job"`
		Status string `json:"status"`
		Caveat string `json:"caveat,omitempty"`
		Reason string `json:"reason,omitempty"`
		Value  any    `json:"value"`
	}{id.String(), r.Status, r.Caveat, r.Reason, r.Value})
	if err != nil {
		return fmt.Errorf("print the result as JSON: %w", err)
	}
	return nil
}
