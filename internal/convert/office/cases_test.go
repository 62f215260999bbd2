package office_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kbsyncd/internal/convert/markup"
	"kbsyncd/internal/convert/office"
	"kbsyncd/internal/fault"
)

// pack makes an archive of members given by name and content, in turns.
func pack(t *testing.T, members ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for i := 0; i+1 < len(members); i += 2 {
		w, err := z.Create(members[i])
		if err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(members[i+1]))
	}
	z.Close()
	return buf.Bytes()
}

func expect(t *testing.T, read markup.Reader, src []byte, want string) {
	t.Helper()
	got, err := read(t.Context(), src, markup.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got.Markdown)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

const (
	wordNS = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" ` +
		`xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" ` +
		`xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" xmlns:v="urn:schemas-microsoft-com:vml"`
	relType = `http://schemas.openxmlformats.org/officeDocument/2006/relationships/`
)

// p is a paragraph of Word with the runs given, each in its own w:r unless it is an element of a paragraph already.
func p(runs ...string) string {
	var b strings.Builder
	b.WriteString("<w:p>")
	for _, r := range runs {
		if strings.HasPrefix(r, "<") {
			b.WriteString(r)
		} else {
			b.WriteString(`<w:r><w:t xml:space="preserve">` + r + `</w:t></w:r>`)
		}
	}
	return b.String() + "</w:p>"
}

func TestWordCornerCases(t *testing.T) {
	item := func(list, level, text string) string {
		return p(`<w:pPr><w:numPr><w:ilvl w:val="`+level+`"/><w:numId w:val="`+list+`"/></w:numPr></w:pPr>`, text)
	}
	field := func(kind string) string { return `<w:r><w:fldChar w:fldCharType="` + kind + `"/></w:r>` }
	box := func(text string) string { return `<w:txbxContent>` + p(text) + `</w:txbxContent>` }
	for name, c := range map[string]struct{ body, want string }{
		"tracked changes": {
			p("kept ", `<w:ins w:id="1"><w:r><w:t>inserted</w:t></w:r></w:ins>`, `<w:del w:id="2"><w:r><w:delText>deleted</w:delText></w:r></w:del>`,
				`<w:moveFrom w:id="3"><w:r><w:t>from</w:t></w:r></w:moveFrom>`, `<w:moveTo w:id="4"><w:r><w:t> moved</w:t></w:r></w:moveTo>`),
			"kept inserted moved\n",
		},
		"deleted row": {
			`<w:tbl><w:tr><w:tc>` + p("a") + `</w:tc><w:tc>` + p("b") + `</w:tc></w:tr><w:tr><w:trPr><w:del w:id="1"/></w:trPr><w:tc>` + p("c") + `</w:tc></w:tr></w:tbl>`,
			"| a | b |\n| --- | --- |\n",
		},
		"field of a link, over runs and with one inside": {
			p("see ", field("begin"), `<w:r><w:instrText xml:space="preserve"> HYPERLINK "https://example.com/a_b" \o "tip" </w:instrText></w:r>`, field("separate"),
				"the ", "page ", field("begin"), `<w:r><w:instrText>PAGEREF x</w:instrText></w:r>`, field("separate"), "7", field("end"), field("end"), "."),
			"see [the page 7](https://example.com/a_b).\n",
		},
		"simple fields": {
			p(`<w:fldSimple w:instr="HYPERLINK https://example.com"><w:r><w:t>here</w:t></w:r></w:fldSimple>`, " of ", `<w:fldSimple w:instr="DATE"><w:r><w:t>May</w:t></w:r></w:fldSimple>`),
			"[here](https://example.com) of May\n",
		},
		"links within the document and from relations": {
			p(`<w:hyperlink w:anchor="x"><w:r><w:t>inside</w:t></w:r></w:hyperlink>`, " ", `<w:hyperlink r:id="rId9"><w:r><w:t>outside</w:t></w:r></w:hyperlink>`),
			"inside [outside](https://example.org/)\n",
		},
		"hidden, symbols, hyphens, breaks": {
			p(`<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>`, `<w:r><w:sym w:font="Wingdings" w:char="F0FC"/><w:t xml:space="preserve"> done</w:t></w:r>`,
				`<w:r><w:br/><w:t>non</w:t><w:noBreakHyphen/><w:t>breaking soft</w:t><w:softHyphen/><w:t>ware a`+"\u00a0"+`b</w:t><w:tab/><w:t>c</w:t></w:r>`),
			"✓ done  \nnon-breaking software a b\tc\n",
		},
		"text box once, though written twice": {
			p("before ", `<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wp:anchor><wp:docPr id="1" name="Box" descr="A box"/><wps:txbx>`+box("in the box")+
				`</wps:txbx></wp:anchor></w:drawing></mc:Choice><mc:Fallback><w:pict><v:textbox>`+box("in the box")+`</v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r>`, "after"),
			"before [A box]after\n\nin the box\n",
		},
		"lists that skip levels, restart and count on": {
			item("1", "0", "one") + item("1", "0", "two") + item("1", "2", "deep") + item("1", "0", "three") + p("text") + item("2", "0", "again one") + item("3", "1", "bullet") + item("1", "0", "four"),
			"1. one\n2. two\n   1. deep\n3. three\n\ntext\n\n5. again one\n   - bullet\n4. four\n",
		},
		"cell with paragraphs and a list, spans, a table inside": {
			`<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr>` + p("wide") + `</w:tc><w:tc>` + p("x|y") + `</w:tc></w:tr><w:tr><w:tc>` + p("one") + p("two") +
				`</w:tc><w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc><w:tc>` + item("3", "0", "item") + `<w:tbl><w:tr><w:tc>` + p("i") + `</w:tc><w:tc>` + p("j") + `</w:tc></w:tr></w:tbl></w:tc></w:tr></w:tbl>`,
			"| wide |  | x\\|y |\n| --- | --- | --- |\n| one two |  | • item i j |\n",
		},
		"code": {
			p(`<w:pPr><w:pStyle w:val="HTMLPreformatted"/></w:pPr>`, "a := `x`") + p(`<w:pPr><w:pStyle w:val="HTMLPreformatted"/></w:pPr>`, "  # no heading") + p("# text"),
			"```\na := `x`\n  # no heading\n```\n\n\\# text\n",
		},
		"headings": {
			p(`<w:pPr><w:pStyle w:val="berschrift2"/></w:pPr>`, "By name") + p(`<w:pPr><w:pStyle w:val="Mine"/></w:pPr>`, "By base") + p(`<w:pPr><w:outlineLvl w:val="2"/></w:pPr>`, "By outline"),
			"## By name\n\n## By base\n\n### By outline\n",
		},
		"table of contents": {
			`<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr><w:sdtContent>` + p("Contents") + `</w:sdtContent></w:sdt>` +
				p(field("begin"), `<w:r><w:instrText>TOC \o "1-3"</w:instrText></w:r>`, field("separate"), "First 1") + p("Second 2", field("end")) + p("text"),
			"text\n",
		},
		"notes": {
			p("text", `<w:r><w:footnoteReference w:id="2"/></w:r>`, " more", `<w:r><w:endnoteReference w:id="2"/></w:r>`, `<w:r><w:footnoteReference w:id="77"/></w:r>`),
			"text[^1] more[^2]\n\n[^1]: the note\n\n[^2]: the end\n",
		},
		"content control and bold within a word": {
			`<w:sdt><w:sdtPr/><w:sdtContent>` + p(`<w:sdt><w:sdtContent><w:r><w:rPr><w:b/></w:rPr><w:t>B</w:t></w:r></w:sdtContent></w:sdt>`, "old and ", `<w:r><w:rPr><w:b/></w:rPr><w:t xml:space="preserve">bold </w:t></w:r>`, "10",
				`<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>6</w:t></w:r>`) + `</w:sdtContent></w:sdt>`,
			"Bold and **bold** 10⁶\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, office.DOCX, word(t, c.body), c.want)
		})
	}
}

