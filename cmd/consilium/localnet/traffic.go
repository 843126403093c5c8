package localnet

import (
	"bytes"
	"context"
	"fmt"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Received returns the bytes that each node has received from other nodes so
// far, by the node's name, as the node's own metrics tell it.
func (l *Layout) Received(ctx context.Context) (map[string]float64, error) {
	sums := make(map[string]float64, len(l.Nodes))
	for _, n := range l.Nodes {
		_, body, err := get(ctx, "http://"+n.Metrics+"/metrics")
		if err != nil {
			return nil, err
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("metrics of %s: %w", n.Name, err)
		}
		sums[n.Name] = received(families["consilium_peer_bytes_total"])
	}
	return sums, nil
}

func received(f *dto.MetricFamily) float64 {
	var sum float64
	for _, m := range f.GetMetric() {
		for _, label := range m.GetLabel() {
			if label.GetName() == "direction" && label.GetValue() == "received" {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}
