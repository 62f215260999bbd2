package links

// header tells a line that makes the last one of the paragraph the header of a table, in which each cell stands for itself.
func (s *scanner) header(here span) bool {
	line := s.text[here.from:here.to]
	if !delimiters(line) || len(s.spans) == 0 {
		return false
	}
	last := s.spans[len(s.spans)-1]
	if count(s.text[last.from:last.to]) != count(line) {
		return false
	}
	if s.spans = s.spans[:len(s.spans)-1]; len(s.spans) > 0 {
		s.read()
	}
	s.leaf = leafTable
	s.row(last)
	return true
}

// delimiters tells a line that consists of nothing but what stands below the header of a table.
func delimiters(line []byte) bool {
	dashes := false
	for _, c := range line {
		switch c {
		case '-':
			dashes = true
		case '|', ':', ' ', '\t':
		default:
			return false
		}
	}
	return dashes
}

// row looks for links in the cells of a row.
func (s *scanner) row(here span) {
	cells(s.text[here.from:here.to], func(from, to int) {
		s.spans = append(s.spans[:0], span{from: here.from + from, to: here.from + to})
		s.read()
	})
}

func count(line []byte) (n int) {
	cells(line, func(int, int) { n++ })
	return n
}

// cells divides a row at each | without a backslash, wherever it stands.
func cells(line []byte, cell func(from, to int)) {
	end := len(line)
	for end > 0 && space(line[end-1]) {
		end--
	}
	from := 0
	if end > 0 && line[0] == '|' {
		from = 1
	}
	for i := from; i < end; i++ {
		switch line[i] {
		case '\\':
			i++
		case '|':
			cell(from, i)
			from = i + 1
		}
	}
	if from < end {
		cell(from, end)
	}
}
