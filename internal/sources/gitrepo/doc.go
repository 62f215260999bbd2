// Package gitrepo is the source for documents in a git repository.
//
// It guarantees that a scan lists one commit as a whole, and that an unchanged branch costs one look at its
// tip. It must not run hooks, check out files or ask for a password.
package gitrepo
