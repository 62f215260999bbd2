// Package secret holds strings that never print. Whatever formats, logs or encodes a
// secret.String gets a placeholder; only Reveal gives the value, for the HTTP client, for checks and for one-way digests.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const placeholder = "[redacted]"

// String is an API key or a token. The value sits behind a pointer because package fmt does not call methods on
// unexported fields: a struct that holds a String in one prints an address at worst. Compare with Equal.
type String struct{ value *string }

// New wraps a value.
func New(value string) String {
	if value == "" {
		return String{}
	}
	return String{&value}
}

// Reveal gives the value. Never log, wrap or store the result.
func (s String) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero tells an absent secret.
func (s String) IsZero() bool { return s.value == nil }

// Equal tells whether both hold the same value, in a time that does not depend on where they differ.
func (s String) Equal(other String) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
}

// String is a placeholder.
func (s String) String() string { return placeholder }

// Format is a placeholder for every verb, also those that would print the fields.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, placeholder) }

// LogValue is a placeholder.
func (s String) LogValue() slog.Value { return slog.StringValue(placeholder) }

// MarshalText is a placeholder, for JSON, YAML and every other encoder.
func (s String) MarshalText() ([]byte, error) { return []byte(placeholder), nil }
