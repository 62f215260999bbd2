//go:build !crash

package crashtest

// long says whether the tests run that `make crash` is for.
const long = false
