// Package sharestore keeps on disk, for one node, what engine shares needs from job to
// job: at a compute party its components of the rows that are deposited of each dataset,
// at a site how far its rows went into that. It implements protocols.ShareStore.
//
// A dataset has a directory:
//
//	state                 which version is in force, and which was before
//	version-NAME          one version: its description with signatures, and where its chunks lie
//	rows-NAME/key.age     what the files beside it are encrypted with, to the node's vault key
//	rows-NAME/K.head      seeds of chunk K
//	rows-NAME/K-J.arrow   the explicit component of column J in chunk K, an Arrow IPC file
//	rows-NAME/K-rows.arrow   the same of the bits that say where there is a row
//
// Every file of chunks is one message of AES-256-GCM under a key of its own, derived from
// that of the directory and the file's name: a file that was changed, cut, put in
// another's place or taken from another node is not opened. Names are drawn at random and
// say nothing.
//
// A change is written beside what is in force and comes into force by the rename of the
// state file. What is in force then stays until all parties have said that they have the
// new one: until then a party that fell out in between finds, with the others, the
// version before. What the state does not name is removed, now or at the next start. A
// state file that is lost or damaged ends all use of the dataset's directory, and nothing
// in there is removed.
package sharestore
