package main

import (
	"encoding/hex"
	"time"

	cgroup1 "github.com/containerd/cgroups/v3/cgroup1/stats"
	cgroup2 "github.com/containerd/cgroups/v3/cgroup2/stats"
	"github.com/containerd/containerd/api/events"
	bootstrapv1 "github.com/containerd/containerd/api/runtime/bootstrap/v1"
	sandboxv1 "github.com/containerd/containerd/api/runtime/sandbox/v1"
	taskv3 "github.com/containerd/containerd/api/runtime/task/v3"
	streamingv1 "github.com/containerd/containerd/api/services/streaming/v1"
	forwardv1 "github.com/containerd/containerd/api/services/ttrpc/events/v1"
	types "github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/api/types/transfer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A message as containerd's own code encodes it. messages.spec.ts says what is in it.
type message struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Hex  string `json:"hex"`
}

func encoded(name string, m proto.Message) message {
	// Deterministic sorts the entries of maps.
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	must(err)
	return message{name, string(m.ProtoReflect().Descriptor().FullName()), hex.EncodeToString(b)}
}

func packed(m proto.Message) *anypb.Any {
	a, err := anypb.New(m)
	must(err)
	a.TypeUrl = string(m.ProtoReflect().Descriptor().FullName()) // as containerd's typeurl package does
	return a
}

