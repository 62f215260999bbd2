package plain

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/fault"
)

// lines is a text that notebooks hold as one string or as a list of lines.
type lines string

// UnmarshalJSON implements json.Unmarshaler.
func (t *lines) UnmarshalJSON(b []byte) error {
	var list []string
	if json.Unmarshal(b, &list) == nil {
		*t = lines(strings.Join(list, ""))
		return nil
	}
	var one string
	if json.Unmarshal(b, &one) == nil { // anything else, such as an object of a picture's data, is no text
		*t = lines(one)
	}
	return nil
}

// notebook is a Jupyter notebook of the formats 3 and 4.
type notebook struct {
	Format   int `json:"nbformat"`
	Metadata struct {
		Title      string `json:"title"`
		Kernelspec struct {
			Language string `json:"language"`
		} `json:"kernelspec"`
		LanguageInfo struct {
			Name string `json:"name"`
		} `json:"language_info"`
	} `json:"metadata"`
	Cells      []nbCell `json:"cells"`
	Worksheets []struct {
		Cells []nbCell `json:"cells"`
	} `json:"worksheets"` // format 3
}

type nbCell struct {
	Type     string     `json:"cell_type"`
	Source   lines      `json:"source"`
	Input    lines      `json:"input"`    // format 3, of code
	Language string     `json:"language"` // format 3, of code
	Level    int        `json:"level"`    // format 3, of headings
	Outputs  []nbOutput `json:"outputs"`
}

type nbOutput struct {
	Type  string           `json:"output_type"`
	Text  lines            `json:"text"`
	Data  map[string]lines `json:"data"`
	PNG   lines            `json:"png"` // format 3
	Name  string           `json:"ename"`
	Value string           `json:"evalue"`
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
		return markup.Result{}, fault.New(fault.ErrUnsupported, "the notebook is damaged").Because(err).WithHint("open it in Jupyter and save it again")
	}
	lang := nb.Metadata.Kernelspec.Language
	if lang == "" {
		lang = nb.Metadata.LanguageInfo.Name
	}
	if lang == "" {
		lang = "python"
	}
	w := markup.NewWriter(l.Output)
	cells := nb.Cells
	for _, s := range nb.Worksheets {
		cells = append(cells, s.Cells...)
	}
	for _, c := range cells {
		if err := ctx.Err(); err != nil {
			return markup.Result{}, err
		}
		c.write(w, lang)
		if w.Full() {
			break
		}
	}
	r, err := w.Result(nb.Metadata.Title)
	if err == nil && r.Title == "" {
		r.Title = firstHeading(string(r.Markdown))
	}
	return r, err
}

func (c *nbCell) write(w *markup.Writer, lang string) {
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
		for _, o := range c.Outputs {
			w.Code("", o.text())
		}
	case "raw":
		w.Code("", string(c.Source))
	}
}

// text is what an output says in words.
func (o *nbOutput) text() string {
	t := string(o.Text)
	if t == "" {
		t = string(o.Data["text/plain"])
	}
	picture := o.PNG != ""
	for kind := range o.Data {
		picture = picture || strings.HasPrefix(kind, "image/")
	}
	if picture && strings.HasPrefix(t, "<") { // the name of the picture's object
		t = ""
	}
	if o.Name != "" {
		t = o.Name + ": " + o.Value
	}
	return terminalCodes.ReplaceAllString(t, "")
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
