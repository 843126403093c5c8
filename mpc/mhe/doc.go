// Package mhe adds vectors of exact signed integers of N sites under multiparty
// homomorphic encryption: BGV with a collective key, of which every site holds a
// share. Nothing opens without a share of each site, so that no N-1 of them that
// follow the protocol, and no coordinator, learn a site's numbers, not even
// together.
//
// A Layout says in public how the numbers travel. RevealSum is one site's part of
// a whole job; every step of it is exported below:
//
//	crs     every site commits to a nonce, then opens it: nobody chooses the common reference
//	key     the collective public key: shares summed up a tree, the sum sent down
//	        each site encrypts its own vector
//	commit  hashes of both halves of every site's ciphertexts
//	echo    every site tells every other what it has seen until here; only equals go on
//	c0      first halves, summed up the tree
//	c1      second halves, from every site to every site, each checked against its hash and summed by all
//	echo    of the sum that is about to be switched
//	switch  shares of the key switch, smudged and masked, summed up the tree
//
// The root of the tree ends with the Total, which is the sums' encoding under the
// masks of all sites. A mask follows from a seed of 32 bytes, which the site seals
// to the recipient. The recipient, who has the total and all seeds, opens.
//
// What must never happen here: a share of the key switch for a ciphertext that the
// site has not added up itself; two shares for one ciphertext; a share without its
// mask; noise below the rule; a library's decoder on bytes of others; a key in a
// log. What is claimed: passive sites, N-1 of N. Nothing proves that a share is
// right.
//
// Keys may outlast a session. A Quorum, of whom any t of N open, holds pieces of a
// secret (Deal); an Epoch keeps such a key on disk, encrypted, with the key for
// products; a Deposit is a dataset under it, whose signed Manifest names every
// ciphertext; a Circuit is what is summed of it, and Answer a site's part in opening
// that: for what the site computed itself, under fresh ciphertexts of all who answer,
// charged to a Budget before. A Conversion makes such sums additive shares of the
// sites, and back. An Inference is between two alone: one has patients, one a model.
//
// It is the only package that imports Lattigo, whose objects are not safe for
// concurrent use: every goroutine has its own.
package mhe
