// Package web is the source for websites: pages that are listed, found in a sitemap or reached by following links.
//
// It guarantees that a listing that ends without an error is complete, that credentials go to the listed hosts only,
// and that no redirect leads into a private network. It must not take a page for gone because a server was out of order.
package web
