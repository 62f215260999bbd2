// Package bench measures kbsyncd against the peers and limits that users know: find, sha256sum, rclone, and the ideal that a
// vendor's latency allows. It has benchmarks only; `make bench` runs them, docs/performance.md says what was seen.
//
// Every figure is a ratio within one run: the program under test and its peer take turns, so that a slow machine slows both. The
// corpus is built by the benchmark and removed after it.
package bench
