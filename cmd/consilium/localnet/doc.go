// Package localnet runs a whole study on one machine: it makes every member's
// directory under one folder and runs coordinator and nodes as child processes
// of the same binary, over the same links and files as in real life. The demo,
// verify and the end-to-end tests use it.
package localnet
