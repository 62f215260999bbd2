// Package hamsa keeps the knowledge base of a Hamsa project (https://docs.tryhamsa.com), where documents are text items and
// every voice agent lists the ids of the items that it uses.
//
// It guarantees that a lost answer never leaves two copies, that a listing is complete or an error, that an agent
// gets the new version of a document in the same step in which it loses the old one, and that nothing of an agent but its list of
// items is sent or logged. It must not delete items unless told to, because the vendor documents no way to do so: what is out of
// date is taken out of use and says so in its name.
//
// The vendor documents its answers by examples that contradict each other in places, so the decoders take several
// shapes of the same thing, and the HTTP status counts more than the word `success`.
package hamsa
