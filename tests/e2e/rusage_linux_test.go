package e2e

import (
	"os"
	"syscall"
)

// peakOf is the most bytes that a process had resident.
func peakOf(s *os.ProcessState) int64 { return s.SysUsage().(*syscall.Rusage).Maxrss << 10 }
