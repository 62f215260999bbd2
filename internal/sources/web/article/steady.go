package article

import (
	"encoding/hex"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/net/html"
)

// A site may write a link or an image in another way each time it is asked, for every visitor his own. Such a page would be a new version
// on every look, and what is only for one visitor does not belong in a knowledge base. So addresses are rewritten to what lasts.

var (
	// sessions are parameters that tell visitors apart, and signatures those that let whoever has the address in for a while.
	sessions   = set("jsessionid phpsessid aspsessionid sessionid session_id oscsid zenid cftoken cfid")
	signatures = set("signature awsaccesskeyid googleaccessid key-pair-id")
	signing    = []string{"x-amz-", "x-goog-"}
	// busters are what is added to the address of an image so that caches let go of it, and grants what lets it be seen.
	busters = set("v _ t ts cb ver rev rnd rand random version timestamp cachebuster cache nocache bust")
	grants  = set("expires policy token sig se st sp sv sr spr skoid sktid skt ske sks skv")
	// programs are extensions of addresses that mean something else with every query.
	programs = set(".php .asp .aspx .ashx .jsp .cgi .pl .do")
	// inPath is the identifier of a session in a path.
	inPath = regexp.MustCompile(`(?i);(?:jsessionid|phpsessid|sid|sessionid)=[^/;]*|/\(S\([a-z0-9]{16,}\)\)`)
)

// steady is an address without what is only for one visitor.
func steady(u *url.URL, image bool) *url.URL {
	c := *u
	if p := u.EscapedPath(); inPath.MatchString(p) {
		p = inPath.ReplaceAllString(p, "")
		if plain, err := url.PathUnescape(p); err == nil {
			c.Path, c.RawPath = plain, p
		}
	}
	if u.RawQuery == "" {
		return &c
	}
	file := path.Ext(u.Path) != "" && !programs[strings.ToLower(path.Ext(u.Path))]
	var kept []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(part, "=")
		name = strings.ToLower(name)
		switch {
		case passing(name), name == "sid" && random(value):
		case image && (grants[name] || strings.HasPrefix(name, "utm_") || file && busters[name]):
		default:
			kept = append(kept, part)
		}
	}
	c.RawQuery = strings.Join(kept, "&")
	return &c
}

// passing tells a parameter that is for one visitor or for a while, whatever address it is in.
func passing(name string) bool {
	if sessions[name] || signatures[name] {
		return true
	}
	for _, p := range signing {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// random tells a name that a program seems to have drawn: a part of it is a long number, or mixes letters and digits as no word does.
func random(name string) bool {
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if len(part) < 8 {
			continue
		}
		digits, switches, base16 := 0, 0, true
		before := false
		for i, r := range part {
			digit := unicode.IsDigit(r)
			if digit {
				digits++
			}
			if i > 0 && digit != before {
				switches++
			}
			before = digit
			base16 = base16 && (digit || 'a' <= r && r <= 'f' || 'A' <= r && r <= 'F')
		}
		if switches >= 3 || digits > 0 && base16 {
			return true
		}
	}
	return false
}

// link rewrites where a link leads. One that cannot be kept is dropped, and its text stays.
func (h *head) link(a *html.Node, ref string, address *url.URL) {
	u := resolve(h.base, ref)
	if u == nil {
		if scheme, _, _ := strings.Cut(strings.ToLower(ref), ":"); scheme != "mailto" && scheme != "tel" {
			removeAttr(a, "href")
		}
		return
	}
	if strings.HasSuffix(u.Path, hiddenMail) {
		to, ok := mailOf(u.Fragment)
		if !ok {
			to, ok = mailOf(attr(a, mailAttr))
		}
		if removeAttr(a, "href"); ok {
			setAttr(a, "href", "mailto:"+to)
		}
		return
	}
	here := withoutFragment(u) == withoutFragment(address)
	switch {
	case here && within(a, isHeading) != nil: // a heading that links to itself
		removeAttr(a, "href")
		if strings.Trim(textOf(a), "¶§#🔗") == "" {
			remove(a)
		}
	case here && (address.RawQuery != "" || random(u.Fragment)):
		// The query may be what one redirect gave to one visitor, and without it this is another page.
		removeAttr(a, "href")
	default:
		setAttr(a, "href", steady(u, false).String())
	}
}

// What Cloudflare makes of addresses of mail: a link to hiddenMail, and an attribute on what shows the address.
const (
	hiddenMail = "/cdn-cgi/l/email-protection"
	mailAttr   = "data-cfemail"
	maxMail    = 500 // bytes of one in hexadecimal
)

// mailOf decodes an address of mail that is hidden from robots: each byte was combined with the first one, which is drawn anew each time.
func mailOf(hidden string) (string, bool) {
	if len(hidden) > maxMail {
		return "", false
	}
	b, err := hex.DecodeString(hidden)
	if err != nil || len(b) < 4 {
		return "", false
	}
	plain := make([]byte, len(b)-1)
	for i, c := range b[1:] {
		plain[i] = c ^ b[0]
	}
	mail, _, _ := strings.Cut(string(plain), "?")
	name, host, ok := strings.Cut(mail, "@")
	for _, r := range mail {
		ok = ok && r > ' ' && r < 0x7f && !strings.ContainsRune(`<>()[]"\`, r)
	}
	return mail, ok && name != "" && host != "" && !strings.Contains(host, "@")
}

// showMail puts an address of mail that is hidden from robots in its place.
func showMail(n *html.Node) {
	if mail, ok := mailOf(attr(n, mailAttr)); ok {
		for n.FirstChild != nil {
			n.RemoveChild(n.FirstChild)
		}
		n.AppendChild(text(mail))
	}
}
