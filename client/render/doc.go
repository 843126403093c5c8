// Package render shows a job's result and its progress to a person: tables on a
// terminal or as plain text, JSON, CSV, and a progress bar or lines.
//
// It prints what package protocols finished and what package client heard, and
// decides nothing.
package render
