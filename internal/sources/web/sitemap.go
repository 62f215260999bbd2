package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"net/url"
	"strings"

	"golang.org/x/net/html/charset"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/kb"
)

// Bounds of sitemaps.
const (
	maxSitemap   = 50 << 20 // bytes of one, unpacked
	maxGap       = 64 << 10 // bytes between two tags
	maxSitemaps  = 500
	maxNesting   = 3
	maxAddresses = 100_000  // in all sitemaps
	maxListed    = 32 << 20 // bytes of the addresses of one, and twice that of all
	maxExamples  = 3
	maxExample   = 100 // bytes
)

// sitemap is what one file lists: clean addresses, on whatever host they are.
type sitemap struct {
	pages      []string
	maps       []string // of an index
	unreadable int      // entries that are no address
	examples   []string // of them, for people
	bytes      int      // of the addresses
}

// errTooMany is a sitemap beyond all bounds.
var errTooMany = fault.New(fault.ErrIncomplete, "more than %d addresses, or very long ones; nothing is deleted", maxAddresses).
	WithHint("use a sitemap of the part that is wanted")

// readSitemap reads XML or a list of addresses, also packed with gzip. It reads no entities and no document type, and no more than
// maxSitemap bytes. base is the address of the file itself.
func readSitemap(r io.Reader, contentType string, base *url.URL) (sitemap, error) {
	b := bufio.NewReaderSize(r, 512)
	if magic, _ := b.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(b)
		if err != nil {
			return sitemap{}, err
		}
		defer func() { _ = z.Close() }()
		b = bufio.NewReaderSize(z, 512)
	}
	head, _ := b.Peek(512)
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	media, _, _ := mime.ParseMediaType(contentType)
	switch {
	case bytes.HasPrefix(head, []byte("<")):
		return readXML(&bounded{r: b, left: maxSitemap, gap: maxGap}, base)
	case media == "text/plain" || bytes.HasPrefix(head, []byte("http")):
		return readLines(&bounded{r: b, left: maxSitemap, gap: maxSitemap}, base)
	case len(head) == 0:
		return sitemap{}, errors.New("it is empty")
	}
	return sitemap{}, errors.New("it is no XML")
}

// bounded fails when there is more than it may give, or too much without a tag: the XML reader keeps a whole text in memory.
type bounded struct {
	r         io.Reader
	left, gap int
	since     int // bytes since the last tag
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("it is larger than 50 MB")
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	b.since += n
	if i := bytes.LastIndexByte(p[:n], '<'); i >= 0 {
		b.since = n - i
	}
	if b.since > b.gap {
		return 0, errors.New("it holds a text of more than 64 kB")
	}
	return n, err
}

// readXML takes the loc elements of a urlset or a sitemapindex.
func readXML(r io.Reader, base *url.URL) (sitemap, error) {
	d := xml.NewDecoder(r)
	d.CharsetReader = charset.NewReaderLabel
	var (
		s     sitemap
		path  []string
		text  strings.Builder
		long  bool // there was more than text holds
		ended bool
	)
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return sitemap{}, err
		}
		switch t := t.(type) {
		case xml.Directive:
			return sitemap{}, errors.New("it has a document type, which a sitemap has not")
		case xml.StartElement:
			path = append(path, t.Name.Local)
			if len(path) > 20 {
				return sitemap{}, errors.New("it is nested too deep")
			}
			if len(path) == 1 && t.Name.Local != "urlset" && t.Name.Local != "sitemapindex" {
				return sitemap{}, errors.New("it is no sitemap, but begins with <" + clipped(t.Name.Local) + ">")
			}
			if len(path) == 3 {
				text.Reset()
				long = false
			}
		case xml.CharData:
			if len(path) == 3 {
				long = long || text.Len()+len(t) > 2*maxAddress
				text.Write(t[:min(len(t), max(0, 2*maxAddress-text.Len()))])
			}
		case xml.EndElement:
			if err := s.take(path, strings.TrimSpace(text.String()), long, base); err != nil {
				return sitemap{}, err
			}
			path = path[:len(path)-1]
			ended = len(path) == 0
		}
	}
	if !ended {
		return sitemap{}, errors.New("it ends in the middle")
	}
	return s, nil
}

// take notes the address in an element that ends. A part of a longer one is another address.
func (s *sitemap) take(path []string, text string, part bool, base *url.URL) error {
	switch {
	case len(path) != 3 || path[2] != "loc" || text == "":
		return nil
	case part:
		return s.add(nil, text, nil)
	case path[0] == "urlset" && path[1] == "url":
		return s.add(&s.pages, text, base)
	case path[0] == "sitemapindex" && path[1] == "sitemap":
		return s.add(&s.maps, text, base)
	}
	return nil
}

// add notes an entry in a list; without one it is none that can be read.
func (s *sitemap) add(to *[]string, text string, base *url.URL) error {
	address, ok := "", false
	if to != nil {
		address, ok = listedAddress(text, base)
	}
	if ok {
		*to = append(*to, address)
		s.bytes += len(address)
	} else {
		s.strange(example(text))
	}
	if len(s.pages)+len(s.maps)+s.unreadable > maxAddresses || s.bytes > maxListed {
		return errTooMany
	}
	return nil
}

// strange counts an entry that is no address.
func (s *sitemap) strange(text string) {
	s.unreadable++
	if len(s.examples) < maxExamples {
		s.examples = append(s.examples, text)
	}
}

// listedAddress reads an entry. Generators that write relative addresses mean them as a browser does, although the protocol has none.
func listedAddress(text string, base *url.URL) (string, bool) {
	if u, ok := parseAddress(text); ok {
		return u.String(), true
	}
	to, err := url.Parse(strings.TrimSpace(text))
	if err != nil || base == nil || to.Scheme != "" || to.Path == "" {
		return "", false
	}
	u, ok := parseAddress(base.ResolveReference(to).String())
	if !ok {
		return "", false
	}
	return u.String(), true
}

// example is an entry for people, without what may be secret in an address.
func example(text string) string {
	text = shown(text)
	if i := strings.LastIndexByte(text, '@'); i >= 0 {
		text = "…" + text[i:]
	}
	if len(text) > maxExample {
		text = text[:maxExample] + "…"
	}
	return kb.Printable(strings.ToValidUTF8(text, ""))
}

func clipped(s string) string { return s[:min(len(s), 40)] }

// readLines takes one address from each line.
func readLines(r io.Reader, base *url.URL) (sitemap, error) {
	var s sitemap
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line == "" {
			continue
		}
		if !strings.HasPrefix(line, "http://") && !strings.HasPrefix(line, "https://") {
			return sitemap{}, errors.New("a line of it is no address")
		}
		if err := s.add(&s.pages, line, base); err != nil {
			return sitemap{}, err
		}
	}
	if err := lines.Err(); err != nil {
		return sitemap{}, err
	}
	return s, nil
}
