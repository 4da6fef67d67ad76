//go:build !linux

package backend

import "syscall"

// Only Linux can promise that a child ends with its parent. Elsewhere a test process that is killed
// leaves its servers behind.
func childAttributes(syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
