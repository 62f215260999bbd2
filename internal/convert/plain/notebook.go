package plain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"regexp"
	"strings"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

// maxNotebookText is the most bytes of one text of a notebook.
const maxNotebookText = 32 << 20

// lines is a text that notebooks hold as one string or as a list of lines.
type lines string

// UnmarshalJSON implements json.Unmarshaler.
func (t *lines) UnmarshalJSON(b []byte) error {
	var text strings.Builder
	add := func(b []byte) error {
		var s string
		if json.Unmarshal(b, &s) != nil { // anything else, such as an object of a picture's data, is no text
			return errNoText
		}
		if text.Len()+len(s) > maxNotebookText {
			return fault.New(fault.ErrUnsupported, "a cell has more than %d MB of text", maxNotebookText>>20).WithHint("clear its output")
		}
		text.WriteString(s)
		return nil
	}
	var err error
	if b[0] != '[' {
		err = add(b)
	}
	for _, el := range members(b) {
		if err = add(el); err != nil {
			break
		}
	}
	switch {
	case errors.Is(err, errNoText):
		return nil
	case err != nil:
		return err
	}
	*t = lines(text.String())
	return nil
}

var errNoText = errors.New("no text")

// raw is a value as it stands in the notebook, which is not copied: a notebook may have millions of cells, outputs and pictures, so
// that only one is taken to pieces at a time.
type raw []byte

// UnmarshalJSON implements json.Unmarshaler.
func (r *raw) UnmarshalJSON(b []byte) error {
	*r = b
	return nil
}

// members are the members of an object, or the elements of an array without names, of JSON that is valid.
func members(b []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		if len(b) == 0 || b[0] != '{' && b[0] != '[' {
			return
		}
		depth, start := 0, 1
		var name []byte
		for i := 0; i < len(b); i++ {
			switch c := b[i]; c {
			case '"':
				for i++; b[i] != '"'; i++ {
					if b[i] == '\\' {
						i++
					}
				}
			case '{', '[':
				depth++
			case ':':
				if depth == 1 {
					name, start = bytes.TrimSpace(b[start:i]), i+1
				}
			case ',', '}', ']':
				if c != ',' {
					depth--
				}
				if c == ',' && depth != 1 || depth > 1 || depth == 1 && c != ',' {
					continue
				}
				if value := bytes.TrimSpace(b[start:i]); len(value) > 0 && !yield(name, value) {
					return
				}
				start = i + 1
			}
		}
	}
}

// notebook is a Jupyter notebook of the formats 3 and 4.
type notebook struct {
	Metadata struct {
		Title      string `json:"title"`
		Kernelspec struct {
			Language string `json:"language"`
		} `json:"kernelspec"`
		LanguageInfo struct {
			Name string `json:"name"`
		} `json:"language_info"`
	} `json:"metadata"`
	Cells      raw `json:"cells"`
	Worksheets raw `json:"worksheets"` // format 3
}

// sheet is a part of a notebook of format 3.
type sheet struct {
	Cells raw `json:"cells"`
}

type nbCell struct {
	Type     string `json:"cell_type"`
	Source   lines  `json:"source"`
	Input    lines  `json:"input"`    // format 3, of code
	Language string `json:"language"` // format 3, of code
	Level    int    `json:"level"`    // format 3, of headings
	Outputs  raw    `json:"outputs"`
}

type nbOutput struct {
	Type  string `json:"output_type"`
	Text  lines  `json:"text"`
	Data  raw    `json:"data"`
	PNG   raw    `json:"png"` // format 3
	Name  string `json:"ename"`
	Value string `json:"evalue"`
}

var (
	terminalCodes = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")
	// pictures within the notebook itself lead nowhere outside of it.
	ownPictures = regexp.MustCompile(`!\[([^\]]*)\]\((?:attachment|data):[^)]*\)`)
)

