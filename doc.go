// Package consilium is the root of a secure multiparty computation engine for
// medicine. It holds no code: README.md tells what it is, docs/architecture.md
// where to find what, and layout_test.go keeps the picture true.
package consilium
