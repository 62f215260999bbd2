package article

import (
	"strings"

	"golang.org/x/net/html"

	"kbsyncd/internal/fault"
)

const (
	maxMissing = 500 // letters of a page that says that there is no such page
	maxSignIn  = 700 // letters of a page that asks to sign in
	maxShell   = 60  // letters of a page that is made by scripts
)

// missing are how pages say that there is no such page, in small letters.
var missing = []string{"404", "error 404", "404 error", "http 404", "404 not found", "404 page not found", "page not found", "not found", "file not found", "page does not exist",
	"this page does not exist", "page doesn't exist", "this page doesn't exist", "page can't be found", "page cannot be found", "that page can't be found",
	"the page you were looking for doesn't exist", "the page you are looking for doesn't exist", "the page you requested could not be found",
	"this page could not be found", "page could not be found", "nothing found", "we couldn't find that page", "oops! that page can’t be found", "oops! that page can't be found", "page missing",
	"seite nicht gefunden", "die seite wurde nicht gefunden", "seite existiert nicht", "page introuvable", "page non trouvée", "cette page n'existe pas", "la page est introuvable",
	"página no encontrada", "no se encontró la página", "esta página no existe", "página não encontrada", "pagina non trovata", "pagina niet gevonden", "sidan hittades inte",
	"siden blev ikke fundet", "siden ble ikke funnet", "sivua ei löytynyt", "nie znaleziono strony", "strona nie istnieje", "strona nie została znaleziona", "stránka nenalezena", "sayfa bulunamadı",
	"страница не найдена", "сторінку не знайдено", "ページが見つかりません", "お探しのページは見つかりません", "页面未找到", "找不到页面", "页面不存在", "找不到頁面", "페이지를 찾을 수 없습니다",
	"الصفحة غير موجودة", "לא נמצא", "không tìm thấy trang", "a keresett oldal nem található", "η σελίδα δεν βρέθηκε", "pagina nu a fost găsită", "halaman tidak ditemukan"}

// signIn are the titles of pages that ask to sign in.
var signIn = []string{"sign in", "log in", "login", "signin", "sign-in", "log-in", "please sign in", "please log in", "sign in to continue", "log in to continue", "authentication required",
	"single sign-on", "anmelden", "anmeldung", "einloggen", "se connecter", "connexion", "s'identifier", "iniciar sesión", "acceder", "accedi", "entrar", "iniciar sessão", "inloggen",
	"logga in", "log ind", "logg inn", "kirjaudu sisään", "zaloguj się", "logowanie", "přihlášení", "giriş yap", "войти", "вход", "увійти", "ログイン", "サインイン", "登录", "登入", "로그인", "تسجيل الدخول"}

// suspect tells a page that is not what its address promises.
func (h *head) suspect(body *html.Node, c content, heading string) (Suspect, string) {
	size := letters(c.node, func(n *html.Node) bool { return surrounds(n) || n.Data == "form" })
	if said := h.says(missing, heading); said != "" && size < maxMissing && len(outermost(c.node, func(n *html.Node) bool { return n.Data == "h2" || n.Data == "pre" || n.Data == "table" })) < 2 {
		return NotFound, "it says that there is no such page: " + said
	}
	if size >= maxSignIn {
		return None, ""
	}
	form := signInForm(body)
	if said := h.says(signIn, heading); said != "" && (form != nil || size < maxSignIn/4) {
		return Login, "it asks to sign in: " + said
	}
	if form != nil && letters(body, func(n *html.Node) bool { return surrounds(n) || n.Data == "form" || frames(n) }) < maxSignIn/2 {
		return Login, "it holds little but a form to sign in"
	}
	return None, ""
}

// says is the part of the title, or the heading, that is one of the phrases.
func (h *head) says(phrases []string, heading string) string {
	for _, t := range append(h.parts(h.title), h.parts(heading)...) {
		plain := strings.Trim(same(t), ".!…:( )'\"“”")
		for _, p := range phrases {
			if plain == p || strings.HasPrefix(plain, p) && strings.HasPrefix(p, "404") && len(plain) <= len(p)+3 && !strings.ContainsAny(plain[len(p):], "abcdefghijklmnopqrstuvwxyz") {
				return oneLine(t)
			}
		}
	}
	return ""
}

// signInForm is the form of a page that has a field for a password, or that is sent to where one signs in; nil when there is none, or
// when it hides in the frame of the page.
func signInForm(body *html.Node) *html.Node {
	return first(body, func(n *html.Node) bool {
		if n.Data != "form" || isFrame(n) || within(n, isFrame) != nil {
			return false
		}
		if first(n, func(c *html.Node) bool { return c.Data == "input" && strings.EqualFold(attr(c, "type"), "password") }) != nil {
			return true
		}
		action := strings.ToLower(attr(n, "action"))
		for _, s := range []string{"login", "signin", "sign-in", "sign_in", "log-in", "/sso", "/saml", "/auth/"} {
			if strings.Contains(action, s) {
				return true
			}
		}
		return false
	})
}

// roots are the ids of elements into which scripts write pages.
var roots = set("root app __next __nuxt ___gatsby q-app svelte react-root application ember-app main-app")

// empty is the error for a page without text.
func (h *head) empty(body *html.Node) error {
	if h.scripts > 0 && letters(body, nil) < maxShell {
		return fault.New(fault.ErrUnsupported, "the page is made by scripts in the browser and holds no text itself").
			WithHint("kbsyncd runs no scripts: list the site's sitemap or its export as Markdown, or have the server deliver finished pages; else exclude it")
	}
	return fault.New(fault.ErrUnsupported, "the page holds no text").WithHint("exclude it, or name its content with a selector")
}

// isShell tells a page that scripts fill.
func (h *head) isShell(body *html.Node) bool {
	if h.scripts == 0 || letters(body, func(n *html.Node) bool { return n.Data == "noscript" }) >= maxShell {
		return false
	}
	for id := range roots {
		if h.classes["#"+id] {
			n := first(body, func(c *html.Node) bool { return attr(c, "id") == id })
			return n != nil && letters(n, nil) < maxShell/2
		}
	}
	return first(body, func(n *html.Node) bool {
		return has(n, "ng-app") || n.Data == "app-root" || n.Data == "rapi-doc" || n.Data == "redoc" || attr(n, "id") == "swagger-ui"
	}) != nil
}