// Notebook is the reader of Jupyter notebooks of the formats 3 and 4: text as it is, code in the kernel's language, and what the code
// printed. Pictures and other media are left out.
func Notebook(ctx context.Context, src []byte, l markup.Limits) (markup.Result, error) {
	text, err := decode(ctx, src, l)
	if err != nil {
		return markup.Result{}, err
	}
	var nb notebook
	if err := json.Unmarshal(text, &nb); err != nil {
		return markup.Result{}, damaged(err)
	}
	lang := nb.Metadata.Kernelspec.Language
	if lang == "" {
		lang = nb.Metadata.LanguageInfo.Name
	}
	if lang == "" {
		lang = "python"
	}
	w := markup.NewWriter(l.Output)
	if err := writeCells(ctx, w, nb.Cells, lang); err != nil {
		return markup.Result{}, err
	}
	for _, b := range members(nb.Worksheets) {
		var s sheet
		if err := json.Unmarshal(b, &s); err != nil {
			return markup.Result{}, damaged(err)
		}
		if err := writeCells(ctx, w, s.Cells, lang); err != nil {
			return markup.Result{}, err
		}
	}
	r, err := w.Result(nb.Metadata.Title)
	if err == nil && r.Title == "" {
		r.Title = firstHeading(string(r.Markdown))
	}
	return r, err
}

func damaged(err error) error {
	if errors.Is(err, fault.ErrUnsupported) {
		return err
	}
	return fault.New(fault.ErrUnsupported, "the notebook is damaged").Because(err).WithHint("open it in Jupyter and save it again")
}

func writeCells(ctx context.Context, w *markup.Writer, cells raw, lang string) error {
	for _, b := range members(cells) {
		if err := ctx.Err(); err != nil {
			return err
		}
		var c nbCell
		if err := json.Unmarshal(b, &c); err != nil {
			return damaged(err)
		}
		if err := c.write(ctx, w, lang); err != nil {
			return err
		}
		if w.Full() {
			break
		}
	}
	return nil
}

func (c *nbCell) write(ctx context.Context, w *markup.Writer, lang string) error {
	switch c.Type {
	case "markdown", "html":
		w.Markdown([]byte(ownPictures.ReplaceAllString(string(c.Source), "$1")))
	case "heading":
		w.Heading(c.Level, markup.Text(string(c.Source)))
	case "code":
		if c.Language != "" {
			lang = strings.ToLower(c.Language)
		}
		w.Code(lang, string(c.Source+c.Input))
		for _, b := range members(c.Outputs) {
			if err := ctx.Err(); err != nil {
				return err
			}
			var o nbOutput
			if err := json.Unmarshal(b, &o); err != nil {
				return damaged(err)
			}
			t, err := o.text()
			if err != nil {
				return damaged(err)
			}
			w.Code("", t)
		}
	case "raw":
		w.Code("", string(c.Source))
	}
	return nil
}

// text is what an output says in words.
func (o *nbOutput) text() (string, error) {
	if o.Name != "" {
		return terminalCodes.ReplaceAllString(o.Name+": "+o.Value, ""), nil
	}
	t := o.Text
	picture := len(o.PNG) > 0
	for name, value := range members(o.Data) {
		var kind string
		if err := json.Unmarshal(name, &kind); err != nil {
			return "", err
		}
		picture = picture || strings.HasPrefix(kind, "image/")
		if kind == "text/plain" && o.Text == "" {
			if err := json.Unmarshal(value, &t); err != nil {
				return "", err
			}
		}
	}
	if picture && strings.HasPrefix(string(t), "<") { // the name of the picture's object
		return "", nil
	}
	return terminalCodes.ReplaceAllString(string(t), ""), nil
}

// firstHeading is the first heading of a Markdown text, outside of fences.
func firstHeading(md string) string {
	fence := false
	for line := range strings.SplitSeq(md, "\n") {
		if strings.HasPrefix(line, "```") {
			fence = !fence
		}
		if text := strings.TrimLeft(line, "#"); !fence && text != line && strings.HasPrefix(text, " ") {
			return markup.Text(strings.Trim(text, "# ")).Plain()
		}
	}
	return ""
}
