// Package targettest holds what every target is tested with: Run, the conformance suite that each vendor's package and
// the in-memory target pass, and Memory, the reference target that the engine is tested against. It is imported by
// tests only. It knows the interfaces of package targets and no vendor.
package targettest
