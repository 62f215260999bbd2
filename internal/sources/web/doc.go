// Package web is the source for websites: pages that are listed, found in a sitemap or reached by following links.
//
// A scan has two phases. First the site is looked at: every address that the rules list is asked for once, with the validators of the
// last look, several at a time. Then the documents are given in the order of their keys. Scans of one run share the look. What a
// page gives is converted in the first phase and kept by its digest, so that opening a document asks nothing of the site; the
// digest is the fingerprint, so that a page that changes around an unchanged article is unchanged.
//
// Which addresses are documents, and under which keys, depends on the site and the configuration only. A page is the address that lists
// it, wherever redirects lead. Of addresses that are one page (a redirect to a listed page, a canonical address that is listed, the
// same content with and without a slash at the end) the one that the site means is the document. The first host of crawl.start, sitemap
// and urls is left out of keys; other hosts are their first element.
//
// It guarantees that a listing that ends without an error is complete, that credentials go to the listed hosts only,
// and that no redirect leads into a private network. It must not take a page for gone because a server was out of order: what answers
// 404 or 410, or leads to another listed page for now, counts as gone after several such answers in a row. A listing that suddenly has far
// fewer pages, and a site where most pages suddenly are the same, are believed only when they come again and again.
package web
