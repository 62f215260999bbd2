package simulator

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// wireHamsaList is the data of a list of items.
type wireHamsaList struct {
	Total    int             `json:"total"`
	Filtered int             `json:"filtered"`
	Items    []wireHamsaItem `json:"items"`
}

func (s *Hamsa) listItems(c *call) answer {
	q := c.r.URL.Query()
	p, err := s.readPage(q.Get)
	if err != nil {
		return s.bad(c, "%v", err)
	}
	if err := checkHamsaFilters(q); err != nil {
		return s.bad(c, "%v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	agent := s.agent(q.Get("voiceAgentId"))
	items := []*hamsaItem{}
	for _, it := range s.items {
		if s.fits(it, agent, q) {
			items = append(items, it)
		}
	}
	sortHamsa(items, q)
	list := wireHamsaList{Total: len(s.items), Filtered: len(items), Items: []wireHamsaItem{}}
	from, to := p.cut(len(items), s.shift(p))
	for _, it := range items[from:to] {
		list.Items = append(list.Items, s.wireItem(it, agent))
	}
	return s.success(http.StatusOK, "", list)
}

// several is a parameter that may be given several times, with or without brackets.
func several(q url.Values, name string) []string {
	return append(slices.Clone(q[name]), q[name+"[]"]...)
}

// checkHamsaFilters tells which documented value a parameter does not have.
func checkHamsaFilters(q url.Values) error {
	known := map[string][]string{
		"type":       {"TEXT", "URL", "FILE"},
		"status":     hamsaStatuses,
		"extensions": {"pdf", "docx", "doc", "txt", "html", "epub"},
		"sortField":  {"words", "createdAt", "fileSize"},
		"sortOrder":  {"asc", "desc"},
		"isActive":   {"true", "false"},
		"used":       {"true", "false"},
	}
	for name, values := range known {
		for _, v := range several(q, name) {
			if !slices.Contains(values, v) {
				return fmt.Errorf("%s=%s is not one of %s", name, v, strings.Join(values, ", "))
			}
		}
	}
	return nil
}

// fits tells whether an item passes the filters of a list. An agent that does not exist holds nothing. The lock must be
// held.
func (s *Hamsa) fits(it *hamsaItem, agent *hamsaAgent, q url.Values) bool {
	among := func(name, value string) bool {
		wanted := several(q, name)
		return len(wanted) == 0 || slices.Contains(wanted, value)
	}
	is := func(name string, value bool) bool {
		return q.Get(name) == "" || q.Get(name) == strconv.FormatBool(value)
	}
	search := strings.ToLower(q.Get("search"))
	if q.Get("voiceAgentId") != "" && (agent == nil || !agent.has[it.id]) {
		return false
	}
	return (s.opts.IgnoreSearch || strings.Contains(strings.ToLower(it.name), search)) && among("type", it.kind) &&
		among("status", s.word(it)) && among("extensions", it.extension()) && is("isActive", s.active(it, agent)) &&
		is("used", s.used(it.id))
}

// sortHamsa sorts items that are in creation order; the newest come first unless the request says otherwise.
func sortHamsa(items []*hamsaItem, q url.Values) {
	switch q.Get("sortField") {
	case "words":
		slices.SortStableFunc(items, func(a, b *hamsaItem) int {
			return cmp.Compare(len(strings.Fields(a.content)), len(strings.Fields(b.content)))
		})
	case "fileSize":
		slices.SortStableFunc(items, func(a, b *hamsaItem) int { return cmp.Compare(len(a.content), len(b.content)) })
	}
	if q.Get("sortOrder") != "asc" {
		slices.Reverse(items)
	}
}

// shift is how far a page of items is moved, by changes that other users seem to make. The lock must be held.
func (s *Hamsa) shift(p hamsaPage) int {
	if p.skip == 1 {
		s.listings++
	}
	switch {
	case p.skip == 1:
		return 0
	case s.opts.RepeatItems:
		return -1
	case s.opts.LoseItems && s.listings%2 == 1:
		return 1
	}
	return 0
}
