package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"strings"

	"golang.org/x/net/html/charset"

	"kbsyncd/internal/fault"
)

// Bounds of sitemaps.
const (
	maxSitemap   = 50 << 20 // bytes of one, unpacked
	maxGap       = 64 << 10 // bytes between two tags
	maxSitemaps  = 500
	maxNesting   = 3
	maxAddresses = 100_000 // in all sitemaps
)

// sitemap is what one file lists.
type sitemap struct {
	pages []string
	maps  []string // of an index
}

// errTooMany is a sitemap beyond all bounds.
var errTooMany = fault.New(fault.ErrIncomplete, "more than %d addresses; nothing is deleted", maxAddresses).
	WithHint("use a sitemap of the part that is wanted")

// readSitemap reads XML or a list of addresses, also packed with gzip. It reads no entities and no document type, and no more than
// maxSitemap bytes.
func readSitemap(r io.Reader, contentType string) (sitemap, error) {
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
		return readXML(&bounded{r: b, left: maxSitemap, gap: maxGap})
	case media == "text/plain" || bytes.HasPrefix(head, []byte("http")):
		return readLines(&bounded{r: b, left: maxSitemap, gap: maxSitemap})
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
func readXML(r io.Reader) (sitemap, error) {
	d := xml.NewDecoder(r)
	d.CharsetReader = charset.NewReaderLabel
	var (
		s     sitemap
		path  []string
		text  strings.Builder
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
			text.Reset()
		case xml.CharData:
			if len(path) == 3 && text.Len()+len(t) <= 2*maxAddress {
				text.Write(t)
			}
		case xml.EndElement:
			if err := s.take(path, strings.TrimSpace(text.String())); err != nil {
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

// take notes the address in an element that ends.
func (s *sitemap) take(path []string, text string) error {
	if len(path) != 3 || path[2] != "loc" || text == "" {
		return nil
	}
	switch {
	case path[0] == "urlset" && path[1] == "url":
		s.pages = append(s.pages, text)
	case path[0] == "sitemapindex" && path[1] == "sitemap":
		s.maps = append(s.maps, text)
	}
	if len(s.pages) > maxAddresses || len(s.maps) > maxAddresses {
		return errTooMany
	}
	return nil
}

func clipped(s string) string { return s[:min(len(s), 40)] }

// readLines takes one address from each line.
func readLines(r io.Reader) (sitemap, error) {
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
		if s.pages = append(s.pages, line); len(s.pages) > maxAddresses {
			return sitemap{}, errTooMany
		}
	}
	return s, lines.Err()
}

// encode writes a sitemap as it is kept between looks.
func (s sitemap) encode() []byte {
	var b bytes.Buffer
	for _, l := range [][]string{s.pages, s.maps} {
		for _, a := range l {
			b.WriteString(strings.Join(strings.Fields(a), "%20"))
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// decodeSitemap reads what encode wrote.
func decodeSitemap(b []byte) sitemap {
	pages, rest, _ := strings.Cut(string(b), "\n\n")
	if strings.HasPrefix(string(b), "\n") {
		pages, rest = "", string(b[1:])
	}
	return sitemap{pages: fields(pages), maps: fields(rest)}
}

func fields(s string) []string { return strings.Fields(s) }