// word is a Word document with this body.
func word(t *testing.T, body string) []byte {
	rel := func(id, kind, target, more string) string {
		return `<Relationship Id="` + id + `" Type="` + relType + kind + `" Target="` + target + `"` + more + `/>`
	}
	level := func(n, format string) string {
		return `<w:lvl w:ilvl="` + n + `"><w:start w:val="1"/><w:numFmt w:val="` + format + `"/><w:lvlText w:val="x"/></w:lvl>`
	}
	style := func(id, name, more string) string {
		return `<w:style w:type="paragraph" w:styleId="` + id + `"><w:name w:val="` + name + `"/>` + more + `</w:style>`
	}
	note := func(kind, text string) string {
		return `<w:` + kind + `s ` + wordNS + `><w:` + kind + ` w:type="separator" w:id="0">` + p("---") + `</w:` + kind + `><w:` + kind + ` w:id="2">` + p(text) + `</w:` + kind + `></w:` + kind + `s>`
	}
	return pack(t,
		"_rels/.rels", `<Relationships>`+rel("rId1", "officeDocument", "/word/main.xml", "")+`</Relationships>`,
		"word/_rels/main.xml.rels", `<Relationships>`+rel("rId1", "styles", "styles.xml", "")+rel("rId2", "numbering", "numbering.xml", "")+rel("rId3", "footnotes", "footnotes.xml", "")+
			rel("rId4", "endnotes", "endnotes.xml", "")+rel("rId9", "hyperlink", "https://example.org/", ` TargetMode="External"`)+`</Relationships>`,
		"word/styles.xml", `<w:styles `+wordNS+`>`+style("berschrift2", "heading 2", "")+style("Mine", "Meine", `<w:basedOn w:val="berschrift2"/>`)+style("HTMLPreformatted", "HTML Preformatted", "")+
			style("Loop", "Loop", `<w:basedOn w:val="Loop"/>`)+`</w:styles>`,
		"word/numbering.xml", `<w:numbering `+wordNS+`><w:abstractNum w:abstractNumId="0">`+level("0", "decimal")+level("1", "lowerLetter")+level("2", "decimal")+`</w:abstractNum><w:abstractNum w:abstractNumId="1">`+
			level("0", "bullet")+level("1", "bullet")+`</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="0"/>`+
			`<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride></w:num><w:num w:numId="3"><w:abstractNumId w:val="1"/></w:num></w:numbering>`,
		"word/footnotes.xml", note("footnote", "the note"),
		"word/endnotes.xml", note("endnote", "the end"),
		"word/comments.xml", `<w:comments `+wordNS+`><w:comment w:id="1">`+p("comment")+`</w:comment></w:comments>`,
		"word/header1.xml", `<w:hdr `+wordNS+`>`+p("header")+`</w:hdr>`,
		"word/main.xml", `<w:document `+wordNS+`><w:body>`+body+`<w:sectPr/></w:body></w:document>`)
}

