// Package article takes an HTML page apart: its main content as Markdown, its title and its links, and whether it is what it
// claims to be. It knows no network.
package article
