// Package gitrepo is the source for documents in a git repository. It works through the git command.
//
// It guarantees that a scan lists one commit as a whole, and that an unchanged branch costs one look at its tip: the listing of the commit is
// then read from the cache, a bare repository of one commit without blobs. Blobs are fetched in one batch, when they are to be read.
//
// Nothing of the repository reaches the file system under its own name: trees are read object by object, nothing is checked out, no hook, filter or
// configuration of the repository is obeyed, and nothing asks for a password. Links are followed inside the tree of the commit. Every object that is read is held
// against its name, so that a damaged cache gives an error or is made anew, and never other content.
//
// A scan fails, and nothing of the source is deleted, when the server cannot be reached or refuses, when the branch or tag does not exist, when the
// repository is empty, and when the directory of the configuration is not in the commit.
package gitrepo
