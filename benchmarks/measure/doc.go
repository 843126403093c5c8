// Package measure has what the programs of benchmarks count alike: the memory and
// the processor time of their own process, and figures of several runs.
package measure
