// Command benchmarks measures both engines as they run in production: for secret
// sharing three parties as processes of their own, over mutual TLS on loopback or on
// an emulated wide-area network; for homomorphic encryption as many sites as wanted.
//
//	go run ./benchmarks [flags] OP=N …
//	go run ./benchmarks --wan 40ms,100 sort=10000 cmp=100000
//	go run ./benchmarks --sites 12 mhe-sum=1000000 mhe-km=8192 mhe-linear=32
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
//	           OP-rows=N, of a store on disk, runs once, cold, and leaves rounds out,
//	           since counting them takes memory
//	mb_s, prepared
//	           of a store on disk: million bytes of values that are read a second (8
//	           bytes each; a party holds two components), and the seconds that it took
//	           to write before
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
// a sample; a wrong one is an error.
//
// # At one site
//
// source=N makes a Parquet file of N patients (package synthetic) and asks it, as a
// node does for a job, for what describe needs of five columns, and for the rows of
// twenty. The system has the file in memory. That is a program of its own
// (./benchmarks/source), which this one builds and runs in a scratch folder.
//
//	seconds    of opening, checking and summing: median of three
//	duckdb     DuckDB's own seconds for the same sums without any check, taken in
//	           turn with the former; ratio is of the two, cpu_ratio of the processor
//	           seconds, which other work on the machine disturbs less. The sums are
//	           compared
//	mb, mb_s   million bytes of the file, and of them by seconds
//	rows_seconds, rows_mb_s
//	           of streaming twenty columns once, checked before; million bytes of
//	           codes, eight each, a second
//	peak_mb    most memory of the process, resident, while it did so
//
// # To the disks of the parties
//
// deposit=RxC has a site share R rows of C columns out to three parties, each a process
// with links and a store of its own, as the run of a job does: from the site's stream of
// rows, which come over and over from memory, until every node has put the new version
// into force. What is stored is added up and compared. Files lie in the directory for
// temporary ones (TMPDIR). The last node of each list is the site.
//
//	seconds    of the slowest node
//	mb_s       million bytes of the plain codes, eight each, by seconds
//	mb, cpu, peak_mb
//	           of each node: million bytes sent, processor seconds, most memory
//	disk_mb    million bytes on each node's disk
//
// # Sums over sites
//
// With --sites NUMBER each site is a process with links to all others, and this one
// is the recipient. The sites have their numbers in the clear, and a collective key
// that is made before each run; the run is mhe.SumKey's RevealSum along the tree that
// a job would take. All sites begin at the same moment.
//
//	sites      as on the command line
//	seconds    from that moment until the recipient has the sums in the clear: median
//	           of the runs (--runs), of each the site that ends last, and opening
//	opening    the recipient's part of it. Sealing the seeds is not measured
//	keys       seconds of making the collective key, which seconds leaves out
//	steps      what seconds are made of: seconds from a step's beginning to that of the
//	           next, on average over the sites, in the last run. encrypt is what goes
//	           before the first; the shares of the key switch are made within same
//	rounds     as above
//	branching, ciphertexts
//	           of the tree, and how many each site encrypts
//	tree_only  whether sites relied on the tree for the sum that they switch. They do
//	           so where it would take more than mhe.TreeOnlyAbove bytes of each to add
//	           it up themselves; --tree-only and --tree-only=false decide otherwise
//	overlay    what carries the links (--overlay)
//	mb, cpu, peak_mb
//	           of each site: million bytes sent in one run, framing and, but for onet,
//	           TLS included; processor seconds of one run; most memory
//
// All sums are compared with those of the plain numbers.
//
// # Exit status
//
// 1 when a measurement failed, 2 for a wrong command line, 3 when the machine allows
// no emulated network. (go run turns each of them into 1.)
package main
