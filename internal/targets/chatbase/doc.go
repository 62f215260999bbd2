// Package chatbase is the target for Chatbase, where documents are sources of an agent: every agent holds its own
// copy of what it knows.
//
// It guarantees that only sources with our mark are changed, and that an agent keeps the old version until the new
// one is trained. It must not touch the settings of an agent or a chatbot, its name included.
package chatbase
