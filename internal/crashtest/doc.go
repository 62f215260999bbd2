// Package crashtest holds the promises of kbsyncd against sudden death: it has tests only. They build the real program,
// serve simulated vendors, each in its own test, over real HTTP on loopback, edit a folder of real files at random, let requests fail, and
// kill the program at every stage of its passes. After each death nothing may be lost or harmed; once the faults stop,
// two passes must make the store equal to the folder and a third one must have nothing to do.
//
// TestCrashShort is part of every test run. TestCrash is the long one and needs the build tag crash:
//
//	KBSYNC_CRASH_KILLS   how many times the program is killed in all (160)
//	KBSYNC_CRASH_SEED    the seed that a failure printed; edits, faults and the plan of the kills follow from it
//
// The tests judge by what the simulator holds and never by what the program says, and share with the program only the
// form of the names at the vendor.
package crashtest
