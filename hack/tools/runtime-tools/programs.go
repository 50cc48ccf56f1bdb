//go:build programs

// Package programs names the commands that this module exists to build, so that `go mod tidy` keeps what they need. The
// other programs below validation/ need what `create` needs.
package programs

import (
	_ "github.com/opencontainers/runtime-tools/cmd/runtimetest"
	_ "github.com/opencontainers/runtime-tools/validation/create"
)
