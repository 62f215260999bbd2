// Package converse is the target for Axllabs Converse, where documents belong to an organisation and are assigned to agents
// one by one.
//
// It guarantees that a lost answer never leaves two copies, that a listing is complete or an error, that a document is
// assigned to its agents in the new version before the old one is taken away, and that only the ids it is given are
// deleted. In test mode every request says so. It must not write to an agent itself: the vendor replaces agents as a whole.
//
// The vendor documents paths and request bodies and no answer, so the decoders take every usual spelling.
package converse
