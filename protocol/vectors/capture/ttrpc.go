package main

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	taskv2 "github.com/containerd/containerd/api/runtime/task/v2"
	taskv3 "github.com/containerd/containerd/api/runtime/task/v3"
	streamingv1 "github.com/containerd/containerd/api/services/streaming/v1"
	types "github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/runtimeoptions/v1"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// A frame as it was written, and who wrote it. Zeros more bytes follow that are all zero, left out here.
type frame struct {
	From  string `json:"from"`
	Hex   string `json:"hex"`
	Zeros int    `json:"zeros,omitempty"`
}

// One connection's frames, in the order they were written.
type dialogue struct {
	Name   string  `json:"name"`
	Frames []frame `json:"frames"`
}

type recorder struct {
	mu     sync.Mutex
	frames []frame
}

func (r *recorder) add(f frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames = append(r.frames, f)
}

// recordedConn notes each write; ttrpc flushes once for each frame.
type recordedConn struct {
	net.Conn
	from string
	to   *recorder
}

func (c recordedConn) Write(p []byte) (int, error) {
	c.to.add(frame{From: c.from, Hex: hex.EncodeToString(p)})
	return c.Conn.Write(p)
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, errors.New("closed")
	}
}
func (l *pipeListener) Close() error   { return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// The handlers answer as the specs' handlers in TypeScript do.
type taskService struct{ taskv3.TTRPCTaskService }

func (taskService) State(_ context.Context, r *taskv3.StateRequest) (*taskv3.StateResponse, error) {
	if r.ID != "c1" {
		return nil, status.Errorf(codes.NotFound, "container %s: not found", r.ID)
	}
	return &taskv3.StateResponse{
		ID: r.ID, Bundle: "/run/b", Pid: 4_000_000_000, Status: task.Status_STOPPED, Stdout: "/fifo", Terminal: true, ExitStatus: 137,
		ExitedAt: timestamppb.New(time.Unix(1_700_000_000, 123_456_789)), ExecID: r.ExecID,
	}, nil
}
func (taskService) Pause(context.Context, *taskv3.PauseRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}
func (taskService) Resume(context.Context, *taskv3.ResumeRequest) (*emptypb.Empty, error) {
	return nil, errors.New("not an RPC error")
}

type taskV2Service struct{ taskv2.TTRPCTaskService }

func (taskV2Service) Create(_ context.Context, r *taskv2.CreateTaskRequest) (*taskv2.CreateTaskResponse, error) {
	return &taskv2.CreateTaskResponse{Pid: uint32(len(r.Rootfs))}, nil
}

type streamingService struct{}

func (streamingService) Stream(ctx context.Context, s streamingv1.TTRPCStreaming_StreamServer) error {
	for {
		a, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if a.TypeUrl == "fail" {
			return status.Error(codes.Aborted, "told to fail")
		}
		if err := s.Send(a); err != nil {
			return err
		}
	}
}

// The two kinds of stream that containerd has no service of.
var oneWayStreams = &ttrpc.ServiceDesc{Streams: map[string]ttrpc.Stream{
	"Down": {StreamingServer: true, Handler: func(_ context.Context, s ttrpc.StreamServer) (any, error) {
		var r taskv3.StateRequest
		if err := s.RecvMsg(&r); err != nil {
			return nil, err
		}
		for _, id := range []string{r.ID, "", "c"} {
			if err := s.SendMsg(&taskv3.StateRequest{ID: id}); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}},
	"Up": {StreamingClient: true, Handler: func(_ context.Context, s ttrpc.StreamServer) (any, error) {
		all := ""
		for {
			var r taskv3.StateRequest
			if err := s.RecvMsg(&r); errors.Is(err, io.EOF) {
				return &taskv3.StateRequest{ID: all}, nil
			} else if err != nil {
				return nil, err
			}
			all += r.ID
		}
	}},
}}

// record serves one connection and runs `use` on its other end.
func record(name string, use func(ctx context.Context, conn net.Conn)) dialogue {
	server, err := ttrpc.NewServer()
	must(err)
	taskv3.RegisterTTRPCTaskService(server, taskService{})
	taskv2.RegisterTTRPCTaskService(server, taskV2Service{})
	streamingv1.RegisterTTRPCStreamingService(server, streamingService{})
	server.RegisterService("test.OneWay", oneWayStreams)
	listener := &pipeListener{conns: make(chan net.Conn, 1), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go server.Serve(ctx, listener)
	near, far := net.Pipe()
	r := &recorder{}
	listener.conns <- recordedConn{far, "server", r}
	use(ctx, recordedConn{near, "client", r})
	near.Close()
	close(listener.done)
	server.Close()
	return dialogue{Name: name, Frames: r.frames}
}

func withClient(name string, use func(ctx context.Context, client *ttrpc.Client), opts ...ttrpc.ClientOpts) dialogue {
	return record(name, func(ctx context.Context, conn net.Conn) { use(ctx, ttrpc.NewClient(conn, opts...)) })
}

// timeoutNano makes a deadline's remaining time the same in every run.
func timeoutNano(nanos int64) ttrpc.ClientOpts {
	return ttrpc.WithUnaryClientInterceptor(func(ctx context.Context, req *ttrpc.Request, resp *ttrpc.Response, _ *ttrpc.UnaryClientInfo, invoke ttrpc.Invoker) error {
		req.TimeoutNano = nanos
		return invoke(ctx, req, resp)
	})
}

func dialogues() []dialogue {
	return append(calls(), refusals()...)
}

func calls() []dialogue {
	options, err := anypb.New(&runtimeoptions.Options{TypeUrl: "kata-ts", ConfigPath: "/etc/x.toml"})
	must(err)
	return []dialogue{
		withClient("unary", func(ctx context.Context, c *ttrpc.Client) {
			_, err := taskv3.NewTTRPCTaskClient(c).State(ctx, &taskv3.StateRequest{ID: "c1", ExecID: "e"})
			must(err)
		}),
		withClient("unary with empty messages", func(ctx context.Context, c *ttrpc.Client) {
			_, err := taskv3.NewTTRPCTaskClient(c).Pause(ctx, &taskv3.PauseRequest{})
			must(err)
		}),
		withClient("three calls on one connection", func(ctx context.Context, c *ttrpc.Client) {
			for range 3 {
				_, err := taskv3.NewTTRPCTaskClient(c).Pause(ctx, &taskv3.PauseRequest{ID: "c1"})
				must(err)
			}
		}),
		withClient("task v2 Create", func(ctx context.Context, c *ttrpc.Client) {
			_, err := taskv2.NewTTRPCTaskClient(c).Create(ctx, &taskv2.CreateTaskRequest{
				ID: "c1", Bundle: "/run/b", Terminal: true, Stdin: "/in", Options: options,
				Rootfs: []*types.Mount{{Type: "overlay", Source: "overlay", Options: []string{"lowerdir=/a:/b", "ro"}}, {Type: "bind"}},
			})
			must(err)
		}),
		withClient("metadata and timeout", func(ctx context.Context, c *ttrpc.Client) {
			md := ttrpc.MD{}
			md.Set("Containerd-Namespace-Ttrpc", "k8s.io", "second")
			_, err := taskv3.NewTTRPCTaskClient(c).Pause(ttrpc.WithMetadata(ctx, md), &taskv3.PauseRequest{ID: "c1"})
			must(err)
		}, timeoutNano(5_000_000_000)),
		withClient("status of an error", func(ctx context.Context, c *ttrpc.Client) {
			_, _ = taskv3.NewTTRPCTaskClient(c).State(ctx, &taskv3.StateRequest{ID: "nope"})
		}),
		withClient("status of an error without a code", func(ctx context.Context, c *ttrpc.Client) {
			_, _ = taskv3.NewTTRPCTaskClient(c).Resume(ctx, &taskv3.ResumeRequest{ID: "c1"})
		}),
		withClient("unknown service", func(ctx context.Context, c *ttrpc.Client) {
			_ = c.Call(ctx, "no.Such", "State", &taskv3.StateRequest{ID: "c1"}, &taskv3.StateResponse{})
		}),
		withClient("unknown method", func(ctx context.Context, c *ttrpc.Client) {
			_ = c.Call(ctx, "containerd.task.v3.Task", "NoSuch", &taskv3.StateRequest{ID: "c1"}, &taskv3.StateResponse{})
		}),
		withClient("stream both ways", func(ctx context.Context, c *ttrpc.Client) {
			s, err := streamingv1.NewTTRPCStreamingClient(c).Stream(ctx)
			must(err)
			for _, url := range []string{"a", "", "c"} {
				must(s.Send(&anypb.Any{TypeUrl: url, Value: []byte{0xff}[:len(url)]}))
				_, err = s.Recv()
				must(err)
			}
			must(s.CloseSend())
			if _, err = s.Recv(); !errors.Is(err, io.EOF) {
				panic(err)
			}
		}),
		withClient("stream that fails", func(ctx context.Context, c *ttrpc.Client) {
			s, err := streamingv1.NewTTRPCStreamingClient(c).Stream(ctx)
			must(err)
			must(s.Send(&anypb.Any{TypeUrl: "fail"}))
			_, _ = s.Recv()
		}),
		withClient("stream from the server", func(ctx context.Context, c *ttrpc.Client) {
			s, err := c.NewStream(ctx, &ttrpc.StreamDesc{StreamingServer: true}, "test.OneWay", "Down", &taskv3.StateRequest{ID: "a"})
			must(err)
			for err == nil {
				err = s.RecvMsg(&taskv3.StateRequest{})
			}
		}),
		withClient("stream to the server", func(ctx context.Context, c *ttrpc.Client) {
			s, err := c.NewStream(ctx, &ttrpc.StreamDesc{StreamingClient: true}, "test.OneWay", "Up", nil)
			must(err)
			must(s.SendMsg(&taskv3.StateRequest{ID: "a"}))
			must(s.SendMsg(&taskv3.StateRequest{ID: "b"}))
			must(s.CloseSend())
			must(s.RecvMsg(&taskv3.StateRequest{}))
		}),
	}
}

// What a Go server answers to clients that break the protocol. Each is followed by a correct call, to show that the
// connection goes on.
func refusals() []dialogue {
	const pause = "0a17636f6e7461696e6572642e7461736b2e76332e5461736b12055061757365" // Request{containerd.task.v3.Task, Pause}
	type sent struct {
		hex     string
		zeros   int
		answers int
	}
	raw := func(name string, frames ...sent) dialogue {
		return record(name, func(_ context.Context, conn net.Conn) {
			for _, f := range frames {
				head, err := hex.DecodeString(f.hex)
				must(err)
				rc := conn.(recordedConn)
				rc.to.add(frame{From: "client", Hex: f.hex, Zeros: f.zeros})
				_, err = rc.Conn.Write(append(head, make([]byte, f.zeros)...))
				must(err)
				for range f.answers {
					header := make([]byte, 10)
					_, err = io.ReadFull(conn, header)
					must(err)
					_, err = io.CopyN(io.Discard, conn, int64(header[2])<<8|int64(header[3]))
					must(err)
				}
			}
		})
	}
	call := func(id string) sent { return sent{hex: "00000020" + id + "0100" + pause, answers: 1} }
	return []dialogue{
		raw("even stream id", sent{hex: "00000020" + "00000002" + "0100" + pause, answers: 1}, call("00000003")),
		raw("stream id used again", call("00000005"), call("00000005"), call("00000003"), call("00000007")),
		raw("data on a stream that is not there", sent{hex: "00000000" + "00000001" + "0300", answers: 1}, call("00000003")),
		raw("request that is no protobuf", sent{hex: "00000002" + "00000001" + "0100" + "0aff", answers: 1}, call("00000003")),
		raw("message that is too long", sent{hex: "00400001" + "00000001" + "0100", zeros: 4<<20 + 1, answers: 1}, call("00000003")),
		raw("message type that is not known", sent{hex: "00000001" + "00000001" + "0900" + "00"}, call("00000003")),
	}
}
