package main

import (
	"encoding/hex"
	"runtime"
	"syscall"
)

// What this kernel answers to two requests of Go's own in a new network namespace. Other kernels know other attributes.
type netlinkAnswer struct {
	Name string `json:"name"`
	Hex  string `json:"hex"`
}

func netlinkAnswers() []netlinkAnswer {
	// The thread is in a namespace of its own from here on, and never handed back.
	runtime.LockOSThread()
	must(syscall.Unshare(syscall.CLONE_NEWNET))
	links, err := syscall.NetlinkRIB(syscall.RTM_GETLINK, syscall.AF_UNSPEC)
	must(err)
	addresses, err := syscall.NetlinkRIB(syscall.RTM_GETADDR, syscall.AF_UNSPEC)
	must(err)
	return []netlinkAnswer{{"dump of links", hexWithoutPort(links)}, {"dump of no addresses", hexWithoutPort(addresses)}}
}

// The port id of the first message is the asking socket's, another in each run.
func hexWithoutPort(answer []byte) string {
	clear(answer[12:16])
	return hex.EncodeToString(answer)
}
