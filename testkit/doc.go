// Package testkit is for tests alone: what those of several packages have in common, and
// no package of the program imports.
package testkit