func TestOpenDocumentCornerCases(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"blanks": {`<text:p>  a
			b<text:s text:c="2"/>c<text:tab/>d<text:line-break/>e <text:span> f</text:span></text:p>`, "a b  c\td  \ne f\n"},
		"tracked changes, comments, fields": {
			`<text:tracked-changes><text:changed-region><text:deletion><text:p>deleted</text:p></text:deletion></text:changed-region></text:tracked-changes>
			<text:p>kept <text:change text:change-id="1"/><text:change-start text:change-id="2"/>inserted<text:change-end text:change-id="2"/><office:annotation><text:p>comment</text:p></office:annotation>, <text:user-defined>field</text:user-defined></text:p>`,
			"kept inserted, field\n",
		},
		"frames": {
			`<text:p>See<draw:frame><draw:image/><svg:title>T</svg:title><svg:desc>A pump</svg:desc></draw:frame><draw:frame><draw:text-box><text:p>boxed</text:p><text:p>text</text:p></draw:text-box></draw:frame></text:p>
			<draw:custom-shape><text:p>shaped</text:p></draw:custom-shape>`,
			"See[A pump]\n\nboxed  \ntext\n\nshaped\n",
		},
		"lists": {
			`<text:list text:style-name="N"><text:list-header><text:p>head</text:p></text:list-header><text:list-item text:start-value="3"><text:p>three</text:p><text:p>more</text:p><text:list><text:list-item><text:p>sub</text:p></text:list-item></text:list></text:list-item></text:list>
			<text:p>between</text:p><text:list text:style-name="N" text:continue-numbering="true"><text:list-item><text:p>four</text:p></text:list-item></text:list>
			<text:list text:style-name="N"><text:list-item><text:h text:outline-level="2">Heading</text:h></text:list-item></text:list>`,
			"head\n\n3. three\n\n   more\n\n   - sub\n\nbetween\n\n4. four\n\n## Heading\n",
		},
		"tables": {
			`<table:table><table:table-header-rows><table:table-row><table:table-cell table:number-columns-spanned="2"><text:p>wide</text:p></table:table-cell><table:covered-table-cell/></table:table-row></table:table-header-rows>
			<table:table-row><table:table-cell><text:p>a</text:p><text:p>b</text:p></table:table-cell><table:table-cell><text:list><text:list-item><text:p>c</text:p></text:list-item></text:list></table:table-cell></table:table-row></table:table>`,
			"| wide |  |\n| --- | --- |\n| a b | • c |\n",
		},
		"notes, links, hidden text, sections": {
			`<text:section><text:p text:style-name="T">Top</text:p><text:p>a<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>note</text:p></text:note-body></text:note>
			<text:a xlink:href="https://example.com/"><text:span text:style-name="B">bold</text:span> link</text:a> <text:a xlink:href="#x">in</text:a><text:span text:style-name="H">hidden</text:span></text:p></text:section>`,
			"# Top\n\na[^1] [**bold** link](https://example.com/) in\n\n[^1]: note\n",
		},
		"code": {`<text:p text:style-name="Preformatted_20_Text">if x</text:p><text:p text:style-name="Preformatted_20_Text"><text:s text:c="2"/>y</text:p><text:p>t</text:p>`, "```\nif x\n  y\n```\n\nt\n"},
	} {
		t.Run(name, func(t *testing.T) {
			const ns = `xmlns:office="o" xmlns:text="t" xmlns:table="tb" xmlns:draw="d" xmlns:svg="s" xmlns:xlink="x" xmlns:style="st" xmlns:fo="fo"`
			expect(t, office.ODT, pack(t, "content.xml", `<office:document-content `+ns+`><office:automatic-styles><style:style style:name="B"><style:text-properties fo:font-weight="bold"/></style:style>
				<style:style style:name="H"><style:text-properties text:display="none"/></style:style><style:style style:name="T" style:parent-style-name="Title"/>
				<text:list-style style:name="N"><text:list-level-style-number text:level="1" style:num-format="1"/><text:list-level-style-bullet text:level="2" text:bullet-char="x"/></text:list-style>
				</office:automatic-styles><office:body><office:text>`+c.body+`</office:text></office:body></office:document-content>`), c.want)
		})
	}
}

