package contract

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"kbsyncd/internal/suggest"
)

// How likeness is judged: the most that each trait adds, what a candidate needs in all, and by how much it has to be
// ahead of the next one.
const (
	weighTag, weighVerb, weighPath, weighLast, weighEnd, weighName, weighDoes, weighBody = 2, 2, 3, 2, 1, 3, 3, 2

	enough      = 7.0
	aheadAsHit  = 0.75 // of the other requests of the document
	aheadAsGoal = 0.5  // of the other assumptions that would like it
)

// wanted is an assumption with what is read off it.
type wanted struct {
	Assumption
	path []segment
	hit  *offered // what the document has for it
}

// offered is an operation of the document as seen from the base URL.
type offered struct {
	*operation
	path  []segment
	words []string // of its path, identifier and summary
	tags  []string // their words
	taken bool     // some assumption is this very request
}

// Compare looks up every assumption in the document. The same input gives the same report.
func Compare(doc *Document, c Contract) Report {
	offers := doc.seenFrom(c.Base)
	wants := make([]*wanted, len(c.Routes))
	for i, a := range c.Routes {
		path, _ := split(a.Path)
		w := &wanted{Assumption: a, path: path}
		wants[i] = w
		for _, o := range offers {
			if o.method == a.Method && sameShape(o.path, path) {
				w.hit, o.taken = o, true
				break
			}
		}
	}
	out := Report{Of: len(wants)}
	moved := match(wants, offers)
	for _, w := range wants {
		differences := w.differences(moved[w], offers)
		if len(differences) == 0 {
			out.Agree++
		}
		out.Differences = append(out.Differences, differences...)
	}
	return out
}

// seenFrom gives the operations with their paths below the base URL. Of servers only the path counts, and only where the
// base URL has it too.
func (d *Document) seenFrom(base string) []*offered {
	prefix := ""
	if u, err := url.Parse(base); err == nil {
		prefix = strings.TrimRight(u.Path, "/")
	}
	var out []*offered
	for i := range d.operations {
		op := &d.operations[i]
		path := op.path
		for _, server := range append([]string{""}, d.servers...) {
			if below, ok := strings.CutPrefix(server+op.path, prefix+"/"); ok && prefix != "" {
				path = "/" + below
				break
			}
		}
		segments, ok := split(path)
		if !ok {
			continue
		}
		out = append(out, &offered{
			operation: op, path: segments, tags: stems(strings.Join(op.labels, " ")),
			words: slices.Concat(literals(segments), stems(op.id), stems(op.summary)),
		})
	}
	return out
}

// match finds for each assumption that the document does not have the request that is meant: the one that is clearly more
// like it than every other, and is more like it than like any other assumption.
func match(wants []*wanted, offers []*offered) map[*wanted]*offered {
	best := map[*wanted]*offered{}
	for _, w := range wants {
		if w.hit != nil {
			continue
		}
		if i := clear(len(offers), aheadAsHit, func(i int) float64 { return w.likeness(offers[i]) }); i >= 0 {
			best[w] = offers[i]
		}
	}
	out := map[*wanted]*offered{}
	for w, o := range best {
		i := clear(len(wants), aheadAsGoal, func(i int) float64 {
			if wants[i].hit != nil {
				return 0
			}
			return wants[i].likeness(o)
		})
		if i >= 0 && wants[i] == w {
			out[w] = o
		}
	}
	return out
}

// clear gives the index with the highest score, when that is high enough and by so much ahead of the next; else -1.
func clear(n int, ahead float64, score func(i int) float64) int {
	best, first, second := -1, 0.0, 0.0
	for i := range n {
		switch s := score(i); {
		case s > first:
			best, first, second = i, s, first
		case s > second:
			second = s
		}
	}
	if first < enough || first-second < ahead {
		return -1
	}
	return best
}

// likeness is 0 for what can never be meant.
func (w *wanted) likeness(o *offered) float64 {
	if o.taken || !w.bears(o) || !w.meant(o) {
		return 0
	}
	var score float64
	score += weighTag * found(stems(strings.Join(w.Tags, " ")), o.tags)
	if w.Method == o.method {
		score += weighVerb
	}
	score += weighPath * alike(literals(w.path), literals(o.path))
	score += weighLast * alike(lastLiteral(w.path), lastLiteral(o.path))
	if w.endsLike(o) {
		score += weighEnd
	}
	score += weighName * found(stems(w.Name), o.words)
	if o.does(w.Name) {
		score += weighDoes
	}
	switch {
	case len(w.Body) > 0:
		score += weighBody * found(w.Body, o.body.names)
	case o.body.known && len(o.body.names) == 0:
		score += weighBody
	}
	return score
}

// meant tells whether anything but kinship speaks for a request: what is done, its last word, all fields of its body, or, where
// there is none, most of its path. Whatever else can be done with one thing has the tag, the verb and the beginning of the path in common.
func (w *wanted) meant(o *offered) bool {
	name := stems(w.Name)
	switch {
	case slices.Contains(o.words, name[len(name)-1]), alike(lastLiteral(w.path), lastLiteral(o.path)) > 0:
		return true
	case len(w.Body) > 0:
		return found(w.Body, o.body.names) == 1
	}
	return w.endsLike(o) && alike(literals(w.path), literals(o.path)) > 0.65
}

// endsLike tells whether both paths end with a placeholder, or both with a word.
func (w *wanted) endsLike(o *offered) bool {
	return w.path[len(w.path)-1].place == o.path[len(o.path)-1].place
}

