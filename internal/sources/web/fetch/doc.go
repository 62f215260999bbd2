// Package fetch gets pages over HTTP for the website source: politely, within bounds, and from nowhere that the
// configuration does not allow. It knows no documents.
//
// It guarantees that no address, redirect, name or reused connection leads into a private network unless the configuration
// names the host or allows it, that the headers of the configuration go to the named hosts only and neither they nor the
// query of an address come into an error or a log, and that a body which ends without an error is whole. An error never says
// that a page is gone: that is a page with the status 404 or 410. What a site asks for (Retry-After, Crawl-delay, fewer
// requests after a 429) is obeyed, and a host that fails again and again is left out for a while.
package fetch
