// Package fetch gets pages over HTTP for the website source: politely, within bounds, and from nowhere that the
// configuration does not allow. It knows no documents.
package fetch
