package fetch

import (
	"bytes"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"kbsyncd/internal/kb"
)

const (
	maxRules    = 20_000
	maxSitemaps = 1000
	maxPattern  = 2048
)

// rules are what robots.txt says to one client, as RFC 9309 reads it: the groups that name the client count together, and
// those for everybody only when there is none.
type rules struct {
	list     []rule
	delay    time.Duration // Crawl-delay; 0: none
	sitemaps []string      // absolute
}

// rule is one Allow or Disallow.
type rule struct {
	allow  bool
	parts  []string // the literal parts of the pattern, between the asterisks
	ends   bool     // the pattern ends with $
	length int      // of the pattern; the longest decides
}

func (r *rule) shown() string {
	s := strings.Join(r.parts, "*")
	if r.ends {
		s += "$"
	}
	return kb.Printable(s)
}

// group is what applies to a set of clients while a file is read.
type group struct {
	list  []rule
	delay time.Duration
	named bool
}

// readRules reads robots.txt for a client. A line that cannot be understood is left out; the others count.
func readRules(text []byte, client string, base *url.URL) *rules {
	var mine, everybody group
	var current []*group // that the lines being read belong to
	out := &rules{}
	naming := false // the last line of a group that was read is a User-agent
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	for line := range bytes.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		line, _, _ = bytes.Cut(line, []byte("#"))
		key, value, ok := strings.Cut(string(line), ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch key = strings.ToLower(strings.TrimSpace(key)); key {
		case "user-agent":
			if !naming {
				current = nil
			}
			naming = true
			switch product(value) {
			case "*":
				everybody.named = true
				current = append(current, &everybody)
			case client:
				mine.named = true
				current = append(current, &mine)
			}
		case "allow", "disallow":
			naming = false
			add(current, key == "allow", value)
		case "crawl-delay":
			naming = false
			setDelay(current, value)
		case "sitemap":
			out.addSitemap(base, value)
		}
	}
	group := &everybody
	if mine.named {
		group = &mine
	}
	out.list, out.delay = group.list, group.delay
	return out
}

func add(groups []*group, allow bool, pattern string) {
	if pattern == "" || len(pattern) > maxPattern || pattern[0] != '/' && pattern[0] != '*' {
		return // an empty one forbids nothing
	}
	r := parseRule(allow, pattern)
	for _, g := range groups {
		if len(g.list) < maxRules {
			g.list = append(g.list, r)
		}
	}
}

func parseRule(allow bool, pattern string) rule {
	r := rule{allow: allow, length: len(pattern)}
	if rest, ok := strings.CutSuffix(pattern, "$"); ok {
		pattern, r.ends = rest, true
	}
	for part := range strings.SplitSeq(pattern, "*") {
		r.parts = append(r.parts, canonical(part))
	}
	return r
}

func setDelay(groups []*group, value string) {
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || !(seconds > 0) {
		return
	}
	for _, g := range groups {
		g.delay = time.Duration(min(seconds, maxCrawlDelay.Seconds()) * float64(time.Second))
	}
}

func (r *rules) addSitemap(base *url.URL, value string) {
	if value == "" || len(value) > maxAddress || len(r.sitemaps) >= maxSitemaps {
		return
	}
	u, err := base.Parse(value)
	if err != nil || normalize(u) != nil {
		return
	}
	if s := u.String(); !slices.Contains(r.sitemaps, s) {
		r.sitemaps = append(r.sitemaps, s)
	}
}

// decide is the rule that decides on a path with its query; nil when none does. The longest pattern counts, and of equal
// ones that which allows.
func (r *rules) decide(path string) *rule {
	path = canonical(path)
	var best *rule
	for i := range r.list {
		rule := &r.list[i]
		if best != nil && (rule.length < best.length || rule.length == best.length && (best.allow || !rule.allow)) {
			continue
		}
		if rule.matches(path) {
			best = rule
		}
	}
	return best
}

// matches takes each literal part at the first place where it fits, which is enough, and takes time in proportion to the path.
func (r *rule) matches(path string) bool {
	rest, ok := strings.CutPrefix(path, r.parts[0])
	if !ok {
		return false
	}
	if len(r.parts) == 1 {
		return !r.ends || rest == ""
	}
	last := len(r.parts) - 1
	for _, part := range r.parts[1:last] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	if r.ends {
		return strings.HasSuffix(rest, r.parts[last])
	}
	return strings.Contains(rest, r.parts[last])
}

// canonical brings the two ways in which a character can be written in a path to one: what may stand for itself does, all
// else is a %XX.
func canonical(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		ch := s[i]
		if ch == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				i += 2
				if ch = byte(n); unreserved(ch) {
					b.WriteByte(ch)
				} else {
					b.WriteString("%" + string(hex[ch>>4]) + string(hex[ch&15]))
				}
				continue
			}
		}
		if ch <= 0x20 || ch >= 0x7f {
			b.WriteString("%" + string(hex[ch>>4]) + string(hex[ch&15]))
			continue
		}
		b.WriteByte(ch)
	}
	return b.String()
}

func unreserved(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("-._~", b) >= 0
}
