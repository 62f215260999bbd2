// Package chatbase is the target for Chatbase (https://www.chatbase.co/docs), where documents are sources of an agent: every
// agent holds its own copy of what it knows, and a Target is one agent. A Bundle is the same for the first version of
// the API, where a chatbot knows one text.
//
// It guarantees that a lost answer never leaves two copies, that a listing is complete or an error, that only the sources
// it is given are changed, that a text or file source keeps the old version until the new one is trained, and that files are sent
// no faster than the account may, by all targets and processes that share a memory. It must not create agents or touch their
// settings, a chatbot's name included, and it sends nothing to another host than the two of the configuration.
//
// The link to a page, which the vendor fetches itself, cannot be changed. A new version is a new source in place of the old one, so that
// the agent lacks the page until the vendor has fetched it again.
//
// Three generations of the second version are documented. They differ in how a change goes live: in the newest by itself, in the one
// before when training is asked for, in the oldest when somebody presses a button in the dashboard. The client takes
// the first for granted, asks for training once a pass when sources stand still, and says so when that does not help.
package chatbase
