// Package leak finds what looks like a secret in a text: private keys, keys of clouds and tokens of common services.
package leak

// Finding is one thing that looks like a secret. It does not hold the secret.
type Finding struct {
	Rule string // what it looks like, for people: "AWS access key"
	Line int    // from 1
}
