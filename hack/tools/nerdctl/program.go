//go:build program

// Package program names the command that this module exists to build, so that `go mod tidy` keeps what it needs.
package program

import _ "github.com/containerd/nerdctl/cmd/nerdctl"
