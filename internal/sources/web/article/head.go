package article

import (
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

const (
	maxLinks   = 50_000
	maxAddress = 4 << 10 // bytes of one
)

// head is what a page says about itself.
type head struct {
	title, ogTitle, site string
	generator            string // in lower case
	canonical, refresh   string
	noIndex, noFollow    bool
	base                 *url.URL
	scripts              int
	classes              map[string]bool // the classes of all elements, such as .note, and their ids, such as #main
}

// survey reads in one pass what the whole page is asked for.
func survey(root *html.Node, address *url.URL) *head {
	h := &head{base: address, classes: make(map[string]bool)}
	canonical, refresh, based := "", "", false
	walk(root, func(n *html.Node) bool {
		switch n.Data {
		case "title":
			if h.title == "" && n.FirstChild != nil {
				h.title = oneLine(n.FirstChild.Data)
			}
		case "meta":
			h.meta(n, &refresh)
		case "base":
			if u := resolve(address, attr(n, "href")); u != nil && !based {
				h.base, based = u, true
			}
		case "link":
			if canonical == "" && strings.EqualFold(attr(n, "rel"), "canonical") {
				canonical = attr(n, "href")
			}
		case "script":
			h.scripts++
		}
		h.mark(n)
		return true
	})
	if u := resolve(h.base, canonical); u != nil && canonical != "" {
		u.Fragment, u.RawFragment = "", ""
		h.canonical = u.String()
	}
	h.refresh = refreshTarget(h.base, address, refresh)
	return h
}

// mark notes the classes and the id of an element.
func (h *head) mark(n *html.Node) {
	if len(h.classes) > 20_000 {
		return
	}
	for c := range strings.FieldsSeq(attr(n, "class")) {
		h.classes["."+c] = true
	}
	if id := attr(n, "id"); id != "" {
		h.classes["#"+id] = true
	}
}

func (h *head) meta(n *html.Node, refresh *string) {
	content := attr(n, "content")
	switch name := strings.ToLower(attr(n, "name") + attr(n, "property")); name {
	case "og:title":
		h.ogTitle = oneLine(content)
	case "og:site_name":
		h.site = oneLine(content)
	case "generator":
		h.generator += " " + strings.ToLower(content)
	case "robots":
		for word := range strings.SplitSeq(strings.ToLower(content), ",") {
			word = strings.TrimSpace(word)
			h.noIndex = h.noIndex || word == "noindex" || word == "none"
			h.noFollow = h.noFollow || word == "nofollow" || word == "none"
		}
	}
	if *refresh == "" && strings.EqualFold(attr(n, "http-equiv"), "refresh") {
		*refresh = content
	}
}

// refreshTarget is where "0; url=…" leads. A page that only loads itself again leads nowhere, and one that waits is to be read.
func refreshTarget(base, address *url.URL, content string) string {
	wait, to, _ := strings.Cut(strings.ReplaceAll(content, ",", ";"), ";")
	if seconds, err := strconv.ParseFloat(strings.TrimSpace(wait), 64); err != nil || seconds > 1 {
		return ""
	}
	to = strings.TrimSpace(to)
	if len(to) > 3 && strings.EqualFold(to[:3], "url") {
		to = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(to[3:]), "="))
	}
	u := resolve(base, strings.Trim(to, `"' `))
	if to == "" || u == nil || withoutFragment(u) == withoutFragment(address) {
		return ""
	}
	return u.String()
}

// inAddress takes out what browsers leave out of addresses.
var inAddress = strings.NewReplacer("\n", "", "\t", "", "\r", "")

// resolve makes an address absolute; nil when it is none of the web.
func resolve(base *url.URL, ref string) *url.URL {
	ref = strings.TrimSpace(ref)
	if len(ref) > maxAddress {
		return nil
	}
	if strings.ContainsAny(ref, "\n\t\r") {
		ref = inAddress.Replace(ref)
	}
	u, err := base.Parse(ref)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil
	}
	u.User = nil
	return u
}

func withoutFragment(u *url.URL) string {
	c := *u
	c.Fragment, c.RawFragment, c.User = "", "", nil
	return c.String()
}

// links are the addresses that a page leads to.
func (h *head) links(root *html.Node) (all []string) {
	if h.noFollow {
		return nil
	}
	seen := make(map[string]bool)
	walk(root, func(n *html.Node) bool {
		ref := ""
		switch n.Data {
		case "a", "area":
			ref = attr(n, "href")
		case "frame":
			ref = attr(n, "src")
		}
		if ref == "" || len(all) >= maxLinks {
			return true
		}
		if u := resolve(h.base, ref); u != nil {
			if s := withoutFragment(u); !seen[s] {
				seen[s] = true
				all = append(all, s)
			}
		}
		return true
	})
	return all
}

// absolute rewrites the addresses below n, to what lasts. Those that are none of the web, of mail or of a telephone are dropped, and what
// they stand at stays.
func (h *head) absolute(root *html.Node, address *url.URL) {
	walk(root, func(n *html.Node) bool {
		if has(n, mailAttr) {
			showMail(n)
		}
		switch n.Data {
		case "a":
			if ref := strings.TrimSpace(attr(n, "href")); ref != "" {
				h.link(n, ref, address)
			}
		case "img":
			ref := strings.TrimSpace(attr(n, "src"))
			if lazy := attr(n, "data-src"); lazy != "" && (ref == "" || strings.HasPrefix(ref, "data:")) {
				ref = lazy
			}
			if u := resolve(h.base, ref); u != nil && ref != "" {
				setAttr(n, "src", steady(u, true).String())
			} else {
				removeAttr(n, "src")
			}
		}
		return true
	})
}

// oneLine is s without line breaks and runs of spaces, cut to what a title may be.
func oneLine(s string) string {
	const most = 300
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	for i := range s {
		if i > most {
			return s[:i] + "…"
		}
	}
	return s
}
