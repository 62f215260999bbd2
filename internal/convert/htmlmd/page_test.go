package htmlmd_test

import (
	"strings"
	"testing"

	"golang.org/x/net/html"

	"kbsyncd/internal/convert/htmlmd"
	"kbsyncd/internal/convert/markup"
)

// outline is the elements of a tree with their attributes, and the words of its texts.
func outline(n *html.Node) string {
	if n.Type == html.TextNode {
		return strings.TrimSpace(n.Data)
	}
	var b strings.Builder
	b.WriteString(n.Data)
	for _, a := range n.Attr {
		b.WriteString(" " + a.Key + "=" + a.Val)
	}
	var inner []string
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if s := outline(c); s != "" {
			inner = append(inner, s)
		}
	}
	return "(" + strings.Join(append([]string{b.String()}, inner...), " ") + ")"
}

func TestTree(t *testing.T) {
	for src, want := range map[string]string{
		"": "(html (body))",
		"<html lang=en><head><title>T</title><meta name=x content=y><link rel=z></head><body class=b><main data-k=v>text</main></body></html>": "(html lang=en (head (title T) (meta name=x content=y) (link rel=z)) (body class=b (main data-k=v text)))",
		"<title>T</title><p>a<p>b":                                  "(html (title T) (body (p a) (p b)))",
		"<head><title>T</title> text </head><body class=b><p>x":     "(html (head (title T)) (body text (p x)))",
		"<body><x-y a=1>text</x-y><script>var a</script><style>b":   "(html (body (x-y a=1 text) (script)))",
		"<script type='math/tex'>a^2</script><input type=password>": "(html (script type=math/tex a^2) (body (input type=password)))",
		"<p>a</p></body></html><p>b":                                "(html (body (p a) (p b)))",
		"<math><annotation encoding=tex>a</annotation></math>":      "(html (body (math (annotation encoding=tex a))))",
		"<body a=1><p>x<body b=2><html c=3>y":                       "(html c=3 (body a=1 (p xy)))",
		"<b><x-y></b>text</x-y>":                                    "(html (body (b (x-y)) text))",
	} {
		root, err := htmlmd.Tree(t.Context(), []byte(src), markup.DefaultLimits())
		if err != nil {
			t.Errorf("%q: %v", src, err)
			continue
		}
		if got := outline(root); got != want {
			t.Errorf("%q\ngives %s\nwant  %s", src, got, want)
		}
	}
}

func TestTreeIsBounded(t *testing.T) {
	for _, s := range []string{"<x-y>", "<div>", "<b>", "<div a b c d e f g h i j k l m n o p>"} {
		root, err := htmlmd.Tree(t.Context(), []byte(strings.Repeat(s, 1<<12)+"text"), markup.DefaultLimits())
		if err != nil {
			t.Errorf("%q: %v", s, err)
			continue
		}
		depth := 0
		for n := root; n != nil; n = n.LastChild {
			depth++
		}
		if most := markup.DefaultLimits().Depth + 4; depth > most {
			t.Errorf("%q: the tree is %d deep", s, depth)
		}
	}
	if _, err := htmlmd.Tree(t.Context(), []byte(strings.Repeat("<br a b c d>", 530_000)), markup.DefaultLimits()); err == nil {
		t.Error("a tree of half a million elements with four attributes each is kept")
	}
}

func TestRenderFormulas(t *testing.T) {
	root, err := htmlmd.Tree(t.Context(), []byte("<p>So <math alttext='a_b*c'><mi>a</mi></math>.<p><math alttext='\\frac{a}{b}\n' display=block></math><p><math><mi>x</mi></math>"), markup.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	md, err := htmlmd.Render(t.Context(), root, markup.DefaultLimits())
	if want := "So $a_b*c$.\n\n$$\\frac{a}{b}$$\n\nx\n"; err != nil || string(md) != want {
		t.Errorf("got %q, %v, want %q", md, err, want)
	}
}
