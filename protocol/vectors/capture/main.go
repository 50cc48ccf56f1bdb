// Command capture writes the byte vectors beside it: what Go ttrpc and containerd's own messages look like on the wire.
// Run it with `hack/capture-vectors`, as root. ttrpc.json and messages.json change only when the pinned modules do.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: capture DIRECTORY")
		os.Exit(2)
	}
	write := func(name string, value any) {
		text, err := json.MarshalIndent(value, "", "  ")
		must(err)
		must(os.WriteFile(filepath.Join(os.Args[1], name), append(text, '\n'), 0o644))
	}
	write("ttrpc.json", dialogues())
	write("messages.json", messages())
	write("netlink.json", netlinkAnswers())
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
