// Package filter decides by names alone which files of a tree are documents: hidden and temporary files are left out, then
// what the globs of the configuration and the .kbsyncignore files leave out. Paths are NFC, slash-separated and relative to the root.
package filter
