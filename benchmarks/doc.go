// Command benchmarks measures the secret-sharing engine as it runs in
// production: three parties as processes of their own, over mutual TLS on
// loopback or on an emulated wide-area network.
//
//	go run ./benchmarks [flags] OP=N …
//	go run ./benchmarks --wan 40ms,100 sort=10000 cmp=100000
//	go run ./benchmarks --report benchmarks/RESULTS.md
//
// Standard output holds one line of JSON for each OP=N and nothing else; progress
// goes to standard error. The fields:
//
//	op, n      as on the command line
//	seconds    median of three runs after one that warms up, from shares in memory
//	           to shares in memory; the parties start each run together, and the
//	           slowest of them counts
//	mb         million bytes that each party sent in one run, TLS and framing included
//	rounds     longest chain of messages in one run, each sent after its sender had
//	           received the one before; all frames of one step and direction count
//	           as one message, and the strands of a long vector run side by side
//	peak_mb    most memory of each process (resident, million bytes), inputs and the
//	           Go runtime included
//	wan, predicted
//	           with --wan: the line emulated, and rounds times one-way delay plus
//	           the bytes of the busiest party at its rate, in seconds
//
// With --wan each party runs in a network namespace of its own, and this process
// carries the packets between them with the delay and at the rate asked for: it
// needs Linux, root, the command ip and TUN devices, but no module for traffic
// control. TCP behaves as the machine is set.
//
// Each result is opened after the clock has stopped and compared with plain Go on
// a sample; a wrong one is an error. Exit status: 1 when a measurement failed, 2
// for a wrong command line, 3 when the machine allows no emulated network. (go
// run turns each of them into 1.)
package main
