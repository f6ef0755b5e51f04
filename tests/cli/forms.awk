# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# Rewrites lines of tracefs' file `trace` as another tool prints the same events, so that the parser
# is tested on each form with real events. -v form=trace-cmd or -v form=perf.
#
#   tracefs     COMM-PID  [CPU] FLAGS  TIME: EVENT: FIELDS
#   trace-cmd   COMM-PID  [CPU]  TIME: EVENT:   FIELDS       event and colon padded to 20 columns; no flags
#   perf        COMM PID [CPU]  TIME:  GROUP:EVENT: FIELDS   probes in the group `probe'
BEGIN {
	if (form == "trace-cmd")
		print "cpus=1"
}
/^#/ { next }
{
	if (!match($0, /^ *.*-[0-9]+ +\[[0-9]+\] /))
		next
	head = substr($0, 1, RLENGTH)
	rest = substr($0, RLENGTH + 1)
	match(head, / +\[/)
	task = substr(head, 1, RSTART - 1)
	match(head, /\[[0-9]+\]/)
	cpu = substr(head, RSTART, RLENGTH)
	split(rest, word, " ")
	time = word[2]
	event = word[3]
	fields = substr(rest, index(rest, " " event " ") + length(event) + 2)
	if (form == "trace-cmd") {
		printf "%s %s %12s %-20s %s\n", task, cpu, time, event, fields
		next
	}
	match(task, /-[0-9]+$/)
	group = (event == "map:" || event == "unmap:") ? "iommu" : "probe"
	printf "%16s %7d %s %12s %24s %s\n", substr(task, 1, RSTART - 1), substr(task, RSTART + 1), cpu, time,
		group ":" event, fields
}
