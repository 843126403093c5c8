package node

import (
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"

	"consilium/node/sharestore"
	"consilium/node/vault"
	"consilium/protocols"
)

// openVaults opens what this node keeps of the datasets, if it has a key for that.
func (n *Node) openVaults() (err error) {
	if n.vaultKey == nil {
		return nil
	}
	n.vaults, err = vault.Open(vault.Config{
		Dir: filepath.Join(n.config.State, "vault"), Key: n.vaultKey, Self: n.identity.Name,
		Datasets: n.roster.Roster.DatasetNames(), Log: n.log,
	})
	return err
}

// openShares opens what this node keeps of the datasets as shares, if it has a key for
// that.
func (n *Node) openShares() (err error) {
	if n.vaultKey == nil {
		return nil
	}
	n.shares, err = sharestore.Open(sharestore.Config{
		Dir: filepath.Join(n.config.State, "shares"), Key: n.vaultKey, Self: n.identity.Name,
		Datasets: n.roster.Roster.DatasetNames(), Log: n.log,
	})
	return err
}

// sharesOf returns what is kept of a dataset as shares; nil at a node without a key.
func sharesOf(s *sharestore.Store, dataset string) protocols.ShareStore {
	if s == nil {
		return nil
	}
	if d := s.Dataset(dataset); d != nil {
		return d
	}
	return nil
}

// vaultOf returns the vault of a dataset; nil at a node without a key.
func vaultOf(s *vault.Store, dataset string) protocols.Vault {
	if s == nil {
		return nil
	}
	if v := s.Dataset(dataset); v != nil {
		return v
	}
	return nil
}

// vaultCollector tells how often the keys of the datasets still open.
type vaultCollector struct {
	vaults   *vault.Store
	datasets []string
}

var openingsLeft = prometheus.NewDesc("consilium_node_openings_left",
	"Ciphertexts that may still be opened under the key of what is deposited, or under the newest key where nothing is.", []string{"dataset"}, nil)

// Describe implements prometheus.Collector.
func (c *vaultCollector) Describe(out chan<- *prometheus.Desc) { out <- openingsLeft }

// Collect implements prometheus.Collector. A dataset without a key has no number.
func (c *vaultCollector) Collect(out chan<- prometheus.Metric) {
	if c.vaults == nil {
		return
	}
	for _, name := range c.datasets {
		if left, ok := c.vaults.Dataset(name).Left(); ok {
			out <- prometheus.MustNewConstMetric(openingsLeft, prometheus.GaugeValue, float64(left), name)
		}
	}
}
