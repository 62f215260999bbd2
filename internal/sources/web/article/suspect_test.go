package article_test

import (
	"errors"
	"strings"
	"testing"

	"kbsyncd/internal/fault"
	"kbsyncd/internal/sources/web/article"
)

func TestSuspects(t *testing.T) {
	form := "<form action=/session><input name=user><input type=password name=p><button>Go</button></form>"
	for _, c := range []struct {
		name, page string
		want       article.Suspect
	}{
		{"a title of 404", "<title>404 | Docs</title><main><p>Go <a href=/>home</a>", article.NotFound},
		{"a heading", "<title>Docs</title><nav>" + strings.Repeat("<a href=x>link</a>", 100) + "</nav><main><h1>Page Not Found</h1><p>We could not find what you were looking for.", article.NotFound},
		{"Docusaurus", "<title>Page Not Found | Docs</title><main><h1 class=hero__title>Page Not Found</h1><p>We could not find it.</p></main>", article.NotFound},
		{"a large number", "<title>Docs</title><main><h1>404</h1><h2>Not here</h2><p>Sorry.", article.NotFound},
		{"German", "<title>Acme</title><main><h1>Seite nicht gefunden!</h1><p>Leider.", article.NotFound},
		{"French", "<title>Page introuvable - Acme</title><main><p>Désolé.", article.NotFound},
		{"Japanese", "<title>ページが見つかりません | Acme</title><main><p>検索してください。", article.NotFound},
		{"Chinese", "<title>404 页面不存在</title><main><h1>页面不存在</h1>", article.NotFound},
		{"an article about it", "<title>404 Not Found - HTTP</title><main><h1>404 Not Found</h1><h2>Status</h2><p>" + strings.Repeat(long, 8) + "<h2>Example</h2>", article.None},
		{"a short article about it", "<title>Fixing error 404 on your site | Help</title><main><h1>Fixing error 404 on your site</h1><p>Look at the log.", article.None},
		{"a short article that mentions it", "<title>Page not found errors | Help</title><main><h1>Page not found errors</h1><p>Look at the log.", article.None},
		{"a room", "<title>Room 404</title><main><h1>Room 404</h1><p>Third floor.", article.None},
		{"a form for a password", "<title>Acme</title><main><h1>Welcome</h1>" + form, article.Login},
		{"a title", "<title>Sign in | Acme</title><main><p>Use your account.", article.Login},
		{"a form that leads there", "<title>Acme</title><main><form action='https://id.example.com/login?next=x'><input name=mail><button>Next</button></form><p>Hello", article.Login},
		{"German login", "<title>Anmelden – Acme</title><main>" + form, article.Login},
		{"a form in the frame", "<header>" + form + "</header><title>Pumps</title><main><h1>Pumps</h1><p>We have three.", article.None},
		{"an article with a form", "<title>Pumps</title><main><h1>Pumps</h1><p>" + strings.Repeat(long, 10) + form, article.None},
		{"an article about it", "<title>Log in with a key | Help</title><main><h1>Log in with a key</h1><p>Open the settings and choose a key.", article.None},
		{"an ordinary page", "<title>Pumps</title><main><h1>Pumps</h1><p>Short.", article.None},
	} {
		p := read(t, c.page, article.Options{})
		if p.Suspect != c.want || (p.Reason == "") != (c.want == article.None) {
			t.Errorf("%s: %d %q, want %d", c.name, p.Suspect, p.Reason, c.want)
		}
	}
}

func TestPagesWithoutText(t *testing.T) {
	for page, want := range map[string]string{
		`<html><head><title>App</title><script src=/a.js></script></head><body><noscript>You need to enable JavaScript to run this app.</noscript><div id="root"></div></body></html>`: "made by scripts",
		`<title>App</title><body><div id="app"><div class="spinner">Loading…</div></div><script type=module src=/b.js></script>`:                                                       "made by scripts",
		`<title>API</title><body><redoc spec-url=/openapi.yaml></redoc><script src=/redoc.js></script>`:                                                                                "made by scripts",
		`<title>Empty</title><body><img src=a.png>`: "no text",
		``: "no text",
	} {
		p, err := article.Read(t.Context(), []byte(page), "text/html", address(t, "https://docs.example.com/"), article.Options{})
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || !errors.Is(err, fault.ErrUnsupported) || !strings.Contains(f.Msg, want) || f.Hint == "" {
			t.Errorf("%q: %v (%q)", page, err, p.Markdown)
		}
	}
	if p := read(t, `<body><div id="root"><main><h1>Pumps</h1><p>`+long+`</main></div><script src=a.js></script>`, article.Options{}); !strings.Contains(string(p.Markdown), "pumps") {
		t.Errorf("a page that the server finished gives %q", p.Markdown)
	}
}
