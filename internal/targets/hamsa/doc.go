// Package hamsa is the target for Hamsa, where documents are knowledge base items of a project and every voice agent lists
// the ids of the items that it uses.
//
// It guarantees that an agent is never without a version of a document while that is replaced, and that
// nothing of an agent but its list of items is changed. It must not delete items unless told to: the vendor documents no way to do so.
package hamsa
