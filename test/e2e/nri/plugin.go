// An NRI plugin for tests, on NRI's own stub: it changes every container of a pod that has the annotation nri.kata-ts/adjust, whose
// value is a directory of the host to be mounted at /nri.
//
//	plugin SOCKET
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"
)

const annotation = "nri.kata-ts/adjust"

type plugin struct{}

func (plugin) CreateContainer(_ context.Context, pod *api.PodSandbox, _ *api.Container) (*api.ContainerAdjustment, []*api.ContainerUpdate, error) {
	source, ok := pod.GetAnnotations()[annotation]
	if !ok {
		return nil, nil, nil
	}
	adjust := &api.ContainerAdjustment{}
	adjust.AddEnv("NRI", "adjusted")
	adjust.AddMount(&api.Mount{Source: source, Destination: "/nri", Type: "bind", Options: []string{"bind", "ro"}})
	adjust.AddDevice(&api.LinuxDevice{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229})
	adjust.AddRlimit("RLIMIT_NOFILE", 777, 777)
	adjust.SetLinuxMemoryLimit(48 << 20)
	adjust.SetLinuxPidLimits(77)
	return adjust, nil, nil
}

// What kubelet asks for becomes something else: the plugin's word supersedes it.
func (plugin) UpdateContainer(_ context.Context, pod *api.PodSandbox, container *api.Container, _ *api.LinuxResources) ([]*api.ContainerUpdate, error) {
	if _, ok := pod.GetAnnotations()[annotation]; !ok {
		return nil, nil
	}
	update := &api.ContainerUpdate{}
	update.SetContainerId(container.GetId())
	update.SetLinuxMemoryLimit(56 << 20)
	return []*api.ContainerUpdate{update}, nil
}

func main() {
	made, err := stub.New(plugin{}, stub.WithPluginName("kata-ts-test"), stub.WithPluginIdx("50"), stub.WithSocketPath(os.Args[1]))
	if err == nil {
		err = made.Start(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("registered")
	made.Wait()
}
