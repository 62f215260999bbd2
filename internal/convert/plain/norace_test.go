//go:build !race

package plain_test

// raced: the race detector allocates as well.
const raced = false
