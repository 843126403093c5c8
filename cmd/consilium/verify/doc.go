// Package verify runs a folder of reference cases through a whole local network
// and compares what the recipient sees with the values that the cases expect.
package verify