func messages() []message {
	at := timestamppb.New(time.Unix(1_700_000_000, 123_456_789))
	all := bootstrap()
	all = append(all, taskEvents(at)...)
	all = append(all, metrics()...)
	return append(all,
		encoded("delete response", &taskv3.DeleteResponse{Pid: 42, ExitStatus: 255, ExitedAt: at}),
		encoded("delete response of a process that never ran", &taskv3.DeleteResponse{}),
		encoded("exit before the epoch", &taskv3.WaitResponse{ExitStatus: 1, ExitedAt: timestamppb.New(time.Unix(-62_135_596_800, 0))}),
		encoded("pids with an exec", &taskv3.PidsResponse{Processes: []*task.ProcessInfo{{Pid: 1}, {Pid: 7, Info: packed(&options.ProcessDetails{ExecID: "e"})}}}),
		encoded("update", &taskv3.UpdateTaskRequest{
			ID: "c1", Annotations: map[string]string{"b": "2", "a": "1"},
			Resources: &anypb.Any{TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources", Value: []byte(`{"cpu":{"shares":2}}`)},
		}),
		encoded("exec", &taskv3.ExecProcessRequest{ID: "c1", ExecID: "e", Terminal: true, Stdout: "fifo", Spec: &anypb.Any{TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process", Value: []byte("{}")}}),
		encoded("sandbox status", &sandboxv1.SandboxStatusResponse{SandboxID: "s", Pid: 3, State: "SANDBOX_READY", Info: map[string]string{"k": "v"}, CreatedAt: at}),
		encoded("create sandbox", &sandboxv1.CreateSandboxRequest{SandboxID: "s", BundlePath: "/b", NetnsPath: "/run/netns/x", Annotations: map[string]string{"k": "v"}}),
		encoded("update sandbox", &sandboxv1.UpdateSandboxRequest{SandboxID: "s", Sandbox: &types.Sandbox{SandboxID: "s", Runtime: &types.Sandbox_Runtime{Name: "r"}, Extensions: map[string]*anypb.Any{"e": {TypeUrl: "t"}}, Sandboxer: "shim"}, Fields: []string{"labels", "extensions"}}),
		encoded("platform", &sandboxv1.PlatformResponse{Platform: &types.Platform{OS: "linux", Architecture: "amd64", OSFeatures: []string{"f"}}}),
		encoded("runtime info", &types.RuntimeInfo{Name: "io.containerd.kata-ts.v2", Version: &types.RuntimeVersion{Version: "1", Revision: "r"}, Annotations: map[string]string{"containerd.io/runtime-allow-mounts": "mkdir/*,erofs"}}),
		encoded("stream init", packed(&streamingv1.StreamInit{ID: "c1-stdout"})),
		encoded("stream data", packed(&transfer.Data{Data: []byte{0, 255}})),
		encoded("stream window", packed(&transfer.WindowUpdate{Update: -1})),
	)
}

func bootstrap() []message {
	socketDir, empty := "/run/s", ""
	runtime := packed(&runtimeoptions.Options{TypeUrl: "kata-ts", ConfigPath: "/etc/x.toml", ConfigBody: []byte{0xff, 0}})
	return []message{
		encoded("bootstrap params", &bootstrapv1.BootstrapParams{
			InstanceID: "c1", Namespace: "default", LogLevel: bootstrapv1.LogLevel_LOG_LEVEL_DEBUG, ContainerdVersion: "2.3.0",
			ContainerdTtrpcAddress: "/run/containerd/containerd.sock.ttrpc", ContainerdGrpcAddress: "/run/containerd/containerd.sock",
			ContainerdBinary: "/usr/bin/containerd", SocketDir: &socketDir, Extensions: []*bootstrapv1.Extension{{Value: runtime}},
		}),
		encoded("bootstrap params with an empty socket directory", &bootstrapv1.BootstrapParams{InstanceID: "c1", Namespace: "default", SocketDir: &empty}),
		encoded("bootstrap result", &bootstrapv1.BootstrapResult{Version: 3, Address: "unix:///run/s/x", Protocol: "ttrpc", Metadata: map[string]string{"k": "v"}}),
		encoded("runtime options", runtime),
		// An Any is {1: string, 2: bytes}, and so are the first two fields of BootstrapParams.
		encoded("options that parse as bootstrap params", &anypb.Any{TypeUrl: "runtimeoptions.v1.Options", Value: []byte("\n\x07kata-ts")}),
	}
}

func taskEvents(at *timestamppb.Timestamp) []message {
	exit := &events.TaskExit{ContainerID: "c1", ID: "e", Pid: 9, ExitStatus: 1, ExitedAt: at}
	return []message{
		encoded("forward", &forwardv1.ForwardRequest{Envelope: &types.Envelope{Timestamp: at, Namespace: "default", Topic: "/tasks/exit", Event: packed(exit)}}),
		encoded("create event", &events.TaskCreate{
			ContainerID: "c1", Bundle: "/b", Rootfs: []*types.Mount{{Type: "bind", Source: "/s", Target: "/t", Options: []string{"ro"}}},
			IO: &events.TaskIO{Stdin: "i", Stdout: "o", Stderr: "e", Terminal: true}, Checkpoint: "k", Pid: 5,
		}),
		encoded("start event", &events.TaskStart{ContainerID: "c1", Pid: 5}),
		encoded("delete event", &events.TaskDelete{ContainerID: "c1", Pid: 5, ExitStatus: 2, ExitedAt: at, ID: "e"}),
		encoded("exec added event", &events.TaskExecAdded{ContainerID: "c1", ExecID: "e"}),
		encoded("exec started event", &events.TaskExecStarted{ContainerID: "c1", ExecID: "e", Pid: 6}),
		encoded("out of memory event", &events.TaskOOM{ContainerID: "c1"}),
		encoded("paused event", &events.TaskPaused{ContainerID: "c1"}),
		encoded("resumed event", &events.TaskResumed{ContainerID: "c1"}),
		encoded("checkpointed event", &events.TaskCheckpointed{ContainerID: "c1", Checkpoint: "k"}),
	}
}

func metrics() []message {
	const all = ^uint64(0)
	return []message{
		encoded("cgroup v2 metrics", &cgroup2.Metrics{
			Pids:         &cgroup2.PidsStat{Current: 1, Limit: all},
			CPU:          &cgroup2.CPUStat{UsageUsec: 1 << 40, UserUsec: 2, SystemUsec: 3, NrPeriods: 4, NrThrottled: 5, ThrottledUsec: 6, PSI: &cgroup2.PSIStats{Some: &cgroup2.PSIData{Avg10: 0.5, Total: 7}}},
			Memory:       &cgroup2.MemoryStat{Anon: 1, SlabUnreclaimable: 17, ThpCollapseAlloc: 31, Usage: 32, UsageLimit: all, SwapUsage: 34, SwapLimit: 35, MaxUsage: 36, SwapMaxUsage: 37},
			Io:           &cgroup2.IOStat{Usage: []*cgroup2.IOEntry{{Major: 254, Minor: 1, Rbytes: 2, Wbytes: 3, Rios: 4, Wios: 5}}},
			Hugetlb:      []*cgroup2.HugeTlbStat{{Current: 1, Max: 2, Pagesize: "2MB", Failcnt: 3}},
			MemoryEvents: &cgroup2.MemoryEvents{Low: 1, High: 2, Max: 3, Oom: 4, OomKill: 5, OomGroupKill: 6},
			Network:      []*cgroup2.NetworkStat{{Name: "eth0", RxBytes: 1, RxPackets: 2, RxErrors: 3, RxDropped: 4, TxBytes: 5, TxPackets: 6, TxErrors: 7, TxDropped: 8}},
		}),
		encoded("cgroup v1 metrics", &cgroup1.Metrics{
			Pids:   &cgroup1.PidsStat{Current: 1, Limit: 2},
			CPU:    &cgroup1.CPUStat{Usage: &cgroup1.CPUUsage{Total: 10, Kernel: 4, User: 6, PerCPU: []uint64{1, 300}}, Throttling: &cgroup1.Throttle{Periods: 1, ThrottledPeriods: 2, ThrottledTime: 3}},
			Memory: &cgroup1.MemoryStat{Cache: 1, RSS: 2, TotalUnevictable: 32, Usage: &cgroup1.MemoryEntry{Limit: all, Usage: 1, Max: 2, Failcnt: 3}},
			Blkio:  &cgroup1.BlkIOStat{IoServiceBytesRecursive: []*cgroup1.BlkIOEntry{{Op: "Read", Device: "/dev/vda", Major: 254, Minor: 1, Value: 9}}},
		}),
	}
}
