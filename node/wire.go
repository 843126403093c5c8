package node

import (
	"consilium/api"
	"consilium/api/wire"
	"consilium/job"
)

// What a node says to the coordinator.

func decisionMessage(d *job.Decision) *api.FromNode {
	return &api.FromNode{Body: &api.FromNode_Decision{Decision: wire.DecisionTo(d)}}
}

func progressMessage(id job.Hash, phase, detail string) *api.FromNode {
	return &api.FromNode{Body: &api.FromNode_Progress{Progress: &api.Progress{JobId: id[:], Phase: phase, Detail: detail}}}
}

func outcomeMessage(o *api.Outcome) *api.FromNode {
	return &api.FromNode{Body: &api.FromNode_Outcome{Outcome: o}}
}
