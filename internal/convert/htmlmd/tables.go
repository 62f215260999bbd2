package htmlmd

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxSpan is the most columns or rows that one cell may cover.
const maxSpan = 100

// row is a row of a table with its cells.
type row struct {
	cells  []*html.Node
	header bool // it is all headings
}

// table makes a table rectangular, with at most one row of headings and each cell on one line. A table that arranges a page
// rather than data becomes a sequence of divisions.
func (t *tidier) table(n *html.Node) {
	rows, caption := tableRowsOf(n)
	if caption != nil {
		caption.Parent.RemoveChild(caption)
		retag(caption, "p")
		n.Parent.InsertBefore(caption, n)
	}
	if attr(n, "role") == "presentation" || attr(n, "role") == "none" || isLayout(n, rows) {
		unfold(n, rows)
		return
	}
	grid, width := t.grid(rows)
	if width < 2 || t.cells < 0 {
		unfold(n, rows)
		return
	}
	for n.FirstChild != nil {
		n.RemoveChild(n.FirstChild)
	}
	n.Attr = nil
	for i, cells := range grid {
		tr := element("tr")
		empty := true
		for _, c := range cells {
			if c == nil {
				c = element("td")
			} else {
				c.Parent.RemoveChild(c)
			}
			setCell(c, i == 0 && rows[0].header)
			empty = empty && strings.TrimSpace(textOf(c)) == "" && first(c, func(e *html.Node) bool { return e.Data == "img" }) == nil
			tr.AppendChild(c)
		}
		if !empty || i == 0 && rows[0].header {
			n.AppendChild(tr)
		}
	}
	if n.FirstChild == nil {
		retag(n, "div")
	}
}

// setCell makes a cell a heading or not; only its alignment stays.
func setCell(c *html.Node, header bool) {
	align := attr(c, "align")
	name := "td"
	if header {
		name = "th"
	}
	retag(c, name)
	if align == "left" || align == "right" || align == "center" {
		c.Attr = []html.Attribute{{Key: "align", Val: align}}
	}
	flatten(c)
}

func element(name string) *html.Node {
	return &html.Node{Type: html.ElementNode, Data: name, DataAtom: atom.Lookup([]byte(name))}
}

// tableRowsOf collects the rows of a table, not those of tables in it, and its caption.
func tableRowsOf(table *html.Node) (rows []row, caption *html.Node) {
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			if c.Type != html.ElementNode {
				continue
			}
			switch c.Data {
			case "tr":
				r := row{header: true}
				for cell := c.FirstChild; cell != nil; cell = cell.NextSibling {
					if cells[cell.Data] && cell.Type == html.ElementNode {
						r.cells = append(r.cells, cell)
						r.header = r.header && (cell.Data == "th" || n.Data == "thead")
					}
				}
				if len(r.cells) > 0 {
					rows = append(rows, r)
				}
			case "caption":
				if caption == nil {
					caption = c
				}
			case "thead", "tbody", "tfoot":
				walk(c)
			}
		}
	}
	walk(table)
	return rows, caption
}

// isLayout tells a table that cannot be one of Markdown, or that was none of data.
func isLayout(table *html.Node, rows []row) bool {
	if len(rows) == 0 || within(table, "a", "b", "strong", "em", "i", "del", "s", "strike") {
		return true
	}
	return first(table, func(n *html.Node) bool {
		switch n.Data {
		case "table", "blockquote", "hr":
			return true
		case "pre":
			return strings.Contains(textOf(n), "\n")
		}
		return headings[n.Data]
	}) != nil
}

// unfold makes of each row and of each cell a division.
func unfold(table *html.Node, rows []row) {
	for _, r := range rows {
		for _, c := range r.cells {
			retag(c, "div")
		}
		if len(r.cells) > 0 {
			retag(r.cells[0].Parent, "div")
		}
	}
	for c := table.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.ElementNode && tablePart[c.Data] {
			retag(c, "div")
		}
	}
	retag(table, "div")
}

// grid puts each cell where its and the others' spans place it. A nil is a place that no cell begins at.
func (t *tidier) grid(rows []row) (grid [][]*html.Node, width int) {
	var below []int // for each column, the rows that a cell above still covers
	for _, r := range rows {
		var line []*html.Node
		skip := func() {
			for len(line) < len(below) && below[len(line)] > 0 {
				below[len(line)]--
				line = append(line, nil)
			}
		}
		for _, c := range r.cells {
			skip()
			wide, high := span(c, "colspan"), span(c, "rowspan")
			for i := range wide {
				for len(below) <= len(line) {
					below = append(below, 0)
				}
				below[len(line)] = high - 1
				if i == 0 {
					line = append(line, c)
				} else {
					line = append(line, nil)
				}
			}
		}
		for len(line) < len(below) {
			below[len(line)] = max(0, below[len(line)]-1)
			line = append(line, nil)
		}
		grid = append(grid, line)
		width = max(width, len(line))
		if t.cells -= len(line) - len(r.cells); t.cells < 0 {
			return nil, 0
		}
	}
	for i := range grid {
		if t.cells -= width - len(grid[i]); t.cells < 0 {
			return nil, 0
		}
		for len(grid[i]) < width {
			grid[i] = append(grid[i], nil)
		}
	}
	return grid, width
}

func span(c *html.Node, key string) int {
	n, err := strconv.Atoi(strings.TrimSpace(attr(c, key)))
	if err != nil {
		return 1
	}
	return min(max(n, 1), maxSpan)
}