// deadly are how words begin that speak of taking something away.
var deadly = []string{
	"archiv", "clear", "delet", "destr", "detach", "disabl", "drop", "eras", "purg", "remov", "reset", "trash", "truncat", "unlink", "wip",
}

func isDeadly(word string) bool {
	return slices.ContainsFunc(deadly, func(start string) bool { return strings.HasPrefix(word, start) })
}

// bears tells whether a request can take the place of the assumed one without doing harm: as many ids, reading stays reading,
// and what deletes nothing now will not.
func (w *wanted) bears(o *offered) bool {
	if places(w.path) != places(o.path) || (w.Method == http.MethodGet) != (o.method == http.MethodGet) {
		return false
	}
	says := slices.ContainsFunc(o.words, isDeadly)
	if w.Method == http.MethodDelete {
		return says || o.method == http.MethodDelete
	}
	return !says && (o.method != http.MethodDelete || o.does(w.Name))
}

// does tells whether the identifier or the summary begins with what an assumption does, which is the last word of its name.
// Identifiers may begin with a tag.
func (o *offered) does(name string) bool {
	verb := stems(name)
	for _, text := range []string{o.id, o.summary} {
		words := stems(text)
		for len(words) > 0 && slices.Contains(o.tags, words[0]) {
			words = words[1:]
		}
		if len(words) > 0 && words[0] == verb[len(verb)-1] {
			return true
		}
	}
	return false
}

// differences says what is wrong with one assumption.
func (w *wanted) differences(moved *offered, offers []*offered) (out []Difference) {
	add := func(route, format string, args ...any) {
		out = append(out, Difference{Name: w.Name, Route: route, Text: w.Name + ": " + fmt.Sprintf(format, args...)})
	}
	at := w.hit
	switch {
	case at != nil:
	case moved == nil:
		text := "the document has no such route"
		if near := w.nearest(offers); len(near) > 0 {
			text += "; it may be " + strings.Join(near, " or ")
		}
		add("", "the client sends %s; %s", w.Route(), text)
		return out
	default:
		at = moved
		route := ""
		if w.Guessed {
			route = at.method + " " + w.renamed(at.path)
		}
		add(route, "the client sends %s; the document has %s", w.Route(), at.shown())
	}
	w.compare("parameter", w.Query, at.query, at, add)
	w.compare("field", w.Body, at.body, at, add)
	return out
}

// shown is the operation as the document writes it, below the base URL.
func (o *offered) shown() string { return o.method + " " + join(o.path) }

// compare looks for names that the document does not know, and for those that it requires.
func (w *wanted) compare(what string, sent []string, has params, at *offered, add func(route, format string, args ...any)) {
	if !has.known {
		return
	}
	for _, name := range sent {
		if slices.Contains(has.names, name) {
			continue
		}
		says := "none"
		switch near := suggest.Nearest(name, has.names); {
		case near != "":
			says = near
		case len(has.names) > 0:
			says = strings.Join(has.names[:min(len(has.names), 8)], ", ")
		}
		add("", "the client sends the %s %s with %s; the document has %s", what, name, at.shown(), says)
	}
	for _, name := range has.required {
		if !slices.Contains(sent, name) {
			add("", "the document requires the %s %s with %s; the client does not send it", what, name, at.shown())
		}
	}
}

// nearest are at most three requests that a human should look at.
func (w *wanted) nearest(offers []*offered) []string {
	type scored struct {
		text  string
		score float64
	}
	var all []scored
	for _, o := range offers {
		score := weighPath*alike(literals(w.path), literals(o.path)) + weighName*found(stems(w.Name), o.words)
		if !o.taken && (w.Method == http.MethodGet) == (o.method == http.MethodGet) && score >= enough/2 {
			all = append(all, scored{o.shown(), score})
		}
	}
	slices.SortStableFunc(all, func(a, b scored) int { return int(b.score*1000) - int(a.score*1000) })
	var out []string
	for _, s := range all[:min(len(all), 3)] {
		out = append(out, s.text)
	}
	return out
}

// renamed is a path of the document with the placeholders of the client: by their names, else by the word before them,
// else in their order.
func (w *wanted) renamed(path []segment) string {
	out := slices.Clone(path)
	done := make([]bool, len(path))
	var left []int // our placeholders that have no place yet
	for i, s := range w.path {
		if s.place {
			left = append(left, i)
		}
	}
	assign := func(same func(ours, theirs int) bool) {
		left = slices.DeleteFunc(left, func(ours int) bool {
			for theirs := range path {
				if path[theirs].place && !done[theirs] && same(ours, theirs) {
					out[theirs].text, done[theirs] = w.path[ours].text, true
					return true
				}
			}
			return false
		})
	}
	before := func(p []segment, i int) []string {
		if i == 0 || p[i-1].place {
			return nil
		}
		return stems(p[i-1].text)
	}
	assign(func(ours, theirs int) bool { return slices.Equal(stems(w.path[ours].text), stems(path[theirs].text)) })
	assign(func(ours, theirs int) bool { return alike(before(w.path, ours), before(path, theirs)) > 0 })
	assign(func(int, int) bool { return true })
	return join(out)
}

func join(path []segment) string {
	var b strings.Builder
	for _, s := range path {
		b.WriteByte('/')
		if s.place {
			b.WriteString("{" + s.text + "}")
			continue
		}
		b.WriteString(s.text)
	}
	return b.String()
}
