// Package crashtest holds the promises of kbsyncd against sudden death: it has tests only. They build the real program,
// serve simulated vendors, each in its own test, over real HTTP on loopback, edit real files at random, let requests fail, and
// kill the program at every stage of its passes. After each death nothing may be lost or harmed; once the faults stop,
// two passes must make the store equal to the files and a third one must have nothing to do.
//
// The files are in a folder, committed to a git repository that is served over HTTP, or pages of a website. Repositories and sites fail as well, in ways
// in which nothing may be deleted, and what sources keep on disk is lost and damaged.
//
// TestCrashShort is part of every test run. TestCrash, TestCrashGit and TestCrashSite are the long ones and need the build tag crash:
//
//	KBSYNC_CRASH_KILLS        how many times the program is killed in all (160) in worlds with folders
//	KBSYNC_CRASH_GIT_KILLS    and with repositories (56)
//	KBSYNC_CRASH_SITE_KILLS   and with websites (56)
//	KBSYNC_CRASH_SEED         the seed that a failure printed; edits, faults and the plan of the kills follow from it
//
// The tests judge by what the simulator holds and never by what the program says, and share with the program only the
// form of the names at the vendor.
package crashtest
