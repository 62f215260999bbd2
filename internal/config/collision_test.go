package config

import (
	"reflect"
	"strconv"
	"testing"

	"kbsyncd/internal/kb"
	"kbsyncd/internal/secret"
	"kbsyncd/internal/targets"
)

func reveal(c targets.Config) string {
	return reflect.ValueOf(c).Elem().FieldByName("APIKey").Interface().(secret.String).Reveal()
}

// collision finds two names of syncs with the same scope.
func collision(t *testing.T) (first, second string) {
	t.Helper()
	seen := map[kb.Scope]string{}
	for i := range 1 << 17 {
		name := "s" + strconv.Itoa(i)
		scope := kb.NewScope("kbsyncd", name)
		if other, ok := seen[scope]; ok {
			return other, name
		}
		seen[scope] = name
	}
	t.Fatal("no collision found")
	return "", ""
}
