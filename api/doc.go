// Package api holds the protobuf messages and gRPC services between client,
// coordinator and nodes: consilium.proto and the Go code generated from it
// (`make proto`). It depends on nothing else of the project.
package api