func TestRichTextCornerCases(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"unicode and what stands in for it": {`\uc1 caf\u233\'e9, \u-3913?x \u8364 E\uc0\u945 \uc2\u26085\'93\'fa{\u26412??}. \uc1\u55357?\u56832?\u8226\bullet\u231\u234?\par`, "café, ·x €α日本. 😀•çê\n"},
		"code pages":                        {`{\f1 \'cf\'f0\'e8\'e2\'e5\'f2} {\f2 \'83\'65\'83\'58\'83\'67} {\f3 \'e3\'d1\'cd\'c8\'c7} \'93q\'94 \'80\par`, "Привет テスト مرحبا “q” €\n"},
		"symbol font":                       {`{\f4 \'b7\'61} b\par`, "•α b\n"},
		"escapes":                           {`a\{b\}c\\d e\~f\_g soft\-ware\line new\tab t\emdash\par`, "a{b}c\\d e f-g software  \nnew\tt—\n"},
		"headers, pictures, comments, hidden, deleted": {
			`{\header head}{\footer foot}{\pict\pngblip 89504e47}{\*\annotation comment}{\*\unknown \b no}{\v hidden}{\deleted gone}{\revised new} seen\bin5 {}{}x\par`, "new seen\n",
		},
		"link":             {`see {\field{\*\fldinst{HYPERLINK "https://example.com/x"}}{\fldrslt{\ul the page}}} and {\field{\*\fldinst PAGE}{\fldrslt 3}}\par`, "see [the page](https://example.com/x) and 3\n"},
		"contents":         {`{\field{\*\fldinst TOC \\o "1-2"}{\fldrslt First\tab 1\par Second\tab 2\par}}text\par`, "text\n"},
		"note":             {`text{\super\chftn}{\footnote \pard\plain{\super\chftn} the note\par and more} goes on\par next\par`, "text[^1] goes on\n\nnext\n\n[^1]: the note  \n    and more\n"},
		"headings":         {`{\pard\s1 By style\par}{\pard\outlinelevel2 By level\par}{\pard\s3 By base\par}text`, "# By style\n\n### By level\n\n# By base\n\ntext\n"},
		"list":             {`{\pard{\listtext 1.\tab}\ls1\ilvl0 one\par}{\pard{\listtext a)\tab}\ls1\ilvl1 sub\par}{\pard{\listtext\'b7\tab}\ls2\ilvl0 dot\par}\pard text\par`, "1. one\n   1. sub\n- dot\n\ntext\n"},
		"table and nested": {`\trowd\cellx1\cellx2\pard\intbl a\par b\cell c\cell\row\trowd\pard\intbl\itap2 in\nestcell ner\nestcell{\*\nesttableprops\trowd\nestrow}{\nonesttables\par}\pard\intbl out\cell d\cell\row\pard after\par`, "| a b | c |\n| --- | --- |\n| in ner out | d |\n\nafter\n"},
		"text box":         {`before{\shp{\*\shpinst\shpleft0{\sp{\sn shapeType}{\sv 202}}{\shptxt \pard boxed\par}}{\shprslt{\*\do{\dptxbxtext boxed}}}} after\par`, "before after\n\nboxed\n"},
		"two forms":        {`{\upr{\b ansi}{\*\ud{uni\u233e}}} end\par`, "unié end\n"},
		"code":             {`{\pard\f5 if x\line\par}{\pard run {\f5 cmd} now\par}`, "```\nif x\n```\n\nrun `cmd` now\n"},
		"cut short":        {`some {\b bold text`, "some **bold text**\n"},
	} {
		t.Run(name, func(t *testing.T) {
			const head = `{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fnil Arial;}{\f1\fcharset204 Arial;}{\f2\fcharset128 MS Gothic;}{\f3\fcharset178 Arial{\*\falt x};}{\f4\fcharset2 Symbol;}{\f5\fmodern Courier New;}}` +
				`{\stylesheet{\s0 Normal;}{\s1\b heading 1;}{\s3\sbasedon1 Mine;}{\*\cs4 Char;}}{\info{\title The title}{\author A}}`
			if strings.HasSuffix(c.want, "\n") {
				expect(t, office.RTF, []byte(head+c.body+"}"), c.want)
				return
			}
			got, err := office.RTF(t.Context(), []byte(head+c.body+"}"), markup.DefaultLimits())
			if err != nil || !strings.HasPrefix(string(got.Markdown), c.want) || got.Title != "The title" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestSlideCornerCases(t *testing.T) {
	const ns = `xmlns:p="p" xmlns:a="a" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" xmlns:dgm="d"`
	sp := func(kind, paragraphs string) string {
		return `<p:sp><p:nvSpPr><p:nvPr>` + kind + `</p:nvPr></p:nvSpPr><p:txBody>` + paragraphs + `</p:txBody></p:sp>`
	}
	ap := func(props, text string) string { return `<a:p>` + props + `<a:r><a:t>` + text + `</a:t></a:r></a:p>` }
	slide := func(shapes string) string {
		return `<p:sld ` + ns + `><p:cSld><p:spTree>` + shapes + `</p:spTree></p:cSld></p:sld>`
	}
	rel := func(id, kind, target string) string {
		return `<Relationship Id="` + id + `" Type="` + relType + kind + `" Target="` + target + `"/>`
	}
	src := pack(t,
		"ppt/presentation.xml", `<p:presentation `+ns+`><p:sldIdLst><p:sldId id="256" r:id="rId2"/><p:sldId id="257" r:id="rId1"/><p:sldId id="258" r:id="rId3"/></p:sldIdLst></p:presentation>`,
		"ppt/_rels/presentation.xml.rels", `<Relationships>`+rel("rId1", "slide", "slides/slide1.xml")+rel("rId2", "slide", "slides/slide2.xml")+rel("rId3", "slide", "slides/slide3.xml")+`</Relationships>`,
		"ppt/slides/slide1.xml", slide(`<p:grpSp>`+sp("", ap("", "grouped")+ap("", "text"))+`<p:grpSp>`+sp(`<p:ph type="sldNum"/>`, ap("", "9"))+`</p:grpSp></p:grpSp>`+
			`<p:graphicFrame><a:tbl><a:tr><a:tc gridSpan="2"><a:txBody>`+ap("", "k")+ap("", "l")+`</a:txBody></a:tc><a:tc hMerge="1"/></a:tr><a:tr><a:tc><a:txBody>`+ap("", "m")+`</a:txBody></a:tc><a:tc><a:txBody>`+ap("", "n")+`</a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame>`+
			`<p:pic><p:nvPicPr><p:cNvPr id="4" name="p" descr="A pump"/></p:nvPicPr></p:pic><p:graphicFrame><dgm:relIds r:dm="rId7"/></p:graphicFrame>`+sp(`<p:ph type="title"/>`, ap("", "Second"))),
		"ppt/slides/_rels/slide1.xml.rels", `<Relationships>`+rel("rId7", "diagramData", "../diagrams/data1.xml")+rel("rId8", "notesSlide", "../notesSlides/notesSlide1.xml")+`</Relationships>`,
		"ppt/diagrams/data1.xml", `<dgm:dataModel `+ns+`><dgm:ptLst><dgm:pt><dgm:t><a:bodyPr/>`+ap("", "Plan")+`</dgm:t></dgm:pt><dgm:pt><dgm:t>`+ap("", "Do")+`</dgm:t></dgm:pt></dgm:ptLst></dgm:dataModel>`,
		"ppt/notesSlides/notesSlide1.xml", slide(sp(`<p:ph type="body" idx="1"/>`, ap("", "say this"))+sp(`<p:ph type="sldNum"/>`, ap("", "2"))),
		"ppt/slides/slide2.xml", slide(sp(`<p:ph type="title"/>`, ap("", "First"))+sp(`<p:ph idx="1"/>`, ap("", "a")+ap(`<a:pPr lvl="1"/>`, "b")+ap(`<a:pPr><a:buAutoNum type="arabicPeriod" startAt="4"/></a:pPr>`, "c")+ap(`<a:pPr><a:buNone/></a:pPr>`, "d"))),
		"ppt/slides/slide3.xml", `<p:sld show="0" `+ns+`><p:cSld><p:spTree>`+sp("", ap("", "hidden"))+`</p:spTree></p:cSld></p:sld>`)
	expect(t, office.PPTX, src, "# First\n\n- a\n  - b\n4. c\n\nd\n\n## Second\n\ngrouped\n\ntext\n\n| k l |  |\n| --- | --- |\n| m | n |\n\n[A pump]\n\n- Plan\n- Do\n\n*Notes:* say this\n")
}

func TestWhatCannotBeRead(t *testing.T) {
	deep := strings.Repeat("<w:sdt><w:sdtContent>", 300)
	for name, c := range map[string]struct {
		read markup.Reader
		src  []byte
		want string
	}{
		"empty":          {office.DOCX, nil, "damaged"},
		"no archive":     {office.ODT, []byte("plain text"), "damaged"},
		"password":       {office.DOCX, append([]byte{0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1}, make([]byte, 600)...), "password"},
		"odt password":   {office.ODT, pack(t, "META-INF/manifest.xml", "<m><f><encryption-data/></f></m>", "content.xml", "\x00"), "password"},
		"no main part":   {office.DOCX, pack(t, "a", "b"), "damaged"},
		"no text":        {office.DOCX, word(t, p()), "no text"},
		"deep":           {office.DOCX, word(t, deep+p("x")), "nested"},
		"cut XML":        {office.PPTX, pack(t, "ppt/presentation.xml", "<p:presentation>"), "damaged"},
		"entity":         {office.ODT, pack(t, "content.xml", `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>`), "damaged"},
		"bomb":           {office.DOCX, word(t, strings.Repeat(" ", 64<<20)), "more than is safe"},
		"no rich text":   {office.RTF, []byte("{\\html1}"), "not rich text"},
		"deep groups":    {office.RTF, []byte(`{\rtf1` + strings.Repeat("{", 500)), "nested"},
		"rich emptiness": {office.RTF, []byte(`{\rtf1 }`), "no text"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.read(t.Context(), c.src, markup.DefaultLimits())
			if f, ok := errors.AsType[*fault.Error](err); !ok || !errors.Is(err, fault.ErrUnsupported) || f.Hint == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestLimitOfOutput(t *testing.T) {
	l := markup.DefaultLimits()
	l.Output = 100
	for ext, read := range readers {
		src := map[string][]byte{"rtf": []byte(`{\rtf1 ` + strings.Repeat("word ", 100) + `}`), "docx": word(t, p(strings.Repeat("word ", 100)))}[ext]
		if src == nil {
			continue
		}
		if _, err := read(t.Context(), src, l); !errors.Is(err, fault.ErrUnsupported) {
			t.Errorf("%s: got %v", ext, err)
		}
	}
}
