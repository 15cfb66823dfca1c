package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// names are the capabilities by number (linux/capability.h).
var names = strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
	LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
	SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD
	LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
	PERFMON BPF CHECKPOINT_RESTORE`)

const sysResource = 24

// own is what this process may give to a container.
type own struct {
	bounding uint64
	oomScore int64
}

// ourselves reads the capability bounding set and the OOM score of this process (proc(5)).
func ourselves() (own, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return own{}, err
	}
	_, after, found := strings.Cut(string(status), "CapBnd:")
	fields := strings.Fields(after)
	if !found || len(fields) == 0 {
		return own{}, fmt.Errorf("/proc/self/status has no CapBnd")
	}
	bounding, err := strconv.ParseUint(fields[0], 16, 64)
	if err != nil {
		return own{}, err
	}
	raw, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return own{}, err
	}
	score, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	return own{bounding, score}, err
}

// may tells whether a capability, by its OCI name, is within the bounding set.
func (o own) may(capability string) bool {
	for number, name := range names {
		if "CAP_"+name == capability {
			return o.bounding&(1<<number) != 0
		}
	}
	return false // A kernel newer than this table: runc would not know it either.
}

// restrain edits an OCI process object and tells whether it changed.
func (o own) restrain(process map[string]any) bool {
	changed := false
	if sets, ok := process["capabilities"].(map[string]any); ok {
		for set, value := range sets {
			list, _ := value.([]any)
			kept := make([]any, 0, len(list))
			for _, capability := range list {
				if name, ok := capability.(string); ok && o.may(name) {
					kept = append(kept, capability)
				}
			}
			if len(kept) != len(list) {
				sets[set] = kept
				changed = true
			}
		}
	}
	if o.bounding&(1<<sysResource) != 0 {
		return changed
	}
	if _, ok := process["rlimits"]; ok {
		delete(process, "rlimits")
		changed = true
	}
	if score, ok := process["oomScoreAdj"].(json.Number); ok {
		if asked, err := score.Int64(); err == nil && asked < o.oomScore {
			process["oomScoreAdj"] = o.oomScore
			changed = true
		}
	}
	return changed
}
