// Package setup makes what a study consists of before anything runs: members'
// keys and public cards, the signed roster, and configuration files that are
// ready to use. Private keys are made where they stay; only cards and the
// roster travel.
//
// A member's directory holds identity.key, identity.crt, card.yaml, its
// configuration and, once its operator approved it, study.roster; every roster
// that was ever approved stays in rosters/. That of a node holds vault.key besides.
package setup
