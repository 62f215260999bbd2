package htmlmd

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"kbsyncd/internal/convert/markup"
)

// maxSpan is the most columns or rows that one cell may cover.
const maxSpan = 100

// row is a row of a table with its cells.
type row struct {
	cells []*html.Node
}

// maxCell is the most text of a cell, and the most elements in it, that Markdown's tables do justice to.
const (
	maxCell         = 4 << 10
	maxCellElements = 200
)

// table writes a table with each cell on one line. A table that arranges a page rather than data becomes a sequence of paragraphs.
func (w *walker) table(n *html.Node) {
	rows, caption := tableRowsOf(n)
	if caption != nil {
		w.children(caption)
		w.flush()
		caption.Parent.RemoveChild(caption)
	}
	var grid [][]*html.Node
	width := 0
	if role := attr(n, "role"); role != "presentation" && role != "none" && !isLayout(n, rows) {
		grid, width = w.grid(rows)
	}
	if width < 2 {
		unfold(n, rows)
		w.children(n)
		return
	}
	out := make([][]markup.Inline, len(grid))
	for i, cells := range grid {
		out[i] = make([]markup.Inline, len(cells))
		for j, c := range cells {
			if c != nil {
				flat := &markup.Flat{}
				sub := &walker{out: flat, limit: w.limit}
				sub.children(c)
				sub.flush()
				out[i][j] = flat.Inline
			}
		}
	}
	w.out.Table(out)
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
				r := row{}
				for cell := c.FirstChild; cell != nil; cell = cell.NextSibling {
					if cells[cell.Data] && cell.Type == html.ElementNode {
						r.cells = append(r.cells, cell)
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
	for _, r := range rows {
		for _, c := range r.cells {
			if len(textOf(c)) > maxCell || elements(c) > maxCellElements {
				return true
			}
		}
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

// elements counts the elements below n.
func elements(n *html.Node) int {
	count := 0
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.ElementNode {
			count += 1 + elements(c)
		}
	}
	return count
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
func (w *walker) grid(rows []row) (grid [][]*html.Node, width int) {
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
		if w.cells -= len(line) - len(r.cells); w.cells < 0 {
			return nil, 0
		}
	}
	for i := range grid {
		if w.cells -= width - len(grid[i]); w.cells < 0 {
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
