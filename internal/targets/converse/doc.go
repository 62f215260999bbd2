// Package converse is the target for Axllabs Converse, where documents belong to an organisation and are assigned to agents
// one by one.
//
// It guarantees that a document is assigned to its agents in the new version before the old one is taken away. It
// must not write to an agent itself: the vendor replaces agents as a whole.
package converse
