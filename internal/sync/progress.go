package sync

import "sync/atomic"

// Stages of a pass.
const (
	StageIdle = iota
	StageListing
	StageScanning
	StageSending
	StageSettling
	StageDeleting
	StageLinking
	StageDone
)

// Progress is where a pass is. One pass writes it; anybody may read it at any time.
type Progress struct {
	Stage     atomic.Int32
	Listed    atomic.Int64 // documents listed at the vendor
	Looked    atomic.Int64 // pages that sources far away looked at before they gave the first document
	Scanned   atomic.Int64 // documents seen in the sources
	Read      atomic.Int64 // documents read
	ToSend    atomic.Int64 // parts known to need sending, so far
	Sent      atomic.Int64 // parts sent
	SentBytes atomic.Int64
	ToSettle  atomic.Int64
	Settled   atomic.Int64
	ToDelete  atomic.Int64
	Deleted   atomic.Int64
	ScanDone  atomic.Bool // ToSend is final
}

func (p *Progress) stage(s int32) { p.Stage.Store(s) }
